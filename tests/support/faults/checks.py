"""What must hold of the directories and of each answer, whatever was killed before."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.faults.belongings import Belongings
from support.faults.scenarios import Scenario
from support.faults.world import World
from support.terminal import Said

__all__ = [
    "KINDS",
    "Fault",
    "ghosts",
    "leftovers",
    "listed_halves",
    "repeated",
    "tracebacks",
    "unswept",
]

KINDS = ("loss", "leftover", "ghost", "traceback", "repeat")
# A name that tempfile made for us, or that we made: `.NAME.x1y2z3_4`, `.envmagic-…`.
_MOMENTARY = re.compile(r"\.envmagic-.*|\..+\.[a-z0-9_]{8}")
_UNFORESEEN = 70  # the exit code for what nobody foresaw
_STAYING = frozenset({"envs", "cache", "locks", "runtimes"})  # in ENVMAGIC_HOME
# What tempfile itself writes once to see whether it can.
_PROBE = re.compile(r".*/tmp/[a-z0-9_]{8}")


@dataclass(frozen=True)
class Fault:
    """One thing that should not be."""

    kind: str
    what: str
    steps: tuple[str, ...]
    """The steps of the try after which it was seen."""

    def __str__(self) -> str:
        until = f" until {self.steps[-1]}" if len(self.steps) > 1 else ""
        return f"{self.kind} after {self.steps[0]}{until}: {self.what}"


def tracebacks(said: Said) -> list[str]:
    """The last line of what a command said that nobody foresaw."""
    told = "Traceback (most recent call last)" in said.out + said.err
    if not told and said.code != _UNFORESEEN:
        return []
    return [(said.err.strip() or said.out.strip()).splitlines()[-1]]


def leftovers(world: World, mine: Belongings, scenario: Scenario) -> list[str]:
    """What of ours is there and should not be, once everything was mended."""
    found = {*_momentary(world, mine), *_unexpected(world, mine, scenario)}
    kernel = scenario.kernel(world)
    if kernel.is_dir() and not (kernel / "kernel.json").exists() and not mine.holds(kernel):
        found.add(f"{kernel} without kernel.json")
    for prefix in scenario.directories(world):
        if not _is_registered(world, prefix) and (ours := _ours_in(prefix, mine)):
            below = sorted(p for p in ours[0].rglob("*") if not p.is_dir() and not mine.holds(p))
            found.add(f"{prefix} unfinished, with {[*below, ours[0]][0].relative_to(prefix)}")
    return sorted(found)


def unswept(world: World, mine: Belongings, scenario: Scenario) -> list[str]:
    """What we write for a moment only and the next verb of any kind has not cleared away.

    An environment that was not finished is cleared away as a whole, by `doctor` or `create`.
    """
    halves = [p for p in scenario.directories(world) if not _is_registered(world, p)]
    found = [Path(path) for path in _momentary(world, mine)]
    return [str(p) for p in found if not any(half in p.parents for half in halves)]


def _momentary(world: World, mine: Belongings) -> list[str]:
    found = [str(entry) for entry in world.temporary.glob("envmagic-*") if not mine.holds(entry)]
    for top in (world.home, world.work, world.temporary):
        for directory, names, files in os.walk(top):
            place = Path(directory)
            for name in (*names, *files):
                if _MOMENTARY.fullmatch(name) and not mine.holds(place / name):
                    found.append(str(place / name))
            # what the distributions brought along is theirs
            deeper = place.name not in {"site-packages", "share"}
            names[:] = [name for name in names if deeper and name != ".git"]
    return found


def ghosts(world: World) -> list[str]:
    """Kernels that Jupyter lists and that cannot start."""
    return [str(place) for place, spec in _kernels(world) if not Path(spec["argv"][0]).exists()]


def listed_halves(world: World) -> list[str]:
    """Half-written kernelspecs that Jupyter lists: the names that nobody chose."""
    return [str(place) for place, _ in _kernels(world) if place.name.startswith(".")]


def repeated(world: World, mine: Belongings, scenario: Scenario, said: Said) -> list[str]:
    """Why the verb's second answer is not as it should be.

    It succeeds, or says in one line which thing of the person's is in its way, or that there is
    nothing left to do.
    """
    if said.code == 0:
        return list(_unmet(world, mine, scenario))
    lines = said.err.strip().splitlines()
    last = lines[-1] if lines else f"exit code {said.code} and no word"
    if len(lines) != 1:
        return [f"{len(lines)} lines: {last}"]
    if scenario.done and scenario.done in _codes(said):
        return list(_undone(world, mine, scenario))
    if scenario.already and scenario.already in _codes(said):
        return list(_unmet(world, mine, scenario))
    prefix = scenario.directory(world)
    theirs = {path.name for path in mine.below(prefix)} | {prefix.name}
    if mine.below(prefix) and any(name in last for name in theirs):
        return []
    return [last]


def _codes(said: Said) -> set[str]:
    try:
        return {str(problem["code"]) for problem in said.json["problems"]}
    except (ValueError, KeyError):
        return set()


def _unmet(world: World, mine: Belongings, scenario: Scenario) -> Iterator[str]:
    """What a verb that said it succeeded has not done."""
    prefix = scenario.directory(world)
    installed = {path.name.partition("-")[0] for path in prefix.glob("lib/*/site-packages/*-info")}
    yield from (f"{name} is not there" for name in scenario.holds if name not in installed)
    yield from (f"{name} is still there" for name in scenario.lacks if name in installed)
    kernel = scenario.kernel(world)
    if scenario.holds and not (kernel / "kernel.json").is_file() and not mine.holds(kernel):
        yield f"no kernel {kernel.name}"
    if scenario.done and not scenario.lacks:
        yield from _undone(world, mine, scenario)


def _undone(world: World, mine: Belongings, scenario: Scenario) -> Iterator[str]:
    """What is there although the verb says that there is nothing left to do."""
    if scenario.lacks:
        yield from _unmet(world, mine, scenario)
        return
    if (scenario.kernel(world) / "kernel.json").exists():
        yield f"the kernel {scenario.kernel(world).name} is still there"
    if scenario.ours:
        yield from (f"{path} is still there" for path in _ours_in(scenario.directory(world), mine))


def _unexpected(world: World, mine: Belongings, scenario: Scenario) -> Iterator[str]:
    """What lies among the person's files and is none of the few things that belong there."""
    environments = {*scenario.directories(world), scenario.directory(world)}
    expected = {world.work / "requirements.txt", scenario.kernel(world), *environments}
    expected |= {world.work / name for name in scenario.writes}
    # Where the person keeps something in the kernelspec's place, ours is called otherwise.
    expected |= {place for place, spec in _kernels(world) if _prefix(spec) in environments}
    # Of the rest in there the cache stays, and so do the locks: removing one would let two in.
    notes = [p for p in world.envmagic.iterdir() if p.is_dir() and p.name not in _STAYING]
    for place in (world.work, world.temporary, world.kernels, world.envmagic / "envs", *notes):
        for entry in place.iterdir():
            if entry in expected or mine.holds(entry) or _PROBE.fullmatch(str(entry)):
                continue
            if place.name == "history" and _is_of_an_environment(entry):
                continue
            if place.name == "records" and _is_of_what_is_there(entry):
                continue
            if place.name == "renamed" and _names_an_environment(entry):
                continue
            yield str(entry)


def _is_of_an_environment(history: Path) -> bool:
    """Whether `history` is of an environment that is there, and whole."""
    held = history.with_suffix(".json")
    if history.suffix not in (".json", ".jsonl") or not held.is_file():
        return False
    prefix = Path(json.loads(held.read_text("utf-8"))["prefix"])
    return (prefix / "pyvenv.cfg").is_file()


def _is_of_what_is_there(note: Path) -> bool:
    """Whether it is noted of an environment and a notebook that are there, the former also where it
    has another name now."""
    held = json.loads(note.read_text("utf-8"))
    names = (json.loads(p.read_text("utf-8")) for p in note.parents[1].glob("renamed/*.json"))
    prefix = next((n["new"] for n in names if n["old"] == held["prefix"]), held["prefix"])
    return (Path(prefix) / "pyvenv.cfg").is_file() and Path(held["notebook"]).is_file()


def _names_an_environment(note: Path) -> bool:
    """Whether what was noted of a new name is of an environment that is there."""
    return (Path(json.loads(note.read_text("utf-8"))["new"]) / "pyvenv.cfg").is_file()


def _kernels(world: World) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted(world.kernels.glob("*/kernel.json")):
        try:
            spec = json.loads(file.read_text("utf-8"))
        except ValueError:
            spec = {"argv": ["half a kernel.json"]}
        yield file.parent, spec


def _is_registered(world: World, prefix: Path) -> bool:
    """Whether `prefix` is an environment with a kernel, so that it is whole."""
    named = {_prefix(spec) for _, spec in _kernels(world)}
    return (prefix / "pyvenv.cfg").is_file() and prefix in named


def _prefix(spec: dict[str, Any]) -> Path | None:
    """The environment that a kernelspec of ours is for."""
    entry = spec.get("metadata", {}).get("envmagic")
    return Path(entry["prefix"]) if entry else None


def _ours_in(prefix: Path, mine: Belongings) -> list[Path]:
    """The entries of an unfinished environment that are not the person's."""
    if not prefix.is_dir():
        return []
    entries = list(prefix.iterdir())
    if not entries and prefix not in mine.directories:
        return [prefix]
    found = [entry for entry in entries if not mine.holds(entry)]
    for entry in entries:
        if entry not in found and entry.is_dir():
            found += [p for p in entry.rglob("*") if not p.is_dir() and not mine.holds(p)]
    return found
