"""Verbs and `%pip` in a notebook that lies among files called like modules, below a pip.conf."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.kernels import RunningKernel

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
