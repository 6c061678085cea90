"""The verbs that are killed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from support.faults import beginnings
from support.faults.beginnings import NAMED, RECORD
from support.faults.belongings import Belongings
from support.faults.world import World

__all__ = ["SCENARIOS", "Scenario", "find"]


@dataclass(frozen=True)
class Scenario:
    """One verb, and what may and must be there when it has been said again."""

    name: str
    words: tuple[str, ...]
    prefix: str
    """The environment's directory: a name in `envs`, or a path in the working directory."""
    prepare: Callable[[World, Belongings], None]
    vacant: bool = False
    """The verb makes the environment, so a person may have put another directory there since."""
    ours: bool = True
    """The environment is made by envmagic, so what is unfinished there is to be cleared away."""
    during: bool = False
    """A person saves files in the environment's directory as soon as it is there."""
    moments: bool = False
    """The installer is killed too, alone and with the verb."""
    others: tuple[str, ...] = ()
    """Further environments, as `prefix`; when all is mended they are gone."""
    holds: tuple[str, ...] = ()
    """Distributions that are there when the verb succeeded."""
    lacks: tuple[str, ...] = ()
    done: str = ""
    """The problem's code that says that nothing is left, or that nothing could be done."""
    already: str = ""
    """The problem's code that says that all of it is done."""
    proof: tuple[str, ...] = ()
    """Words that must succeed at the end."""
    writes: tuple[str, ...] = ()
    """Files of the verb's in the working directory, besides requirements.txt."""
    python: str = ""
    """Another Python than that of the tests, which has to be on the machine."""

    def directory(self, world: World) -> Path:
        return beginnings.directory(world, self.prefix)

    def directories(self, world: World) -> list[Path]:
        """Every directory of an environment of ours here, finished or not."""
        found = [beginnings.directory(world, other) for other in self.others]
        return [*found, self.directory(world)] if self.ours and self.prefix else found

    def kernel(self, world: World) -> Path:
        return world.kernels / (Path(self.prefix).name or NAMED)


def find(name: str) -> Scenario:
    """The scenario of that name. Raises `SystemExit` when there is none."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise SystemExit(f"There is no {name!r} among {', '.join(s.name for s in SCENARIOS)}.")


def _with_and_without(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Each of them, and each with a person who saves files there meanwhile."""
    saving = [replace(s, name=f"{s.name}-saving", during=True, moments=False) for s in scenarios]
    return tuple(s for pair in zip(scenarios, saving, strict=True) for s in pair)


_ENV = ("--env", NAMED, "--notebook", "a.ipynb")
_OTHER = "3.12" if sys.version_info[:2] != (3, 12) else "3.11"
_REMOVE = ("remove", NAMED, "--yes")


def _creating(name: str, target: str, prepare: Callable[[World, Belongings], None]) -> Scenario:
    return Scenario(
        name,
        ("create", target, "--with", "alpha", "--notebook", "a.ipynb"),
        target,
        prepare,
        vacant=True,
        moments=True,
        holds=("alpha",),
    )


SCENARIOS = (
    _creating("create-name", NAMED, beginnings.lines),
    _creating("create-first", NAMED, beginnings.no_runtime),
    *_with_and_without(
        (
            _creating("create-path", "./proj", beginnings.lines),
            _creating("create-empty", "./mine", beginnings.empty_directory),
        )
    ),
    Scenario(
        "create-unknown",
        ("create", "./mine", "--with", "no-such-package-zzz"),
        "./mine",
        beginnings.empty_directory,
        vacant=True,
        during=True,
        done="install-failed",
    ),
    Scenario(
        "create-again",
        ("create", NAMED, "--with", "beta", "--notebook", "a.ipynb"),
        NAMED,
        beginnings.environment,
        during=True,
        holds=("alpha", "beta"),
    ),
    Scenario(
        "install",
        ("install", "beta", *_ENV),
        NAMED,
        beginnings.environment,
        moments=True,
        holds=("alpha", "beta"),
    ),
    Scenario(
        "uninstall",
        ("uninstall", "alpha", *_ENV),
        NAMED,
        beginnings.environment,
        moments=True,
        lacks=("alpha",),
        done="not-installed",
    ),
    Scenario(
        "sync", ("sync", *_ENV), NAMED, beginnings.asking_for_beta, moments=True, holds=("beta",)
    ),
    Scenario(
        "undo",
        ("undo", "2", *_ENV),
        NAMED,
        beginnings.without_alpha,
        moments=True,
        holds=("alpha",),
    ),
    Scenario(
        "lock",
        ("lock", "--env", NAMED),
        NAMED,
        beginnings.to_be_locked,
        holds=("alpha",),
        proof=("lock", "--check", "--env", NAMED),
        writes=("pylock.toml",),
    ),
    Scenario(
        "restore",
        ("restore", "a.ipynb", "other"),
        "other",
        beginnings.locked,
        others=(NAMED,),
        moments=True,
        holds=("alpha",),
        writes=("pylock.toml",),
    ),
    Scenario(
        "restore-over",
        ("restore", "a.ipynb", NAMED),
        NAMED,
        beginnings.locked_and_changed,
        moments=True,
        holds=("alpha",),
        writes=("pylock.toml",),
    ),
    Scenario(
        "upgrade",
        ("upgrade", "gamma", *_ENV),
        NAMED,
        beginnings.with_an_older_gamma,
        moments=True,
        holds=("alpha", "gamma"),
    ),
    Scenario(
        "upgrade-python",
        ("upgrade", "--python", _OTHER, *_ENV),
        NAMED,
        beginnings.to_be_removed,
        moments=True,
        holds=("alpha",),
        already="other-python",
        python=_OTHER,
    ),
    Scenario(
        "clone",
        ("clone", NAMED, "other"),
        "other",
        beginnings.environment,
        others=(NAMED,),
        holds=("alpha",),
        already="in-the-way",
    ),
    Scenario(
        "rename",
        ("rename", NAMED, "other"),
        "other",
        beginnings.to_be_removed,
        others=(NAMED,),
        holds=("alpha",),
        already="no-environment",
    ),
    Scenario(
        "export",
        ("export", "docker", *_ENV),
        NAMED,
        beginnings.locked,
        writes=("pylock.toml", "docker"),
    ),
    Scenario(
        "export-merged",
        ("export", "pyproject", "--to", "pyproject.toml", *_ENV),
        NAMED,
        beginnings.with_a_project,
        writes=("pylock.toml",),
    ),
    Scenario("record-new", RECORD, "", beginnings.no_record, proof=(*RECORD, "--check")),
    Scenario("record-old", RECORD, "", beginnings.old_record, proof=(*RECORD, "--check")),
    Scenario(
        "attach",
        ("attach", "./theirs"),
        "./theirs",
        beginnings.theirs,
        ours=False,
        holds=("alpha",),
    ),
    Scenario("remove", _REMOVE, NAMED, beginnings.to_be_removed, done="no-environment"),
    Scenario("remove-held", _REMOVE, NAMED, beginnings.environment),
    Scenario(
        "remove-saving",
        _REMOVE,
        NAMED,
        beginnings.to_be_removed,
        during=True,
        done="no-environment",
    ),
    Scenario(
        "remove-attached",
        ("remove", "theirs", "--yes"),
        "./theirs",
        beginnings.attached,
        ours=False,
        done="no-environment",
    ),
    Scenario("autoload", ("autoload", "on"), "", beginnings.lines, proof=("autoload", "off")),
    Scenario(
        "doctor", ("doctor", "--fix"), NAMED, beginnings.broken, others=("gone", "./half", "old")
    ),
)
