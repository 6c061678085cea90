"""What the requirements file beside the notebook says that holds for all that is installed: its
versions, and its options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import (
    Place,
)
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments.backends.base import InstallPlan
from envmagic.operations import validation
from envmagic.requirements.options import Given, Part, given

__all__ = ["as_found_beside", "constrained", "obeyed"]


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


def as_found_beside(wanted: InstallPlan, place: Place) -> InstallPlan:
    """`wanted` with the options of the file beside the notebook, so that a line that is recorded
    there can be installed by each verb."""
    beside = place.directory / REQUIREMENTS
    if not wanted or beside in wanted.files or not beside.is_file():
        return wanted
    lines = [line for line in requirements.read(beside).all_lines() if line.is_option]
    options = [
        _from(each, place.directory)
        for line in lines
        if not line.fault and line.includes is None
        for each in given(line.text)
        if each.option.part is Part.FINDING and not each.option.of_its_lines
    ]
    return replace(wanted, finding=tuple(each.line for each in options))


def obeyed(wanted: InstallPlan, *, changed: bool) -> list[str]:
    """A note about the options beside the notebook, where they had a part in what `changed`."""
    if not wanted.finding or not changed:
        return []
    return [
        f"{REQUIREMENTS} has options that hold here: {display.shortened(' '.join(wanted.finding))}"
    ]


def _from(each: Given, directory: Path) -> Given:
    """`each` with a path in it as it is from everywhere."""
    is_path = each.option.name == "--find-links" and "://" not in each.value
    return replace(each, value=str(directory / each.value)) if is_path else each


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
