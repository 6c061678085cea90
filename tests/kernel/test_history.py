"""What people type in a notebook goes into the history of its environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conftest import Isolated
from support.kernels import RunningKernel
from support.terminal import Said


def test_pip_in_all_its_forms_is_in_the_history_and_is_undone(
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    isolated: Isolated,
    tmp_path: Path,
) -> None:
    """Also in a cell that is the first to need what a file of the user's is called like."""
    (isolated.work / "packaging.py").write_text("MINE = 'theirs'\n")
    bare_venv(tmp_path / "theirs", "ipykernel", "pip")
    terminal("attach", tmp_path / "theirs", "--no-use")
    own = kernel("theirs")
    own.run("%load_ext envmagic")
    own.run("%pip install -q tabulate\nimport tabulate")
    assert own.run("import packaging; packaging.MINE").result == "'theirs'"
    own.run("!pip install -q attrs")
    own.run("%uv pip install -q six --extra-index-url https://u:s3cret@127.0.0.1:1/simple")
    told = own.run("%env history").text
    assert "%pip install -q tabulate" in told and "!pip install -q attrs" in told
    assert "%uv pip install -q six" in told and "another tool" not in told
    assert "s3cret" not in told
    undone = own.run("%env undo 1")
    for name in ("tabulate", "attrs", "six"):
        assert f"−{name}" in undone.text
    assert "restart" in undone.text.lower()  # tabulate is loaded
    assert "+tabulate" in own.run("%env undo").text
