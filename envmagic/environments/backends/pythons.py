"""The Python that an environment is made from, and what gets one that is not on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from packaging.version import Version

from envmagic._version import REQUIRES_PYTHON
from envmagic.environments import interpreters
from envmagic.environments.backends import commands, settings
from envmagic.environments.interpreters import Python
from envmagic.system import process

__all__ = ["find"]

_DEFINITIONS = Path("plugins", "python-build", "share", "python-build")
"""Below pyenv's directory: a file for each Python that it can build, called by its version."""
_FULL = re.compile(r"3\.\d+\.\d+")
_FETCH = "To get it"


def find(wanted: str | None) -> Python:
    """The interpreter for `wanted`, as `interpreters.find`.

    Raises as that; where there is no such Python, with the command that gets it, if one does.
    """
    python = interpreters.search(wanted)
    if python is None:
        assert wanted is not None
        raise interpreters.lacking(wanted, *_way_to(wanted))
    return python


def _way_to(wanted: str) -> tuple[str, tuple[str, ...]]:
    """What is said before the command that gets a Python that is `wanted`, and its words."""
    uv = commands.find_uv()
    if uv is not None and _may_download():
        version = _best(_uv_has(uv, wanted), wanted)
        if version:
            return _FETCH, (_typed(uv), "python", "install", version)
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        version = _best(_pyenv_has(), wanted)
        if version:
            return _FETCH, ("pyenv", "install", version)
    if uv is None and not _is_too_old(wanted):
        return "uv may get it", ("pip", "install", "uv")
    return "", ()


def _plain(wanted: str) -> str:
    """The version in `wanted`, empty for a specifier such as `>=3.11`."""
    said = re.fullmatch(r"(?:python|==)?(\d+(?:\.\d+){0,2})", wanted.strip())
    return said[1] if said else ""


def _is_too_old(wanted: str) -> bool:
    plain = _plain(wanted)
    return bool(plain) and tuple(map(int, plain.split(".")))[:2] < REQUIRES_PYTHON


def _best(versions: Iterable[str], wanted: str) -> str:
    """The newest of `versions` that is `wanted`; as it was said, where that is a version."""
    found = [v for v in versions if _FULL.fullmatch(v) and interpreters.suits(v, wanted)]
    if not found:
        return ""
    return _plain(wanted) or max(found, key=Version)


def _typed(uv: Path) -> str:
    """The uv that is used, as one types it: by its name where PATH leads to it."""
    there = shutil.which("uv")
    return "uv" if there is not None and os.path.samefile(there, uv) else str(uv)


def _may_download() -> bool:
    """Whether uv brings a Python when it is told to; the user may have forbidden that."""
    return os.environ.get("UV_PYTHON_DOWNLOADS", "") not in ("never", "false", "0")


def _uv_has(uv: Path, wanted: str) -> list[str]:
    """The versions that `uv` would get for `wanted`; it knows them without a network."""
    words = ["python", "list", "--only-downloads", "--output-format", "json"]
    words.append(_plain(wanted) or wanted)
    try:
        with settings.told(None) as told:
            said = process.run(commands.uv_command(uv, *words), env=told, timeout=20).stdout
        return [
            entry["version"]
            for entry in json.loads(said)
            if entry["implementation"] == "cpython" and entry["variant"] == "default"
        ]
    except (process.CommandFailed, ValueError, KeyError, TypeError):
        return []  # an uv that lists none in JSON


def _pyenv_has() -> list[str]:
    try:
        return os.listdir(interpreters.pyenv() / _DEFINITIONS)
    except OSError:
        return []
