"""What the answer says of the kernel that runs: what it cannot see yet, what others go before."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.kernels import RunningKernel
from support.terminal import Said

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="one system is enough")


def test_an_answer_says_what_the_running_kernel_does_not_have_yet(
    isolated: Isolated,
    make_wheel: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
) -> None:
    source = isolated.work.parent / "source"
    source.mkdir()
    (source / "inplace.py").write_text("here = 1\n")
    make_wheel("inplace", files={"inplace.pth": f"{source}\n"})
    make_wheel("tidy", "1.0")
    make_wheel("plain")
    terminal("create", "churn", "--with", "tidy==1.0")
    make_wheel("tidy", "2.0")
    running = kernel("churn")
    running.run("import tidy")
    said = running.run("%%env churn\ntidy==2.0\nplain").text
    assert "tidy was imported before and changed on disk" in said and "plain was" not in said
    assert "Restart the kernel to import" not in said
    assert running.run("import plain; plain.__version__").result == "'1.0'"
    said = running.run("%env install inplace").text
    assert "Restart the kernel to import inplace" in said
    assert "No module named 'inplace'" in running.run("import inplace", check=False).text
    again = kernel("churn")
    assert again.run("import inplace; inplace.here").result == "1"
    assert "Restart" not in again.run("%%env churn\ninplace\ntidy").text


def test_what_pythonpath_puts_before_the_environment_is_named_and_recorded(
    isolated: Isolated,
    make_wheel: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
) -> None:
    make_wheel("tidy", "1.0")
    make_wheel("other", "1.0")
    terminal("create", "churn", "--with", "tidy", "other")
    lib = isolated.home / "lib"
    site = next((isolated.envmagic / "envs" / "churn").glob("lib/*/site-packages"))
    lib.mkdir()
    make_wheel("tidy", "3.0")
    for name in ("tidy.py", "tidy-1.0.dist-info"):
        (site / name).rename(lib / name)
    terminal("install", "tidy==3.0", "--env", "churn")
    notebook = isolated.work / "n.ipynb"
    cell = {"cell_type": "code", "source": "import tidy, other", "id": "a", "metadata": {}}
    cells = [{**cell, "outputs": [], "execution_count": None}]
    notebook.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    running = kernel("churn", env={"PYTHONPATH": str(lib)})
    running.run(f"__vsc_ipynb_file__ = {str(notebook)!r}")
    assert running.run("import tidy, other; tidy.__version__").result == "'1.0'"
    said = running.run("%env status").text
    assert "tidy is taken from ~/lib, which PYTHONPATH names, and not from" in said
    assert "tidy is taken from ~/lib" in running.run("%env doctor").text
    assert "tidy is taken from ~/lib" in running.run("%%env churn\ntidy").text
    running.run("%env record")
    recorded = (isolated.work / "requirements.txt").read_text()
    assert "tidy==1.0" in recorded and "other==1.0" in recorded
