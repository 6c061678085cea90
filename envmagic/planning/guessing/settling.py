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
        wishes, lacking = [], []
        for wish in setting.wishes:
            held = next((w for w in (wish, _loose(wish)) if self._anywhere_alone(w)), None)
            if held is not None:
                wishes.append(held)
            else:
                lacking.append(f"The index has no wheel of {wish.name} for a Python here.")
        for attempt in (wishes, [_loose(wish) for wish in wishes]):
            found = self._together(replace(setting, wishes=tuple(attempt)))
            if found is not None:
                break
        else:
            found = self._most(replace(setting, wishes=tuple(map(_loose, wishes))))
        reasons = (*_loosened(setting, found), *self._other_python(found))
        return replace(found, reasons=reasons, lacking=(*lacking, *_left(wishes, found)))

    def _anywhere_alone(self, wish: Wish) -> bool:
        return any(self._has(wish, python) for python in self.pythons)

    def _together(self, setting: Setting) -> Setting | None:
        for python in self.pythons:
            there = tuple(w for w in setting.wishes if not w.companion or self._has(w, python))
            if not all(self._has(wish, python) for wish in there):
                continue
            found = self.on(replace(setting, python=python, wishes=there))
            if found is not None:
                return found
        return None

    def _other_python(self, setting: Setting) -> list[str]:
        """Why it is not the first Python."""
        first, python = self.pythons[0], setting.python
        if python == first:
            return []
        lost = [w.name for w in setting.wishes if not self._has(w, first)]
        why = f"{', '.join(lost)} has no wheel" if lost else "not everything goes together"
        return [f"Python {_short(python)}, since {why} for {_short(first)}."]

    def _most(self, setting: Setting) -> Setting:
        """As many wishes as go together, in their order, on the Python that has most of them."""
        python = max(self.pythons, key=lambda p: sum(self._has(w, p) for w in setting.wishes))
        held = self.on(replace(setting, python=python, wishes=()))
        assert held is not None
        for wish in sorted(setting.wishes, key=lambda w: w.companion):
            held = self.on(replace(held, wishes=(*held.wishes, wish))) or held
        return held

    def _has(self, wish: Wish, python: Python) -> bool:
        return bool(self.offers.resolved([wish.requirement], python.executable, alone=True))


def _loose(wish: Wish) -> Wish:
    """`wish` without its version."""
    requirement = Requirement(wish.requirement)
    requirement.specifier = SpecifierSet()
    return replace(wish, requirement=str(requirement))


def _loosened(asked: Setting, found: Setting) -> list[str]:
    """That versions were given up."""
    lines = {wish.requirement for wish in asked.wishes}
    names = {wish.name for wish in found.wishes if wish.requirement not in lines}
    held = [wish.requirement for wish in asked.wishes if wish.name in names]
    if not held:
        return []
    return [f"Any version, since there are no wheels that go together of {', '.join(held)}."]


def _left(wishes: Sequence[Wish], found: Setting) -> list[str]:
    """What is not among what was found."""
    there = {wish.name for wish in found.wishes}
    names = [wish.name for wish in wishes if wish.name not in there]
    return [f"{name} does not go together with the rest by wheels alone." for name in names]


def _short(python: Python) -> str:
    return ".".join(python.version.split(".")[:2])
