"""A Python and versions that go together, for what a notebook is guessed to need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envmagic.core.model import Progress
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.planning.guessing.guess import Wish
from envmagic.planning.guessing.offers import NO_LIMITS, Limits, Offer, Offers

__all__ = ["Setting", "Settler"]

WHEELS_ONLY = "--only-binary :all:"


@dataclass(frozen=True)
class Setting:
    """What is to be installed, and why it is not simply the newest of everything."""

    python: Python
    wishes: tuple[Wish, ...]
    offers: tuple[Offer, ...] = ()
    """Everything that goes in."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Versions that were chosen, by normalised name."""
    limits: Limits = NO_LIMITS
    reasons: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    """What could not be had, a sentence each."""

    @property
    def plan(self) -> InstallPlan:
        """As installers take it: nothing else than what was settled."""
        lines = tuple(wish.requirement for wish in self.wishes)
        return InstallPlan(
            (WHEELS_ONLY, *lines) if lines else (),
            constraints=tuple(offer.pin for offer in self.offers),
        )

    def offer(self, name: str) -> Offer | None:
        """What goes in of the distribution `name`."""
        return next((offer for offer in self.offers if offer.name == name), None)


class Settler:
    """Finds settings; `pythons` are those there are, the one to be preferred first."""

    def __init__(self, offers: Offers, pythons: Sequence[Python], progress: Progress) -> None:
        self.offers = offers
        self.pythons = tuple(pythons)
        self._progress = progress

    def settled(self, wishes: Sequence[Wish]) -> Setting:
        """The newest versions on the first Python, else on the next that has wheels of all; what
        no Python here has a wheel of is left out, and so is what does not go with the rest."""
        first = Setting(self.pythons[0], tuple(wishes))
        found = self.on(first)
        if found is not None:
            return found
        self._progress.detail("Looking for a Python that has wheels of everything")
        return self._compromise(first)

    def on(self, setting: Setting) -> Setting | None:
        """`setting` with everything that goes in; None where it does not go together."""
        lines = [wish.requirement for wish in setting.wishes]
        fixed = [f"{name}=={version}" for name, version in setting.fixed.items()]
        offers = self.offers.resolved(
            lines, setting.python.executable, constraints=fixed, limits=setting.limits
        )
        return None if offers is None else replace(setting, offers=offers)

    def anywhere(self, setting: Setting) -> Setting | None:
        """As `on`, with its Python or else the first other one where it goes together."""
        for python in (setting.python, *(p for p in self.pythons if p != setting.python)):
            found = self.on(replace(setting, python=python))
            if found is not None:
                return found
        return None

    def _compromise(self, setting: Setting) -> Setting:
        wishes, lacking, reasons = [], [], []
        for wish in setting.wishes:
            if any(self._has(wish, p) for p in self.pythons):
                wishes.append(wish)
            elif any(self._has(_loose(wish), p) for p in self.pythons):
                wishes.append(_loose(wish))
                reasons.append(f"{wish.requirement} has no wheel here, so any version was taken.")
            elif not wish.companion:
                lacking.append(f"The index has no wheel of {wish.name} for a Python here.")
        setting = replace(setting, reasons=tuple(reasons), lacking=tuple(lacking))
        for attempt in (wishes, [_loose(wish) for wish in wishes]):
            found = self._together(replace(setting, wishes=tuple(attempt)))
            if found is not None:
                return found
        return self._most(replace(setting, wishes=tuple(map(_loose, wishes))))

    def _together(self, setting: Setting) -> Setting | None:
        for python in self.pythons:
            there = tuple(w for w in setting.wishes if not w.companion or self._has(w, python))
            if not all(self._has(wish, python) for wish in there):
                continue
            found = self.on(replace(setting, python=python, wishes=there))
            if found is not None:
                return self._explained(found)
        return None

    def _explained(self, setting: Setting) -> Setting:
        """With the reason why it is not the first Python."""
        first, python = self.pythons[0], setting.python
        if python == first:
            return setting
        lost = [w.name for w in setting.wishes if not self._has(w, first)]
        why = f"{', '.join(lost)} has no wheel" if lost else "not everything goes together"
        reason = f"Python {_short(python)}, since {why} for {_short(first)}."
        return replace(setting, reasons=(*setting.reasons, reason))

    def _most(self, setting: Setting) -> Setting:
        """As many wishes as go together, in their order, on the Python that has most of them."""
        python = max(self.pythons, key=lambda p: sum(self._has(w, p) for w in setting.wishes))
        held = self.on(replace(setting, python=python, wishes=()))
        assert held is not None
        for wish in sorted(setting.wishes, key=lambda w: w.companion):
            more = self.on(replace(held, wishes=(*held.wishes, wish)))
            if more is not None:
                held = more
            elif not wish.companion:
                why = f"{wish.name} does not go together with the rest by wheels alone."
                held = replace(held, lacking=(*held.lacking, why))
        return self._explained(held)

    def _has(self, wish: Wish, python: Python) -> bool:
        return bool(self.offers.resolved([wish.requirement], python.executable, alone=True))


def _loose(wish: Wish) -> Wish:
    """`wish` without its version."""
    requirement = Requirement(wish.requirement)
    requirement.specifier = SpecifierSet()
    return replace(wish, requirement=str(requirement))


def _short(python: Python) -> str:
    return ".".join(python.version.split(".")[:2])
