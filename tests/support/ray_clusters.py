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

import psutil
from support import wheelhouse

__all__ = ["INSTALLED", "VARIABLES", "cluster", "wheels"]

VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "UV_HTTP_RETRIES": "0"}
"""For whoever starts Ray or connects to it here."""
INSTALLED = ("ray", "uv", "virtualenv")
"""What a cluster needs that is to install: less than `ray[default]` starts less beside it."""
_HOST = "127.0.0.2"  # of loopback; what is called localhost Ray replaces by another address
_STARTS_WITHIN = 120.0  # seconds
_ENDS_WITHIN = 30.0


def wheels() -> Path:
    """The directory with wheels of Ray. Needs a network the first time only."""
    target = wheelhouse.directory() / "ray"
    wheelhouse.download(target, ("ray",))
    return target


@contextlib.contextmanager
def cluster(python: Path) -> Iterator[str]:
    """The address of a cluster of one node, whose workers `python` runs."""
    place = Path(tempfile.mkdtemp(prefix="evr-", dir="/tmp"))  # sockets have short paths only
    port, agent = _free_ports(2)
    words = ["start", "--head", "--block", f"--node-ip-address={_HOST}", f"--port={port}"]
    words += [f"--dashboard-agent-listen-port={agent}", "--num-cpus=2"]
    words += [f"--object-store-memory={80 << 20}", f"--temp-dir={place / 'ray'}"]
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
            _end(running)
            shutil.rmtree(place, ignore_errors=True)


def _wait(running: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while "Ray runtime started" not in log.read_text("utf-8", "replace"):
        assert running.poll() is None and time.monotonic() < until, log.read_text()
        time.sleep(0.1)


def _end(running: subprocess.Popen[bytes]) -> None:
    """It ends what it has started; what is left is ended here."""
    started = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(_ENDS_WITHIN)
    running.kill()
    running.wait()
    for child in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        opened = [held.enter_context(socket.socket()) for _ in range(number)]
        for each in opened:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in opened]
