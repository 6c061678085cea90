"""Where envmagic keeps what it makes (`ENVMAGIC_HOME` and below it), and where others do."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from envmagic._version import __version__

__all__ = [
    "cache",
    "envs",
    "exchanges",
    "history",
    "home",
    "ipython",
    "journal",
    "locks",
    "package",
    "records",
    "renamed",
    "runtimes",
    "scratch",
    "user_cache",
    "user_config",
    "user_data",
]


def home() -> Path:
    """`$ENVMAGIC_HOME`, else `envmagic` in the platform's user data directory. Not created here."""
    named = os.environ.get("ENVMAGIC_HOME")
    if named:
        return Path(named).expanduser().absolute()
    return user_data() / "envmagic"


def user_data() -> Path:
    """Where the programs of one user keep data on this platform, as platformdirs has it."""
    return _of_user("XDG_DATA_HOME", ".local/share", "Library/Application Support")


def user_config(*, roaming: bool = False) -> Path:
    """Where they keep settings; `roaming`: those that Windows carries from machine to machine."""
    if roaming and sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    return _of_user("XDG_CONFIG_HOME", ".config", "Library/Application Support")


def user_cache() -> Path:
    """Where they keep what can be made again; on Windows in a folder `Cache` of their own there."""
    return _of_user("XDG_CACHE_HOME", ".cache", "Library/Caches")


def _of_user(variable: str, unix: str, mac: str) -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / mac
    return Path(os.environ.get(variable) or Path.home() / unix)


def ipython() -> Path:
    """Where IPython's profiles are: `$IPYTHONDIR`, else `.ipython` in the home directory."""
    return Path(os.environ.get("IPYTHONDIR") or Path.home() / ".ipython").expanduser().absolute()


def package() -> Path:
    """The directory of the package `envmagic` that runs here; where that is gone, of a copy."""
    place = Path(__file__).parents[1]
    if place.is_dir():
        return place
    copies = sorted(runtimes().glob(f"envmagic-{__version__}-*/envmagic"))
    return copies[0] if copies else place


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


def history() -> Path:
    """What changed in each environment, and what each held last."""
    return home() / "history"


def renamed() -> Path:
    """What environments were called and where they were."""
    return home() / "renamed"


def records() -> Path:
    """Which environment the record of each notebook is of."""
    return home() / "records"


def exchanges() -> Path:
    """One file for each environment that is being put in the place of another."""
    return home() / "exchanges"


def scratch() -> Path:
    """One note for each file and directory that is written for a moment."""
    return home() / "scratch"
