"""The ways conda environments break, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem
from envmagic.core.model import Kernel
from envmagic.environments.backends.conda import condarc
from envmagic.operations.doctor.finding import Finding

__all__ = ["gone", "is_somebody_else_s", "settings"]


def is_somebody_else_s(prefix: Path, kernel: Kernel | None, *, current: bool) -> bool:
    """Whether the conda environment at `prefix` has nothing to do with us: neither made nor
    registered by envmagic, nor the one this notebook runs in."""
    owned = (prefix / "envmagic.json").is_file()
    return _is_conda(prefix) and kernel is None and not owned and not current


def gone(prefix: Path, kernel: Kernel | None) -> Problem | None:
    """That what was registered as a conda environment has lost its `conda-meta`."""
    entry = kernel.metadata.get("envmagic") if kernel is not None else None
    was = isinstance(entry, dict) and entry.get("backend") == "conda"
    if kernel is None or not was or _is_conda(prefix):
        return None
    return Problem(
        "no-conda-meta",
        f"{display.user_path(prefix)} was a conda environment, and its conda-meta/history is gone.",
        "Make it again, or take its kernel away",
        subject=str(prefix),
        command=("remove", kernel.name, "--yes"),
    )


def settings() -> Iterator[Finding]:
    """What is wrong with the user's `.condarc`."""
    try:
        condarc.load()
    except EnvmagicError as error:
        yield Finding(error.problem)


def _is_conda(prefix: Path) -> bool:
    return (prefix / "conda-meta" / "history").is_file()
