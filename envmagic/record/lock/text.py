"""The text of a `pylock.toml` of ours: no secrets, and what it was made from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.environments.runtimes import standards
from envmagic.system import reading, toml_files

if TYPE_CHECKING:
    from envmagic.record.lock.inputs import Inputs

__all__ = [
    "State",
    "body",
    "check",
    "differing",
    "finished",
    "is_edited",
    "is_ours",
    "names_in",
    "place_of",
    "read",
    "said",
    "signed",
    "state",
]

_MOST = 50_000_000  # bytes
_TABLE = '\n[tool.envmagic]\n{said}inputs = "{inputs}"\ncontent = "{content}"\n'
_OURS = re.compile(
    r'\n\[tool\.envmagic\]\n(?P<said>(?:[a-z]+ = (?:true|"[^"\n]*")\n)*?)'
    r'inputs = "(?P<inputs>sha256:[0-9a-f]{64})"\ncontent = "(?P<content>sha256:[0-9a-f]{64})"\n$'
)
_SAID = re.compile(r'^([a-z]+) = (true|"[^"\n]*")$', re.M)
_CREATED = re.compile(r'^created-by = "[^"\n]*"$', re.M)
_USER = re.compile(r"(?<=://)[^/@\s\"']+@")
_PATH = re.compile(r'(?<=\bpath = ")(/[^"\n]*)(?=")')
_NAME = re.compile(r'^\[\[packages\]\]\nname = "([^"\n]+)"$', re.M)


class State(Enum):
    """What a lock is, beside what is installed and asked for now."""

    CURRENT = "current"
    BEHIND = "behind"
    EDITED = "edited"
    """By hand."""
    ELSEWHERE = "elsewhere"
    """Made for another Python or platform."""
    THEIRS = "theirs"
    """Another tool wrote it, or an envmagic that said less of it."""


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


def finished(made: str, directory: Path, inputs: Inputs) -> str:
    """What an engine `made` of `inputs`, as it is written into a file in `directory`."""
    text = _CREATED.sub('created-by = "envmagic"', made, count=1)
    text = _USER.sub(_public, text)
    text = _PATH.sub(lambda match: _relative(match[1], directory), text)
    text = text.rstrip("\n") + "\n"
    python, platform = inputs.where
    said = "universal = true\n"
    if not inputs.universal:
        said = f'python = "{python}"\nplatform = "{platform}"\n'
    said += "conda = true\n" if inputs.conda else ""
    digest = _digest(inputs.key(names_in(text)))
    return text + _TABLE.format(said=said, inputs=digest, content=_digest(text))


def signed(body: str, other: str) -> str:
    """The lock in `body` with what we say of the one in `other`, of which it is a copy; without
    anything where that is not ours."""
    ours = _OURS.search(other)
    if ours is None:
        return body
    return body + _TABLE.format(said=ours["said"], inputs=ours["inputs"], content=_digest(body))


def state(text: str, inputs: Inputs) -> State:
    """What has become of the lock in `text` since it was made, beside what `inputs` are now."""
    ours = _OURS.search(text)
    if ours is None:
        return State.THEIRS
    if is_edited(text):
        return State.EDITED
    if not inputs.universal and place_of(text) not in (inputs.where, None):
        return State.ELSEWHERE
    current = ours["inputs"] == _digest(inputs.key(names_in(text)))
    return State.CURRENT if current else State.BEHIND


def body(text: str) -> str:
    """The lock in `text` without what we say of it."""
    ours = _OURS.search(text)
    return text if ours is None else text[: ours.start()]


def said(text: str) -> dict[str, str]:
    """What we say of the lock in `text`: of what it was made, `true` for what is so."""
    ours = _OURS.search(text)
    if ours is None:
        return {}
    return {key: value.strip('"') for key, value in _SAID.findall(ours["said"])}


def is_ours(text: str) -> bool:
    """Whether we wrote the lock in `text`."""
    return _OURS.search(text) is not None


def is_edited(text: str) -> bool:
    """Whether somebody changed a lock of ours by hand."""
    ours = _OURS.search(text)
    return ours is not None and _digest(body(text)) != ours["content"]


def place_of(text: str) -> tuple[str, str] | None:
    """The Python and the platform that the lock in `text`, ours, is for; None: for all, or it does
    not say."""
    held = said(text)
    return (held["python"], held["platform"]) if {"python", "platform"} <= held.keys() else None


def names_in(text: str) -> tuple[str, ...]:
    """The distributions that the lock in `text` has."""
    return tuple(sorted({normalized(name) for name in _NAME.findall(text)}))


def differing(text: str, inputs: Inputs) -> list[str]:
    """What the lock in `text` has in one version, and is installed in another:
    `six 1.16.0 → 1.17.0`."""
    found: dict[str, set[str]] = {}
    for each in toml_files.parsed(text).get("packages", []):
        found.setdefault(normalized(each["name"]), set()).add(str(each.get("version", "")))
    held = inputs.there.versions
    one = {name: next(iter(versions)) for name, versions in found.items() if len(versions) == 1}
    return [
        f"{name} {was} → {held[name]}"
        for name, was in sorted(one.items())
        if was and name in held and not _same(was, held[name])
    ]


def check(text: str, inputs: Inputs) -> None:
    """Raise `EnvmagicError` where `text` is no lock, or has another version than is installed."""
    packages = _packages(text)
    if inputs.universal:
        return
    for name, version in packages:
        held = inputs.there.versions.get(normalized(name))
        if held is not None and version is not None and not _same(version, held):
            raise EnvmagicError(
                "lock-differs",
                f"{name} {version} would be locked, but {held} is installed.",
                "To bring the environment in line",
                command=("sync",),
                subject=name,
            )


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _packages(text: str) -> list[tuple[str, str | None]]:
    """Names and versions, as they stand there; the standard's own reader has looked at all of it
    where there is one: in an environment's kernel its own packaging goes first, however old."""
    held = toml_files.parsed(text)
    with contextlib.suppress(ImportError):
        reader = standards.packaging("pylock")
        try:
            reader.Pylock.from_dict(held)
        except reader.PylockValidationError as error:
            raise EnvmagicError(
                "bad-lock",
                f"What is installed cannot be locked: {display.user_text(str(error))}.",
                "Most often a directory of wheels without an index is why; name an index.",
            ) from error
    return [(each["name"], each.get("version")) for each in held["packages"]]


def _public(match: re.Match[str]) -> str:
    """ssh lets nobody in without `git@`; whatever else stands there is somebody's."""
    return match[0] if match[0] == "git@" else ""


def _relative(path: str, directory: Path) -> str:
    inside = os.path.relpath(path, directory)
    return path if inside.startswith("..") else inside.replace(os.sep, "/")


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
