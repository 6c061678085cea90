"""Which tries there are: each place in a verb's quiet run, and moments of its installers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from support import wheelhouse
from support.faults.beginnings import build_packages
from support.faults.scenarios import SCENARIOS, Scenario
from support.faults.strikes import QUIET
from support.faults.tries import SEED, Outcome, Try, attempt
from support.faults.world import World

__all__ = ["Campaign"]

_MOMENTS = 6  # of each kind, for each verb that has an installer
_EACH = 3  # so many calls of one place are all tried; of more the first and one of the others


@dataclass(frozen=True)
class Campaign:
    """Tries in directories of their own below `root`, two at a time."""

    root: Path
    jobs: int = 2

    def prepare(self) -> None:
        """Make what all tries share."""
        wheelhouse.ensure()
        build_packages(self.root / "wheels")
        first = World(self.root / "first", self.root / "wheels")
        first.build()
        first.prepare("create", "first")
        first.clear()

    def whole(self, scenarios: Iterable[Scenario] = SCENARIOS) -> Iterator[Outcome]:
        """The quiet run of each scenario and then every kill, as each comes to its end.

        The kills are shuffled, so that also a part of them says something of every verb.
        """
        quiet = []
        for outcome in self.outcomes([Try(scenario, QUIET) for scenario in scenarios]):
            quiet.append(outcome)
            yield outcome
        tries = [tried for outcome in quiet for tried in _tries(outcome)]
        random.Random(SEED).shuffle(tries)
        yield from self.outcomes(tries)

    def short(self, scenario: Scenario, calls: int, moments: int) -> Iterator[Outcome]:
        """The quiet run of a scenario, and so many of its kills, drawn with the seed."""
        (quiet,) = self.outcomes([Try(scenario, QUIET)])
        yield quiet
        chance = random.Random(f"{SEED}:{scenario.name}:short")
        every = list(_tries(quiet))
        of_calls = [t for t in every if "@" in t.when and "+" not in t.when]
        of_moments = [t for t in every if t not in of_calls]
        drawn = chance.sample(of_calls, min(calls, len(of_calls)))
        drawn += chance.sample(of_moments, min(moments, len(of_moments)))
        yield from self.outcomes(drawn)

    def outcomes(self, tries: Iterable[Try]) -> Iterator[Outcome]:
        """What the tries found, each as it comes to its end."""
        wheels = self.root / "wheels"
        pool = ThreadPoolExecutor(self.jobs)
        try:
            running = [pool.submit(attempt, t, self._place(), wheels) for t in tries]
            yield from (done.result() for done in as_completed(running))
        finally:  # an interrupt does not wait for hundreds of them
            pool.shutdown(cancel_futures=True)

    def _place(self) -> Path:
        return self.root / f"try-{next(_numbers)}"


_numbers = count()


def _tries(quiet: Outcome) -> Iterator[Try]:
    """Every kill of the scenario whose quiet run that was."""
    scenario = quiet.tried.scenario
    chance = random.Random(f"{SEED}:{scenario.name}")
    places: dict[str, int] = {}
    for line in quiet.calls:
        place = line.rpartition("#")[0]
        places[place] = places.get(place, 0) + 1
    for place, calls in sorted(places.items()):
        chosen = range(1, calls + 1)
        numbers = chosen if calls <= _EACH else (1, chance.randint(2, calls))
        yield from (Try(scenario, f"{place}#{number}") for number in numbers)
    if scenario.moments and quiet.lives:
        for kind in ("installer", "group"):
            yield from (Try(scenario, f"{kind}@{_moment(chance, quiet)}") for _ in range(_MOMENTS))


def _moment(chance: random.Random, quiet: Outcome) -> str:
    """An installer's number, and so many milliseconds of its life."""
    number = chance.randrange(len(quiet.lives))
    return f"{number + 1}+{round(chance.random() * quiet.lives[number] * 1000)}"
