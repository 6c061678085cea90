"""An environment that goes away under its kernel: the verbs answer, and the way home is open."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated

VERBS = (
    "status",
    "list",
    "doctor",
    "plan",
    "record",
    "sync",
    "install six",
    "use nope",
    "autoload",
)


@pytest.mark.every_python
def test_all_verbs_and_the_way_home_work_with_nothing_left_on_the_disk(
    isolated: Isolated, bare_venv: Callable[..., Path], kernel: Callable[..., Any]
) -> None:
    """It has an ipykernel of its own, so that nothing of what runs comes from elsewhere at first;
    emptied as `uv sync` does it, then deleted. The kernel that sleeps keeps its variables."""
    gone = isolated.work / "full"
    bare_venv(gone, "ipykernel")
    running = kernel()
    running.run("keep = 42\n%load_ext envmagic")
    running.run("%env attach ./full")
    assert "full/lib" in running.run("import IPython; print(IPython.__file__)").text
    (site,) = gone.glob("lib/python*/site-packages")
    for each in (site, gone):
        for entry in each.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for verb in VERBS:
            ran = running.run(f"%env {verb}", check=False)
            assert ran.text and not ran.error and "did not foresee" not in ran.text, verb
            assert "Traceback" not in ran.text and "No module" not in ran.text, verb
        assert "No module named 'nosuch'" in running.run("import nosuch", check=False).error
    gone.rmdir()
    said = running.run("%env install six", check=False).text
    assert said.endswith(f"is not there any more. Make it again: %env create {gone}")
    assert "Make it again" in running.run("%env status").text
    running.run("%env remove full --yes")  # which doctor advises
    running.run("%env use python3")
    assert running.run("print(keep)").text == "42"
    assert "%env use full" in running.run(said.rpartition(": ")[2], check=False).text
    running.run("%env use full")  # the one before sleeps with what it has run
    assert str(gone) in running.run("import sys; print(sys.prefix)").text


def test_what_nobody_foresaw_is_one_line_in_a_notebook(kernel: Callable[..., Any]) -> None:
    running = kernel()
    running.run("%load_ext envmagic\nimport sys")
    running.run("sys.modules['envmagic.operations.overview'] = None")
    ran = running.run("%env status", check=False)
    assert ran.text.startswith("UsageError: envmagic did not foresee this: ModuleNotFoundError")
    assert ran.text.endswith("What to send to its maintainers: %env doctor --report")
    assert "at: status" in running.run("%env doctor --report").text
    assert '"code": "unforeseen"' in running.run("%env status --json", check=False).text
    running.run("del sys.modules['envmagic.operations.overview']\n%env status")
