"""Whether what an environment holds and what lies behind it make a kernel together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import Requirement

from envmagic.core.names import normalized
from envmagic.environments.inspection import Distributions
from envmagic.environments.satisfaction import applying, is_version, requirements_of

__all__ = ["Conflict", "conflict"]


@dataclass(frozen=True)
class Conflict:
    """A requirement of a kernel's parts that is not met."""

    asker: str
    """Whose it is, with its version: `ipykernel 7.4.0`; empty when it is ours."""
    requirement: Requirement
    version: str
    """What is there; empty for nothing."""

    def __str__(self) -> str:
        who = self.asker or "a kernel"
        there = f"{self.requirement.name} {self.version}" if self.version else "none"
        return f"{who} needs {self.requirement}, and there is {there}"


def conflict(
    roots: Iterable[str], held: Distributions, behind: Distributions, python: str
) -> Conflict | None:
    """The first requirement, from `roots` on, that is not met; None when all are.

    `held` goes before `behind`, as on `sys.path`. `python` is a version, `3.12.4`.
    """
    there = {**behind, **held}
    asked = [("", requirement) for requirement in applying(roots, python)]
    seen: set[str] = set()
    for asker, requirement in asked:
        name = normalized(requirement.name)
        version, info = there.get(name, ("", None))
        fits = is_version(version) and requirement.specifier.contains(version, prereleases=True)
        if info is None or not fits:
            return Conflict(asker, requirement, version)
        if name not in seen:
            seen.add(name)
            asked += [(f"{name} {version}", r) for r in requirements_of(info, python)]
    return None
