"""Following the lock beside a notebook: what `sync` does where there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Place, Progress
from envmagic.core.names import normalized
from envmagic.core.record_files import LOCK, REQUIREMENTS
from envmagic.environments import changing, satisfaction
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.planning import files
from envmagic.planning.locked import Locked, is_mismatch, locked_in
from envmagic.planning.plan import Kind, PassedOver

__all__ = ["Followed", "beside", "follow"]


@dataclass(frozen=True)
class Followed:
    """A lock, and what the requirements beside it ask for otherwise."""

    locked: Locked
    against: tuple[Requirement, ...] = ()
    """What the lock has in a version that they do not allow."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """A warning for each that the lock contradicts."""
        return tuple(
            Problem(
                "lock-behind",
                f"{_said(each, self.locked)}; the lock was not followed there.",
                "To lock again",
                Severity.WARNING,
                subject=each.name,
                command=("lock",),
            )
            for each in self.against
        )


def beside(place: Place, environment: Environment, *, insist: bool) -> Followed | None:
    """The lock beside the notebook at `place`; None without one.

    Raises `EnvmagicError` where it cannot be read, and with `insist` also where there is none, or
    the requirements beside it ask for something else.
    """
    found, over = files.in_directory(place.directory, place.notebook)
    file = found.source.file if found is not None and found.source.kind is Kind.LOCK else None
    if found is None or file is None or found.pinned is not None:
        if insist:
            raise _without(place, over)
        return None
    locked = locked_in(file, environment.version)
    asked = _asked(place, environment)
    against = [r for r in asked if r.name in locked.pins and not _allows(r, locked)]
    lacking = [r for r in asked if r.name not in locked.lines and r.url is None]
    if insist and (against or lacking):
        first = _said(against[0], locked) if against else f"{file.name} has no {lacking[0].name}"
        raise EnvmagicError(
            "lock-differs",
            f"{first}, which {REQUIREMENTS} asks for. Nothing was installed."
            if not against
            else f"{first}. Nothing was installed.",
            "To follow what is asked for, and then lock again",
            subject=(against or lacking)[0].name,
            command=("sync",),
        )
    return Followed(locked, tuple(against))


def follow(
    lock: Followed, there: Inventory, wanted: InstallPlan, progress: Progress
) -> tuple[Inventory, list[str]]:
    """Install what is locked, then what else is `wanted` and not there, both or neither.

    Returns what is there now, and notes. Raises `EnvmagicError`, with all as it was.
    """
    locked = lock.locked.without(frozenset(each.name for each in lock.against))
    pins = tuple(f"{n}=={v}" for n, v in locked.pins.items() if n in locked.lines)
    more = replace(wanted, constraints=pins)

    def change() -> list[str]:
        notes = _locked_first(locked, there, progress)
        return [*notes, *(changing.install(there, more, progress) if more else [])]

    return changing.checked(there, change, progress, more)


def _locked_first(locked: Locked, there: Inventory, progress: Progress) -> list[str]:
    *others, last = locked.ways
    for plan in others:
        try:
            return changing.install(there, plan, progress)
        except EnvmagicError as error:
            if is_mismatch(error) or error.problem.code not in ("install-failed", "no-network"):
                raise
    return changing.install(there, last, progress) if last else []


def _asked(place: Place, environment: Environment) -> list[Requirement]:
    """What the requirements beside the notebook ask for here, under normalised names."""
    file = place.directory / REQUIREMENTS
    lines = requirements.read(file).all_lines() if file.is_file() else ()
    texts = [str(line.requirement) for line in lines if line.requirement and not line.constraint]
    found = satisfaction.applying(texts, environment.version)
    for each in found:
        each.name = normalized(each.name)
    return found


def _without(place: Place, over: list[PassedOver]) -> EnvmagicError:
    """That no lock counts here: there is none, or one that cannot be followed."""
    unfit = next((each for each in over if each.file.name.startswith("pylock.")), None)
    if unfit is not None:
        return EnvmagicError(
            "lock-differs",
            f"{unfit.file.name} cannot be followed: {unfit.reason}.",
            "To follow what is asked for",
            subject=str(unfit.file),
            command=("sync",),
        )
    return WordsError(
        "no-file",
        f"There is no {LOCK} in {display.user_path(place.directory)}.",
        "To write it",
        subject=str(place.directory / LOCK),
        command=("lock",),
    )


def _allows(requirement: Requirement, locked: Locked) -> bool:
    version = locked.pins[requirement.name]
    return requirement.specifier.contains(version, prereleases=True)


def _said(requirement: Requirement, locked: Locked) -> str:
    version = locked.pins[requirement.name]
    return f"{REQUIREMENTS} asks for {requirement}, and {locked.file.name} has {version}"
