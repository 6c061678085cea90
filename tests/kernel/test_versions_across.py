"""Switching between kernels of different Pythons and ipykernels, old outside and new inside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
WHO = "import os, sys, ipykernel; print(os.getpid(), sys.version_info[1], ipykernel.__version__)"
BEFORE_US = "6.0.3"  # comes with an IPython that envmagic cannot be loaded into
# Outside, inside: a Python and an ipykernel each; none is the newest.
PAIRS = [
    (("3.10", "6.29.5"), ("3.13", "")),
    (("3.13", ""), ("3.10", "6.29.5")),
    (("3.12", "6.31.0"), ("3.10", BEFORE_US)),
    (("3.12", "7.1.0"), ("3.11", "6.31.0")),
]


@pytest.mark.parametrize(("outside", "inside"), PAIRS)
def test_there_and_back(
    isolated: Any,
    specs: Any,
    kernel: Any,
    bare_venv: Any,
    pythons: Any,
    short_tmp: Path,
    outside: tuple[str, str],
    inside: tuple[str, str],
) -> None:
    """Variables stay, what is queued goes along, the rest of the cell too."""
    for name, (version, release) in (("outer", outside), ("inner", inside)):
        if version not in pythons:
            pytest.skip(f"Python {version} is not on this machine")
        wanted = f"ipykernel=={release}" if release else "ipykernel"
        ours = release != BEFORE_US
        more = ["packaging", *(["tomli"] if version == "3.10" else [])]
        more += [] if ours else ["ipython-genutils"]  # it forgets to ask for it
        python = bare_venv(isolated.work / name, wanted, *more, python=pythons[version])
        argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        specs(name, *argv, env={"PYTHONPATH": str(REPOSITORY)} if ours else {})
    running = kernel("outer")
    running.run("%load_ext envmagic\nx = 5")
    requests = [running.client.execute(c) for c in (f"%env use inner\n{WHO}", "y = 6", WHO)]
    said = [running._listen(request, time.monotonic() + 60).stdout.split() for request in requests]
    assert int(said[0][0]) != running.pid and said[0] == said[2]
    assert said[0][1] == inside[0].split(".")[1]
    assert not inside[1] or said[0][2] == inside[1]
    assert running.run("y").result == "6"
    if inside[1] != BEFORE_US:  # a restart leads back
        back = running.run(f"%env use outer\n{WHO}\nx").text
        assert back.split()[0] == str(running.pid) and back.endswith("5")
