"""A notebook and its requirements.txt on a machine that has never seen its environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.lab import write_notebook
from support.notebooks import execute
from support.second_machine import moved_to

CELLS = [
    "%load_ext envmagic",
    "%%env team\nchurnlib>=1",
    "import churnlib; print(churnlib.__version__)",
    "%env record",
]


@pytest.fixture
def second_machine(
    isolated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtimes_directory: Path
) -> Path:
    """From now on nothing of the first machine is there, but for the parts of kernels that all
    tests share; returns the working directory."""
    return moved_to(tmp_path / "second", runtimes_directory, monkeypatch)


def test_the_recorded_pins_hold_and_an_upgrade_leaves_them(
    isolated: Any,
    make_wheel: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> None:
    make_wheel("churnlib", "1.0")
    first = write_notebook(isolated.work / "a.ipynb", CELLS)
    assert execute(first)[2].strip() == "1.0"
    record = isolated.work / "requirements.txt"
    record.write_text(f"# ours\n{record.read_text()}")

    make_wheel("churnlib", "2.0")
    there: Path = request.getfixturevalue("second_machine")
    for file in (first, record):
        shutil.copy(file, there)
    assert execute(there / "a.ipynb")[2].strip() == "1.0"
    assert (there / "requirements.txt").read_text() == record.read_text()

    newer = [CELLS[0], CELLS[1].replace("team", "team -U"), *CELLS[2:]]
    assert execute(write_notebook(there / "a.ipynb", newer))[2].strip() == "2.0"
    assert "churnlib==2.0" in (there / "requirements.txt").read_text()
