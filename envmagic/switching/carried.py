"""Plain values and variables of the environment: what comes along to a kernel that just started.

Only of types that mean the same everywhere, and in memory alone: some of it may be a secret.
"""

from __future__ import annotations

import base64
import os
import pickle
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from envmagic.switching.variables import variables
from envmagic.system import directories, process

__all__ = ["NOTHING", "UNPACK", "Carried", "initial_environment", "taken_from"]

_LIMIT = 1_000_000  # bytes of all of it together
_DEPTH = 100  # containers in one another; C code goes down in them by calling itself
_WHOLE = {type(None), bool, int, float, complex, bytes, str}
_WHOLE |= {Decimal, Fraction, date, timedelta, timezone}
_TIMED = {datetime, time}
_HOLDING = {list, tuple, set, frozenset}
# What ipykernel sets in each kernel as it starts.
_IPYKERNELS = {
    "CLICOLOR": "1",
    "CLICOLOR_FORCE": "1",
    "FORCE_COLOR": "1",
    "GIT_PAGER": "cat",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PAGER": "cat",
    "PYDEVD_USE_FRAME_EVAL": "NO",
    "TERM": "xterm-color",
}
_PRIVATE = ("ENVMAGIC_", "JPY_")

UNPACK = """
if carried:
    import base64, os, pickle, sys
    held = pickle.loads(base64.b64decode(carried))
    shell.push(held["values"])
    shell._envmagic_carried = frozenset(held["values"])
    for name, value in held["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    first, last = held["path"]
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = sum(place.startswith(sys.prefix) for place in places[:1])
    places[own:own] = [place for place in first if place not in places]
    places += [place for place in last if place not in places]
    os.environ["PATH"] = os.pathsep.join(places)
"""
"""Run where it arrives, in any Python that a kernel has: `shell` and `carried` are bound."""


@dataclass(frozen=True)
class Carried:
    """What comes along."""

    packed: str = ""
    """For `UNPACK`; empty when nothing does."""
    values: frozenset[str] = frozenset()
    """The names of the values."""
    environment: int = 0
    """How many variables of the environment."""

    @property
    def said(self) -> str:
        """It in a few words, as a sentence; empty when nothing does."""
        parts = [(len(self.values), "variable"), (self.environment, "environment variable")]
        words = [f"{n} {noun}" if n == 1 else f"{n} {noun}s" for n, noun in parts if n]
        return f"{' and '.join(words)} came along." if words else ""


NOTHING = Carried()


def taken_from(shell: Any) -> Carried:
    """The plain values in `shell`, in the order in which they were bound, as far as they fit, and
    what was changed of the environment since its process started. Raises nothing."""
    changed = _changed(initial_environment(), os.environ)
    first, last = _added_places(initial_environment().get("PATH", ""), os.environ.get("PATH", ""))
    left = _LIMIT - sum(len(name) + len(value or "") for name, value in changed.items())
    if left < 0:
        changed, left = {}, _LIMIT
    values = {}
    for name in variables(shell):
        value = shell.user_ns.get(name)
        size = _size(value, left)
        if size is not None:
            values[name], left = value, left - size
    held = {"values": values, "environment": changed, "path": (first, last)}
    count = len(changed) + bool(first or last)
    if not values and not count:
        return NOTHING
    packed = base64.b64encode(pickle.dumps(held, protocol=4)).decode("ascii")
    return Carried(packed, frozenset(values), count)


def initial_environment() -> dict[str, str]:
    """The variables this process was started with, whatever was set since (Linux; else: now)."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition(b"=") for entry in entries)
    return {os.fsdecode(name): os.fsdecode(value) for name, sign, value in pairs if sign}


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str | None]:
    """What was set or deleted, without what is the kernel's or the environment's own."""
    mine = process.clean_environment(base={**before, **now}).keys() | {"PYTHONPATH"}
    inside = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    changed: dict[str, str | None] = {}
    for name in sorted(mine - {"PATH", "_"}):
        value = now.get(name)
        if value == before.get(name) or name.startswith(_PRIVATE):
            continue
        if value is not None and value == _IPYKERNELS.get(name):
            continue
        if value is not None and any(place in value for place in inside):
            continue  # a package there has set it for itself
        changed[name] = value
    return changed


def _added_places(before: str, now: str) -> tuple[list[str], list[str]]:
    """What was put in front of the PATH `before`, and what behind."""
    known = before.split(os.pathsep)
    ours = (str(directories.home()), *([sys.prefix] if sys.prefix != sys.base_prefix else []))
    places = now.split(os.pathsep)
    added = [p for p in places if p and p not in known and not p.startswith(ours)]
    start = min((places.index(p) for p in places if p in known), default=0)
    first = [p for p in added if places.index(p) < start]
    return first, [p for p in added if p not in first]


def _size(value: object, most: int) -> int | None:
    """About how many bytes `value` takes; None where it is more than `most`, or not plain."""
    seen: set[int] = set()
    todo: list[tuple[object, int]] = [(value, 0)]
    size = 0
    while todo:
        one, depth = todo.pop()
        kind = type(one)
        if kind in _WHOLE or (kind in _TIMED and _is_in_plain_zone(one)):
            size += _length(one)
        elif depth > _DEPTH or not (kind in _HOLDING or kind is dict):
            return None
        elif id(one) not in seen:
            seen.add(id(one))
            size += 4 + 2 * len(one)  # type: ignore[arg-type]
            if size <= most:
                todo += [(item, depth + 1) for item in _items(one)]
        if size > most:
            return None
    return size


def _items(container: Any) -> list[object]:
    if type(container) is dict:
        return [*container.keys(), *container.values()]
    return list(container)


def _is_in_plain_zone(moment: Any) -> bool:
    return moment.tzinfo is None or type(moment.tzinfo) is timezone


def _length(value: Any) -> int:
    if type(value) is int:
        return value.bit_length() // 8 + 3
    if type(value) in (str, bytes):
        return len(value) * (1 if type(value) is bytes or value.isascii() else 4) + 4
    return 16
