"""A new `environment.yml` that asks for what is recorded, of conda and of pip."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core import names
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments.backends.conda import environment_file, plain_yaml, specs
from envmagic.record.export.public import without_secrets
from envmagic.system import files

__all__ = ["Listed", "listed", "text"]

_DEFAULT = "conda-forge"
_PLAIN = re.compile(r"[A-Za-z_.][A-Za-z0-9_.+/=<>~!-]*")
_PYTHON = re.compile(r"python={1,2}(\d+\.\d+)[\d.*]*")
_INCLUDES = re.compile(r"(?:-r|--requirement)[ =]?")


@dataclass(frozen=True)
class Listed:
    """What an `environment.yml` beside the record says."""

    file: Path
    name: str = ""
    channels: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    """Lines of its own for pip, without the file that it includes."""
    secrets: tuple[str, ...] = ()
    """Channels and lines that lost a token or a password, as they are now."""

    @property
    def python(self) -> str | None:
        """`3.12` of `python=3.12`."""
        found = (_PYTHON.fullmatch(package) for package in self.packages)
        return next((match[1] for match in found if match is not None), None)


def listed(directory: Path, *, in_conda: bool) -> Listed | None:
    """That of the file in `directory`, where it is a part of the record: it has a block, there is
    no requirements file, or the environment is conda's (`in_conda`). Else None.

    Raises `EnvmagicError` where it cannot be read.
    """
    path = environment_file.beside(directory)
    alone = not (directory / REQUIREMENTS).is_file()
    if path is None or not (in_conda or alone or environment_file.has_block(path)):
        return None
    said = _read(path)
    shown = {text: without_secrets(text) for text in (*said.channels, *said.pip)}
    return Listed(
        path,
        said.name or "",
        tuple(shown[channel] for channel in said.channels),
        said.dependencies,
        tuple(shown[line] for line in said.pip if not _INCLUDES.match(line)),
        tuple(now for text, now in shown.items() if now != text),
    )


def _read(path: Path) -> environment_file.EnvironmentFile:
    """What `path` says; a file of plain lines needs no reader."""
    try:
        found = plain_yaml.read(files.read(path).decode("utf-8-sig"))
    except (plain_yaml.NotPlain, UnicodeDecodeError):
        return environment_file.read(path)
    items: list[Any] = found.get("dependencies") or []
    channels: Any = found.get("channels") or []
    pip = [item["pip"] for item in items if isinstance(item, dict)]
    return environment_file.EnvironmentFile(
        path,
        str(found.get("name") or ""),
        tuple(map(str, channels)) if isinstance(channels, list) else (),
        tuple(str(item) for item in items if not isinstance(item, dict)),
        tuple(str(line) for lines in pip[-1:] for line in lines or ()),
    )


def text(directory: Path, python: str | None, beside: Listed | None, pip: Iterable[str]) -> str:
    """The file for what `beside` lists and the lines `pip`, called as `beside` or the directory."""
    beside = beside or Listed(directory)
    lines = list(dict.fromkeys((*pip, *beside.pip)))
    there = {specs.conda_name(package.rpartition("::")[2]) for package in beside.packages}
    packages = list(beside.packages)
    if "python" not in there:
        packages.insert(0, f"python={python}" if python else "python")
    packages += ["pip"] if lines and "pip" not in there else []
    name = beside.name or names.suggest(directory.name)
    return (
        f"name: {_scalar(name)}\n"
        + _list("channels:", beside.channels or (_DEFAULT,), "  ")
        + _list("dependencies:", packages, "  ")
        + (_list("  - pip:", lines, "      ") if lines else "")
    )


def _list(head: str, items: Sequence[str], indent: str) -> str:
    return f"{head}\n" + "".join(f"{indent}- {_scalar(item)}\n" for item in items)


def _scalar(text: str) -> str:
    """`text` in quotes, unless nobody could take it for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


_WORDS = frozenset("y n yes no on off true false null .inf .nan ~".split())
