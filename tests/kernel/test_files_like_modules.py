"""Verbs and `%pip` in a notebook that lies among files called like modules, below a pip.conf."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.kernels import RunningKernel
from support.specs import Specs

from envmagic.switching.relay.hiding import hiding

LIKE_MODULES = "calendar code graphlib pip queue random secrets statistics tomli uv virtualenv"


def test_a_kernel_takes_no_file_beside_the_notebook_for_a_module_of_ours(
    isolated: Any, kernel: Callable[..., RunningKernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = isolated.work / "taken"
    for name in LIKE_MODULES.split():
        says = f"open({str(taken)!r}, 'a').write({name + ' '!r})\n"
        (isolated.work / f"{name}.py").write_text(says)
    (isolated.work / "packaging").mkdir()
    (isolated.work / "packaging" / "__init__.py").write_text("MINE = 'theirs'\n")
    (isolated.home / "pip.conf").write_text("[install]\nuser = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(isolated.home / "pip.conf"))

    running = kernel()
    running.run("import packaging")
    running.run("%load_ext envmagic")
    for line in ("%env list", "%env doctor", "%%env ./env --backend venv\nsix"):
        assert running.run(line).status == "ok"
    assert running.run("import sys; sys.prefix").result == repr(str(isolated.work / "env"))
    for line in ("%env install attrs", "%env status", "%env plan", "%env uninstall attrs"):
        assert running.run(line).status == "ok"
    assert running.run("import packaging; packaging.MINE").result == "'theirs'"
    assert not taken.exists(), taken.read_text()

    (isolated.work / "pip.py").unlink()  # IPython itself would run it
    running.run("%pip install humanize")
    place = isolated.work / "env" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    assert (place / "humanize").is_dir()


def test_the_file_that_a_kernel_fails_over_is_named(
    isolated: Any, kernel: Callable[..., RunningKernel], specs: Specs
) -> None:
    """The kernel is somebody's own, and fails without us, too."""
    specs("theirs", env={"PYTHONPATH": str(isolated.work)})
    running = kernel()
    running.run("%load_ext envmagic")
    (isolated.work / "queue.py").write_text("V = 1\n")
    said = running.run("%env use theirs", check=False).text
    assert "does not start" in said and "queue.py in a module's place; rename that" in said


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("ImportError: cannot import name 'Empty' from 'queue' ({}/queue.py)", "queue.py"),
        ("AttributeError: module 'random' has no attribute 'seed'", "random.py"),
        ("No module named 'email.parser'; 'email' is not a package", "email.py"),
        ("module 'mine' has no attribute 'x'", None),
        ("No module named 'secrets.x'", None),
        ('  File "{}/deep/queue.py", line 1', None),
        ("  File '/usr/lib/python3/queue.py', line 1", None),
    ],
)
def test_a_file_is_blamed_where_it_is_called_like_a_module(
    said: str, named: str | None, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("queue.py", "random.py", "email.py", "mine.py", "deep/queue.py"):
        (tmp_path / name).touch()
    found = hiding(said.format(tmp_path), tmp_path)
    assert found == (tmp_path / named if named else None)
