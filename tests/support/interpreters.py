"""Which of the supported Pythons this machine has, found without trusting a shim."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
_ASK = "import ensurepip, sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"


def found() -> dict[str, Path]:
    """Version (`3.12`) to interpreter, for those of `SUPPORTED` that start here; oldest first."""
    candidates = list(_candidates())
    known: dict[str, Path] = {}
    for version in SUPPORTED:
        for path in candidates:
            if _names(path, version) and _answers(path) == version:
                known[version] = path
                break
    return known


def _candidates() -> Iterator[Path]:
    # The interpreter behind the running one first: a venv's own must not become another's base.
    yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    for version in SUPPORTED:
        on_path = shutil.which(f"python{version}")
        if on_path:
            yield Path(on_path)
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for parent in (pyenv / "versions", data / "uv" / "python"):
        for home in sorted(parent.glob("*3.*"), reverse=True):
            yield home / ("python.exe" if os.name == "nt" else "bin/python")


def _names(path: Path, version: str) -> bool:
    """Whether the path leaves open that it is this version; spares starting all of them."""
    named = re.search(r"3\.\d+", str(path.parent.parent.name) + path.name)
    return named is None or named.group() == version


def _answers(path: Path) -> str | None:
    try:
        asked = subprocess.run(
            [path, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.splitlines()[0]
