"""Ports for kernels that nothing else on the machine is handed in between.

jupyter_client asks the system for a free port, gives it back, and starts a kernel that takes it a
moment later. Where many kernels start at once somebody else may have it by then, and the kernel
ends with "Address already in use". The system hands out none below its own range.
"""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

from jupyter_client.connect import LocalPortCache

_LOWEST = 10_000
_WORKERS = 16  # shares of the range; a test process and all that it starts have one


def install() -> None:
    """Let jupyter_client choose from this test process's own share, here and now."""
    LocalPortCache.find_available_port = _find  # type: ignore[method-assign]


def configuration() -> str:
    """What a `jupyter_config.py` holds, so that the programs a test starts choose so too."""
    directory = str(Path(__file__).parents[1])
    return (
        f"import sys\nsys.path.append({directory!r})\n"
        "from support import ports\nports.install()\n"
        f"sys.path.remove({directory!r})\n"
    )


def _find(self: LocalPortCache, ip: str) -> int:
    share = _share()
    while True:
        port = random.choice(share)
        if port in self.currently_used_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((ip, port))
            except OSError:
                continue
        self.currently_used_ports.add(port)
        return port


def _share() -> range:
    worker = int("".join(c for c in os.environ.get("PYTEST_XDIST_WORKER", "") if c.isdigit()) or 0)
    width = (_first_of_the_system() - _LOWEST) // _WORKERS
    start = _LOWEST + worker % _WORKERS * width
    return range(start, start + width)


def _first_of_the_system() -> int:
    try:
        said = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    except OSError:
        return 32_768
    return max(int(said.split()[0]), _LOWEST + 1_600)
