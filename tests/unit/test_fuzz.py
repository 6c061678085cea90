"""Files that somebody damaged are read, or refused in one line: the first few of `nox -s fuzz`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from support import fuzz

EACH = 150
SECONDS = 60.0  # on a machine that does much else; `nox -s fuzz` has 2


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_damaged_files_are_no_exceptions(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CONFIG_FILE", os.devnull)
    place = tmp_path / "there"
    (place / ".git").mkdir(parents=True)
    found = list(fuzz.tried(kind, range(EACH), place, SECONDS))
    assert not found, "\n".join(map(str, found))


def test_what_is_wrong_is_found_and_told_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> None:
        if random.Random(path.read_bytes()).random() < 0.5:
            int("x")

    readers = fuzz.Sort(("a.txt",), (b"a text\n",), (fails,))
    monkeypatch.setitem(fuzz.KINDS, "sort", readers)
    found = list(fuzz.tried("sort", range(20), tmp_path))
    assert 0 < len(found) < 20 and all("fails: ValueError" in f.what for f in found)
    number = int(found[0].id.partition(":")[2])
    assert fuzz.inputs("sort", number) == fuzz.inputs("sort", number)
    assert list(fuzz.tried("sort", range(number, number + 1), tmp_path)) == found[:1]
