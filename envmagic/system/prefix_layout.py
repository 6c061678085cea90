"""Where an environment keeps its interpreter and commands, and when two paths are one of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["conda_site_packages", "identity", "interpreter", "same", "scripts_directory"]


def interpreter(prefix: Path) -> Path:
    """Where the interpreter of the environment at `prefix` is, whether or not it is there."""
    if sys.platform == "win32":
        conda = (prefix / "conda-meta").is_dir()
        return prefix / "python.exe" if conda else prefix / "Scripts" / "python.exe"
    return prefix / "bin" / "python"


def scripts_directory(prefix: Path) -> Path:
    """Where the environment at `prefix` keeps its commands."""
    return prefix / ("Scripts" if sys.platform == "win32" else "bin")


def conda_site_packages(prefix: Path, version: str) -> Path:
    """Where Python `version` (`3.12`) of the conda environment at `prefix` has its packages."""
    if sys.platform == "win32":
        return prefix / "Lib" / "site-packages"
    return prefix / "lib" / f"python{version}" / "site-packages"


def identity(prefix: Path | str) -> str:
    """What is equal for two paths that lead to one environment."""
    return os.path.realpath(prefix)


def same(one: Path | str | None, other: Path | str | None) -> bool:
    """Whether two paths are the same environment; None is none."""
    return one is not None and other is not None and identity(one) == identity(other)
