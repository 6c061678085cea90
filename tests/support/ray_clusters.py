"""A real Ray cluster on loopback, in an environment of its own, and what to install it from."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support import wheelhouse

__all__ = ["VARIABLES", "cluster", "wheels"]

VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "UV_HTTP_RETRIES": "0"}
"""For whoever starts Ray or connects to it here."""
_HOST = "127.0.0.2"  # of loopback; what is called localhost Ray replaces by another address
_STARTS_WITHIN = 120.0  # seconds
_ENDS_WITHIN = 30.0


def wheels() -> Path:
    """The directory with wheels of Ray. Needs a network the first time only."""
    target = wheelhouse.directory() / "ray"
    wheelhouse.download(target, ("ray[default]",))
    return target


@contextlib.contextmanager
def cluster(python: Path) -> Iterator[str]:
    """The address of a cluster of one node, whose workers `python` runs."""
    place = Path(tempfile.mkdtemp(prefix="evr-", dir="/tmp"))  # sockets have short paths only
    port, client, agent = _free_ports(3)
    words = ["start", "--head", "--block", f"--node-ip-address={_HOST}", f"--port={port}"]
    words += [f"--ray-client-server-port={client}", f"--dashboard-agent-listen-port={agent}"]
    words += ["--num-cpus=2", f"--object-store-memory={80 << 20}", f"--temp-dir={place / 'ray'}"]
    words += ["--include-dashboard=false", "--disable-usage-stats"]
    log = place / "log"
    with log.open("wb") as said:
        running = subprocess.Popen(
            [python.parent / "ray", *words],
            env={**os.environ, **VARIABLES},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(running, log)
            yield f"{_HOST}:{port}"
        finally:
            running.send_signal(signal.SIGTERM)  # it ends what it has started
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(_ENDS_WITHIN)
            running.kill()
            running.wait()
            shutil.rmtree(place, ignore_errors=True)


def _wait(running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while "Ray runtime started" not in log.read_text("utf-8", "replace"):
        assert running.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.1)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        opened = [held.enter_context(socket.socket()) for _ in range(number)]
        for each in opened:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in opened]
