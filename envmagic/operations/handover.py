"""What follows once an environment is ready: the notebook moves there, and its record is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Environment, Frontend, How, Kernel, Place, Progress, Switch
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.schema import RecordData, SwitchData
from envmagic.environments import backends
from envmagic.environments.inventory import Inventory
from envmagic.system import prefix_layout

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "Recorded",
    "meanwhile",
    "move",
    "record_behind",
    "recorded_state",
    "start_recording",
]


@dataclass(frozen=True)
class Recorded:
    """What became of the record."""

    data: RecordData | None = None
    problems: tuple[Problem, ...] = ()
    changed: bool = False


@contextlib.contextmanager
def meanwhile(wanted: bool, prefix: Path, place: Place) -> Iterator[Switch | None]:
    """What the kernel for `prefix` can be begun with, where the notebook will move there; nothing
    of that is left when what is inside the `with` block fails."""
    switch = place.switch
    if not wanted or switch is None or prefix_layout.same(prefix, place.prefix):
        yield None
        return
    try:
        yield switch
    except BaseException:
        switch.give_up()
        raise


def move(
    wanted: bool,
    kernel: Kernel,
    prefix: Path,
    place: Place,
    progress: Progress,
    *,
    drop: bool = False,
    keep_saved_name: bool = False,
    carry: bool = True,
) -> SwitchData:
    """Move the notebook to `kernel`, if that is wanted and it is not there already.

    Its record is of that environment from then on.
    """
    if wanted and place.switch is not None and place.notebook is not None:
        from envmagic.record import recorded_with

        recorded_with.note(place.notebook, prefix)
    if prefix_layout.same(prefix, place.prefix) and (
        place.switch is None or place.switch.is_current(kernel)
    ):
        return SwitchData(how=How.ALREADY.value, kernel=kernel.name, message="", hint="")
    if not wanted or place.switch is None:
        return SwitchData(how=How.NONE.value, kernel=kernel.name, message="", hint="")
    switched = place.switch.to(
        kernel, progress, drop=drop, keep_saved_name=keep_saved_name, carry=carry
    )
    return SwitchData(
        how=switched.how.value, kernel=switched.kernel, message=switched.message, hint=switched.hint
    )


def start_recording(
    place: Place,
    environment: Environment,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> Recorded:
    """Turn recording on for the notebook at `place`, with what was `installed` by name, and
    without what was `removed`."""
    from envmagic.record.of_notebook import record_notebook

    installed = backends.of(environment).as_requirements(installed)  # the record reads one language
    return Recorded(*record_notebook(place, environment, installed, removed))


def record_behind(place: Place, there: Inventory) -> tuple[Problem, ...]:
    """Whether the record beside `place`, which cannot go along as no notebook is named or a program
    runs it, asks for something else than what is `there`."""
    from envmagic import requirements
    from envmagic.core import display
    from envmagic.environments import satisfaction

    lines = requirements.read(place.directory / REQUIREMENTS).all_lines()
    asked = [each.requirement for each in lines if each.requirement and not each.constraint]
    lacking = satisfaction.missing(asked, there.distributions, there.environment.version)
    if not lacking:
        return ()
    what = display.few([_otherwise(each, there) for each in lacking])
    said = f"{REQUIREMENTS} has other versions than are installed now: {what}."
    to = "To write those that are"
    return (Problem("record-behind", said, to, Severity.INFO, command=("record",)),)


def _otherwise(asked: Requirement, there: Inventory) -> str:
    """`six==1.16.0 → 1.17.0`."""
    now = there.versions.get(normalized(asked.name))
    return f"{asked} → {now}" if now is not None else f"{asked} is not there"


def recorded_state(place: Place) -> RecordData | None:
    """The record beside the notebook as it stands, in a terminal that names none the one in the
    directory; None when there is none."""
    from envmagic.record.of_notebook import state_of

    if place.notebook is None and place.frontend is Frontend.NOTEBOOK:
        return None
    return state_of(place.notebook or place.directory / REQUIREMENTS)
