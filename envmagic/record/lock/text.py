"""The text of a `pylock.toml` of ours: no secrets, and what it was made from."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.system import reading, toml_files

if TYPE_CHECKING:
    from packaging.pylock import Pylock

    from envmagic.record.lock.inputs import Inputs

__all__ = ["check", "digest_in", "finished", "is_edited", "is_universal", "names_in", "read"]

_MOST = 50_000_000  # bytes
_TABLE = '\n[tool.envmagic]\n{universal}inputs = "{inputs}"\ncontent = "{content}"\n'
_UNIVERSAL = "universal = true\n"
_OURS = re.compile(
    r"\n\[tool\.envmagic\]\n(universal = true\n)?"
    r'inputs = "(sha256:[0-9a-f]{64})"\ncontent = "(sha256:[0-9a-f]{64})"\n$'
)
_CREATED = re.compile(r'^created-by = "[^"\n]*"$', re.M)
_USER = re.compile(r"(?<=://)[^/@\s\"']+@")
_PATH = re.compile(r'(?<=\bpath = ")(/[^"\n]*)(?=")')
_NAME = re.compile(r'^name = "([^"\n]+)"$', re.M)


def read(file: Path) -> str | None:
    """What `file` holds; None where it is not there. Raises `EnvmagicError` where it is no text."""
    if not os.path.lexists(file):
        return None
    try:
        return reading.content(file).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EnvmagicError(
            "unreadable",
            f"{display.user_path(file)} cannot be read: {why}.",
            "Move it away, or name another with --to FILE.",
            subject=str(file),
        ) from error


def finished(made: str, directory: Path, inputs: str, *, universal: bool) -> str:
    """What an engine `made`, as it is written into a file in `directory`."""
    text = _CREATED.sub('created-by = "envmagic"', made, count=1)
    text = _USER.sub(_public, text)
    text = _PATH.sub(lambda match: _relative(match[1], directory), text)
    text = text.rstrip("\n") + "\n"
    mark = _UNIVERSAL if universal else ""
    return text + _TABLE.format(universal=mark, inputs=inputs, content=_digest(text))


def digest_in(text: str) -> str:
    """Of what the lock in `text` was made; empty where it is not ours."""
    ours = _OURS.search(text)
    return ours[2] if ours is not None else ""


def is_universal(text: str) -> bool:
    """Whether the lock in `text`, ours, is for all platforms."""
    ours = _OURS.search(text)
    return ours is not None and ours[1] is not None


def is_edited(text: str) -> bool:
    """Whether somebody changed a lock of ours by hand."""
    ours = _OURS.search(text)
    return ours is not None and _digest(text[: ours.start()]) != ours[3]


def names_in(text: str) -> tuple[str, ...]:
    """The distributions that the lock in `text` has."""
    return tuple(sorted({normalized(name) for name in _NAME.findall(text)}))


def check(text: str, inputs: Inputs) -> None:
    """Raise `EnvmagicError` where `text` is no lock, or has another version than is installed."""
    lock = _parsed(text)
    if inputs.universal:
        return
    for package in lock.packages:
        held = inputs.there.versions.get(normalized(package.name))
        if package.version is None or held is None:
            continue
        if str(package.version) != held:
            raise EnvmagicError(
                "lock-differs",
                f"{package.name} {package.version} would be locked, but {held} is installed.",
                "To bring the environment in line",
                command=("sync",),
                subject=package.name,
            )


def _parsed(text: str) -> Pylock:
    from packaging.pylock import Pylock

    return Pylock.from_dict(toml_files.parsed(text))


def _public(match: re.Match[str]) -> str:
    """ssh lets nobody in without `git@`; whatever else stands there is somebody's."""
    return match[0] if match[0] == "git@" else ""


def _relative(path: str, directory: Path) -> str:
    inside = os.path.relpath(path, directory)
    return path if inside.startswith("..") else inside.replace(os.sep, "/")


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
