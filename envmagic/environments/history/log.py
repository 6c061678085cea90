"""The file in which the changes of an environment are kept, one line of JSON each.

It lies outside of the environment, beside what the environment held when it was last looked at, and
is named by the hash of the prefix: attaching writes nothing into an environment, and what is made
anew at the same place goes on with the same history.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from envmagic.system import directories, files

__all__ = [
    "MOST",
    "OTHER",
    "Entry",
    "Seen",
    "also",
    "append",
    "begin",
    "begun",
    "begun_traits",
    "cut_off",
    "ended",
    "entries",
    "forget",
    "move",
    "note",
    "prefixes",
    "seen",
]

MOST = 1000
"""How many changes are kept of an environment; the oldest go."""
OTHER = "another tool"
"""What did a change that nothing of ours was there for."""
_HELD, _CHANGES, _DOING = ".json", ".jsonl", ".doing"
_TRAITS = "traits"
_SLACK = 200  # so that the file is not written anew at each change


@dataclass(frozen=True)
class Entry:
    """One change: what was taken away and what came, as lines that install it."""

    number: int
    when: str
    """UTC, ISO 8601 with seconds."""
    what: str
    """The words that did it, `install pandas`, or `OTHER`."""
    notebook: str = ""
    """The notebook they were said in; empty in a terminal."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> line, of what went or changed."""
    after: Mapping[str, str] = field(default_factory=dict)
    cut_off: bool = False
    """It was killed before its end, and this is what it left."""
    traits: Mapping[str, list[str]] = field(default_factory=dict)
    """What else changed, `python`, `name` or `directory` -> what it was, and what it is."""


@dataclass(frozen=True)
class Seen:
    """What an environment held when it was last looked at."""

    stamp: str
    lines: Mapping[str, str]


def seen(prefix: Path) -> Seen | None:
    """What the environment at `prefix` held when it was last looked at; None: it never was."""
    content = _content(_file(prefix, _HELD))
    if not isinstance(content.get("lines"), dict):
        return None
    return Seen(str(content.get("stamp", "")), content["lines"])


def note(prefix: Path, held: Seen) -> None:
    """Keep what the environment at `prefix` holds now."""
    file = _file(prefix, _HELD)
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"prefix": os.path.realpath(prefix), **asdict(held)}
    files.write_atomic(file, json.dumps(content).encode())


def entries(prefix: Path) -> tuple[Entry, ...]:
    """The changes of the environment at `prefix`, the oldest first, at most `MOST`."""
    return tuple(_read(_file(prefix, _CHANGES)))[-MOST:]


def append(prefix: Path, entry: Entry) -> None:
    """Keep `entry`; the oldest go where there are too many."""
    file = _file(prefix, _CHANGES)
    file.parent.mkdir(parents=True, exist_ok=True)
    if _lines_in(file) >= MOST + _SLACK:
        files.write_atomic(file, b"".join(map(_line, (*_read(file)[-MOST + 1 :], entry))))
        return
    with open(file, "r+b" if file.exists() else "w+b") as stream:
        _to_whole_lines(stream.fileno())
        stream.seek(0, os.SEEK_END)
        stream.write(_line(entry))


def begin(prefix: Path, doing: Mapping[str, str]) -> None:
    """Note who is about to change the environment at `prefix`."""
    file = _file(prefix, _DOING)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(doing)), "utf-8")


def also(prefix: Path, traits: Mapping[str, list[str]]) -> None:
    """Note what else has become of the environment, where `begin` was called: a kill does not
    lose it."""
    file = _file(prefix, _DOING)
    content = _content(file)
    if content:
        files.write_atomic(file, json.dumps({**content, _TRAITS: traits}).encode())


def begun(prefix: Path) -> Mapping[str, str] | None:
    """What `begin` was given and `ended` did not follow; None otherwise."""
    content = _content(_file(prefix, _DOING))
    return {str(key): str(value) for key, value in content.items() if key != _TRAITS} or None


def begun_traits(prefix: Path) -> Mapping[str, list[str]]:
    """What `also` was given since."""
    traits = _content(_file(prefix, _DOING)).get(_TRAITS)
    return traits if isinstance(traits, dict) else {}


def cut_off() -> list[Path]:
    """The prefixes of which `begin` was called and `ended` was not: somebody is at it, or was
    killed. A note that is of no environment that is known is taken away."""
    found = []
    for note_ in directories.history().glob(f"*{_DOING}"):
        prefix = _content(note_.with_suffix(_HELD)).get("prefix")
        if isinstance(prefix, str):
            found.append(Path(prefix))
        else:
            note_.unlink(missing_ok=True)
    return found


def ended(prefix: Path) -> None:
    """What was begun is over, and kept."""
    with contextlib.suppress(FileNotFoundError):
        _file(prefix, _DOING).unlink()


def forget(prefix: Path) -> None:
    """Take away all that is kept of the environment at `prefix`."""
    for kind in (_DOING, _CHANGES, _HELD):
        with contextlib.suppress(FileNotFoundError):
            _file(prefix, kind).unlink()


def move(old: Path, new: Path) -> None:
    """What was kept of the environment at `old`, if anything, is of the one at `new` now.

    It can be called again where it was killed.
    """
    if not any(_file(old, kind).exists() for kind in (_CHANGES, _HELD)):
        return
    for kind in (_DOING, _CHANGES):
        with contextlib.suppress(FileNotFoundError):
            _file(old, kind).replace(_file(new, kind))
    held = seen(old)
    if held is not None:
        note(new, held)
    _file(old, _HELD).unlink(missing_ok=True)


def prefixes() -> Iterator[Path]:
    """Every environment of which something is kept, whether or not it is there."""
    for file in sorted(directories.history().glob(f"*{_HELD}")):
        prefix = _content(file).get("prefix")
        if isinstance(prefix, str) and _file(Path(prefix), _HELD) == file:
            yield Path(prefix)


def _file(prefix: Path, kind: str) -> Path:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:32]
    return directories.history() / f"{digest}{kind}"


def _to_whole_lines(descriptor: int) -> None:
    """Cut off a line that a full disk or a kill has left half-written."""
    raw = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    if raw and not raw.endswith(b"\n"):
        os.truncate(descriptor, raw.rfind(b"\n") + 1)


def _line(entry: Entry) -> bytes:
    return json.dumps(asdict(entry), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _lines_in(file: Path) -> int:
    try:
        return file.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _read(file: Path) -> list[Entry]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):  # written half, or by hand
            found.append(Entry(**json.loads(line)))
    return found


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
