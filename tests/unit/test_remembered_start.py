"""How a notebook's kernel was started last counts only as long as the plan would be the same."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Isolated

from envmagic.frontends.own_kernel.remembered import Looks, recall, remember
from envmagic.planning.planner import looked_for, plan_of

WORDS = (sys.executable, "-f", "{connection_file}")


@pytest.fixture
def notebook(isolated: Isolated) -> Path:
    """`course/n.ipynb` in a repository with a `.venv` at its top."""
    (isolated.work / ".git").mkdir()
    (isolated.work / ".venv").mkdir()
    (isolated.work / ".venv" / "pyvenv.cfg").touch()
    (isolated.work / "course" / ".venv").mkdir(parents=True)
    (isolated.work / "course" / ".pixi").mkdir()
    file = isolated.work / "course" / "n.ipynb"
    cell = {"cell_type": "code", "source": "import six", "metadata": {}, "outputs": []}
    file.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    return file


def keep(isolated: Isolated, notebook: Path) -> None:
    """Plan, and remember the start that follows from it."""
    looks = Looks()
    with looks.at_all():
        plan_of(notebook, notebook.parent)
    looks.looked_for.update(map(str, looked_for(notebook, notebook.parent)))
    remember(str(isolated.envmagic), str(notebook), looks, WORDS, {}, "", everything=False)


def is_known(isolated: Isolated, notebook: Path) -> bool:
    return recall(str(isolated.envmagic), str(notebook)) is not None


def test_whatever_would_change_the_plan_is_noticed(isolated: Isolated, notebook: Path) -> None:
    (isolated.work / "requirements.txt").write_text("-r more.in\n")
    keep(isolated, notebook)
    assert recall(str(isolated.envmagic), str(notebook)) == (list(WORDS), {}, "")
    for name in (
        "pylock.toml",
        "pylock.n.toml",
        "pyproject.toml",
        "environment.yaml",
        "more.in",
        ".python-envs",
        ".venv/conda-meta/history",
        "course/requirements.txt",
        "course/.venv/pyvenv.cfg",
        "course/.pixi/envs/default/conda-meta/history",
        "course/prefix/conda-meta/history",
        "course/.git",
    ):
        file = isolated.work / name
        made = [p for p in (file, *file.parents) if not p.exists()]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        assert not is_known(isolated, notebook), name
        file.unlink()
        for directory in made[1:]:
            directory.rmdir()
        assert is_known(isolated, notebook), name
    (isolated.work / ".git").rmdir()
    assert not is_known(isolated, notebook)


def test_what_lies_on_the_path_of_imports_is_noticed(
    isolated: Isolated, notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a project that PYTHONPATH or an editable installation names."""
    monkeypatch.syspath_prepend(isolated.work)
    (isolated.work / "requirements.txt").write_text("six\n")
    keep(isolated, notebook)
    assert is_known(isolated, notebook)
    (isolated.work / "requirements.txt").write_text("six\nidna\n")
    assert not is_known(isolated, notebook)


def test_a_notebook_in_another_form_is_not_remembered(isolated: Isolated, notebook: Path) -> None:
    keep(isolated, notebook)
    whole = notebook.read_text()
    for text in ("", "[" * 100_000, "[]", '{"worksheets": []}', '{"cells": [], "metadata": null}'):
        notebook.write_text(text)
        assert not is_known(isolated, notebook)
        with pytest.raises(ValueError):
            remember(str(isolated.envmagic), str(notebook), Looks(), WORDS, {}, "", everything=True)
    notebook.write_text(whole)
    assert is_known(isolated, notebook)
    shutil.rmtree(isolated.envmagic / "starts")
    (isolated.envmagic / "starts").touch()
    with pytest.raises(OSError):
        keep(isolated, notebook)
