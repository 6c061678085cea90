"""Moving what an installer made beside an environment into it, so that a cut leaves no riddle.

The RECORDs go first. Whoever finds a file in the environment then finds who wrote it, whenever this
ends, and each of the moves is one rename.
"""

from __future__ import annotations

from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError

__all__ = ["move_in"]

_LOCK = ".lock"  # uv's own, at the top of whatever it installs into


def move_in(staging: Path, prefix: Path) -> None:
    """Move everything in `staging`, which is laid out as an environment, into `prefix`.

    Raises `EnvmagicError` (`in-the-way`) where a file of that name is there already, and
    `OSError`.
    """
    if not staging.is_dir():
        return  # there was nothing to install
    for site in ("lib*/*/site-packages", "Lib/site-packages"):
        for info in sorted(staging.glob(f"{site}/*.dist-info")):
            _move(info, prefix / info.relative_to(staging))
    for entry in sorted(staging.iterdir()):
        if entry.name != _LOCK:
            _move(entry, prefix / entry.name)


def _move(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink() and target.is_dir():
        for entry in sorted(source.iterdir()):
            _move(entry, target / entry.name)
        return
    if target.is_symlink() or target.exists():
        raise EnvmagicError(
            "in-the-way",
            f"{display.user_path(target)} is in the way: a package has a file of that name.",
            "Move it elsewhere and try again.",
            subject=str(target),
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
