"""An environment that its own tool keeps exactly in step with a file: the kernel lives outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support import project_tools
from support.kernels import RunningKernel
from support.terminal import Said

from envmagic.environments import backends, inspection

PROJECT = """\
[project]
name = "analysis"
version = "1"
requires-python = ">=3.10"
dependencies = ["{six}"]

[tool.poetry]
package-mode = false

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
type = "find_links"
url = "{wheels}"
"""
SYNCS = {
    "uv sync": "!uv sync -q",
    "uv run": "!uv run -q --exact python -c 'import six'",
    "uv add": "!uv add -q attrs",
    "uv pip sync": "!echo six > wanted.txt && uv pip sync -q wanted.txt",
    "poetry sync": "!poetry -n lock && poetry -n sync",
    "pdm sync": "!pdm -n lock && pdm -n sync --clean",
}
KEEP_PIP = ("uv add", "poetry sync", "pdm sync")


@pytest.fixture(scope="session")
def tools_of_projects() -> Path:
    """Fetched before a test has nothing but what is on the disk."""
    return project_tools.ensure()


@pytest.fixture
def project(
    isolated: Isolated,
    wheelhouse: Path,
    uv_command: list[str],
    tools_of_projects: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Path]:
    """`project(tool)`: a directory with a pyproject.toml, and the tools on PATH, as people have
    them."""
    scripts = [str(Path(uv_command[0]).parent), str(tools_of_projects)]
    monkeypatch.setenv("PATH", os.pathsep.join([*scripts, os.environ["PATH"]]))
    monkeypatch.setenv("POETRY_VIRTUALENVS_IN_PROJECT", "1")
    monkeypatch.delenv("PIP_NO_INDEX")  # else pdm asks nobody at all

    def make(tool: str) -> Path:
        wheel = next(wheelhouse.glob("six-*.whl"))
        six = f"six @ {wheel.as_uri()}" if tool == "poetry sync" else "six"
        content = PROJECT.format(six=six, wheels=wheelhouse.as_uri())
        (isolated.work / "pyproject.toml").write_text(content)
        return isolated.work

    return make


@pytest.mark.parametrize("sync", SYNCS)
def test_what_a_sync_takes_out_the_kernel_does_without(
    project: Callable[[str], Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    sync: str,
) -> None:
    work = project(sync)
    terminal("create", "--with", "humanize")
    name = work.name
    running = kernel(name, cwd=work)
    running.run("x = 1")
    said = running.run(SYNCS[sync]).text
    held = set(inspection.distributions(backends.inspect(work / ".venv")))
    assert "six" in held and ("pip" in held) is (sync in KEEP_PIP), said
    assert ("humanize" in held) is (sync == "uv add"), "only that is not exact"
    assert running.run("import six; x").result == "1"
    assert name in running.run("%env status").text
    assert "tabulate" in running.run("%env install tabulate").text
    for line in ("!pip list", "%pip list", "!python -m pip list", "!uv pip list"):
        listed = running.run(line).text
        assert "six" in listed and "hypothesis" not in listed, line
    again = kernel(name, cwd=work)
    assert again.run("import six, tabulate, sys; sys.prefix").result == repr(str(work / ".venv"))
    assert name in again.run("%env status").text
