"""Locking what a record needs: `pylock.toml` (PEP 751), in the very versions that are installed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.model import Progress
from envmagic.record.lock import engines, text
from envmagic.record.lock.inputs import Inputs

__all__ = ["Inputs", "Locked", "is_ours", "is_universal", "locked", "state"]


@dataclass(frozen=True)
class Locked:
    """A lock as it is to be, beside what the file holds."""

    file: Path
    was: str | None
    """None: there is no such file."""
    now: str
    names: tuple[str, ...]
    """The distributions in it, sorted."""

    @property
    def changed(self) -> bool:
        return self.was != self.now


def locked(inputs: Inputs, file: Path, progress: Progress) -> Locked:
    """What `file` is to hold for `inputs`: what it holds, where nothing has changed since.

    Raises `EnvmagicError` where that cannot be told, or comes out otherwise than what is installed.
    """
    was = text.read(file)
    if was is not None and text.digest_in(was) == _digest(inputs) and not text.is_edited(was):
        return Locked(file, was, was, text.names_in(was))
    progress.step(f"Locking {len(inputs.held)} distributions for {display.user_path(file)}")
    made = engines.compiled(inputs, file, progress)
    now = text.finished(made, file.parent, _digest(inputs), universal=inputs.universal)
    text.check(now, inputs)
    return Locked(file, was, now, text.names_in(now))


def state(inputs: Inputs, file: Path) -> str:
    """Why the lock in `file` is behind `inputs`, as a clause; empty where it is not so."""
    was = text.read(file)
    known = text.digest_in(was) if was is not None else ""
    if was is None or not known:
        return ""
    if text.is_edited(was):
        return "it was edited by hand"
    return "" if known == _digest(inputs) else "what is installed or asked for has changed since"


def is_ours(file: Path) -> bool:
    """Whether `file` holds a lock that we wrote."""
    was = text.read(file)
    return was is not None and bool(text.digest_in(was))


def is_universal(file: Path) -> bool:
    """Whether `file` holds a lock of ours that is for all platforms."""
    was = text.read(file)
    return was is not None and text.is_universal(was)


def _digest(inputs: Inputs) -> str:
    return "sha256:" + hashlib.sha256(inputs.key.encode()).hexdigest()
