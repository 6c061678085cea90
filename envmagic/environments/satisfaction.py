"""Whether what is installed satisfies a requirement, extras and markers included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from envmagic.core.names import normalized
from envmagic.environments.inspection import Distributions

__all__ = [
    "applying",
    "closure",
    "is_met",
    "is_version",
    "missing",
    "names_of",
    "needed_by",
    "requirements_of",
]


def missing(
    requirements: Iterable[Requirement], installed: Distributions, python: str
) -> list[Requirement]:
    """Those of `requirements` that `installed` does not satisfy on Python `python` (`3.12.4`).

    One with a URL counts as satisfied when the distribution is there at all: what it was built
    from cannot be told from its files in every case, and `-U` installs it anew.
    """
    return [r for r in requirements if not _satisfied(r, installed, _markers(python))]


def closure(roots: Iterable[str], installed: Distributions, python: str) -> set[str]:
    """`roots` and everything installed that they need, as normalised names."""
    environment = _markers(python)
    found: set[str] = set()
    todo = [normalized(root) for root in roots]
    while todo:
        name = todo.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        for requirement in _requires(installed[name][1]):
            if _applies(requirement, {**environment, "extra": ""}):
                todo.append(normalized(requirement.name))
    return found


def needed_by(
    requirements: Iterable[Requirement], installed: Distributions, python: str
) -> set[str]:
    """Normalised names of what `requirements` need of what is `installed`, themselves among them,
    with the extras that they, or what they need, ask for."""
    environment = _markers(python)
    found: dict[str, set[str]] = {}
    todo = [r for r in requirements if _applies(r, {**environment, "extra": ""})]
    while todo:
        requirement = todo.pop()
        name = normalized(requirement.name)
        if name not in installed:
            continue
        extras = {"", *requirement.extras} - found.get(name, set())
        found.setdefault(name, set()).update(extras)
        for needed in _requires(installed[name][1]):
            if any(_applies(needed, {**environment, "extra": extra}) for extra in extras):
                todo.append(needed)
    return set(found)


def applying(texts: Iterable[str], python: str) -> list[Requirement]:
    """Those requirements among `texts` whose markers hold on Python `python`."""
    environment = {**_markers(python), "extra": ""}
    return [r for r in map(Requirement, texts) if _applies(r, environment)]


def is_met(requirement: str, version: str) -> bool:
    """Whether `version` is one that `requirement` allows."""
    return is_version(version) and Requirement(requirement).specifier.contains(
        version, prereleases=True
    )


def is_version(text: str) -> bool:
    """Whether `text` is a version that requirements can name; those of some packagers are not."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def names_of(texts: Iterable[str]) -> list[str]:
    """The normalised names of requirements."""
    return [normalized(Requirement(text).name) for text in texts]


def requirements_of(info: Path, python: str) -> list[Requirement]:
    """What the distribution with dist-info `info` needs on Python `python`, without extras."""
    environment = {**_markers(python), "extra": ""}
    return [r for r in _requires(info) if _applies(r, environment)]


def _satisfied(
    requirement: Requirement, installed: Distributions, environment: dict[str, str]
) -> bool:
    if not _applies(requirement, {**environment, "extra": ""}):
        return True
    name = normalized(requirement.name)
    if name not in installed:
        return False
    version, info = installed[name]
    if not requirement.specifier.contains(version, prereleases=True):
        return False
    return all(
        _satisfied(_without_marker(needed), installed, environment)
        for needed in _of_extras(requirement, info, environment)
    )


def _of_extras(
    requirement: Requirement, info: Path, environment: dict[str, str]
) -> Iterator[Requirement]:
    for extra in requirement.extras:
        for needed in _requires(info):
            with_extra = _applies(needed, {**environment, "extra": extra})
            if with_extra and not _applies(needed, {**environment, "extra": ""}):
                yield needed


def _requires(info: Path) -> Iterator[Requirement]:
    from email.parser import HeaderParser

    for name in ("METADATA", "PKG-INFO"):
        try:
            text = (info / name).read_text("utf-8", errors="replace")
        except OSError:
            continue
        for line in HeaderParser().parsestr(text).get_all("Requires-Dist", []):
            try:
                yield Requirement(line)
            except InvalidRequirement:
                continue
        return


def _applies(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def _without_marker(requirement: Requirement) -> Requirement:
    bare = Requirement(str(requirement))
    bare.marker = None
    return bare


def _markers(python: str) -> dict[str, str]:
    short = ".".join(python.split(".")[:2])
    return {"python_version": short, "python_full_version": python}
