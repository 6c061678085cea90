"""What was cut off is settled: only what tools wrote goes, and only where the journal knows it."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support import wheels

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Place
from envmagic.environments import clearing, journal, ownership, registry
from envmagic.system import locks


def _venv(prefix: Path) -> None:
    (prefix / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "include").mkdir()
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "bin" / "activate").write_text("VIRTUAL_ENV=x")
    (prefix / "lib64").symlink_to("lib")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.4\n")


def test_only_the_directory_that_the_journal_knows_is_cleared(
    tmp_path: Path, isolated: Any
) -> None:
    """Made anew at the same place it may have the same inode, and the same names in it."""
    prefix = tmp_path / "parent" / "e"
    entry = journal.begin(prefix)
    shutil.rmtree(prefix)
    _venv(prefix)
    clearing.clear(entry)
    assert (prefix / "pyvenv.cfg").exists() and list(journal.unfinished()) == []
    shutil.rmtree(prefix.parent)
    clearing.clear(journal.begin(prefix))
    assert not prefix.parent.exists(), "nor is anything left of what was made for it"


@pytest.mark.parametrize("how", ["link", "copy"])
def test_neither_a_link_nor_a_copy_is_what_the_journal_knows(
    how: str, tmp_path: Path, isolated: Any
) -> None:
    prefix, other = tmp_path / "e", tmp_path / "other"
    entry = journal.begin(prefix)
    _venv(prefix)
    if how == "link":
        prefix.rename(other)
        prefix.symlink_to(other)
        clearing.clear(entry)
    else:
        shutil.copytree(prefix, other)
        clearing.clear(entry)
        assert not prefix.exists()
    assert (other / "pyvenv.cfg").exists()


def test_what_no_tool_wrote_stays_where_an_environment_was(tmp_path: Path, isolated: Any) -> None:
    """A RECORD tells what is an installer's, by name and content; the rest is somebody's."""
    prefix = tmp_path / "e"
    prefix.mkdir()
    entry = journal.begin(prefix)
    _venv(prefix)
    (prefix / "bin" / "activate.bat").touch()  # its tool was cut off before it wrote more
    site = prefix / "lib" / "python3.12" / "site-packages"
    wheel = wheels.build(tmp_path, "tidy", files={"tidy/__init__.py": "x = 1", "tidy/b.py": ""})
    zipfile.ZipFile(wheel).extractall(site)
    (site / "tidy" / "__pycache__").mkdir()
    (site / "tidy" / "__pycache__" / "b.cpython-312.pyc").write_bytes(b"")
    mine = {
        prefix / "thesis.ipynb": "{}",
        prefix / ".git" / "HEAD": "ref",
        prefix / "bin" / "mine.sh": "#!/bin/sh",
        prefix / "bin" / "activate.fish": "mine",
        prefix / ".gitignore": "rules of my own",
        site / "mine.py": "",
        site / "tidy" / "__init__.py": "x = 2  # changed by hand",
        site / "tidy" / "notes.txt": "mine",
    }
    for path, text in mine.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    kept = clearing.clear(entry)
    assert {p for p in prefix.rglob("*") if p.is_file()} == set(mine) == set(kept.files)
    assert all(path.read_text() == text for path, text in mine.items())
    assert (
        kept.message
        == f"{prefix} keeps .git, .gitignore, bin and 2 more: envmagic did not write that."
    )


def test_an_environment_that_is_whole_is_not_cleared(tmp_path: Path, isolated: Any) -> None:
    """Killed between the last step and its being noted down."""
    prefix = tmp_path / "e"
    entry = journal.begin(prefix)
    _venv(prefix)
    ownership.mark(prefix, token=entry.token)
    assert not clearing.settle(prefix)
    assert ownership.is_owned(prefix) and list(journal.unfinished()) == []


def test_what_is_half_made_is_no_environment_to_work_with(tmp_path: Path, isolated: Any) -> None:
    prefix = isolated.envmagic / "envs" / "churn"
    entry = journal.begin(prefix)
    _venv(prefix)
    place = Place(Frontend.TERMINAL, tmp_path)
    with pytest.raises(EnvmagicError, match="only half made"):
        registry.environment_at(prefix)
    with locks.lock(prefix), pytest.raises(EnvmagicError, match="being made by another"):
        registry.environment_at(prefix)
    assert prefix not in registry.known_prefixes(place)
    journal.finish(entry)
    assert prefix in registry.known_prefixes(place)


def test_a_file_that_two_packages_bring_goes_whichever_of_them_wrote_it_last(
    tmp_path: Path, isolated: Any
) -> None:
    prefix = tmp_path / "e"
    entry = journal.begin(prefix)
    _venv(prefix)
    site = prefix / "lib" / "python3.12" / "site-packages"
    for name, text in (("space_two", "2"), ("space_one", "1")):
        wheel = wheels.build(tmp_path, name, files={"space/__init__.py": text})
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    (site / "space" / "mine.py").write_text("")
    kept = clearing.clear(entry)
    assert kept.files == (site / "space" / "mine.py",)
