"""The newest version of a distribution that still has what is imported from it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress, Silent
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.planning.guessing.guess import Asked
from envmagic.planning.guessing.offers import Offer, Offers
from envmagic.planning.guessing.presence import missing_of
from envmagic.planning.guessing.remote import inside
from envmagic.planning.guessing.trees import DirectoryTree
from envmagic.system import scratch

__all__ = ["Found", "newest_with"]

_LOOKS = 24  # wheels that are looked into
_WHOLE = 200 * 1024 * 1024  # bytes of a wheel that is downloaded where it cannot be read in parts


@dataclass(frozen=True)
class Found:
    """A version, and a Python that the index has a wheel of it for."""

    offer: Offer
    python: Python


def newest_with(
    asked: Sequence[Asked],
    now: Offer,
    offers: Offers,
    pythons: Sequence[Python],
    progress: Progress,
) -> Found | None:
    """The newest version older than `now` that has all of `asked`, for one of `pythons`, the first
    of them that has a wheel of it; None when none of those that were looked at has it.

    Removals come with new releases, so releases are tried with growing distances backwards, and
    then those between. Of one release (`1.4`) the latest version counts.
    """
    search = _Search(now.name, asked, offers, pythons, progress)
    found = search.run(now.version, 2)
    if found is None and now.version.release[:2] == search.oldest[:2]:
        found = search.run(now.version, 3)  # 0.0.354: all the releases are below one
    return found


class _Search:
    def __init__(
        self,
        name: str,
        asked: Sequence[Asked],
        offers: Offers,
        pythons: Sequence[Python],
        progress: Progress,
    ) -> None:
        self._name = name
        self._asked = asked
        self._offers = offers
        self._pythons = pythons
        self._progress = progress
        self._known: dict[Version, bool] = {}
        self.oldest: tuple[int, ...] = ()

    def run(self, newest: Version, depth: int) -> Found | None:
        """Go back from `newest`, counting releases by their first `depth` numbers."""
        lacking, found, step = newest, None, 1
        self.oldest = newest.release
        while len(self._known) < _LOOKS:
            offer = self._below(_back(lacking, step, depth))
            if offer is None or offer.offer.version >= lacking:
                if step == 1:
                    return None
                step = 1
                continue
            self.oldest = offer.offer.version.release
            if self._has(offer):
                found = offer
                break
            lacking, step = offer.offer.version, step * 2
        return found and self._between(found, lacking, depth)

    def _between(self, found: Found, lacking: Version, depth: int) -> Found:
        """The newest that has it of those between, of the release that `lacking` is in."""
        head, high = _padded(lacking, depth)
        held, low = _padded(found.offer.version, depth)
        low = low if held == head else -1
        while high - low > 1 and len(self._known) < _LOOKS:
            middle = (low + high) // 2
            offer = self._below((*head, middle + 1))
            if offer is None or offer.offer.version <= found.offer.version:
                low = middle
            elif self._has(offer):
                found, low = offer, middle
            else:
                _, high = _padded(offer.offer.version, depth)
        return found

    def _below(self, bound: tuple[int, ...]) -> Found | None:
        """The newest before the release `bound`, for whichever Python has it."""
        line = f"{self._name}<{'.'.join(map(str, bound))}"
        best: Found | None = None
        for python in self._pythons:
            offers = self._offers.resolved([line], python.executable, alone=True)
            if offers and (best is None or offers[0].version > best.offer.version):
                best = Found(offers[0], python)
        return best

    def _has(self, found: Found) -> bool:
        version = found.offer.version
        if version not in self._known:
            self._progress.detail(f"Looking into {self._name} {version}")
            self._known[version] = self._look(found)
        return self._known[version]

    def _look(self, found: Found) -> bool:
        try:
            with inside(found.offer) as tree:
                if tree is not None:
                    return not missing_of(self._asked, tree)
        except OSError:
            return False
        return self._downloaded(found)

    def _downloaded(self, found: Found) -> bool:
        if (found.offer.size or 0) > _WHOLE:
            return False
        words = (found.offer.pin, "--no-deps", "--only-binary=:all:")
        with scratch.beside(Path(tempfile.gettempdir())) as place:
            plan = InstallPlan(words)
            try:
                installers.install_aside(found.python.executable, (), plan, place, Silent())
            except EnvmagicError:
                return False
            return not missing_of(self._asked, DirectoryTree([place]))


def _padded(version: Version, depth: int) -> tuple[tuple[int, ...], int]:
    """The first `depth` numbers of a release: all but the last, and the last."""
    numbers = (*version.release, 0, 0, 0)[:depth]
    return numbers[:-1], numbers[-1]


def _back(version: Version, step: int, depth: int) -> tuple[int, ...]:
    """The release that is to be stayed below, to go back `step` releases from `version`."""
    head, last = _padded(version, depth)
    if last - step + 1 > 0:
        return (*head, last - step + 1)
    # the release before the first of this line is in the line before
    return head if any(head) else (*head, last)
