"""One distribution for each module of a notebook, where several hold it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envmagic.distributions import Evidence, known
from envmagic.record.held import RecordContext
from envmagic.record.need import Need, Needs

__all__ = ["agreed"]


def agreed(needs: Needs, context: RecordContext) -> Needs:
    """`needs` with one distribution for each module, where several hold it.

    In the environment that is what is installed, whatever the notebook's install lines say; without
    one, what the file has already, which was installed where it was recorded.
    """
    if context.index is None:
        held = {e.key.partition(";")[0] for e in context.held.of(context.notebook)}
        held |= {name for name, line in context.users.items() if not line.constraint}
        kept = [_recorded_as(need, held) for need in needs.needs]
    else:
        others = _others(needs.needs)
        there = context.index.distributions
        kept = [n for n in needs.needs if n.imported or n.name in there or n.name not in others]
    if tuple(kept) == needs.needs:
        return needs
    first = {need.name: need for need in reversed(kept)}
    return replace(needs, needs=tuple(first[name] for name in sorted(first)))


def _recorded_as(need: Need, held: set[str]) -> Need:
    if need.name in held or not need.imported:
        return need
    other = next((name for name in need.alternatives if name in held), None)
    if other is None:
        return need
    return replace(need, name=other, specifier="", extras=frozenset(), url="", conditional=())


def _others(needs: Iterable[Need]) -> set[str]:
    """What else could hold the modules that something installed holds."""
    found: set[str] = set()
    installed = {Evidence.ENVIRONMENT.value, Evidence.IMPORT_NAME.value}
    for need in needs:
        for module, _ in need.sites if need.evidence in installed else ():
            row = known().distribution_of(module)
            usual = () if row is None else (row[0].distribution, *row[0].alternatives)
            found |= {name for name in usual if name and name != need.name and need.name in usual}
    return found
