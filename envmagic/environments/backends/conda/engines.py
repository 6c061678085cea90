"""What solves and links conda packages: the user's own executable, or rattler."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import discovery
from envmagic.environments.backends.conda.engine import Engine
from envmagic.system import import_path

__all__ = ["choose", "executable", "missing"]

_NAMES = ("mamba", "micromamba", "conda")


def choose() -> Engine:
    """The engine to use: `$ENVMAGIC_CONDA` (a path, or `rattler`), the user's mamba, micromamba or
    conda, else rattler. Raises `EnvmagicError` when there is none."""
    found = executable()
    if found is not None:
        from envmagic.environments.backends.conda.executable_engine import ExecutableEngine

        return ExecutableEngine(found)
    if import_path.installed("rattler") is not None:
        from envmagic.environments.backends.conda.rattler_engine import RattlerEngine

        return RattlerEngine()
    from envmagic.environments.backends.conda import rattler_client

    if rattler_client.is_there():
        return rattler_client.ElsewhereEngine()
    raise EnvmagicError(
        "no-backend",
        "There is no mamba, micromamba or conda here to make conda environments with.",
        'pip install "envmagic[conda]"',
        subject="conda",
    )


def missing() -> str:
    """Why there is no engine, as the rest of a sentence; empty when there is one."""
    from envmagic.environments.backends.conda import rattler_client

    if import_path.installed("rattler") is not None or rattler_client.is_there():
        return ""
    if executable() is not None:
        return ""
    return "neither mamba, micromamba nor conda is found, and the extra is not installed"


def executable() -> Path | None:
    """The user's mamba, micromamba or conda: named by a variable, on PATH, or in a usual place."""
    named = os.environ.get("ENVMAGIC_CONDA")
    if named:
        return None if named == "rattler" else Path(named).expanduser()
    for variable in ("MAMBA_EXE", "CONDA_EXE"):
        path = os.environ.get(variable)
        if path and os.access(path, os.X_OK):
            return Path(path)
    for name in _NAMES:
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    for root in discovery.roots():
        for place in ("condabin", "bin", "Scripts"):
            for name in _NAMES:
                found = shutil.which(name, path=str(root / place))
                if found:
                    return Path(found)
    return None
