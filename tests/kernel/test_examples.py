"""The examples in the README and the tutorial run, in order, and show what the text says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.lab import write_notebook
from support.notebooks import execute
from support.pages import blocks


def test_readme(
    isolated: Any,
    kernel: Callable[..., Any],
    make_wheel: Callable[..., Path],
    pythons: dict[str, Path],
) -> None:
    if "3.12" not in pythons:
        pytest.skip("Python 3.12, which the README's example asks for, is not on this machine")
    make_wheel("pandas", "2.3.3")
    sklearn = {"sklearn/__init__.py": "", "sklearn/cluster.py": "class KMeans: ...\n"}
    make_wheel("scikit-learn", "1.7.2", files=sklearn)
    first, *cells = blocks("README.md", "python")
    own = write_notebook(isolated.work / "own" / "own.ipynb", [first])
    session = kernel("envmagic", cwd=own.parent, notebook=own)
    assert "Created own" in session.run(first).text
    notebook = write_notebook(isolated.work / "analysis.ipynb", cells)
    session = kernel()
    session.run(f"__vsc_ipynb_file__ = {str(notebook)!r}")
    for cell in cells:
        session.run(cell)
    session.run("6 * 7")  # the record is written once the cell before has ended
    (shown,) = (block for block in blocks("README.md", "") if ">>> envmagic" in block)
    assert (isolated.work / "requirements.txt").read_text() == shown + "\n"


def test_tutorial(isolated: Any, terminal: Callable[..., Any]) -> None:
    cells = [*blocks("docs/tutorial.md", "python"), "%env record"]
    shown = execute(write_notebook(isolated.work / "tutorial.ipynb", cells))
    assert "one-cell-one-environment" in shown[2]
    assert "first" in shown[3]
    record = (isolated.work / "requirements.txt").read_text()
    assert re.findall(r"^([\w-]+)==", record, re.MULTILINE) == [
        "humanize",
        "python-slugify",
        "tabulate",
    ]
    (remove,) = (line for line in blocks("docs/tutorial.md", "console") if "remove" in line)
    terminal(*remove.split()[1:])
    assert not (isolated.envmagic / "envs" / "first").exists()
    assert not list(isolated.kernels.iterdir())
