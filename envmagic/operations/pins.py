"""The versions beside the notebook, which hold where nothing else is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import (
    Place,
)
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments.backends.base import InstallPlan
from envmagic.operations import validation

__all__ = ["constrained"]


def constrained(wanted: InstallPlan, place: Place) -> tuple[InstallPlan, list[Problem]]:
    """`wanted` held to the pins recorded beside the notebook, and a warning for each that cannot.

    `-U` ignores the pins, and a pin that contradicts what is asked for now is dropped.
    """
    beside = place.directory / REQUIREMENTS
    if wanted.upgrade or not beside.is_file():
        return wanted, []
    asked = {r.name.lower(): r for r in map(requirements.requirement, wanted.requirements) if r}
    pins: list[str] = []
    problems: list[Problem] = []
    for pin in _pins(beside):
        other = asked.get(pin.name.lower())
        if other is not None and _contradicts(pin, other):
            problems.append(
                Problem(
                    "pin-dropped",
                    f"{pin} in {beside.name} contradicts {other}; the pin was not used.",
                    severity=Severity.WARNING,
                    subject=pin.name,
                )
            )
        else:
            pins.append(str(pin))
    return replace(wanted, constraints=tuple(pins)), problems


def _pins(file: Path) -> list[Requirement]:
    found = []
    for line in validation.lines_of(file):
        requirement = line.requirement
        if requirement is not None and requirement.specifier and not requirement.url:
            requirement.extras = set()  # constraints must not have any
            found.append(requirement)
    return found


def _contradicts(pin: Requirement, asked: Requirement) -> bool:
    exact = [
        s.version for s in pin.specifier if s.operator in {"==", "==="} and "*" not in s.version
    ]
    return any(not asked.specifier.contains(version, prereleases=True) for version in exact)
