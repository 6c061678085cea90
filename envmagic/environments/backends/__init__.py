"""The kinds of environments there are: one protocol (`base.Backend`) and this table of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Environment
from envmagic.environments import inspection
from envmagic.environments.backends import half_done
from envmagic.environments.backends.base import Backend
from envmagic.environments.inventory import Inventory

__all__ = [
    "at",
    "choose",
    "every",
    "get",
    "inspect",
    "is_environment",
    "look",
    "markers",
    "of",
    "of_file",
    "written",
]


class _Row(NamedTuple):
    module: str
    kind: str
    """The class in that module."""
    marker: str
    """The file in an environment of this kind that tells it."""


_TABLE = {
    BackendName.UV: _Row("uv", "UvBackend", "pyvenv.cfg"),
    BackendName.VENV: _Row("venv", "VenvBackend", "pyvenv.cfg"),
    BackendName.VIRTUALENV: _Row("virtualenv", "VirtualenvBackend", "pyvenv.cfg"),
    BackendName.CONDA: _Row("conda.backend", "CondaBackend", "conda-meta/history"),
}
_DEFAULT = BackendName.VENV


def get(name: BackendName) -> Backend:
    """The backend called `name`."""
    row = _TABLE[name]
    backend: Backend = getattr(import_module(f"{__name__}.{row.module}"), row.kind)()
    return backend


def every() -> Iterator[Backend]:
    """Each backend of the table."""
    return map(get, _TABLE)


def choose(name: BackendName | None) -> Backend:
    """The backend asked for, else uv where it is found, else venv.

    Raises `EnvmagicError` when the one asked for is not there.
    """
    if name is None:
        uv = get(BackendName.UV)
        return get(_DEFAULT) if uv.missing() else uv
    backend = get(name)
    reason = backend.missing()
    if reason:
        raise EnvmagicError(
            "no-backend",
            f"The backend {name.value} cannot be used: {reason}.",
            f'Install it: pip install "envmagic[{name.value}]"',
            subject=name.value,
        )
    return backend


def of(environment: Environment) -> Backend:
    """What `environment` is made and changed by."""
    return get(environment.backend)


def at(prefix: Path) -> Backend:
    """What the environment at `prefix` is changed by; where there is none, what one would be."""
    return get(_name_at(prefix) or _DEFAULT)


def of_file(file: Path) -> Backend | None:
    """The backend whose own format `file` is in; None for what pip reads."""
    return next((backend for backend in every() if backend.reads(file)), None)


def is_environment(prefix: Path) -> bool:
    """Whether `prefix` claims to be one: it holds what tells one of the kinds."""
    return _name_at(prefix) is not None


def markers(prefix: Path) -> list[Path]:
    """The files of which one is there where `prefix` claims to be an environment."""
    return [prefix / marker for marker in dict.fromkeys(row.marker for row in _TABLE.values())]


def inspect(prefix: Path, *, owned: bool = False) -> Environment:
    """The environment at `prefix`, as its files describe it.

    Raises `WordsError` when there is none, `EnvmagicError` when there is one that cannot run (its
    interpreter or the Python it was made from is gone), each with the reason.
    """
    prefix = Path(os.path.abspath(prefix))
    shown = display.user_path(prefix)
    if not prefix.exists():
        raise WordsError(
            "no-environment",
            f"{shown} does not exist.",
            "To make it",
            subject=str(prefix),
            command=("create", str(prefix)),
        )
    if not prefix.is_dir():
        raise WordsError(
            "not-an-environment", f"{shown} is a file, not an environment.", subject=str(prefix)
        )
    return at(prefix).inspect(prefix, owned=owned)


def look(environment: Environment) -> Inventory:
    """What is installed in `environment` now, read from the disk."""
    others = of(environment).packages(environment)
    entries = half_done.entries(environment)
    return Inventory(environment, inspection.distributions(environment), others, entries)


def written(prefix: Path, *, cut_off: bool = False) -> dict[str, str | None]:
    """The files below `prefix` that the tools of any backend wrote and no RECORD tells of."""
    found: dict[str, str | None] = {}
    for backend in every():
        found |= backend.written(prefix, cut_off=cut_off)
    return found


def _name_at(prefix: Path) -> BackendName | None:
    names = reversed(_TABLE)  # conda's may hold a pyvenv.cfg, too
    # one that may not be looked into is none
    return next((n for n in names if os.path.isfile(prefix / _TABLE[n].marker)), None)
