"""Which tries there are: places in a verb's quiet run, moments of its installers, and the rest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from support import interpreters, wheelhouse
from support.faults import surroundings
from support.faults.beginnings import build_packages
from support.faults.scenarios import SCENARIOS, Scenario
from support.faults.strikes import QUIET
from support.faults.tries import SEED, THEN, Outcome, Try, attempt
from support.faults.world import World

__all__ = ["Campaign"]

_MOST = 1000  # of all faults in the whole campaign
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
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
        """The quiet run of each scenario and then a thousand faults, as each comes to its end.

        They are shuffled, so that also a part of them says something of every verb.
        """
        quiet = []
        here = interpreters.found()
        possible = [each for each in scenarios if not each.python or each.python in here]
        for outcome in self.outcomes([Try(scenario, QUIET) for scenario in possible]):
            quiet.append(outcome)
            yield outcome
        chance = random.Random(SEED)
        others = [t for outcome in quiet for t in _others(outcome)]
        tries = [tried for outcome in quiet for tried in _tries(outcome)]
        chance.shuffle(tries)
        tries = others + tries[: max(_MOST - len(others), 0)]
        chance.shuffle(tries)
        yield from self.outcomes(tries)

    def short(self, scenario: Scenario, *, moment: bool) -> Iterator[Outcome]:
        """The quiet run of a scenario, and one try of three faults, drawn with the seed.

        They befall one world: making it and mending it is most of a try. With `moment` one of them
        is that an installer is killed; the last is a kill before a change to the disk.
        """
        (quiet,) = self.outcomes([Try(scenario, QUIET)])
        yield quiet
        chance = random.Random(f"{SEED}:{scenario.name}:short")
        every = [t.when for t in _tries(quiet)]
        others = [t.when for t in _others(quiet) if not t.when.startswith("beside")]
        moments = [when for when in every if "+" in when]
        drawn = chance.sample(moments, 1) if moment and moments else []
        drawn += chance.sample(others, 2 - len(drawn))
        drawn.append(chance.choice([when for when in every if "+" not in when]))
        yield from self.outcomes([Try(scenario, THEN.join(drawn))])

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


def _others(quiet: Outcome) -> Iterator[Try]:
    """What befalls the scenario besides kills."""
    scenario = quiet.tried.scenario
    chance = random.Random(f"{SEED}:{scenario.name}:others")
    for signal in _SIGNALS:
        places = chance.sample(quiet.calls, min(3, len(quiet.calls)))
        yield from (Try(scenario, f"{signal}@{place}") for place in places)
    yield Try(scenario, "beside@11")
    if scenario.moments:
        yield from (Try(scenario, f"index@{how}") for how in surroundings.INDEXES)
    if not scenario.during and surroundings.can_mount():
        yield Try(scenario, "readonly@1")
        yield from (Try(scenario, f"full@{chance.choice((0, 4, 20, 90, 400))}") for _ in range(3))
        yield from (Try(scenario, f"inodes@{chance.choice((0, 1, 3, 9, 40))}") for _ in range(3))


def _moment(chance: random.Random, quiet: Outcome) -> str:
    """An installer's number, and so many milliseconds of its life."""
    number = chance.randrange(len(quiet.lives))
    return f"{number + 1}+{round(chance.random() * quiet.lives[number] * 1000)}"
