"""A need as the lines that say it: one for each marker, and one for where none of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from envmagic.record import markers
from envmagic.record.need import Conditional, Need
from envmagic.record.ranges import joined
from envmagic.requirements import RequirementLine

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["lines_for", "with_conditional", "with_line"]


def with_line(held: Need, line: Requirement) -> Need:
    """`held` with what one more line without a marker says; of two that contradict each other the
    last one counts, as it does for an installer."""
    said = str(line.specifier)
    both = joined(held.specifier, said)
    return replace(
        held,
        extras=held.extras | line.extras,
        specifier=said if both is None else both,
        overruled=held.overruled if both is not None else (*held.overruled, held.specifier),
    )


def with_conditional(held: Need, line: Requirement, url: str) -> Need:
    """`held` with a line that has a marker, which says nothing of where that does not hold."""
    marker, said = str(line.marker), str(line.specifier)
    before = next((c for c in held.conditional if c.marker == marker), Conditional(marker))
    both = joined(before.specifier, said)
    now = Conditional(
        marker, said if both is None else both, before.extras | line.extras, url or before.url
    )
    return replace(
        held,
        conditional=(*(c for c in held.conditional if c.marker != marker), now),
        overruled=held.overruled if both is not None else (*held.overruled, before.specifier),
    )


def lines_for(
    need: Need, own: Iterable[RequirementLine], python: str | None
) -> Iterator[tuple[Need, bool]]:
    """`need` as those that are lines of their own, each with its marker, and whether that one is
    what an environment with `python` has.

    `own` are lines of the user's that hold in some places alone. Without a Python nothing is there.
    """
    rest = _rest(need, tuple(own))
    here = False
    for line in need.conditional:
        if rest is None or rest.marker or _says_more(line, need):
            there = python is not None and markers.holds(line.marker, python)
            here = here or there
            yield _where(need, line), there
    if rest is not None:
        yield rest, python is not None and not here


def _rest(need: Need, own: tuple[RequirementLine, ...]) -> Need | None:
    """The line for where no marker holds; None where there is nothing to be said of that."""
    if need.conditional and not need.plain and (need.optional or not need.imported):
        return None
    others = [*(line.marker for line in need.conditional), *markers.of(own)]
    if need.conditional and markers.everywhere(frozenset(others)):
        return None
    limited = any(c.specifier or c.url for c in need.conditional) or any(map(_limits, own))
    return replace(need, marker=markers.elsewhere(others)) if limited else need


def _says_more(line: Conditional, need: Need) -> bool:
    return bool(line.specifier or line.url or line.extras - need.extras)


def _where(need: Need, line: Conditional) -> Need:
    """`need` where the marker of `line` holds; what is installed without one counts there too."""
    both = joined(need.specifier, line.specifier)
    return replace(
        need,
        specifier=line.specifier if both is None else both,
        extras=need.extras | line.extras,
        url=line.url or need.url,
        marker=line.marker,
    )


def _limits(line: RequirementLine) -> bool:
    """Whether `line` says which version, so that another one beside it could contradict it."""
    requirement = line.requirement
    return requirement is not None and bool(requirement.specifier or requirement.url)
