"""A real Dask cluster on loopback, in an environment of its own, and what to install it from."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import interpreters, wheelhouse

_CLUSTER = """\
import sys

if __name__ == "__main__":
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=int(sys.argv[1]), threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
_ASK = """\
import json, sys
from distributed import Client

def held(dask_scheduler):
    ours = lambda names: sorted(name for name in names if name.startswith("envmagic:"))
    return ours(dask_scheduler.worker_plugins), ours(getattr(dask_scheduler, "envmagic_parts", ()))

def path():
    import sys
    return [place for place in sys.path if "envmagic" in place]

with Client(sys.argv[1]) as client:
    registered, scheduler = client.run_on_scheduler(held)
    paths = {**client.run(path), "scheduler": client.run_on_scheduler(path)}
    if sys.argv[2:]:
        client.run_on_scheduler(lambda code: exec(code, {}), sys.argv[2])
    print(json.dumps([registered, scheduler, {k: v for k, v in paths.items() if v}]))
"""
NOTHING: list[Any] = [[], [], {}]
"""What `held` says of a cluster that nothing was sent to."""


def wheels() -> Path:
    """The directory with wheels of distributed for the running Python and for another one.

    Needs a network the first time only.
    """
    target = wheelhouse.directory() / "dask"
    for version, python in (here(), other()):
        wheelhouse.download(target, ("distributed", "pip"), version, python)
    return target


def here() -> tuple[str, Path]:
    """The minor version of the running Python, and its interpreter."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}", Path(sys.executable)


def other() -> tuple[str, Path]:
    """Another minor version, and its interpreter."""
    found = interpreters.found()
    return next(((v, p) for v, p in found.items() if v != here()[0]), here())


@contextlib.contextmanager
def cluster(python: Path, directory: Path, workers: int = 2) -> Iterator[str]:
    """The address of a cluster that `python` runs in `directory`; it finds no uv."""
    script = directory / "cluster.py"
    script.write_text(_CLUSTER)
    variables = {**os.environ, "PATH": str(python.parent), "TMPDIR": str(directory)}
    with subprocess.Popen(
        [python, script, str(workers)],
        cwd=directory,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        try:
            yield running.stdout.readline().strip()
        finally:
            running.stdin.close()


def held(python: Path, address: str, code: str = "") -> list[Any]:
    """What of ours is registered at `address`, in its scheduler, and on the path of its processes;
    the scheduler runs `code` afterwards."""
    words = [str(python), "-c", _ASK, address, *([code] if code else [])]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    found: list[Any] = json.loads(ran.stdout.splitlines()[-1])
    return found
