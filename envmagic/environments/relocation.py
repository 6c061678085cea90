"""An environment that was moved or copied: its commands hold the path where it was made."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.environments import history, ownership
from envmagic.environments.contents import MARK
from envmagic.system import files, prefix_layout

__all__ = ["fits", "is_of_ours", "made_at", "pointed", "relocate"]

_TELLING = ("activate", "pip", "pip3", "jupyter-kernelspec")
_LARGEST = 1 << 20  # bytes of a command that is text; a compiled one is left as it is
_LONGEST = 120  # characters of a path that every system takes after `#!`
_QUOTED = re.compile(r"[^'\"\\$`\r\n]*")
"""What stands in quotes as it is, in each of the languages of these files."""


def made_at(environment: Environment) -> Path | None:
    """Where the environment was made, if that is elsewhere; None where it is not, or not known."""
    if ownership.is_owned(environment.prefix):
        return None
    for name in _TELLING:
        recorded = _prefix_in(environment.python.parent / name)
        if recorded is not None and not prefix_layout.same(recorded, environment.prefix):
            return recorded
    return None


def is_of_ours(environment: Environment, made: Path) -> bool:
    """Whether it is, or is a copy of, one that we made at `made`."""
    return prefix_layout.same(str(_mark(environment.prefix).get("prefix", "")), made)


def fits(prefix: Path) -> bool:
    """Whether commands can be made to say that they are in `prefix`."""
    return os.name != "nt" and _QUOTED.fullmatch(str(prefix)) is not None


def relocate(environment: Environment, made: Path, **facts: str) -> bool:
    """Let its commands and its activation say where it is now, instead of `made`; whether it did.

    It is ours again where it is the very directory that we made there, with other `facts` about it
    where any are given, and its history follows.
    Raises `EnvmagicError` where a file cannot be written.
    """
    prefix = environment.prefix
    if not fits(prefix):
        return False
    for file in _texts(environment.python.parent):
        text = file.read_bytes()
        changed = pointed(text, os.fsencode(made), os.fsencode(prefix))
        if changed != text:
            files.write_atomic(file, changed)
    mark, now = _mark(prefix), ownership.identity(prefix)
    is_the_same = all(mark.get(key) == now[key] for key in ("device", "inode"))
    if is_the_same and not os.path.lexists(made):
        kept = {key: value for key, value in mark.items() if key not in {"schema", *now}}
        ownership.mark(prefix, **{**kept, **facts})
        history.move(made, prefix)
    return True


def pointed(text: bytes, made: bytes, prefix: bytes) -> bytes:
    """`text` with each path that begins with the whole of `made` below `prefix` instead."""
    first, newline, rest = text.partition(b"\n")
    if first.startswith(b"#!" + made + b"/") and (len(prefix) > _LONGEST or b" " in prefix):
        # such a path cannot follow `#!`: the shell reads two lines that Python takes for a string
        python = first[2:].strip()
        first = b"#!/bin/sh\n'''exec' '" + python + b"' \"$0\" \"$@\"\n' '''"
    path = re.compile(re.escape(made) + rb"(?=[/'\"\s:;)]|$)")
    return path.sub(lambda _: prefix, first + newline + rest)


def _texts(directory: Path) -> Iterator[Path]:
    for entry in sorted(directory.iterdir()):
        if entry.is_symlink() or not entry.is_file() or entry.stat().st_size > _LARGEST:
            continue
        if b"\0" not in entry.read_bytes():
            yield entry


def _mark(prefix: Path) -> dict[str, object]:
    try:
        mark = json.loads((prefix / MARK).read_bytes())
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _prefix_in(script: Path) -> Path | None:
    try:
        with script.open("rb") as opened:
            text = opened.read(8000).decode("utf-8", "replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("#!/") and line.endswith(("/bin/python", "/bin/python3")):
            return Path(line[2:].strip().rpartition("/bin/")[0])
        key, _, value = line.strip().partition("=")
        value = value.strip().strip("'\"")
        if key == "VIRTUAL_ENV" and value.startswith("/"):
            return Path(value)
    return None
