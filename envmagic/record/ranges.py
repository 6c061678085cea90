"""Version ranges that are asked for together: what they come to.

Live recording imports the environment's own `packaging`, which may be old: it is told without its
help then which ranges no version is in.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    return None if _is_empty(both) else _shortest(both)


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
        return _is_empty(rest & SpecifierSet(f"{opposite}{clause.version}"))
    except InvalidSpecifier:  # `>` of a version with a local part
        return False


def _is_empty(whole: SpecifierSet) -> bool:
    """Whether no version is in all of `whole`."""
    tell = getattr(whole, "is_unsatisfiable", None)  # packaging 26.1
    if tell is not None:
        return bool(tell())
    around = {version for clause in whole for version in _around(clause.version)}
    return not any(whole.contains(version, prereleases=True) for version in around)


def _around(version: str) -> Iterator[str]:
    """Versions at and right beside `version`: a range that has any has one beside an end of it."""
    from packaging.version import InvalidVersion, Version

    try:
        end = Version(version.removesuffix(".*"))
    except InvalidVersion:  # `===` takes any text
        yield version
        return
    epoch = f"{end.epoch}!" if end.epoch else ""
    release = list(end.release)
    next_one = [*release[:-1], release[-1] + 1]
    for parts in ([*release, 0, 0, 1], next_one, [99999]):
        yield epoch + ".".join(map(str, parts))
    yield from (str(end), f"{end.base_version}.dev0")
    while release and release[-1] == 0:
        release.pop()
    if release:
        yield epoch + ".".join(map(str, [*release[:-1], release[-1] - 1, 99999]))
