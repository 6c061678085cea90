"""`ship spark` beside venv-pack on an environment that holds the same packages and nothing else."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uv
from _ground import home, ratio, spread
from support import spark
from support.kernels import RunningKernel
from support.terminal import envmagic

ROUNDS = 3
PACKAGES = ("pandas",)
CLUSTER = "local-cluster[2,1,1024]"
BY_HAND = """\
import os, subprocess
subprocess.run({words}, check=True)
os.environ["PYSPARK_PYTHON"] = "./environment/bin/python"
words = "--master '{cluster}' --archives {archive}#environment pyspark-shell"
os.environ["PYSPARK_SUBMIT_ARGS"] = words
"""
RESULT = """\
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def total(part):
    import pandas
    yield int(pandas.Series(list(part)).sum())
assert sum(spark.sparkContext.parallelize(range(1000), 2).mapPartitions(total).collect()) == 499500
"""


def measured() -> list[list[str]]:
    """Rows of the archive alone, of all until a result, of nothing to do, and the sizes."""
    with home(more=(*PACKAGES, "py4j")) as place:
        for wheel in spark.ensure():
            (place / wheel.name).symlink_to(wheel)
        work = place / "work"
        work.mkdir()
        envmagic("create", "own", "--with", *PACKAGES, f"pyspark @ {_pyspark(place)}", cwd=work)
        notebook = _notebook(work / "n.ipynb", "import pandas, pyspark")
        envmagic("record", notebook, "--env", "own", cwd=work)
        same = _same(place)
        taken: dict[str, list[float]] = {k: [] for k in ("ours", "again", "result", "hand", "all")}
        for number in range(-1, ROUNDS):
            for name, seconds in {**_ours(place, work), **_hand(place, work, same)}.items():
                taken[name] += [seconds] * (number >= 0)
        sizes = [path.stat().st_size / 1e6 for path in (_archive(place), place / "hand.tar.gz")]
    ours, again, result, hand, everything = taken.values()
    return [
        ["the archive", spread(ours), spread(hand), ratio(ours, hand), "≤ 1.1 ×"],
        [
            "until a result",
            spread(result),
            spread(everything),
            ratio(result, everything),
            "≤ 1.1 ×",
        ],
        ["nothing changed", spread(again), "–", f"{statistics.median(again):.2f} s", "≤ 1 s"],
        ["its size", *(f"{s:.1f} MB" for s in sizes), f"{sizes[0] / sizes[1]:.2f} ×", "≤ 1 ×"],
    ]


def _ours(place: Path, work: Path) -> dict[str, float]:
    shutil.rmtree(place / "envmagic" / "spark", ignore_errors=True)
    kernel = RunningKernel("own", work, notebook=work / "n.ipynb")
    kernel.run("%load_ext envmagic")
    began = time.perf_counter()
    first = _timed(kernel, f"%env ship spark {CLUSTER}")
    kernel.run(RESULT, timeout=600)
    whole = time.perf_counter() - began
    again = _timed(kernel, "%env ship spark")
    kernel.stop()
    return {"ours": first, "again": again, "result": whole}


def _hand(place: Path, work: Path, same: Path) -> dict[str, float]:
    archive = place / "hand.tar.gz"
    words = [sys.executable, "-m", "venv_pack", "-q", "-f", "-p", str(same), "-o", str(archive)]
    kernel = RunningKernel("own", work)
    began = time.perf_counter()
    pack = _timed(kernel, BY_HAND.format(words=words, cluster=CLUSTER, archive=archive))
    kernel.run(RESULT, timeout=600)
    whole = time.perf_counter() - began
    kernel.stop()
    return {"hand": pack, "all": whole}


def _same(place: Path) -> Path:
    """An environment of the packages alone, as one makes it for venv-pack."""
    made = place / "same"
    subprocess.run([uv.find_uv_bin(), "venv", "-q", str(made)], check=True)
    install = [uv.find_uv_bin(), "pip", "install", "-q", "-p", str(made / "bin" / "python")]
    subprocess.run([*install, *PACKAGES], check=True)
    return made


def _timed(kernel: RunningKernel, code: str) -> float:
    began = time.perf_counter()
    kernel.run(code, timeout=600)
    return time.perf_counter() - began


def _archive(place: Path) -> Path:
    (found,) = (place / "envmagic" / "spark").glob("*.tar.gz")
    return found


def _pyspark(place: Path) -> str:
    return next(place.glob("pyspark-*.whl")).resolve().as_uri()


def _notebook(path: Path, source: str) -> Path:
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    return path
