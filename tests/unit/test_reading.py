"""Whatever lies where a file of the user's is expected: it is read, or refused in one line."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.terminal import Said

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.environments.projects import manifest
from envmagic.imports import Scan, Where, follow, scan_cell
from envmagic.jupyter import notebook_file
from envmagic.operations import validation
from envmagic.planning import documents, files, lock_file, prefixes, pythons
from envmagic.record import name_overrides, selection, user_lines
from envmagic.requirements import environment_yml
from envmagic.system import reading, toml_files

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such things in directories")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(os.path.relpath(path))  # such paths must be short


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "socket": _socket,
    "directory": Path.mkdir,
}

Reader = tuple[str, Callable[[Path], object]]
REFUSING: tuple[Reader, ...] = (
    ("requirements.txt", requirements.read),
    ("requirements.txt", validation.lines_of),
    ("environment.yml", environment_yml.read),
    ("pyproject.toml", manifest.read),
    ("pyproject.toml", documents.read),
    ("pylock.toml", lock_file.declaration),
    ("notebook.ipynb", notebook_file.read),
)


def _local(path: Path) -> list[str]:
    scan = scan_cell(f"import {path.stem}", Where())
    return follow(scan, path.parent, path.parent, lambda notebook: Scan()).local


PASSING: tuple[Reader, ...] = (
    ("module.py", lambda path: _local(path) == ["module"]),
    (".python-version", lambda path: pythons.beside([path.parent])[0] is None),
    (".venv", lambda path: prefixes.in_directory(path.parent)[0] is None),
    ("pyproject.toml", lambda path: not name_overrides.supplied_for(path.parent).problems),
    ("requirements.txt", lambda path: files.in_directory(path.parent, None)[0] is None),
    ("setup.py", lambda path: user_lines.project_name(path.parent) is None),
    ("poetry.toml", lambda path: toml_files.Settings(path).value("virtualenvs") is None),
    ("uv.lock", lambda path: manifest.locked(path) == frozenset()),
    ("requirements.txt", lambda path: not selection.holds_record(path)),
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_neither_waited_for_nor_read_for_ever(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, (name, read) in enumerate((*REFUSING, *PASSING)):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / name
        KINDS[kind](path)
        if number >= len(REFUSING):
            assert read(path), name
            continue
        with pytest.raises(EnvmagicError) as refused:
            read(path)
        problem = refused.value.problem
        assert (problem.code, problem.subject) == ("unreadable", str(path))
        assert problem.message.count("\n") == 0 and "cannot be read" in problem.message
    for included in ("-r", "-c"):
        (tmp_path / "mine.txt").write_text(f"six\n{included} 0/{REFUSING[0][0]}\n")
        lines = requirements.read(tmp_path / "mine.txt").user_lines()
        assert [line.name for line in lines] == ["six", None]


def test_files_that_grow_without_an_end_are_read_to_their_limit(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 100_000)
    assert reading.content(path, 100_000) == path.read_bytes()
    assert reading.beginning(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="larger than"):
        reading.content(path, 99_999)
    os.truncate(path, reading.LIMIT + 1)  # of holes only
    with pytest.raises(EnvmagicError, match=r"large cannot be read: it is larger than 16 MB\."):
        requirements.read(path)


def test_a_pipe_in_the_place_of_the_record_is_one_line(
    tmp_path: Path, terminal: Callable[..., Said]
) -> None:
    notebook = tmp_path / "work" / "n.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    os.mkfifo(notebook.with_name("requirements.txt"))
    for words in (("record", "n.ipynb", "--env", "none"), ("install", "-r", "requirements.txt")):
        said = terminal(*words, code=None)
        assert said.code and said.err.count("\n") == 1 and "requirements.txt" in said.err, said
        assert "plain file" in said.err or "regular file" in said.err, said
