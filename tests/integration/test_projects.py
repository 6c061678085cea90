"""In a project of uv, Poetry or PDM its own tool installs, so that its files stay true."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.project_tools import PROGRAMS
from support.terminal import Said

from envmagic.environments import backends, inspection

LOCKS = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock"}


def installed(prefix: Path) -> set[str]:
    return set(inspection.distributions(backends.inspect(prefix)))


@pytest.fixture
def project(
    tool_project: Callable[..., Path], bare_venv: Callable[..., Path], uv_command: list[str]
) -> Callable[[str], Path]:
    """`project(tool)`: a locked project and its `.venv`, into which pip, humanize and idna were put
    besides."""

    def make(tool: str) -> Path:
        work = tool_project()
        bare_venv(work / ".venv", "six", "pip", "humanize", "idna")
        subprocess.run([*PROGRAMS[tool], "lock"], cwd=work, check=True, capture_output=True)
        return work

    return make


def content(work: Path, tool: str) -> tuple[bytes, bytes]:
    return (work / "pyproject.toml").read_bytes(), (work / LOCKS[tool]).read_bytes()


@pytest.mark.parametrize("tool", LOCKS)
def test_what_is_installed_and_uninstalled_is_so_in_the_projects_files(
    project: Callable[[str], Path], terminal: Callable[..., Said], tool: str
) -> None:
    work = project(tool)
    before = content(work, tool)
    (work / "notebooks").mkdir()
    (work / "notebooks" / "wanted.txt").write_text("tabulate>=0.9  # for tables\n")
    cell = {"cell_type": "code", "source": "import tabulate", "metadata": {}, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    (work / "notebooks" / "a.ipynb").write_text(json.dumps(notebook))
    here = {"cwd": work / "notebooks"}
    words = ("--env", work / ".venv", "--notebook", "a.ipynb")
    said = terminal("install", "-r", "wanted.txt", "attrs", *words, "--json", **here).json
    assert said["data"]["project"] == {
        "tool": tool,
        "file": str(work / "pyproject.toml"),
        "changed": True,
    }
    recorded = (work / "notebooks" / "requirements.txt").read_text()
    assert "attrs==" in recorded and "tabulate==" in recorded
    changed = content(work, tool)
    assert b"tabulate" in changed[0] and b'"tabulate"' in changed[1]
    assert {"attrs", "tabulate", "six", "pip", "humanize"} <= installed(work / ".venv")

    (refused,) = terminal("install", "no-such-thing-at-all", *words, code=1, **here).told
    assert "no-such-thing-at-all" in refused
    assert content(work, tool) == changed

    out = terminal("uninstall", "attrs", "tabulate", "humanize", *words, **here).out
    assert f"removed with {tool} from" in out
    assert installed(work / ".venv") == {"six", "pip", "idna"}
    after = content(work, tool)
    assert b"tabulate" not in after[0] and b'"tabulate"' not in after[1]
    assert after[1] == before[1]


def test_an_environment_that_is_not_the_projects_is_filled_directly(
    project: Callable[[str], Path], bare_venv: Callable[..., Path], terminal: Callable[..., Said]
) -> None:
    work = project("uv")
    before = content(work, "uv")
    bare_venv(work / "other")
    said = terminal("install", "attrs", "--env", work / "other", "--json").json
    assert "project" not in said["data"] and content(work, "uv") == before
    # neither is what somebody has put into the project's environment without the project
    assert "Removed" in terminal("uninstall", "humanize").out
    assert content(work, "uv") == before


@pytest.mark.parametrize("tool", ["poetry", "pdm"])
def test_where_the_tool_is_not_there_its_command_is_named(
    tool_project: Callable[..., Path],
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
) -> None:
    work = tool_project()
    bare_venv(work / ".venv")
    (work / LOCKS[tool]).touch()
    monkeypatch.setenv("PATH", os.defpath)
    before = content(work, tool)
    said = terminal("install", "attrs>=20", code=1).err
    assert said.rstrip().endswith(f"&& {tool} add 'attrs>=20'") and len(said.splitlines()) == 1
    assert content(work, tool) == before and not installed(work / ".venv")


def test_a_part_of_something_else_cannot_go_and_what_needs_it_is_named(
    project: Callable[[str], Path],
    make_wheel: Callable[..., Path],
    terminal: Callable[..., Said],
) -> None:
    make_wheel("umbrella", requires=["six"])
    make_wheel("rest", requires=["attrs"])
    work = project("uv")
    terminal("install", "umbrella", "rest")
    before = content(work, "uv")
    said = terminal("uninstall", "attrs", code=1)
    assert "attrs is not named in" in said.err and "envmagic uninstall rest" in said.err
    assert content(work, "uv") == before and "attrs" in installed(work / ".venv")
    terminal("uninstall", "rest", "umbrella")
    assert installed(work / ".venv") == {"six", "pip", "humanize", "idna"}


def test_an_interrupted_add_leaves_files_and_environment_as_they_were(
    project: Callable[[str], Path], isolated: Isolated
) -> None:
    work = project("uv")
    before, held = content(work, "uv"), installed(work / ".venv")
    slow = work / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n"
        "[project]\nname = 'slow'\nversion = '1'\n"
    )
    (slow / "slow.py").write_text("import time\nopen('started', 'w')\ntime.sleep(60)\n")
    words = ["-m", "envmagic", "install", "attrs", "./slow"]
    process = subprocess.Popen([sys.executable, *words], cwd=work, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not (slow / "started").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert content(work, "uv") != before, "it was interrupted before it began"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert content(work, "uv") == before and installed(work / ".venv") == held


def test_the_member_of_a_workspace_that_the_notebook_lies_in_is_meant(
    project: Callable[[str], Path], terminal: Callable[..., Said]
) -> None:
    """The Python stays, too, whatever another tool of uv's is told to use there."""
    work = project("uv")
    with (work / "pyproject.toml").open("a") as file:
        file.write('\n[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    (work / ".python-version").write_text("3.99\n")
    member = work / "packages" / "one"
    (member / "notebooks").mkdir(parents=True)
    (member / "pyproject.toml").write_text('[project]\nname = "one"\nversion = "1"\n')
    root = (work / "pyproject.toml").read_bytes()
    words = ("install", "attrs", "--env", work / ".venv")
    out = terminal(*words, cwd=member / "notebooks").out
    assert "attrs" in (member / "pyproject.toml").read_text()
    assert (work / "pyproject.toml").read_bytes() == root
    assert not (member / "uv.lock").exists() and "humanize" in installed(work / ".venv"), out


def test_pdm_does_not_make_the_environment_anew(
    project: Callable[[str], Path], terminal: Callable[..., Said]
) -> None:
    """It does that itself where the project allows another Python only."""
    work = project("pdm")
    file = work / "pyproject.toml"
    file.write_text(file.read_text().replace(">=3.10", ">=3.99"))
    held = installed(work / ".venv")
    assert ">=3.99" in terminal("install", "attrs", code=1).err
    assert installed(work / ".venv") == held
