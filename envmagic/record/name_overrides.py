"""`[tool.envmagic.names]` in pyproject.toml: the distributions of modules, as the user says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.imports.trees import tree_of
from envmagic.system import reading, toml_files

__all__ = ["Supplied", "quoted_key", "supplied_for", "unusable"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Supplied:
    """What one pyproject.toml says."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Dotted module -> distribution."""
    problems: tuple[Problem, ...] = ()
    """What it says that cannot be meant: `bad-names`, warnings."""


_NOTHING = Supplied()


def supplied_for(directory: Path) -> Supplied:
    """What the nearest pyproject.toml with such names says, up to the tree's top."""
    here, top = str(directory), str(_tree(directory))
    while True:
        file = os.path.join(here, "pyproject.toml")
        try:
            found = os.stat(file)
        except OSError:
            said = None
        else:
            said = _said_in(file, found.st_mtime_ns, found.st_size)
        if said is not None:
            return said
        if here in (top, os.path.dirname(here)):
            return _NOTHING
        here = os.path.dirname(here)


def unusable(directories: Iterable[Path]) -> list[Problem]:
    """What is wrong in the names that count for notebooks in `directories`, each said once."""
    found = (problem for directory in directories for problem in supplied_for(directory).problems)
    return list(dict.fromkeys(found))


def quoted_key(module: str) -> str:
    """`module` as a key of TOML: a dot would make a table of its own of what is behind it."""
    return module if _BARE_KEY.fullmatch(module) else f'"{module}"'


@lru_cache(maxsize=256)
def _tree(directory: Path) -> Path:
    return tree_of(directory)


@lru_cache(maxsize=1024)
def _said_in(file: str, changed: int, size: int) -> Supplied | None:
    """What `file` says as it was at `changed`; None when it says nothing of names."""
    try:
        raw = reading.content(file)
    except OSError:
        return None
    return _parsed(raw.decode("utf-8", "replace"), file) if b"envmagic" in raw else None


def _parsed(text: str, file: str) -> Supplied | None:
    shown = user_path(file)
    try:
        document = toml_files.parsed(text)
        names = document["tool"]["envmagic"]["names"]
    except ValueError as error:
        reason = f"{shown} is no TOML, so the names in it do not count: {error}."
        return Supplied(problems=(_problem(reason, "Mend that line.", file),))
    except (KeyError, TypeError):
        return None
    if not isinstance(names, dict):
        reason = f"[tool.envmagic] in {shown}: names is no table."
        hint = 'Write [tool.envmagic.names], and below it MODULE = "NAME".'
        return Supplied(problems=(_problem(reason, hint, file),))
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for module, value in _flat(names):
        if isinstance(value, str) and _NAME.fullmatch(value.strip()):
            found[module] = value.strip()
        else:
            problems.append(_no_name(module, value, shown))
    return Supplied(found, tuple(problems))


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys that were not quoted are tables in tables; what is meant is the dotted name."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _no_name(module: str, value: object, shown: str) -> Problem:
    return _problem(
        f"{module} = {value!r} in {shown} does not count: that is no plain name of a distribution.",
        f'Write {quoted_key(module)} = "NAME"; a version, extras or a URL belong into a line of'
        " your own in requirements.txt.",
        module,
    )


def _problem(message: str, hint: str, subject: str) -> Problem:
    return Problem("bad-names", message, hint, Severity.WARNING, subject)
