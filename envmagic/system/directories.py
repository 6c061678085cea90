"""Where envmagic keeps what it makes (`ENVMAGIC_HOME` and below it), and where it lies itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache", "envs", "home", "journal", "locks", "package", "runtimes", "scratch"]


def home() -> Path:
    """`$ENVMAGIC_HOME`, else `envmagic` in the platform's user data directory. Not created here."""
    named = os.environ.get("ENVMAGIC_HOME")
    if named:
        return Path(named).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "envmagic"


def package() -> Path:
    """The directory of the package `envmagic` that runs here."""
    return Path(__file__).parents[1]


def envs() -> Path:
    """Where environments called by NAME are made."""
    return home() / "envs"


def runtimes() -> Path:
    """Where the parts of kernels lie that environments have not themselves."""
    return home() / "runtimes"


def cache() -> Path:
    """What can be thrown away and is made again."""
    return home() / "cache"


def locks() -> Path:
    """Lock files, named by the hash of the path they lock."""
    return home() / "locks"


def journal() -> Path:
    """One file for each environment that is being made now."""
    return home() / "journal"


def scratch() -> Path:
    """One note for each file and directory that is written for a moment."""
    return home() / "scratch"
