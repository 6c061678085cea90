"""What a notebook needs besides what it imports: extras, companions of a module, plug-ins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from envmagic.core.names import normalized
from envmagic.distributions import Evidence, Index
from envmagic.distributions.plugins import PARTED, Part, parts_of, plugin
from envmagic.imports import Followed, ImportSite, Where
from envmagic.record.need import Need, Taken

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Known", "take_used"]


@dataclass(frozen=True)
class Known:
    """What decides between several that would do."""

    index: Index | None
    listed: Collection[str]
    removed: Collection[str]
    """Distributions that the notebook takes out again."""

    def has(self, name: str) -> bool:
        """Whether `name` is in the environment or in the file."""
        return name in self.listed or (self.index is not None and name in self.index.distributions)


class _Wish(NamedTuple):
    part: Part
    where: Where
    module: str = ""
    """What is imported; empty: a string."""
    optional: bool = False


def take_used(followed: Followed, taken: Taken, known: Known) -> None:
    """Add to `taken` what its imports and strings need besides their own distributions.

    An extra goes to the distribution that holds the module. What nothing chooses between is
    optional, and so is what only a string names that may mean something else.
    """
    imported = list(_imported(followed.imports, taken))
    for wish in (*_used(followed), *imported):  # a string may choose what an import leaves open
        requirement = _chosen(wish.part, taken, known)
        if requirement is not None:
            _add(requirement, wish, taken, known)


def _imported(sites: Collection[ImportSite], taken: Taken) -> Iterator[_Wish]:
    sites = [site for site in sites if site.top in PARTED and not site.level]
    held = {module for need in taken.needs.values() for module, _ in need.sites} if sites else ()
    for site in sites:
        for dotted in (site.module, *(f"{site.module}.{name}" for name in site.names)):
            for part in () if site.extension else parts_of(dotted):
                if dotted in held or site.module in held:
                    optional = site.optional or part.is_open
                    yield _Wish(part, site.where, dotted, optional)


def _used(followed: Followed) -> Iterator[_Wish]:
    if not followed.uses:
        return
    tops = {site.top for site in followed.imports}
    for use in followed.uses:
        found = plugin(use.kind, use.value, tops)
        if found is not None:
            yield _Wish(found[0], use.where, optional=not found[1])


def _chosen(part: Part, taken: Taken, known: Known) -> Requirement | None:
    """What of `part` is to be added; None where something that the notebook needs is enough."""
    if any(name in taken.needs for name in part.unless):
        return None
    from packaging.requirements import Requirement  # few notebooks need it

    choices = [Requirement(text) for text in part.choices]
    for choice in choices:
        if not choice.extras and _is_needed(choice.name, taken):
            return None
    there = (c for c in choices if c.name in taken.needs or known.has(normalized(c.name)))
    return next(there, choices[0])


def _is_needed(name: str, taken: Taken) -> bool:
    need = taken.needs.get(name)
    return need is not None and not need.optional


def _add(requirement: Requirement, wish: _Wish, taken: Taken, known: Known) -> None:
    name = normalized(requirement.name)
    held = taken.needs.get(name)
    if held is not None:
        extras = held.extras | requirement.extras
        taken.needs[name] = replace(held, extras=extras, optional=held.optional and wish.optional)
    elif name not in known.removed:
        from packaging.requirements import Requirement

        others = tuple(normalized(Requirement(c).name) for c in wish.part.choices)
        taken.needs[name] = Need(
            name,
            Evidence.USED_AS.value,
            wish.optional,
            alternatives=tuple(other for other in others if other != name),
            sites=((wish.module, wish.where),),
            extras=frozenset(requirement.extras),
        )
