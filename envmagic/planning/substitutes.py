"""What is taken in the place of a version that cannot be had any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

from envmagic.planning.guessing.offers import NO_LIMITS, Limits, Offers, offers_here

__all__ = ["Substitute", "for_names", "for_pins"]


@dataclass(frozen=True)
class Substitute:
    """Another line for a distribution; empty where no index has any version of it."""

    line: str
    why: str
    """A clause."""


def for_pins(pins: Mapping[str, str], python: Path) -> dict[str, Substitute]:
    """For each of `pins` (name -> version) that cannot be had for `python`: the nearest version
    that can, of the same minor series, else of the same major one, else the newest.

    Raises `EnvmagicError` where the index cannot be reached.
    """
    wheels, any_file = offers_here(), offers_here(builds=True)
    found = {}
    for name in _lacking({n: f"{n}=={v}" for n, v in pins.items()}, python, wheels):
        pin = f"{name}=={pins[name]}"
        near = [_one(line, python, wheels) for line in _wider(name, pins[name])]
        line = next((line for line in near if line), "")
        if any_file.resolved([pin], python, alone=True) is None:
            found[name] = Substitute(line, "that version is gone from the index")
        elif line:
            found[name] = Substitute(line, "that version has no wheel for this Python and machine")
    return found


def for_names(
    lines: Mapping[str, str], python: Path, until: datetime, said: str
) -> tuple[dict[str, Substitute], tuple[str, ...]]:
    """For each of `lines` (name -> line) that could not be had at `until`, the oldest version that
    can; and the names for which that time is not to count then, with what they need.

    Raises as `for_pins`.
    """
    offers = offers_here(builds=True)
    found = {}
    for name in _lacking(lines, python, offers, Limits(until)):
        oldest = _oldest(lines[name], python, offers)
        why = f"nothing of it had been uploaded by {said}" if oldest else "no index has it"
        found[name] = Substitute(oldest, why)
    kept = [each.line for each in found.values() if each.line]
    needed = offers.resolved(kept, python) or () if kept else ()
    names = {offer.name: offer.name for offer in needed}
    return found, tuple(_lacking(names, python, offers, Limits(until)))


def _lacking(
    lines: Mapping[str, str], python: Path, offers: Offers, limits: Limits = NO_LIMITS
) -> list[str]:
    """The names of those that `offers` has not, by halves: most of them are there."""
    names = list(lines)
    asked = [lines[name] for name in names]
    if not names or offers.resolved(asked, python, alone=True, limits=limits) is not None:
        return []
    if len(names) == 1:
        return names
    half = len(names) // 2
    parts: Sequence[list[str]] = (names[:half], names[half:])
    return [
        name
        for part in parts
        for name in _lacking({n: lines[n] for n in part}, python, offers, limits)
    ]


def _wider(name: str, version: str) -> list[str]:
    try:
        release = Version(version).release
    except InvalidVersion:
        return [name]
    series = [".".join(map(str, release[:length])) for length in (2, 1) if len(release) > length]
    return [*(f"{name}=={one}.*" for one in series), name]


def _oldest(line: str, python: Path, offers: Offers) -> str:
    """The nearest to a time when there was none; a wheel of it before what has to be built."""
    for each in (offers_here(), offers):
        found = each.resolved([line], python, alone=True, limits=Limits(oldest=True))
        if found:
            return found[0].pin
    return ""


def _one(line: str, python: Path, offers: Offers) -> str:
    found = offers.resolved([line], python, alone=True)
    return found[0].pin if found else ""
