"""The ways to what a notebook had, the most exact first, and what of it came out otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from packaging.version import InvalidVersion, Version

from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import InsteadData
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.interpreters import Python
from envmagic.planning.guessing.offers import Limits, offers_here
from envmagic.planning.locked import Locked, is_mismatch
from envmagic.planning.past import How, Past
from envmagic.planning.substitutes import Substitute, for_names, for_pins

__all__ = ["Restoring"]

_Done = TypeVar("_Done")
_WHICH = re.compile(r"[Mm]ismatch for `?([\w.-]+)")


@dataclass
class Restoring:
    """Brings an environment to what a notebook had."""

    past: Past
    python: Python
    """An interpreter of the environment's, or that it will be made from."""
    locked: Locked | None = None
    """The lock, for that Python."""
    substitutes: dict[str, Substitute] = field(default_factory=dict)
    exempt: tuple[str, ...] = ()
    """For which the time does not count, since there was nothing of them by then."""

    def carried_out(self, do: Callable[[InstallPlan], _Done]) -> _Done:
        """What `do` returns for the first plan that works. Raises what it raised for the last one,
        and `EnvmagicError` at once where a file is not the one that was locked."""
        failed: EnvmagicError | None = None
        for plan in self._ways():
            try:
                return do(plan)
            except EnvmagicError as error:
                if is_mismatch(error):
                    raise self._mismatch(error) from error
                if error.problem.code not in ("install-failed", "no-network"):
                    raise
                failed = error
        assert failed is not None
        raise failed

    def planned(self) -> dict[str, str]:
        """Normalised name -> version of what there would be; nothing is installed for that.

        Raises `EnvmagicError` where the index cannot be reached.
        """
        if self.locked is not None:
            return {name: self.locked.pins.get(name, "") for name in self.locked.lines}
        texts = self._texts()
        limits = Limits(self.past.until)
        offers = offers_here(builds=True)
        found = offers.resolved(
            texts.values(), self.python.executable, constraints=self._limits(), limits=limits
        )
        if found is None:
            self._look()
            kept = [line for name, line in self._texts().items() if line]
            limits = Limits(self.past.until, frozenset(self.exempt))
            found = offers.resolved(
                kept, self.python.executable, constraints=self._limits(), limits=limits
            )
        return {offer.name: str(offer.version) for offer in found or ()}

    def instead(self, held: Mapping[str, str]) -> list[InsteadData]:
        """What is not as it was in an environment that has what is `held` (name -> version)."""
        unfit = self.locked.unfit if self.locked is not None else {}
        pins = self.locked.pins if self.locked is not None else self.past.pins
        asked = self.locked.lines.keys() if self.locked is not None else self._texts().keys()
        found = []
        for name in sorted({*pins, *self.substitutes, *unfit}):
            was, taken = pins.get(name, f"none by {self.past.day}"), held.get(name, "")
            if _same(was, taken) and name not in unfit:
                continue
            if not taken and name not in asked:
                continue  # another tool's lock holds more than what is needed here
            other = self.substitutes.get(name)
            why = other.why if other is not None else unfit.get(name, "")
            why = why or "what else is asked for needs another"
            found.append(InsteadData(name=name, was=was, taken=taken, why=why))
        return found

    def _ways(self) -> Iterator[InstallPlan]:
        if self.locked is not None:
            yield from self.locked.ways
        else:
            yield self.past.wanted
        if self._look():
            yield self._substituted()

    def _look(self) -> bool:
        """Whether something cannot be had, and something else can in its place."""
        if self.locked is not None:
            self.substitutes = for_pins(self.locked.pins, self.python.executable)
        elif self.past.how is How.PINS:
            self.substitutes = for_pins(self.past.pins, self.python.executable)
        elif self.past.until is not None:
            named = {line.name: line.text for line in self.past.lines if line.requirement}
            lines = {name: text for name, text in named.items() if name is not None}
            python, until = self.python.executable, self.past.until
            self.substitutes, self.exempt = for_names(lines, python, until, self.past.day)
        asked = self.locked.pins if self.locked is not None else self.past.lines
        none = not any(each.line for each in self.substitutes.values())
        return bool(self.substitutes) and not (none and len(self.substitutes) >= len(asked))

    def _substituted(self) -> InstallPlan:
        if self.locked is not None:
            plan = self.locked.without(frozenset(self.substitutes)).ways[-1]
            more = tuple(each.line for each in self.substitutes.values() if each.line)
            return replace(plan, requirements=(*plan.requirements, *more))
        wanted = self.past.wanted
        lines = tuple(line for line in self._texts().values() if line)
        return replace(
            wanted,
            requirements=lines,
            files=(),
            constraints=tuple(self._limits()),
            exempt=self.exempt,
        )

    def _texts(self) -> dict[str, str]:
        """The lines that are asked for, with those that are taken in the place of others."""
        found = {}
        for number, line in enumerate(self.past.lines):
            if line.includes is None and not line.constraint:
                other = self.substitutes.get(line.name or "")
                found[line.name or str(number)] = other.line if other is not None else line.text
        return found

    def _limits(self) -> list[str]:
        own = [line.text for line in self.past.lines if line.constraint]
        every = [*own, *self.past.declaration.wanted.constraints]
        others = {normalized(name) for name in self.substitutes}
        return [line for line in every if normalized(re.split(r"[^\w.-]", line)[0]) not in others]

    def _mismatch(self, error: EnvmagicError) -> EnvmagicError:
        """That what an index has is not what was locked: nobody knows whose that is."""
        file = self.past.file
        assert file is not None
        found = _WHICH.search(f"{error.problem.message} {error.problem.detail}")
        what = found[1] if found is not None else "a distribution"
        recorded = (file.parent / REQUIREMENTS).is_file()
        return EnvmagicError(
            "hash-mismatch",
            f"The file of {what} that the index has is not the one that {file.name} has locked: its"
            " hash is another. Nothing was installed.",
            "To take what is recorded, and not what was locked"
            if recorded
            else "Ask whoever locked it.",
            subject=what,
            detail=error.problem.detail,
            command=("create", "-r", str(file.parent / REQUIREMENTS)) if recorded else (),
        )


def _same(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
