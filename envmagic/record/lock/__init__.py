"""Locking what a record needs: `pylock.toml` (PEP 751), in the very versions that are installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display
from envmagic.core.model import Progress
from envmagic.record.lock import engines, text
from envmagic.record.lock.inputs import Inputs, notebooks_in
from envmagic.record.lock.text import State

__all__ = [
    "Inputs",
    "Locked",
    "State",
    "is_edited",
    "is_ours",
    "is_universal",
    "locked",
    "notebooks_in",
    "state",
    "why_behind",
]


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

    @property
    def bodies(self) -> tuple[str, str]:
        """What was locked and what is to be, without what we say of it."""
        return text.body(self.was or ""), text.body(self.now)


def locked(inputs: Inputs, file: Path, progress: Progress) -> Locked:
    """What `file` is to hold for `inputs`: what it holds, where nothing has changed since.

    Raises `EnvmagicError` where that cannot be told, or comes out otherwise than what is installed.
    """
    was = text.read(file)
    if was is not None and text.state(was, inputs) is State.CURRENT:
        return Locked(file, was, was, text.names_in(was))
    progress.step(f"Locking {len(inputs.held)} distributions for {display.user_path(file)}")
    made = engines.compiled(inputs, file, progress) if inputs.lines else _EMPTY
    now = text.finished(made, file.parent, inputs)
    text.check(now, inputs)
    return Locked(file, was, now, text.names_in(now))


def state(inputs: Inputs, file: Path) -> State:
    """What the lock in `file` is beside `inputs`; `THEIRS` also where there is none."""
    was = text.read(file)
    return State.THEIRS if was is None else text.state(was, inputs)


def why_behind(inputs: Inputs, file: Path) -> str:
    """Why the lock in `file`, ours, is not that of `inputs`, as a clause; empty where it is."""
    now = state(inputs, file)
    if now is State.ELSEWHERE:
        held = text.place_of(text.read(file) or "")
        assert held is not None
        return "it is for Python {} on {}, and this is Python {} on {}".format(*held, *inputs.where)
    if now is State.BEHIND:
        differing = text.differing(text.read(file) or "", inputs)
        return f"{display.few(differing)} since" if differing else _WHY[now]
    return _WHY.get(now, "")


def is_ours(file: Path) -> bool:
    """Whether `file` holds a lock that we wrote."""
    was = text.read(file)
    return was is not None and text.is_ours(was)


def is_edited(file: Path) -> bool:
    """Whether somebody has changed a lock of ours in `file` by hand."""
    was = text.read(file)
    return was is not None and text.is_edited(was)


def is_universal(file: Path) -> bool:
    """Whether `file` holds a lock of ours that is for all platforms."""
    was = text.read(file)
    return was is not None and "universal" in text.said(was)


_EMPTY = 'lock-version = "1.0"\ncreated-by = "envmagic"\npackages = []\n'
_WHY = {
    State.EDITED: "it was edited by hand",
    State.BEHIND: "what is asked for or installed has changed since",
}
