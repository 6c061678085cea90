"""What uv is told by its files: the user's own, and those of the directory that it is run in.

See https://docs.astral.sh/uv/concepts/configuration-files/.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from envmagic.environments import trusted
from envmagic.system import directories, scratch
from envmagic.system.toml_files import Settings

__all__ = ["Table", "around", "counting", "for_uv", "leading_away", "of_the_user"]

INDEXES = "index index-url extra-index-url find-links no-index".split()
"""What says where packages come from, at the top and in `pip`."""
_PLACES = [*INDEXES[:-1], *"allow-insecure-host http-proxy https-proxy torch-backend".split()]
_LINES = "override-dependencies constraint-dependencies extra-build-dependencies".split()
"""These lead away where a URL is in them."""
_SOURCE = re.compile(r'"(?:git|url|index)":')
_ELSEWHERE = frozenset(("target", "prefix"))
"""In `pip`: where an installation goes is envmagic's to say."""
_NOT_OF_A_KERNEL = frozenset(("no-deps", "require-hashes"))
"""In `pip`: what is meant for the user's own packages, and not for the parts of a kernel."""
_OF_A_PROJECT = frozenset(
    "sources workspace managed package build-backend dev-dependencies default-groups"
    " dependency-groups conflicts environments required-environments".split()
)
"""What a `pyproject.toml` may say to uv and an `uv.toml` may not."""
_KERNEL = {"UV_RESOLUTION": "highest", "UV_REQUIRE_HASHES": "false"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class Table:
    """What one file says to uv."""

    file: Path
    said: Mapping[str, Any]

    def has(self, names: Sequence[str]) -> bool:
        """Whether it says one of `names`, at the top or to `uv pip`."""
        return any(name in table for table in (self.said, self.pip) for name in names)

    @property
    def pip(self) -> Mapping[str, Any]:
        held = self.said.get("pip")
        return held if isinstance(held, dict) else {}


def around(directory: Path) -> list[Table]:
    """What the files around `directory` say to an uv that is run there: those of the nearest place
    that has any, however far above, and of the workspace that it may be in."""
    if {"UV_CONFIG_FILE", "UV_NO_CONFIG", "UV_PROJECT"} & os.environ.keys():
        return []
    return _found(directory)


def of_the_user() -> list[Table]:
    """What the user's own files say to every uv, or those of the machine."""
    if "UV_NO_CONFIG" in os.environ:
        return []
    if "UV_CONFIG_FILE" in os.environ:
        return _tables([Path(os.environ["UV_CONFIG_FILE"])])
    named = os.environ.get("UV_PROJECT")
    return [*(_found(Path(named)) if named else []), *_tables(_own_files())]


def counting(directory: Path | None) -> list[Table]:
    """What counts for an uv that envmagic runs in `directory`, the first most: what the files
    around it say where the user has agreed to that, and the user's own."""
    near = around(directory) if directory is not None else []
    return [*(near if _is_agreed(near) else []), *of_the_user()]


def leading_away(table: Table) -> Iterator[str]:
    """Each setting of `table` that has packages come from elsewhere, with its value."""
    for said in (table.said, table.pip):
        for name, value in said.items():
            text = json.dumps(value, default=str)
            if (
                name in _PLACES
                or (name in _LINES and "@" in text)
                or (name == "sources" and _SOURCE.search(text))
            ):
                yield f"{name} = {text}"


@contextlib.contextmanager
def for_uv(directory: Path | None, *, kernel: bool = False) -> Iterator[dict[str, str]]:
    """Variables for an uv that is run in `directory`, with which `counting` counts and nothing says
    where an installation goes; with `kernel` when it gets parts of one."""
    refused = _ELSEWHERE | (_NOT_OF_A_KERNEL if kernel else frozenset())
    tables = counting(directory)
    said = dict(_KERNEL) if kernel else {}
    if directory is None or not _is_agreed(around(directory)):
        # where it looks for settings, and nothing besides
        said["UV_PROJECT"] = str(_nowhere())
    if not any(refused & table.pip.keys() for table in tables):
        yield said
        return
    with scratch.beside(Path(tempfile.gettempdir())) as place:
        place.mkdir(0o700)
        file = place / "uv.toml"
        file.write_text(_written(_merged([_plain(t, refused) for t in tables])), "utf-8")
        yield {**said, "UV_CONFIG_FILE": str(file)}


def _is_agreed(tables: Sequence[Table]) -> bool:
    asked = {trusted.digest(text, str(t.file)) for t in tables for text in leading_away(t)}
    return not asked or asked <= trusted.known()


def _nowhere() -> Path:
    place = directories.home()
    place.mkdir(parents=True, exist_ok=True)
    return place


def _found(directory: Path) -> list[Table]:
    found: list[Table] = []
    for place in (directory, *directory.parents):
        here = _tables([place / "uv.toml", place / "pyproject.toml"])[:1]
        if not found or any("workspace" in table.said for table in here):
            found += here
    return found


def _own_files() -> list[Path]:
    if sys.platform == "win32":
        places = [os.environ.get("APPDATA", ""), os.environ.get("PROGRAMDATA", "")]
    else:
        own = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        every = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        places = [own, next((p for p in every if Path(p, "uv", "uv.toml").is_file()), "/etc")]
    return [Path(place, "uv", "uv.toml") for place in places if place]


def _tables(files: Sequence[Path]) -> list[Table]:
    """What `files` say, those left out that say nothing."""
    keys = {"pyproject.toml": ("tool", "uv")}
    found = ((f, Settings(f).value(*keys.get(f.name, ()))) for f in files if f.is_file())
    return [Table(file, said) for file, said in found if isinstance(said, dict)]


def _plain(table: Table, refused: frozenset[str]) -> dict[str, Any]:
    """What `table` says, as another file can say it, without what is `refused` in `pip`."""
    said = {n: _moved(n, v, table.file) for n, v in table.said.items() if n not in _OF_A_PROJECT}
    pip = {n: _moved(n, v, table.file) for n, v in table.pip.items() if n not in refused}
    return {**said, "pip": pip}


def _moved(name: str, value: Any, file: Path) -> Any:
    """`value`, in which paths count from where `file` is, as it is from anywhere."""
    if isinstance(value, list) and name in INDEXES:
        return [_moved(name, one, file) for one in value]
    if isinstance(value, dict) and "url" in value:
        return {**value, "url": _moved(name, value["url"], file)}
    if isinstance(value, str) and name in INDEXES and not _SCHEME.match(value):
        return str(file.parent / value)
    return value


def _merged(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As uv takes several: lists together, of the rest the first."""
    made: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            held = made.get(name)
            if isinstance(held, list) and isinstance(value, list):
                made[name] = [*held, *value]
            elif isinstance(held, dict) and isinstance(value, dict):
                made[name] = _merged([held, value])
            else:
                made.setdefault(name, value)
    return made


def _written(said: Mapping[str, Any]) -> str:
    return "".join(f"{_quoted(name)} = {_value(value)}\n" for name, value in said.items())


def _value(value: Any) -> str:
    """`value` in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(n)} = {_value(v)}" for n, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
