"""A Python and versions that go together, for what a notebook is guessed to need."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envmagic.core.model import Progress
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.planning.guessing.guess import Wish
from envmagic.planning.guessing.offers import NO_LIMITS, WHEELS_ONLY, Limits, Offer, Offers

__all__ = ["Setting", "Settler"]


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
    builds: bool = False
    """Whether what there are no wheels of is built."""
    reasons: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    """What could not be had, a sentence each."""

    @property
    def plan(self) -> InstallPlan:
        """As installers take it: nothing else than what was settled."""
        lines = tuple(wish.requirement for wish in self.wishes)
        return InstallPlan(
            lines if self.builds or not lines else (shlex.join(WHEELS_ONLY), *lines),
            constraints=tuple(offer.pin for offer in self.offers),
        )

    def offer(self, name: str) -> Offer | None:
        """What goes in of the distribution `name`."""
        return next((offer for offer in self.offers if offer.name == name), None)


class Settler:
    """Finds settings; `pythons` are those there are, the one to be preferred first.

    `sources` are asked where there are not wheels of everything, if that was agreed to.
    """

    def __init__(
        self,
        offers: Offers,
        pythons: Sequence[Python],
        progress: Progress,
        *,
        sources: Offers | None = None,
    ) -> None:
        self.offers = offers
        self._sources = sources
        self.pythons = tuple(pythons)
        self._progress = progress

    def settled(self, wishes: Sequence[Wish]) -> Setting:
        """The newest versions on the first Python, else on the next that has wheels of all; what
        no Python here has a wheel of is left out, and so is what does not go with the rest."""
        found = self.by_wheels(wishes)
        if not found.lacking or self._sources is None:
            return found
        self._progress.step("Looking for what has to be built")
        built = self._settled(Setting(self.pythons[0], tuple(wishes), builds=True))
        return built if len(built.lacking) < len(found.lacking) else found

    def by_wheels(self, wishes: Sequence[Wish]) -> Setting:
        """As `settled`, without building anything, whatever was agreed to."""
        return self._settled(Setting(self.pythons[0], tuple(wishes)))

    def _settled(self, setting: Setting) -> Setting:
        found = self.on(setting)
        if found is not None:
            return replace(found, reasons=tuple(_built(found)))
        self._progress.detail("Looking for a Python that has all of it")
        return self._compromise(setting)

    def on(self, setting: Setting) -> Setting | None:
        """`setting` with everything that goes in; None where it does not go together."""
        lines = [wish.requirement for wish in setting.wishes]
        fixed = [f"{name}=={version}" for name, version in setting.fixed.items()]
        offers = self._asked(setting).resolved(
            lines, setting.python.executable, constraints=fixed, limits=setting.limits
        )
        return None if offers is None else replace(setting, offers=offers)

    def _asked(self, setting: Setting) -> Offers:
        return self._sources if setting.builds and self._sources else self.offers

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
            held = next((w for w in (wish, _loose(wish)) if self._alone(w, setting)), None)
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
        reasons = (*_loosened(setting, found), *_built(found), *self._other_python(found))
        return replace(found, reasons=reasons, lacking=(*lacking, *_left(wishes, found)))

    def _alone(self, wish: Wish, setting: Setting) -> bool:
        return any(self._has(wish, replace(setting, python=p)) for p in self.pythons)

    def _together(self, setting: Setting) -> Setting | None:
        for python in self.pythons:
            here = replace(setting, python=python)
            there = tuple(w for w in setting.wishes if not w.companion or self._has(w, here))
            if not all(self._has(wish, here) for wish in there):
                continue
            found = self.on(replace(here, wishes=there))
            if found is not None:
                return found
        return None

    def _other_python(self, setting: Setting) -> list[str]:
        """Why it is not the first Python."""
        first, python = self.pythons[0], setting.python
        if python == first:
            return []
        there = replace(setting, python=first)
        lost = [w.name for w in setting.wishes if not self._has(w, there)]
        why = f"{', '.join(lost)} has no wheel" if lost else "not everything goes together"
        return [f"Python {_short(python)}, since {why} for {_short(first)}."]

    def _most(self, setting: Setting) -> Setting:
        """As many wishes as go together, in their order, on the Python that has most of them."""
        places = [replace(setting, python=python) for python in self.pythons]
        best = max(places, key=lambda place: sum(self._has(w, place) for w in setting.wishes))
        held = self.on(replace(best, wishes=()))
        assert held is not None
        for wish in sorted(setting.wishes, key=lambda w: w.companion):
            held = self.on(replace(held, wishes=(*held.wishes, wish))) or held
        return held

    def _has(self, wish: Wish, setting: Setting) -> bool:
        offers, python = self._asked(setting), setting.python.executable
        return bool(offers.resolved([wish.requirement], python, alone=True))


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


def _built(found: Setting) -> list[str]:
    """What had to be built."""
    names = [offer.name for offer in found.offers if not offer.is_wheel]
    return [f"Built from source: {', '.join(names)}."] if names else []


def _left(wishes: Sequence[Wish], found: Setting) -> list[str]:
    """What is not among what was found."""
    there = {wish.name for wish in found.wishes}
    names = [wish.name for wish in wishes if wish.name not in there]
    return [f"{name} does not go together with the rest by wheels alone." for name in names]


def _short(python: Python) -> str:
    return ".".join(python.version.split(".")[:2])
