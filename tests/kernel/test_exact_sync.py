"""An environment that its own tool keeps exactly in step with a file: the kernel lives outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.kernels import RunningKernel
from support.terminal import Said

from envmagic.environments import backends, inspection

SYNCS = {
    "uv sync": "!uv sync -q",
    "uv run": "!uv run -q --exact python -c 'import six'",
    "uv add": "!uv add -q attrs",
    "uv pip sync": "!echo six > wanted.txt && uv pip sync -q wanted.txt",
    "poetry sync": "!poetry -n lock && poetry -n sync",
    "pdm sync": "!pdm -n lock && pdm -n sync --clean",
}
KEEP_PIP = ("uv add", "poetry sync", "pdm sync")
LISTED = ("uv sync", "uv add")
"""One without a pip afterwards and one with: what the shell's commands mean then."""


@pytest.mark.parametrize("sync", SYNCS)
def test_what_a_sync_takes_out_the_kernel_does_without(
    tool_project: Callable[[], Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    sync: str,
) -> None:
    work = tool_project()
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
    asked = "tabulate" in (work / "pyproject.toml").read_text()
    assert asked is any(work.glob("*.lock")), "where there is a lock, its tool has installed it"
    lists = ("!pip list", "%pip list", "!python -m pip list", "!uv pip list")
    for line in lists if sync in LISTED else ():
        listed = running.run(line).text
        assert "six" in listed and "hypothesis" not in listed, line
    again = kernel(name, cwd=work)
    assert again.run("import six, tabulate, sys; sys.prefix").result == repr(str(work / ".venv"))
    assert name in again.run("%env status").text
