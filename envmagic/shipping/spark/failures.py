"""Why Spark could not do it, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from envmagic.core.errors import EnvmagicError

__all__ = ["explained", "gone", "other_python", "silent", "unreachable"]

_NOT_STARTED = re.compile(r'Cannot run program "([^"]+)"')


@contextmanager
def explained(master: str) -> Iterator[None]:
    """Within the `with` block what Spark raises is an `EnvmagicError` for the cluster `master`."""
    try:
        yield
    except EnvmagicError:
        raise
    except Exception as error:
        raise _explained(error, master) from error


def gone(master: str) -> EnvmagicError:
    """That the session's cluster is not there any more."""
    return EnvmagicError(
        "cluster-gone",
        f"The cluster of the Spark session on {master} has ended.",
        "Run spark.stop() in a cell, and getOrCreate() for another session.",
        subject=master,
    )


def _without_java(master: str) -> EnvmagicError:
    return EnvmagicError(
        "cluster-gone",
        f"The Java process of the Spark session on {master} has ended.",
        "Restart the kernel: Spark starts none anew in the same process.",
        subject=master,
    )


def other_python(master: str) -> EnvmagicError:
    """That executors run another minor version of Python, which nothing can be sent to."""
    return EnvmagicError(
        "another-python",
        f"The executors of {master} run another Python than the notebook; nothing was sent.",
        "Stop the session with spark.stop() in a cell, then",
        command=("ship", "spark"),
        subject=master,
    )


def silent(master: str, seconds: float) -> EnvmagicError:
    """That no executor has answered."""
    return EnvmagicError(
        "cluster-silent",
        f"No executor of {master} has answered within {seconds:.0f} s; it may be busy.",
        "Try again when it has room",
        command=("ship", "spark", "--check"),
        subject=master,
    )


def unreachable(master: str, reason: str) -> EnvmagicError:
    """That nothing answers at the address `master`."""
    return EnvmagicError(
        "cluster-gone",
        f"No Spark master answers at {master}: {reason}.",
        "Start it, or name another one",
        command=("ship", "spark", "spark://HOST:7077"),
        subject=master,
    )


def _explained(error: Exception, master: str) -> EnvmagicError:
    said = str(error)
    if type(error).__module__.startswith("py4j") and type(error).__name__ != "Py4JJavaError":
        return _without_java(master)
    if isinstance(error, (ConnectionError, EOFError)):
        return _without_java(master)
    started = _NOT_STARTED.search(said)
    if started is not None:
        return EnvmagicError(
            "no-interpreter",
            f"The executors of {master} cannot start {started[1]}: what it leads to is not there.",
            "Have that Python there, or ship a conda environment, which holds its own.",
            subject=started[1],
            detail=said,
        )
    if "PYTHON_VERSION_MISMATCH" in said or "different version" in said:
        return other_python(master)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return EnvmagicError(
        "ship-failed",
        f"Spark on {master} failed: {lines[0] if lines else type(error).__name__}",
        subject=master,
        detail=said,
    )
