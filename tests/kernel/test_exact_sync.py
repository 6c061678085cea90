"""An environment that its own tool keeps exactly in step with a file: the kernel lives outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.kernels import RunningKernel
from support.terminal import Said

from envmagic.environments import backends, inspection

PROJECT = """\
[project]
name = "analysis"
version = "1"
requires-python = ">=3.10"
dependencies = ["six"]
"""
SYNCS = {
    "uv sync": "!uv sync -q",
    "uv run": "!uv run -q --exact python -c 'import six'",
    "uv add": "!uv add -q attrs",
    "uv pip sync": "!echo six > wanted.txt && uv pip sync -q wanted.txt",
}


@pytest.fixture
def project(isolated: Isolated, uv_command: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a pyproject.toml, and uv on PATH, as its user would have it."""
    (isolated.work / "pyproject.toml").write_text(PROJECT)
    scripts = str(Path(uv_command[0]).parent)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    return isolated.work


@pytest.mark.parametrize("sync", SYNCS)
def test_what_a_sync_takes_out_the_kernel_does_without(
    project: Path,
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    sync: str,
) -> None:
    terminal("create")
    name = project.name
    running = kernel(name, cwd=project)
    running.run("x = 1")
    running.run(SYNCS[sync])
    held = set(inspection.distributions(backends.inspect(project / ".venv")))
    assert "six" in held and ("pip" in held) is (sync == "uv add"), "only `uv add` is not exact"
    assert running.run("import six; x").result == "1"
    assert name in running.run("%env status").text
    assert "tabulate" in running.run("%env install tabulate").text
    for line in ("!pip list", "%pip list", "!python -m pip list", "!uv pip list"):
        listed = running.run(line).text
        assert "six" in listed and "hypothesis" not in listed, line
    again = kernel(name, cwd=project)
    assert again.run("import six, tabulate, sys; sys.prefix").result == repr(str(project / ".venv"))
    assert name in again.run("%env status").text
