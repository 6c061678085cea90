"""The file of an environment's changes: bounded, and whole whatever was cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envmagic.environments import history
from envmagic.environments.history import log
from envmagic.environments.history.log import MOST, Entry, Seen


def entry(number: int, **lines: Any) -> Entry:
    return Entry(number, "2026-01-01T00:00:00Z", f"install {number}", **lines)


def test_it_holds_the_latest_thousand(tmp_path: Path) -> None:
    for number in range(1, 2 * MOST + 300):
        log.append(tmp_path, entry(number))
    numbers = [each.number for each in history.entries(tmp_path)]
    assert numbers == list(range(MOST + 300, 2 * MOST + 300))


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path, isolated: Any) -> None:
    log.append(tmp_path, entry(1))
    (file,) = (isolated.envmagic / "history").glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"number": 2, "wh')
    assert [each.number for each in history.entries(tmp_path)] == [1]
    log.append(tmp_path, entry(3))
    assert [each.number for each in history.entries(tmp_path)] == [1, 3]


def test_what_was_there_before_a_change(tmp_path: Path) -> None:
    log.append(tmp_path, entry(1, after={"a": "a==1", "b": "b==1"}))
    log.append(tmp_path, entry(2, before={"a": "a==1"}, after={"a": "a==2", "c": "c==1"}))
    log.append(tmp_path, entry(3, before={"b": "b==1"}))
    log.note(tmp_path, Seen("", {"a": "a==2", "c": "c==1"}))
    assert history.before(tmp_path, 3) == {"a": "a==2", "b": "b==1", "c": "c==1"}
    assert history.before(tmp_path, 2) == {"a": "a==1", "b": "b==1"}
    assert history.before(tmp_path, 1) == {}


def test_it_follows_a_move_also_where_that_was_killed(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    log.note(a, Seen("s", {"x": "x==1"}))
    log.append(a, entry(1))
    log.begin(a, {"what": "rename a b", "notebook": ""})
    log._file(a, ".jsonl").rename(log._file(b, ".jsonl"))  # here it was killed
    history.move(a, b)
    assert (history.entries(a), log.seen(a), log.begun(a)) == ((), None, None)
    assert [each.number for each in history.entries(b)] == [1]
    assert list(history.prefixes()) == [b] and log.seen(b) == Seen("s", {"x": "x==1"})
    log.also(b, {"name": ["a", "b"]})
    assert log.begun(b) == {"what": "rename a b", "notebook": ""}
    assert log.begun_traits(b) == {"name": ["a", "b"]}
