"""What recording a notebook came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import Problem
from envmagic.core.schema import RecordData, RecordedNotebook
from envmagic.record.succession import Succession
from envmagic.requirements import Block, Pin

if TYPE_CHECKING:
    from envmagic.record.conda import partition

__all__ = ["Outcome", "RecordOptions", "data_of", "unique"]


@dataclass(frozen=True)
class RecordOptions:
    """A `record` with its words understood."""

    pin: Pin | None = None
    state: str | None = None
    check: bool = False
    file: Path | None = None
    """`--to FILE`; None: beside each notebook."""
    print: bool = False
    """`--to -`."""

    @property
    def beside(self) -> bool:
        """Each notebook's record is beside it, and conda's part too."""
        return self.file is None and not self.print


@dataclass(frozen=True)
class Outcome:
    """What recording into one file came to."""

    file: Path | None
    block: Block
    changed: bool
    notebooks: list[RecordedNotebook]
    problems: list[Problem]
    lines: list[str]
    diff: str = ""
    parts: tuple[partition.CondaPart, ...] = ()
    """What conda has of the notebooks' needs, for `environment.yml`."""
    conda: Path | None = None
    """The `environment.yml` that changed, or would."""
    differs: bool = False
    """The requirements file itself changed, or would."""
    succession: Succession = field(default_factory=Succession)
    """What became of notebooks that are gone."""
    unwritten: tuple[str, ...] = ()
    """Lines of conda's that could be written nowhere."""
    written: bool = True
    """False: there is nothing to write, or nothing could be written."""


def data_of(outcomes: Sequence[Outcome], asked: RecordOptions) -> RecordData:
    """Of several files those are named that there are; nothing is said of the others' lines."""
    of_files = [o for o in outcomes if o.file is not None]
    first = of_files[0] if len(of_files) == 1 else None
    told = [o for o in outcomes if o.written] or list(outcomes)
    data = RecordData(
        file=str(first.file) if first else None,
        files=[str(f) for o in told for f in (o.file, o.conda) if f is not None],
        changed=not asked.check and any(o.changed for o in outcomes),
        notebooks=[n for o in outcomes for n in o.notebooks],
        lines=unique(line for o in told for line in o.lines),
    )
    if first is not None:
        data["state"] = "on" if first.block.recording else "off"
        data["pin"] = first.block.pin.value
    unwritten = unique(line for o in outcomes for line in o.unwritten)
    if unwritten:
        data["unwritten"] = unwritten
    if asked.check:
        data["diff"] = "".join(o.diff for o in outcomes)
    return data


def unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
