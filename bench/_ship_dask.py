"""`ship dask` beside `PipInstall` and `upload_file`."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import uv
from _ground import home, ratio, spread
from support import dask_clusters
from support.dask_clusters import cluster
from support.kernels import RunningKernel
from support.terminal import envmagic

ROUNDS = 5
PACKAGES = ("humanize", "python-slugify")
HELPER = "import humanize, slugify\n\n\ndef of(number):\n    return slugify.slugify(str(number))\n"
BY_HAND = """\
from distributed import PipInstall
client.register_plugin(PipInstall({packages}))
client.upload_file("helper.py")
"""
RESULT = "client.gather(client.map(helper.of, [{number}], pure=False))"


def measured() -> list[list[str]]:
    """Rows of the first sending, one with nothing to send, and one with a changed module."""
    dask_clusters.wheels()
    with home(more=("distributed", "pip", *PACKAGES)) as place:
        work = place / "work"
        work.mkdir()
        envmagic("create", "own", "--with", "distributed", *PACKAGES, cwd=work)
        (work / "helper.py").write_text(HELPER)
        notebook = _notebook(work / "n.ipynb", "import helper, distributed")
        envmagic("record", notebook, "--env", "own", cwd=work)
        kernel = RunningKernel("own", work, notebook=notebook)
        kernel.run("import helper\nfrom distributed import Client")
        taken: dict[str, list[float]] = {k: [] for k in ("ours", "hand", "again", "changed", "up")}
        for number in range(-1, ROUNDS):  # the first warms what is cached
            for name, seconds in _round(kernel, place, work, number).items():
                taken[name] += [seconds] * (number >= 0)
        kernel.stop()
    ours, hand, again, changed, up = taken.values()
    return [
        ["packages and a module, first", spread(ours), spread(hand), ratio(ours, hand), "≤ 1.1 ×"],
        ["nothing changed", spread(again), "–", "–", "≤ 1 s"],
        ["a module changed", spread(changed), spread(up), "–", "–"],
    ]


def _round(kernel: RunningKernel, place: Path, work: Path, number: int) -> dict[str, float]:
    """Seconds of each way; the workers' environment is new for both."""
    pins = [line.split()[0] for line in _record(work) if not line.startswith("distributed")]
    taken = {}
    with _connected(kernel, place):
        taken["ours"] = _timed(kernel, "%env ship dask")
        taken["again"] = _timed(kernel, "%env ship dask")
        _timed(kernel, RESULT.format(number=number))
        (work / "helper.py").write_text(f"{HELPER}# {number}\n")
        taken["changed"] = _timed(kernel, "%env ship dask")
    with _connected(kernel, place):
        taken["hand"] = _timed(kernel, BY_HAND.format(packages=pins))
        _timed(kernel, RESULT.format(number=number))
        taken["up"] = _timed(kernel, "client.upload_file('helper.py')")
    return taken


@contextlib.contextmanager
def _connected(kernel: RunningKernel, place: Path) -> Iterator[None]:
    """Within the `with` block the kernel's `client` is that of a cluster that lacks everything, and
    has no uv."""
    workers = place / "workers"
    python = workers / "bin" / "python"
    subprocess.run([uv.find_uv_bin(), "venv", "-q", str(workers)], check=True)
    install = [uv.find_uv_bin(), "pip", "install", "-q", "-p", str(python)]
    subprocess.run([*install, "distributed", "pip"], check=True)
    subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True)  # compiled
    with cluster(python, place) as address:
        _timed(kernel, f"client = Client({address!r}); client.wait_for_workers(2)")
        yield
        _timed(kernel, "client.close()")
    shutil.rmtree(workers)
    shutil.rmtree(place / "dask-scratch-space")


def _timed(kernel: RunningKernel, code: str) -> float:
    began = time.perf_counter()
    ran = kernel.run(code, timeout=600)
    assert ran.status == "ok", ran.text
    return time.perf_counter() - began


def _notebook(path: Path, source: str) -> Path:
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": "a"}
    told = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps({**told, "cells": [{**cell, "execution_count": None}]}))
    return path


def _record(work: Path) -> list[str]:
    lines = (work / "requirements.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith("#")]
