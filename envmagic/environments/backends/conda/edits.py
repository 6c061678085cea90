"""Whether an edit of an `environment.yml` changes nothing but what the record lists there.

The file is edited as text. What the text means before and after is read here with a YAML reader or
by the Python that has one; where there is none, only a file of plain lines can be told.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Silent
from envmagic.environments.backends.conda import plain_yaml, rattler_client, yaml_text

__all__ = ["Edit", "Meaning", "Unreadable", "meaning_of", "prove"]

_PYTHON = re.compile(r"'python=[\d.]+'")


@dataclass(frozen=True)
class Edit:
    """A change of the file at `path`."""

    path: Path
    before: bytes
    """Empty where there is no file yet."""
    after: bytes
    users: bytes
    """The file without the block."""
    listed: tuple[str, ...]
    """What the block lists before."""
    wanted: tuple[str, ...]
    """What it is to list."""
    include: str
    """What our own `pip:` section holds."""


@dataclass(frozen=True)
class Meaning:
    """What an `environment.yml` says, with each value as `repr` writes it, to be compared."""

    others: Mapping[str, str]
    """All keys but `dependencies`."""
    dependencies: tuple[str, ...]


@dataclass(frozen=True)
class Unreadable:
    """Why a text has no meaning."""

    line: int
    """Counting from 1; 0: no line in particular."""
    reason: str


def prove(edit: Edit) -> None:
    """Raise `EnvmagicError` unless it is certain that `edit` does what it is to do.

    `record-place`: it does not. `no-extra`: nobody here can tell.
    """
    texts = [edit.before, edit.users, edit.after]
    read = _read_elsewhere(texts) if not yaml_text.has_reader() else [*map(meaning_of, texts)]
    certain = read is not None
    read = read or [*map(_plainly, texts)]
    found: list[Meaning] = []
    for text, meaning in zip(texts, read, strict=True):
        if isinstance(meaning, Unreadable):
            raise _refusal(edit, text, meaning, certain=certain)
        found.append(meaning)
    why = _difference(edit, *found)
    if why:
        raise _no_place(edit.path, _last_kept(edit), why)


def meaning_of(content: bytes) -> Meaning | Unreadable:
    """What `content` means to a YAML reader, which has to be here."""
    try:
        return _meaning(yaml_text.loaded(content))
    except yaml_text.NotYaml as error:
        if error.line:
            return Unreadable(error.line, f"the file is no YAML ({error.reason})")
        return Unreadable(0, f"the file cannot be read ({error.reason})")


def _plainly(content: bytes) -> Meaning | Unreadable:
    """What `content` means, if all of its lines are plain."""
    try:
        return _meaning(plain_yaml.read(content.removeprefix(codecs.BOM_UTF8).decode()))
    except UnicodeDecodeError as error:
        return Unreadable(content.count(b"\n", 0, error.start) + 1, "the file is no UTF-8")
    except plain_yaml.NotPlain as error:
        return Unreadable(error.line, "the line is not plain")


def _meaning(content: Any) -> Meaning | Unreadable:
    if content is None:
        return Meaning({}, ())
    if not isinstance(content, dict):
        return Unreadable(0, "the file is no mapping")
    items = content.get("dependencies")
    if items is not None and not isinstance(items, list):
        return Unreadable(0, "`dependencies` is no list")
    others = {repr(k): repr(v) for k, v in content.items() if k != "dependencies"}
    return Meaning(others, tuple(map(repr, items or ())))


def _read_elsewhere(texts: Sequence[bytes]) -> list[Meaning | Unreadable] | None:
    """What the Python that has a reader says; None where there is none, or one of before this."""
    if not rattler_client.is_there():
        return None
    try:
        answer = rattler_client.ask({"texts": [text.decode("latin-1") for text in texts]}, Silent())
        return [
            Meaning(said["others"], tuple(said["dependencies"]))
            if "others" in said
            else Unreadable(said["line"], said["reason"])
            for said in answer["meanings"]
        ]
    except (EnvmagicError, KeyError, TypeError):
        return None


def _difference(edit: Edit, before: Meaning, users: Meaning, after: Meaning) -> str:
    """What `edit` would change besides; empty if nothing."""
    there = before if edit.before else users
    for meaning in (users, after):
        if meaning.others != there.others:
            keys = there.others.keys() | meaning.others.keys()
            changed = sorted(k for k in keys if there.others.get(k) != meaning.others.get(k))
            return f"it would change {' and '.join(changed)}"
    lost = Counter(before.dependencies) - Counter(users.dependencies)
    if any(not _is_ours(item, edit.listed, edit) for item in lost):
        return f"it would take out {', '.join(lost)}"
    ours = _added(users.dependencies, after.dependencies)
    if ours is None:
        return "it would change the packages that are there"
    wanted = Counter(map(repr, edit.wanted))
    more = Counter(ours) - wanted
    if Counter(ours) & wanted != wanted or any(not _is_ours(item, (), edit) for item in more):
        return "it would not list what is recorded"
    if max(more.values(), default=0) > 1 or sum(i.startswith("{") for i in after.dependencies) > 1:
        return "something would be there twice"
    return ""


def _added(users: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...] | None:
    """What stands between the items of `users` in `after`, in one place; None if they changed."""
    for start in range(len(users) + 1):
        end = len(after) - (len(users) - start)
        if end >= start and after[:start] == users[:start] and after[end:] == users[start:]:
            return after[start:end]
    return None


def _is_ours(item: str, entries: Sequence[str], edit: Edit) -> bool:
    """Whether the block may have `item`: one of its entries, or what comes along with them."""
    own = {*map(repr, entries), repr("pip"), repr({"pip": [edit.include]})}
    return item in own or _PYTHON.fullmatch(item) is not None


def _last_kept(edit: Edit) -> int:
    """The last line before the first that changes, counting from 1."""
    lines, new = edit.before.splitlines(), edit.after.splitlines()
    same = (i for i, (one, other) in enumerate(zip(lines, new, strict=False)) if one != other)
    return next(same, min(len(lines), len(new)))


def _refusal(edit: Edit, text: bytes, why: Unreadable, *, certain: bool) -> EnvmagicError:
    as_it_is = text == edit.before
    line = why.line if as_it_is else min(why.line, _last_kept(edit))
    if certain:
        return _no_place(edit.path, line, why.reason if as_it_is else f"with it, {why.reason}")
    where = (
        f"line {line} of {display.user_path(edit.path)}" if line else display.user_path(edit.path)
    )
    return EnvmagicError(
        "no-extra",
        f"Without a YAML reader {where} cannot be told for certain; the file was left as it was.",
        'pip install "envmagic[conda]"',
        subject=str(edit.path),
    )


def _no_place(path: Path, line: int, why: str) -> EnvmagicError:
    where = f" (line {line})" if line else ""
    return EnvmagicError(
        "record-place",
        f"There is no place for the record in {display.user_path(path)}{where}: {why}.",
        "Write `dependencies:` with one package a line, each behind '- '.",
        subject=str(path),
    )
