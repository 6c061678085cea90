"""One contract over the table of record formats: the user's text stays, the block comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from envmagic.core.errors import WordsError
from envmagic.core.model import Frontend, Place, Silent
from envmagic.core.record_files import BEGIN
from envmagic.core.verbs import RecordRequest
from envmagic.operations.record import record
from envmagic.record import formats
from envmagic.record.formats import Format
from envmagic.requirements import Block, Entry, Kind, Mention

SAMPLES = {
    "requirements.txt": "# mine\nnumpy>=2\n\n-r more.txt  # see there\n",
    "environment.yml": "name: mine # really\ndependencies:\n  - numpy>=2\n  # why\n  - python\n",
}
"""By its first name, a file of each format as a person has it; it asks for numpy."""

BLOCK = Block(
    entries=(
        Entry(Kind.REQUIREMENT, "six", (Mention("a.ipynb"), Mention("b.ipynb"))),
        Entry(Kind.OPTIONAL, "attrs", (Mention("a.ipynb"),)),
        Entry(Kind.UNRESOLVED, "corp_utils", (Mention("b.ipynb"),)),
    )
)


@pytest.fixture(params=formats.FORMATS, ids=lambda known: known.names[0])
def known(request: pytest.FixtureRequest) -> Format:
    format: Format = request.param
    return format


@pytest.fixture
def file(known: Format, tmp_path: Path) -> Path:
    path = tmp_path / known.names[0]
    path.write_text(SAMPLES[known.names[0]])
    return path


def test_every_name_means_its_format(known: Format, tmp_path: Path) -> None:
    for name in known.names:
        assert formats.of(tmp_path / name) is formats.of(tmp_path / name.upper()) is known


def test_a_file_of_the_user_s_has_no_block_and_says_what_they_ask_for(
    known: Format, file: Path
) -> None:
    held = known.read(file)
    assert held is not None and held.block is None and held.raw == file.read_bytes()
    assert held.user_text == SAMPLES[known.names[0]]
    assert "numpy" in {line.name for line in held.user_lines()}


def test_where_there_is_no_file_nothing_is_held(known: Format, tmp_path: Path) -> None:
    held = known.read(tmp_path / known.names[0])
    assert held is None or (held.block is None and held.user_text == "" and held.raw == b"")


def test_what_is_recorded_comes_back_and_is_written_the_same_way_again(
    known: Format, file: Path
) -> None:
    held = known.read(file)
    assert held is not None
    written = held.with_block(BLOCK)
    known.verify(held, written, BLOCK)
    file.write_bytes(written)
    again = known.read(file)
    assert again is not None and again.block == BLOCK
    assert again.is_current(BLOCK) and again.with_block(BLOCK) == written
    assert not again.is_current(replace(BLOCK, entries=BLOCK.entries[:1]))
    assert again.settled(BLOCK) is again and again.proven(BLOCK, ()) == BLOCK


def test_the_user_s_lines_stay_byte_for_byte_whatever_is_recorded(
    known: Format, file: Path
) -> None:
    users = [line for line in file.read_text().splitlines() if line.strip()]
    for entries in (BLOCK.entries, BLOCK.entries[1:], (), BLOCK.entries[:1]):
        held = known.read(file)
        assert held is not None
        block = replace(BLOCK, entries=entries)
        file.write_bytes(held.with_block(block))
        lines = file.read_text().splitlines()
        assert [line for line in lines if line in users] == users
        assert {"numpy"} <= {line.name for line in (known.read(file) or held).user_lines()}


def test_a_line_that_a_person_puts_into_the_block_is_theirs(known: Format, file: Path) -> None:
    held = known.read(file)
    assert held is not None
    lines = held.with_block(BLOCK).decode().splitlines(keepends=True)
    (own,) = (line for line in lines if "numpy" in line)
    place = next(i for i, line in enumerate(lines) if BEGIN in line) + 1
    lines.insert(place, own.replace("numpy", "scipy"))
    file.write_text("".join(lines))
    again = known.read(file)
    assert again is not None and again.block is not None
    assert "scipy" in {line.name for line in again.user_lines()}
    assert {entry.text for entry in again.block.entries} == {"six", "attrs", "corp_utils"}


def test_a_record_is_written_in_the_format_that_is_named(known: Format, file: Path) -> None:
    """`record --to FILE`; `environment.yml` is kept beside requirements.txt, and not by name."""
    cell = {"cell_type": "code", "source": "import six", "metadata": {}, "outputs": []}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (file.parent / "n.ipynb").write_text(json.dumps(notebook))
    request = RecordRequest(paths=("n.ipynb",), to=file.name, env="none")
    place = Place(Frontend.TERMINAL, file.parent)
    if not known.by_name:
        with pytest.raises(WordsError):
            record(request, place, Silent())
        assert file.read_text() == SAMPLES[known.names[0]]
        return
    assert record(request, place, Silent()).changed
    held = known.read(file)
    assert held is not None and held.block is not None
    assert [entry.text for entry in held.block.entries] == ["six"]
    assert not record(request, place, Silent()).changed
