"""Making the environment that a notebook is guessed to need, and looking whether it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envmagic._version import REQUIRES_PYTHON
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import EnvSpec, Progress, Switch
from envmagic.distributions import index_of
from envmagic.environments import interpreters, provisioning
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.environments.provisioning import Ready
from envmagic.planning.guessing.guess import Asked, Guess, Wish
from envmagic.planning.guessing.offers import Offers, offers_here
from envmagic.planning.guessing.presence import missing_of
from envmagic.planning.guessing.remedies import Lack, Remedies
from envmagic.planning.guessing.settling import Setting, Settler
from envmagic.planning.guessing.trees import DirectoryTree
from envmagic.planning.guessing.trial import Failure, tried

__all__ = ["Carried", "carry_out", "pythons_for"]

_ROUNDS = 8  # environments that are made at most


@dataclass(frozen=True)
class Carried:
    """The environment of a guess, and what was chosen for it."""

    ready: Ready
    python: Python
    requirements: tuple[str, ...]
    """What was asked for; with a version where it is not the newest."""
    chosen: tuple[str, ...]
    """Why something is not the newest, a sentence each."""
    lacking: tuple[str, ...]
    """What could not be had, or does not work, a sentence each."""


class _Better(Exception):
    """Another setting is worth trying; the environment that was being made goes again."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting


def carry_out(
    guess: Guess,
    spec: EnvSpec,
    progress: Progress,
    *,
    switch: Switch | None = None,
    offers: Offers | None = None,
    pythons: Sequence[Python] = (),
    as_of: datetime | None = None,
    sources: Offers | None = None,
) -> Carried:
    """Make the environment `spec` with what `guess` says, whole or not at all, as
    `provisioning.make` does; the caller holds its lock.

    The newest versions go first. What is imported is looked up in the installed files and then
    tried; where something is missing or fails, another environment is made in the place of the
    first: with older versions, on another Python, with what was forgotten. `spec.python` is the
    Python to be preferred, `pythons` are all there are (default: those of this machine). Where
    nothing helps, everything is tried `as_of` that time. `sources`, `offers_here(builds=True)`, has
    what there are no wheels of built: whoever gives it has asked a person. Raises `EnvmagicError`
    as `make` does, and where the index cannot be reached.
    """
    pythons = pythons or pythons_for(spec.python)
    settler = Settler(offers or offers_here(), pythons, progress, sources=sources)
    work = _Work(guess, Remedies(settler, progress, as_of), progress)
    progress.step("Choosing versions of what is imported")
    setting = settler.settled(guess.wishes)
    for _ in range(_ROUNDS):
        try:
            return work.made(spec, setting, switch, more=True)
        except _Better as better:
            setting = better.setting
        except EnvmagicError as error:
            if not setting.builds or error.problem.code != "install-failed":
                raise
            found = settler.by_wheels(guess.wishes)  # what could not be built is done without
            setting = replace(found, lacking=(*found.lacking, error.problem.message))
    return work.made(spec, work.best or setting, switch, more=False)


def pythons_for(wanted: str | None) -> tuple[Python, ...]:
    """The Pythons that environments are made from here, one of each minor version: the `wanted`
    one first (default: ours), then the newest. Raises `EnvmagicError` as `interpreters.find`."""
    first = interpreters.find(wanted)
    found = {first.parts[:2]: first}
    for python in interpreters.installed():
        if python.parts[:2] >= REQUIRES_PYTHON:
            found.setdefault(python.parts[:2], python)
    return tuple(found.values())


class _Work:
    """What is known after the environments that were made so far."""

    def __init__(self, guess: Guess, remedies: Remedies, progress: Progress) -> None:
        self._guess = guess
        self._remedies = remedies
        self._progress = progress
        self._fewest: int | None = None
        self._last: tuple[Failure, ...] = ()
        self.best: Setting | None = None

    def made(
        self, spec: EnvSpec, setting: Setting, switch: Switch | None, *, more: bool
    ) -> Carried:
        """The environment of `setting`; with `more` it raises `_Better` where there may be one."""

        def look(there: Inventory) -> None:
            self._look(there, setting, more=more)

        spec = replace(spec, python=str(setting.python.executable))
        ready = provisioning.make(spec, setting.plan, self._progress, switch=switch, look=look)
        lacking = [*setting.lacking, *self._unknown(), *map(str, self._last)]
        return Carried(ready, setting.python, _lines(setting), setting.reasons, tuple(lacking))

    def _look(self, there: Inventory, setting: Setting, *, more: bool) -> None:
        sites = there.environment.site_packages
        if more:
            tree = DirectoryTree(sites)
            missing = self._missing(tree, setting)
            better = self._remedies.for_missing(missing, setting) if missing else None
            if better is not None:
                raise _Better(better)
        self._progress.step("Trying the imports")
        failures = tried(there.environment.python, there.environment.prefix, self._asked(setting))
        if self._fewest is None or len(failures) < self._fewest:
            self._fewest, self.best = len(failures), setting
        self._last = failures
        if failures and more:
            index = index_of(sites, there.environment.prefix)
            better = self._remedies.for_failures(failures, setting, index)
            if better is not None:
                raise _Better(better)
            self._back(setting)

    def _back(self, setting: Setting) -> None:
        """Nothing helps any more: what failed least is what is made."""
        if self.best is not None and self.best != setting:
            raise _Better(self.best)

    def _asked(self, setting: Setting) -> list[Asked]:
        """What can be tried: what was left out is said already."""
        there = {offer.name for offer in setting.offers}
        return [a for a in self._guess.imports if a.distribution in there]

    def _missing(self, tree: DirectoryTree, setting: Setting) -> dict[str, Lack]:
        """The distributions that lack something, and what."""
        gone: dict[str, list[str]] = {}
        for asked in self._asked(setting):
            lost = missing_of([asked], tree)
            if lost:
                gone.setdefault(asked.distribution, []).extend(lost)
        return {name: Lack(self._of(name), tuple(lost)) for name, lost in gone.items()}

    def _of(self, distribution: str) -> tuple[Asked, ...]:
        return tuple(a for a in self._guess.imports if a.distribution == distribution)

    def _unknown(self) -> list[str]:
        modules = (f"Nothing is known of {module}." for module in self._guess.unresolved)
        return [*modules, *(f"{text} was left out." for text in self._guess.left_out)]


def _lines(setting: Setting) -> tuple[str, ...]:
    """The requirements, chosen versions in them."""
    return tuple(
        _fixed(wish, setting.fixed[wish.name]) if wish.name in setting.fixed else wish.requirement
        for wish in setting.wishes
    )


def _fixed(wish: Wish, version: str) -> str:
    requirement = Requirement(wish.requirement)
    requirement.specifier = SpecifierSet(f"=={version}")
    return str(requirement)
