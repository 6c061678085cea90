"""What the user has told pip, in its files and variables, read as pip reads them.

See https://pip.pypa.io/en/stable/topics/configuration/. An uv that is run in its place reads none
of it, and of what an installation is to be pip must not obey all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Setting", "for_pip", "settings"]

_ELSEWHERE = (
    "user target prefix root python dry-run require-virtualenv requirement editable group"
    " requirements-from-script ignore-installed report isolated"
).split()
"""Where an installation goes and what is in it is envmagic's to say."""
_NOT_OF_A_KERNEL = "no-deps require-hashes constraint no-binary pre".split()
"""What is meant for the user's own packages, and not for the parts of a kernel."""
_NAME = "pip.ini" if sys.platform == "win32" else "pip.conf"


@dataclass(frozen=True)
class Setting:
    """What pip has been told of one of its options."""

    value: str
    """As it is written; pip splits it at white space where there may be several."""
    where: str
    """The variable, or the file."""


def settings(prefix: Path | None = None) -> dict[str, Setting]:
    """Each option of `pip install` that is set for an environment at `prefix`, by its long name."""
    return {**_in_files(prefix), **dict(_in_variables())}


def for_pip(prefix: Path | None, *, kernel: bool = False) -> dict[str, str]:
    """Variables with which a pip that works on `prefix` obeys what it has been told of where
    packages come from, and nothing of where they go; with `kernel` when it gets parts of one."""
    refused = {*_ELSEWHERE, *(_NOT_OF_A_KERNEL if kernel else ())}
    said = {_variable(n): "" for n, _ in _in_variables() if n in refused}  # as if it were not set
    in_files = _in_files(prefix)
    if refused & in_files.keys():  # no variable takes those back
        said["PIP_CONFIG_FILE"] = os.devnull
        kept = {n: setting for n, setting in in_files.items() if n not in refused}
        said |= {_variable(n): s.value for n, s in kept.items() if _variable(n) not in os.environ}
    return said


def _in_variables() -> Iterator[tuple[str, Setting]]:
    for variable, value in os.environ.items():
        name = _normalized(variable[4:])
        if variable.startswith("PIP_") and value and name not in ("config-file", "version", "help"):
            yield name, Setting(value, variable)


def _in_files(prefix: Path | None) -> dict[str, Setting]:
    read = [(file, _read(file)) for file in _files(prefix)]
    found: dict[str, Setting] = {}
    for section in ("global", "install"):
        for file, said in read:
            values = {name: value.strip() for name, value in said.get(section, {}).items()}
            found |= {name: Setting(value, str(file)) for name, value in values.items() if value}
    return found


def _files(prefix: Path | None) -> Iterator[Path]:
    """Those that pip reads, the last of which counts most."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    yield from (place / _NAME for place in _of_the_machine())
    if not (named and os.path.exists(named)):
        yield from (place / _NAME for place in _of_the_user())
    if prefix is not None:
        yield prefix / _NAME
    if named:
        yield Path(named)


def _of_the_machine() -> list[Path]:
    if sys.platform == "win32":
        return [Path(os.environ.get("PROGRAMDATA") or r"C:\ProgramData", "pip")]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support/pip")]
    places = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    return [*(Path(place, "pip") for place in places if place), Path("/etc")]


def _of_the_user() -> list[Path]:
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        roaming = os.environ.get("APPDATA") or home / "AppData" / "Roaming"
        return [home / "pip", Path(roaming, "pip")]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    if sys.platform == "darwin":
        own = home / "Library" / "Application Support" / "pip"
        config = own.parent if own.is_dir() else home / ".config"
    return [home / ".pip", config / "pip"]


def _read(file: Path) -> Mapping[str, Mapping[str, str]]:
    """The sections of `file`; none where it is not there, or pip cannot read it either."""
    try:
        text = file.read_text("utf-8", errors="replace")
    except OSError:
        return {}
    import configparser  # most have no such file

    parser = configparser.RawConfigParser()
    parser.optionxform = _normalized  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _normalized(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _variable(name: str) -> str:
    return f"PIP_{name.upper().replace('-', '_')}"
