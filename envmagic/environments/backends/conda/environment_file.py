"""Reading `environment.yml`: what it asks of conda, and what of pip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.display import quoted
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Silent
from envmagic.core.record_files import BEGIN, ENVIRONMENTS
from envmagic.environments.backends.conda import condarc, rattler_client, specs, yaml_text
from envmagic.system import reading

__all__ = [
    "EnvironmentFile",
    "beside",
    "has_block",
    "is_environment_file",
    "read",
    "require_reader",
]


@dataclass(frozen=True)
class EnvironmentFile:
    """What an `environment.yml` says."""

    path: Path
    name: str | None = None
    channels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    """conda packages, as written; `channel::name` too."""
    pip: tuple[str, ...] = ()
    """The lines of its `pip:` section (conda takes the last one)."""
    prefix: str | None = None
    """Read to be told about: it is a path on the machine of whoever exported the file."""


def is_environment_file(path: Path) -> bool:
    """Whether `-r` of this file means conda's format."""
    return path.suffix.lower() in {".yml", ".yaml"}


def beside(directory: Path) -> Path | None:
    """The `environment.yml` in `directory`."""
    return next((directory / name for name in ENVIRONMENTS if (directory / name).is_file()), None)


def has_block(path: Path) -> bool:
    """Whether envmagic keeps a record in `path`."""
    try:
        return BEGIN.encode() in reading.content(path)
    except OSError:
        return False


def read(path: Path) -> EnvironmentFile:
    """What `path` says. Raises `EnvmagicError` (`bad-environment-file`) naming the line."""
    if not yaml_text.has_reader() and rattler_client.is_there():
        answer = rattler_client.ask({"file": str(path)}, Silent())
        return EnvironmentFile(
            path,
            answer["name"],
            tuple(answer["channels"]),
            tuple(answer["dependencies"]),
            tuple(answer["pip"]),
            answer["prefix"],
        )
    require_reader(ENVIRONMENTS[0])
    content = condarc.read_yaml(path, "bad-environment-file", lines=True)
    if content is None:
        return EnvironmentFile(path)
    if not isinstance(content, dict):
        raise _wrong(path, 0, "the file is no mapping of `name`, `channels` and `dependencies`")
    channels = tuple(text for _, text in _items(path, content, "channels"))
    dependencies, pip = _dependencies(path, content)
    return EnvironmentFile(
        path,
        name=_text(path, content.get("name")),
        channels=channels,
        dependencies=dependencies,
        pip=pip,
        prefix=_text(path, content.get("prefix")),
    )


def require_reader(what: str) -> None:
    """Raises `EnvmagicError` when YAML cannot be read here, with the one line that mends it."""
    if not yaml_text.has_reader():
        raise EnvmagicError(
            "no-extra",
            f"Reading {what} needs envmagic's conda extra.",
            'pip install "envmagic[conda]"',
        )


def _dependencies(path: Path, content: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    conda: list[str] = []
    pip: tuple[str, ...] = ()
    for line, item in _raw_items(path, content, "dependencies"):
        if isinstance(item, dict):
            if set(item) != {"pip"}:
                raise _wrong(path, line, "only `pip:` may be a section of the dependencies")
            pip = tuple(text for _, text in _items(path, item, "pip"))
            continue
        text = _said(path, line, item)
        if specs.parse(text) is None:
            raise _wrong(path, line, f"{quoted(text)} is no conda package")
        conda.append(text)
    return tuple(conda), pip


def _items(path: Path, content: dict[str, Any], key: str) -> list[tuple[int, str]]:
    found = []
    for line, item in _raw_items(path, content, key):
        if isinstance(item, (dict, list)):
            raise _wrong(path, line, f"an entry of `{key}` is no text")
        found.append((line, _said(path, line, item)))
    return found


def _raw_items(path: Path, content: dict[str, Any], key: str) -> list[tuple[int, Any]]:
    """The entries of a list with their line numbers, counting from 1."""
    held = content.get(key)
    if held is None:
        return []
    if not isinstance(held, list):
        line = content.lc.key(key)[0] + 1  # type: ignore[attr-defined]
        raise _wrong(path, line, f"`{key}` is no list")
    positions = held.lc  # type: ignore[attr-defined]
    return [(positions.item(i)[0] + 1, item) for i, item in enumerate(held) if item is not None]


def _text(path: Path, value: Any) -> str | None:
    return _said(path, 0, value) or None if value is not None else None


def _said(path: Path, line: int, value: Any) -> str:
    try:
        return str(value).strip()
    except ValueError as error:  # thousands of digits in another base
        raise _wrong(path, line, "a number is too long") from error


def _wrong(path: Path, line: int, what: str) -> EnvmagicError:
    where = f"Line {line} of {display.user_path(path)}" if line else display.user_path(path)
    return EnvmagicError("bad-environment-file", f"{where}: {what}.", subject=str(path))
