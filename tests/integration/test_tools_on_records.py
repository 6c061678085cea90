"""What people run over their requirements files, run over a record: real tools, nothing lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.lab import write_notebook
from support.signs import unsigned

OWN = ("# mine", "delta<9  # not yet", "zeta>=0.5")


@pytest.fixture
def record(
    isolated: Isolated, make_wheel: Callable[..., Path], terminal: Callable[..., Any]
) -> Path:
    """A file with lines of the user's and a block of format 2, its versions known."""
    for name in ("alpha", "beta", "delta", "gamma", "zeta"):
        make_wheel(name, "1.0")
        make_wheel(name, "1.1")
    write_notebook(isolated.work / "a.ipynb", ["%pip install alpha gamma", "import alpha"])
    write_notebook(isolated.work / "b.ipynb", ["%pip install alpha beta", "import beta, corp_x"])
    file = isolated.work / "requirements.txt"
    block = "# >>> envmagic 1 >>> pin minimum, recording on\n", "# <<< envmagic <<<\n"
    pins = [f"{name}==1.0\n    # a.ipynb\n" for name in ("alpha", "beta", "gamma")]
    old = block[0].replace("minimum", "exact") + "".join(pins) + block[1]
    file.write_text("".join(f"{line}\n" for line in OWN) + "\n" + old)
    terminal("record", "--env", "none", ".")
    assert ">>> envmagic 2 >>>" in file.read_text() and "alpha==1.0 #" in file.read_text()
    return file


def run(words: Sequence[str], cwd: Path, code: int = 0) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_record_that_requirements_txt_fixer_sorted_is_put_right(
    record: Path, terminal: Callable[..., Any]
) -> None:
    before = record.read_text().splitlines()
    run(
        [sys.executable, "-m", "pre_commit_hooks.requirements_txt_fixer", record.name],
        record.parent,
        1,
    )
    assert record.read_text().splitlines() != before
    terminal("record", "--check", "--env", "none", ".", code=1)
    terminal("record", "--env", "none", ".")
    assert sorted(record.read_text().split("\n")) == sorted([*before, ""])
    assert record.read_text().splitlines()[-len(before) + 4 :] == before[4:], "the block as it was"
    terminal("record", "--check", "--env", "none", ".")


def test_pip_compile_and_pip_read_a_record(record: Path, isolated: Isolated) -> None:
    before = record.read_bytes()
    words = [
        sys.executable,
        "-m",
        "piptools",
        "compile",
        "-q",
        "--strip-extras",
        "--no-emit-find-links",
    ]
    run([*words, "--no-emit-index-url", "-o", "locked.txt", record.name], record.parent)
    locked = (record.parent / "locked.txt").read_text()
    for line in ("alpha==1.0", "beta==1.0", "gamma==1.0", "delta==1.1", "zeta==1.1"):
        assert f"\n{line}\n" in locked
    assert record.read_bytes() == before
    run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "-q", "-r", record.name],
        record.parent,
    )


def test_uv_takes_a_record_into_a_project(
    record: Path, uv_command: list[str], terminal: Callable[..., Any]
) -> None:
    before = record.read_bytes()
    (record.parent / "pyproject.toml").write_text(
        '[project]\nname = "project"\nversion = "0"\nrequires-python = ">=3.10"\n'
    )
    python = ["--python", sys.executable]
    run([*uv_command, "add", "-q", "--no-sync", *python, "-r", record.name], record.parent)
    wanted = (record.parent / "pyproject.toml").read_text()
    for text in ("alpha==1.0", "beta==1.0", "gamma==1.0", "delta<9", "zeta>=0.5"):
        assert f'"{text}"' in wanted
    assert record.read_bytes() == before
    terminal("record", "--check", "--env", "none", ".")


@pytest.mark.parametrize("old, new", [("alpha==1.0", "alpha==1.1"), ("gamma==1.0", "gamma>=1.0")])
def test_a_line_that_a_bot_updated_is_kept_and_used_alone(
    record: Path, terminal: Callable[..., Any], old: str, new: str
) -> None:
    """Dependabot and Renovate change the version in the line and leave the rest as it is."""
    record.write_text(record.read_text().replace(old, new))
    (edited,) = (line for line in record.read_text().splitlines() if line.startswith(new))
    terminal("record", "--env", "none", ".")
    lines = record.read_text().splitlines()
    assert lines[:3] == [*OWN] and edited in lines[: lines.index("# <<< envmagic <<<")]
    name = new[:5]
    assert [line for line in lines if line.startswith(name)] == [edited]
    run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "-q", "-r", record.name],
        record.parent,
    )
    terminal("record", "--check", "--env", "none", ".")


def test_an_editor_that_strips_blanks_and_ends_the_last_line_changes_nothing(
    record: Path, terminal: Callable[..., Any]
) -> None:
    record.write_text(record.read_text() + "eta  ")
    terminal("record", "--check", "--env", "none", ".")
    record.write_text("".join(f"{x.rstrip()}\n" for x in record.read_text().splitlines()))
    terminal("record", "--check", "--env", "none", ".")
    assert unsigned(record.read_text()).count("alpha==1.0\n    # a.ipynb\n    # b.ipynb") == 1
