"""What uv and pip say while packages arrive: which are on their way, how much of how much is there.

uv (0.9 and later, without its progress bars) names each package of a MiB or more as its download
begins and ends; pip names each file as it begins, and from 24.1 on counts its bytes as well.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core.model import Progress

__all__ = ["Arrivals"]

_UNITS = {"k": 1e-3, "m": 1.0, "g": 1e3}  # in MB
_BINARY = {"k": 1.024e-3, "m": 1.048576, "g": 1073.741824}
_BEGUN = re.compile(r"\s*Downloading (\S+) \(([\d.]+) ?([kKMG]?)(i?)B\)")
_DONE = re.compile(r"\s*Downloaded (\S+)$")
_COUNTED = re.compile(r"Progress (\d+) of (\d+)$")
_BUILT = re.compile(r"\s*(?:Built \S|Building wheels? for collected)")
_BUILDS = re.compile(r"\s*Building (?:wheel for )?([^\s(=@]+)")
_NEXT = re.compile(r"\s*(?:Collecting|Prepared|Installing collected|Installed)\b")
# Of a message that is told whole when it is over, and what is no news; another try may follow.
_FRAGMENT = re.compile(r"\s*(?:Using (?:CPython|Python|PyPy)\b|(?:error|warning|hint):|[×╰├│])")
_FILE = re.compile(r"(.+?)-\d[^-]*(?:-.*)?\.(?:whl|tar\.gz|zip)$")  # wheels and source archives


@dataclass
class Arrivals:
    """Hears an installer's lines and tells `progress` what they come to."""

    progress: Progress
    _sizes: dict[str, float] = field(default_factory=dict)
    """MB, by the name of what is on its way or there."""
    _there: dict[str, float] = field(default_factory=dict)
    """How much of it has arrived, in MB."""
    _current: str = ""
    _said: str = ""

    def heard(self, line: str) -> None:
        """Take a line of the installer's and show what it means, or the line itself."""
        counted = _COUNTED.match(line)
        if counted:
            self._there[self._current] = int(counted[1]) / 1e6
            self._sizes[self._current] = int(counted[2]) / 1e6
            self._show(self._arriving())
            return
        if _FRAGMENT.match(line):
            return
        begun, done = _BEGUN.match(line), _DONE.match(line)
        if begun:
            self._begin(begun[1], float(begun[2]), begun[3].lower(), binary=bool(begun[4]))
        elif done:
            self._there[done[1]] = self._sizes.get(done[1], 0.0)
        elif _NEXT.match(line):
            self._settle()
        building = None if _BUILT.match(line) else _BUILDS.match(line)
        if building:
            self._show(f"building {building[1]}")
        else:
            self._show(self._arriving() if self._on_the_way() else line.strip())

    def waiting(self, pid: int) -> None:
        """Time goes by and the installer, process `pid`, says nothing."""
        unpacked = _written_by(pid) if self._on_the_way() else None
        if unpacked is not None:
            self._show(f"{self._arriving()}, {_mb(unpacked)} MB unpacked so far")
        self.progress.waiting()

    def _begin(self, what: str, size: float, unit: str, *, binary: bool) -> None:
        file = _FILE.match(what)
        if file:  # pip: one at a time
            self._settle()
        self._current = file[1] if file else what
        self._sizes[self._current] = size * (_BINARY if binary else _UNITS).get(unit, 1e-6)
        self._there.setdefault(self._current, 0.0)

    def _settle(self) -> None:
        """What was on its way is there."""
        self._there.update(self._sizes)

    def _on_the_way(self) -> list[str]:
        there = self._there
        names = (name for name, size in self._sizes.items() if there.get(name, 0.0) < size)
        return sorted(names, key=lambda name: -self._sizes[name])

    def _arriving(self) -> str:
        names = self._on_the_way() or [self._current]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        arrived, whole = sum(self._there.values()), sum(self._sizes.values())
        return f"{', '.join(names[:3])}{more}: {_mb(arrived)} of {_mb(whole)} MB"

    def _show(self, text: str) -> None:
        if text and text != self._said:
            self._said = text
            self.progress.detail(text)


def _mb(size: float) -> str:
    return f"{size:.1f}" if 0.05 <= size < 10 else f"{size:.0f}"


def _written_by(pid: int) -> float | None:
    """What the process has written by now, in MB, where the system (Linux) tells: uv unpacks a file
    while it arrives."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path(f"/proc/{pid}/io").read_text("ascii").splitlines()
        written = next(line for line in lines if line.startswith("wchar:"))
        return int(written.split()[1]) / 1e6
    return None
