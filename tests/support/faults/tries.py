"""One try: a verb is killed, the person goes on with their files, and then says further verbs."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from support import processes
from support.faults import checks, surroundings
from support.faults.belongings import AFTER, DURING, Belongings, beside_everything
from support.faults.checks import Fault
from support.faults.scenarios import Scenario, find
from support.faults.strikes import QUIET, strike, survivors
from support.faults.world import LIMIT, World
from support.terminal import Said

__all__ = ["SEED", "THEN", "Outcome", "Try", "attempt"]

SEED = 13
THEN = " then "
_SAVED = "saved"  # the hook's word for the moment in which DURING came


@dataclass(frozen=True)
class Try:
    """A verb and when it is killed."""

    scenario: Scenario
    when: str
    """As `strikes.strike` takes it; several with `THEN` between them befall it one after another,
    each in what the one before left."""

    @property
    def strikes(self) -> list[str]:
        return self.when.split(THEN)

    @property
    def id(self) -> str:
        """What names the try, and what its choices are drawn from."""
        return f"{self.scenario.name}:{self.when}"

    @classmethod
    def of(cls, id: str) -> Try:
        """The try that `id` names."""
        name, _, when = id.partition(":")
        return cls(find(name), when or QUIET)


@dataclass(frozen=True)
class Outcome:
    """What a try found."""

    tried: Try
    hit: bool
    """Whether the kill came before the end."""
    faults: tuple[Fault, ...]
    calls: tuple[str, ...]
    lives: tuple[float, ...]
    told: str
    """Every command with what it said."""


@dataclass
class Attempt:
    """A try while it runs."""

    tried: Try
    world: World
    mine: Belongings = field(default_factory=Belongings)
    seen: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Kind and words of each fault, and the steps after which it was seen."""
    told: list[str] = field(default_factory=list)

    def run(self) -> Outcome:
        """Do the whole try in a world of its own, which is gone afterwards."""
        own = any(map(surroundings.needs_disk, self.tried.strikes))
        try:
            with surroundings.disk(self.world.root) if own else contextlib.nullcontext():
                self.world.build()
                return self._run()
        except (AssertionError, subprocess.SubprocessError) as error:
            unprepared = Fault("repeat", str(error), ("what comes before the kill",))
            return Outcome(self.tried, False, (unprepared,), (), (), str(error))
        finally:
            processes.end_in(self.world.root)
            self.world.clear()

    def _run(self) -> Outcome:
        scenario = self.tried.scenario
        self.mine = beside_everything(self.world)
        scenario.prepare(self.world, self.mine)
        plan = {"directory": str(scenario.directory(self.world)), "files": self._during()}
        for when in self.tried.strikes:
            struck = strike(self.world, scenario.words, when, plan, copy=scenario.moments)
            calls = self.world.calls()
            if _SAVED in calls:
                plan["files"] = {}
                for name, text in DURING.items():
                    self.mine.files[scenario.directory(self.world) / name] = text.encode()
            self._look(f"the fault {when}", scenario.words, struck.said)
            self._note("ghost", "the fault", checks.listed_halves(self.world))
        self._go_on()
        lines = tuple(line for line in calls if line != _SAVED)
        told = "\n".join(self.told)
        faults = tuple(Fault(*fault, tuple(steps)) for fault, steps in self.seen.items())
        return Outcome(self.tried, struck.hit, faults, lines, struck.lives, told)

    def _during(self) -> dict[str, str]:
        return DURING if self.tried.scenario.during else {}

    def _go_on(self) -> None:
        """What the person does next, and the verbs; the choices are drawn from the try's id."""
        chance = random.Random(f"{SEED}:{self.tried.id}")
        if self.tried.when != QUIET:
            chance.choice((self._put_nothing, self._put_more, self._put_another))()
        alone = not survivors(self.world)
        self._say("list")
        if alone:  # else it may not be cleared away yet
            self._note(
                "leftover", "list", checks.unswept(self.world, self.mine, self.tried.scenario)
            )
        both = [self._mend, self._repeat]
        for step in both if chance.random() < 0.5 else reversed(both):
            step()
        self._end()

    def _put_nothing(self) -> None:
        pass

    def _put_more(self) -> None:
        """A notebook, a repository and a text, and a file beside the kernelspec."""
        prefix = self.tried.scenario.directory(self.world)
        if prefix.is_dir():
            for name, text in AFTER.items():
                self.mine.put(prefix / name, text)
        kernel = self.tried.scenario.kernel(self.world)
        if kernel.is_dir():
            self.mine.put(kernel / "after.js")
        self._tell("the person puts files into the environment and beside its kernelspec")

    def _put_another(self) -> None:
        """A directory of the person's in the place of what was not finished, where that may be."""
        scenario, prefix = self.tried.scenario, self.tried.scenario.directory(self.world)
        if not scenario.vacant or (scenario.kernel(self.world) / "kernel.json").exists():
            self._put_more()
            return
        self._wait()
        for path in self.mine.below(prefix):
            del self.mine.files[path]
        shutil.rmtree(prefix, ignore_errors=True)
        prefix.mkdir(parents=True)
        self.mine.directories.add(prefix)
        self.mine.put(prefix / "anew.txt")
        self._tell("the person removes the directory and makes one of their own")

    def _mend(self) -> None:
        self._say("doctor", "--fix")
        step = "doctor --fix"
        found = checks.leftovers(self.world, self.mine, self.tried.scenario)
        self._note("leftover", step, found)
        self._note("ghost", step, checks.ghosts(self.world))

    def _repeat(self) -> None:
        scenario = self.tried.scenario
        said = self._say(*scenario.words, "--json")
        if said is not None:
            found = checks.repeated(self.world, self.mine, scenario, said)
            self._note("repeat", "the verb again", found)

    def _end(self) -> None:
        """What must hold when all was said."""
        step, scenario = "the end", self.tried.scenario
        self._note("leftover", step, checks.leftovers(self.world, self.mine, scenario))
        self._note("ghost", step, checks.ghosts(self.world))
        said = self._say("doctor", "--json")
        if said is not None and not checks.tracebacks(said):
            problems = [f"{p['code']}: {p['message']}" for p in said.json["problems"]]
            self._note("leftover", "doctor", problems)
        if scenario.proof:
            said = self._say(*scenario.proof)
            self._note("repeat", "the proof", [said.err or said.out] if said and said.code else [])

    def _say(self, *words: str) -> Said | None:
        """One more command; None when it does not end."""
        step = " ".join(words)
        try:
            said = self.world.run(*words)
        except subprocess.TimeoutExpired:
            self._note("repeat", step, [f"no end after {LIMIT:.0f} s"])
            return None
        self._look(step, words, said)
        return said

    def _look(self, step: str, words: tuple[str, ...], said: Said) -> None:
        """Note what is wrong directly after a command."""
        self._tell(f"$ envmagic {' '.join(words)}  # {said.code}\n{said.out}{said.err}")
        self._note("traceback", step, checks.tracebacks(said))
        self._note("loss", step, self.mine.lost())

    def _note(self, kind: str, step: str, found: list[str]) -> None:
        """Keep what was found; what is there after several steps counts once."""
        for what in found:
            shown = what.replace(str(self.world.root), "…")
            self.seen.setdefault((kind, shown), []).append(step)
            self._tell(f"=> {kind}: {shown}")

    def _wait(self) -> None:
        """Until no installer works here any more whose verb was killed."""
        processes.eventually(lambda: not survivors(self.world), LIMIT)

    def _tell(self, line: str) -> None:
        self.told.append(line.replace(str(self.world.root), "…"))


def attempt(tried: Try, root: Path, wheels: Path) -> Outcome:
    """Do one try in the directory `root`, which does not exist yet."""
    return Attempt(tried, World(root, wheels)).run()
