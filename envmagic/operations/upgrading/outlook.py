"""What an upgrade would take of each distribution, and why the rest stays where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from envmagic.core.display import few
from envmagic.core.model import Progress
from envmagic.core.names import normalized
from envmagic.core.schema import UpgradeRow
from envmagic.environments import satisfaction
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.operations.upgrading.newest import newer_python, newest
from envmagic.operations.upgrading.resolving import Asked, names_in, resolved

__all__ = ["Outlook"]


@dataclass(frozen=True)
class Outlook:
    """What there is of all that was asked about."""

    asked: Asked
    fits: Mapping[str, str]
    """Normalised name -> the newest version that goes with the rest; also what is new."""
    latest: Mapping[str, str] = field(default_factory=dict)
    """The newest there is for the Python, where it is newer than what is there."""
    on_newer: Mapping[str, str] = field(default_factory=dict)
    """The same for a newer Python on this machine."""
    newer: Python | None = None

    @classmethod
    def of(cls, asked: Asked, progress: Progress) -> Outlook:
        """What the index has. Raises `EnvmagicError` where it cannot be told what goes together."""
        progress.step("Looking for newer versions")
        fits = resolved(asked, progress)
        if not asked.is_here:
            return cls(asked, fits)
        latest = newest(asked.there, asked.directory)
        newer = newer_python(asked.version)
        on_newer = newest(asked.there, asked.directory, newer) if newer is not None else {}
        return cls(asked, fits, latest, on_newer, newer)

    @property
    def changing(self) -> Mapping[str, str]:
        """Normalised name -> version of what is not there as it would be."""
        now = self.asked.there.versions
        kept = self.asked.sources
        return {n: v for n, v in self.fits.items() if n not in kept and now.get(n) != v}

    def rows(self, after: Inventory) -> tuple[list[UpgradeRow], int]:
        """A row for each that changes or is not the newest, and how many others there are; `after`
        is what is there in the end, or now where nothing is changed."""
        changing = self.changing
        named = self.asked.packages
        found, others = [], 0
        for name in sorted({*self.asked.names, *changing}):
            row = self._row(name, after)
            if name in changing or (row["why"] and (not named or name in named)):
                found.append(row)
            else:
                others += not named or name in named
        return found, others

    def _row(self, name: str, after: Inventory) -> UpgradeRow:
        now = self.asked.there.versions.get(name, "")
        fits = self.fits.get(name, now)
        there = [fits, self.latest.get(name, ""), self.on_newer.get(name, "")]
        newest = max(filter(satisfaction.is_version, there), key=Version, default=fits)
        why = self._why(name, newest, after) if newest != fits else ""
        return UpgradeRow(name=name, now=now, fits=fits, newest=newest, why=why)

    def _why(self, name: str, newest: str, after: Inventory) -> str:
        limits = map(str, self.asked.limits.against(name, newest))
        held = list(dict.fromkeys([*limits, *self._needed(name, newest, after)]))
        if held:  # all of them: one alone that is lifted would change nothing
            return few(held)
        if newest != self.latest.get(name):
            short = ".".join(self.asked.version.split(".")[:2])
            return f"it needs a newer Python than {short}"
        return "it does not go with the rest"

    def _needed(self, name: str, newest: str, after: Inventory) -> Iterator[str]:
        for other in names_in(after):
            info = after.distributions[other][1]
            for requirement in satisfaction.requirements_of(info, self.asked.version):
                excluded = not requirement.specifier.contains(newest, prereleases=True)
                if normalized(requirement.name) == name and excluded:
                    yield f"{other} needs {requirement.name}{requirement.specifier}"

    @property
    def wants_newer(self) -> list[str]:
        """What has newer versions on a newer Python alone."""
        return [
            name
            for name, version in self.on_newer.items()
            if name in self.asked.names
            and (not self.asked.packages or name in self.asked.packages)
            and self.asked.limits.allow(name, version)
            and version != self.latest.get(name, self.fits.get(name))
            and version != self.fits.get(name)
        ]
