"""The commands of uv and pip, and which of them there is."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.jupyter import launcher
from envmagic.system import import_path, process

__all__ = ["UV_ENVIRONMENT", "find_uv", "pip_command", "pip_progress", "uv_command", "uv_variables"]


def find_uv() -> Path | None:
    """The uv to use: `$ENVMAGIC_UV`, the one installed beside us, else the one on PATH."""
    named = os.environ.get("ENVMAGIC_UV")
    if named and os.access(named, os.X_OK):
        return Path(named)
    name = "uv.exe" if sys.platform == "win32" else "uv"
    beside = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin") / name
    if os.access(beside, os.X_OK):
        return beside
    if import_path.installed("uv") is not None:
        with contextlib.suppress(Exception):  # the package is there without its binary
            from uv import find_uv_bin

            return Path(find_uv_bin())
    on_path = shutil.which("uv")
    return Path(on_path) if on_path else None


def uv_command(uv: Path, *words: str | Path) -> list[str | Path]:
    """`uv` with the options that make its output fit to read by us."""
    return [uv, "--color", "never", *words]


_COUNTS = (24, 1)  # the first pip that has `--progress-bar raw`
UV_ENVIRONMENT = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def uv_variables() -> dict[str, str]:
    """What a uv that we run is told by its variables, where the user says nothing else."""
    return {k: v for k, v in UV_ENVIRONMENT.items() if k == "UV_NO_PROGRESS" or k not in os.environ}


def pip_progress(sites: Sequence[Path] = ()) -> list[str]:
    """The option that has the pip that `pip_command` runs for these `sites` tell the bytes that
    arrive, if it can."""
    places = [site for site in sites if (site / "pip" / "__main__.py").exists()]
    behind = launcher.of_this_process()
    places = places or [Path(entry) for entry in sys.path if entry]
    places += [behind / "pip"] if behind is not None else []
    found = (info for place in places for info in place.glob("pip-*.dist-info"))
    version = re.match(r"pip-(\d+)\.(\d+)", next(found, Path()).name)
    counts = version is not None and (int(version[1]), int(version[2])) >= _COUNTS
    return ["--progress-bar", "raw" if counts else "off"]


def pip_command(python: Path, sites: Sequence[Path] = ()) -> list[str | Path]:
    """The words that run pip for `python`, which imports from `sites`: its own, else the one beside
    us or behind us working on it from outside. Raises `EnvmagicError` where there is none."""
    behind = launcher.of_this_process()
    if any((site / "pip" / "__main__.py").exists() for site in sites):
        words = process.module(python, "pip")
    elif import_path.installed("pip") is not None:
        words = [*process.module(sys.executable, "pip"), "--python", python]
    elif behind is not None and (behind / "pip" / "pip" / "__main__.py").exists():
        words = [sys.executable, behind / "pip" / "pip", "--python", python]
    else:
        raise EnvmagicError(
            "no-installer",
            "There is neither uv nor pip to install with.",
            "Install one: python -m ensurepip",
        )
    return [*words, "--disable-pip-version-check", "--no-input", "--no-color"]
