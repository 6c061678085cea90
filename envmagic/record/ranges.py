"""Version ranges that are asked for together: what they come to."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import Specifier, SpecifierSet

__all__ = ["accepts", "joined"]

_OPPOSITE = {">=": "<", "<": ">=", ">": "<=", "<=": ">", "!=": "=="}


@lru_cache(maxsize=1024)
def joined(one: str, other: str) -> str | None:
    """The range that is in both; None where no version is. `>=1.5` and `<3` are `<3,>=1.5`."""
    if not one or not other or one == other:
        return one or other
    from packaging.specifiers import SpecifierSet

    both = SpecifierSet(one) & SpecifierSet(other)
    return None if both.is_unsatisfiable() else _shortest(both)


def accepts(specifier: str, version: str) -> bool:
    """Whether `version` is in the range `specifier`, pre-releases too."""
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _shortest(whole: SpecifierSet) -> str:
    """`whole` without what the rest of it says already."""
    from packaging.specifiers import SpecifierSet

    clauses = [*{str(clause): clause for clause in sorted(whole, key=str)}.values()]
    exact = [c for c in clauses if c.operator == "==" and "*" not in c.version]
    if exact:
        return str(exact[0])  # all others allow it
    for clause in list(clauses):
        rest = SpecifierSet(",".join(str(c) for c in clauses if c is not clause))
        if str(rest) and _says(rest, clause):
            clauses.remove(clause)
    return ",".join(map(str, clauses))


def _says(rest: SpecifierSet, clause: Specifier) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    opposite = _OPPOSITE.get(clause.operator)
    if opposite is None:
        return False
    try:
        return (rest & SpecifierSet(f"{opposite}{clause.version}")).is_unsatisfiable()
    except InvalidSpecifier:  # `>` of a version with a local part
        return False
