"""The notebooks of the repository do what they say, offline, in a fresh home; so does the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.notebooks import execute

from envmagic import requirements

REPOSITORY = Path(__file__).parents[2]
NOTEBOOKS = REPOSITORY / "notebooks"


def copied(name: str, work: Path) -> Path:
    """The notebooks of `notebooks/NAME`'s directory, where they can be executed in place."""
    source = NOTEBOOKS / name
    if source.parent == NOTEBOOKS:
        return Path(shutil.copy(source, work))
    return Path(shutil.copytree(source.parent, work / source.parent.name)) / source.name


def recorded(directory: Path) -> dict[str, list[str]]:
    """Distribution to the notebooks that need it, from the record in `directory`."""
    block = requirements.read(directory / "requirements.txt").block
    assert block is not None
    return {
        entry.requirement.name: [mention.notebook for mention in entry.mentions]
        for entry in block.entries
        if entry.requirement is not None
    }


@pytest.mark.every_python
def test_quickstart(isolated: Any) -> None:
    notebook = copied("quickstart.ipynb", isolated.work)
    cells = execute(notebook)
    prefix = str(isolated.envmagic / "envs" / "quickstart")
    assert "Created quickstart" in cells[1]
    assert prefix in cells[2]
    assert "one-cell-one-environment" in cells[2]
    assert cells[3].strip() == prefix
    assert set(recorded(isolated.work)) == {"python-slugify", "humanize", "tabulate"}
    again = execute(notebook)
    assert "Created" not in again[1]


def test_attach(isolated: Any) -> None:
    cells = execute(copied("attach.ipynb", isolated.work))
    existing = isolated.work / "existing"
    assert str(existing) in cells[3]
    assert (existing / "pyvenv.cfg").exists()
    assert not list(isolated.kernels.glob("*"))


def test_notebooks_that_share_one_file(isolated: Any) -> None:
    first = copied("sharing/clean.ipynb", isolated.work)
    execute(first)
    execute(first.with_name("report.ipynb"))
    assert recorded(first.parent) == {
        "python-dateutil": ["clean.ipynb"],
        "pyyaml": ["clean.ipynb", "report.ipynb"],
        "tabulate": ["report.ipynb"],
    }


def test_the_demo_shows_the_kernel_and_the_record() -> None:
    demo = [sys.executable, str(REPOSITORY / "tools" / "demo.py")]
    ran = subprocess.run(demo, capture_output=True, text=True, timeout=240, env=dict(os.environ))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "jupyter kernelspec list" in ran.stdout
    assert "~/jupyter/kernels/quickstart" in ran.stdout
    assert "python-slugify==" in ran.stdout
