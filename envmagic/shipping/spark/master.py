"""The address of a Spark cluster: whether it is one, and whether it answers."""

from __future__ import annotations

import re
import socket

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.shipping.spark import failures

__all__ = ["check", "is_local"]

_KNOWN = re.compile(r"yarn|k8s://.+|local-cluster\[\d+, *\d+, *\d+\]")
_STANDALONE = re.compile(r"spark://(.+)")
_SECONDS = 3.0


def check(target: str | None, running: str | None) -> None:
    """Raises `EnvmagicError` where nothing can be shipped to the master `target`, or to that of the
    session that is `running`."""
    if running is not None and target not in (None, running):
        raise EnvmagicError(
            "other-cluster",
            f"The session of this notebook runs on {running},"
            f" not on {display.shortened(str(target))}.",
            "Stop it with spark.stop() in a cell, then",
            command=("ship", "spark", str(target)),
            subject=running,
        )
    if is_local(running or target or ""):
        raise EnvmagicError(
            "nothing-to-ship",
            f"A session on {running or target} runs here, in this notebook's environment.",
            "Nothing has to be shipped; for a cluster"
            if running is None
            else "Nothing has to be shipped; for a cluster, spark.stop() in a cell, then",
            command=("ship", "spark", "spark://HOST:7077"),
            subject=running or target or "",
        )
    if running is None and target is not None:
        _answers(target)


def is_local(master: str) -> bool:
    """Whether tasks run in the process of the driver."""
    return master.partition("[")[0] == "local"


def _answers(target: str) -> None:
    standalone = _STANDALONE.fullmatch(target)
    if standalone is None:
        if not _KNOWN.fullmatch(target):
            raise WordsError(
                "option-value",
                f"{display.shortened(target)} is no master of Spark that envmagic knows"
                " (spark://HOST:PORT, yarn, k8s://…).",
                "Name one so",
                command=("ship", "spark", "spark://HOST:7077"),
                subject=target,
            )
        return
    why = ""
    for each in standalone[1].split(","):
        host, _, port = each.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), _SECONDS):
                return
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None)
            why = said.lower() if said else "it is no HOST:PORT"
    raise failures.unreachable(target, why)
