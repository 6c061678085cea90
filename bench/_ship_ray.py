"""`ship ray` beside a `runtime_env` written by hand."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from _ground import home, ratio, spread
from support import ray_clusters
from support.kernels import RunningKernel
from support.terminal import envmagic

ROUNDS = 5
PACKAGES = ("humanize", "python-slugify")
HELPER = "import humanize, slugify\n\n\ndef of(number):\n    return slugify.slugify(str(number))\n"
BY_HAND = """\
ray.init({address!r}, runtime_env={{"uv": {packages}, "py_modules": ["helper.py"]}})
"""
# What is sent is there when a task has run with it: Ray sets it up for the first one.
RESULT = """\
@ray.remote
def of(number):
    return helper.of(number)
ray.get(of.remote({number}))
"""


def measured() -> list[list[str]]:
    """Rows of the first sending until the first result, and of one with nothing to send."""
    wheels = ray_clusters.wheels()
    with home() as place:
        _also_from(wheels)
        os.environ |= ray_clusters.VARIABLES
        work = place / "work"
        work.mkdir()
        envmagic("create", "workers", "--with", *ray_clusters.INSTALLED, cwd=work)
        envmagic("create", "own", "--with", "ray", *PACKAGES, cwd=work)
        (work / "helper.py").write_text(HELPER)
        notebook = _notebook(work / "n.ipynb", "import helper, ray")
        envmagic("record", notebook, "--env", "own", cwd=work)
        kernel = RunningKernel("own", work, notebook=notebook)
        kernel.run("import helper, ray")
        taken: dict[str, list[float]] = {name: [] for name in ("ours", "hand", "again")}
        python = place / "envmagic" / "envs" / "workers" / "bin" / "python"
        for number in range(-1, ROUNDS):  # the first warms what is cached
            for name, seconds in _round(kernel, python, work, number).items():
                taken[name] += [seconds] * (number >= 0)
        kernel.stop()
    ours, hand, again = taken.values()
    first = ["packages and a module, to a result", spread(ours), spread(hand), ratio(ours, hand)]
    return [[*first, "≤ 1.1 ×"], ["nothing changed", spread(again), "–", "–", "≤ 1 s"]]


def _round(kernel: RunningKernel, python: Path, work: Path, number: int) -> dict[str, float]:
    """Seconds of each way, in a cluster of its own that has nothing installed yet; each second
    round begins by hand."""
    pins = [line.split()[0] for line in _record(work) if not line.startswith("ray")]
    taken = {}
    for name in ("ours", "hand") if number % 2 else ("hand", "ours"):
        with ray_clusters.cluster(python) as address:
            by_hand = BY_HAND.format(address=address, packages=pins)
            began = time.perf_counter()
            _run(kernel, f"%env ship ray {address}" if name == "ours" else by_hand)
            _run(kernel, RESULT.format(number=number))
            taken[name] = time.perf_counter() - began
            if name == "ours":
                began = time.perf_counter()
                _run(kernel, "%env ship ray")
                taken["again"] = time.perf_counter() - began
            _run(kernel, "ray.shutdown()")
    return taken


def _run(kernel: RunningKernel, code: str) -> None:
    ran = kernel.run(code, timeout=300.0)
    assert ran.status == "ok", ran.text


def _also_from(wheels: Path) -> None:
    os.environ["PIP_FIND_LINKS"] += f" {wheels.as_uri()}"
    links = json.dumps(os.environ["PIP_FIND_LINKS"].split())
    Path(os.environ["UV_CONFIG_FILE"]).write_text(f"no-index = true\nfind-links = {links}\n")


def _notebook(path: Path, source: str) -> Path:
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": "a"}
    told = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps({**told, "cells": [{**cell, "execution_count": None}]}))
    return path


def _record(work: Path) -> list[str]:
    lines = (work / "requirements.txt").read_text().splitlines()
    return [line for line in lines if "==" in line and not line.startswith("#")]
