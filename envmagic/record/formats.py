"""The formats that a record is kept in, as one table; what a file of them is: `RecordFile`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from envmagic import requirements
from envmagic.core.record_files import ENVIRONMENTS, REQUIREMENTS
from envmagic.requirements import Block, environment_yml
from envmagic.requirements.record_file import RecordFile

__all__ = ["FORMATS", "Format", "of"]


class Format(NamedTuple):
    """One format of record files."""

    names: tuple[str, ...]
    """What files of it are called, in lower case."""
    read: Callable[[Path], RecordFile | None]
    """What a file holds; an empty one or None where there is none. Raises `EnvmagicError`."""
    verify: Callable[[RecordFile, bytes, Block], None]
    """Raises `EnvmagicError` where `bytes`, which is the file with that block, would be read
    otherwise by the tools that the format is for."""
    by_name: bool = True
    """`record --to` may name a file of it."""


def _unverified(file: RecordFile, content: bytes, block: Block) -> None:
    """pip reads line by line: nothing of ours changes what another line means."""


def _proven(file: RecordFile, content: bytes, block: Block) -> None:
    from envmagic.record.conda import environment_yml as conda

    assert isinstance(file, environment_yml.CondaFile)
    conda.verify(file, content, block)


FORMATS = (
    Format((REQUIREMENTS,), requirements.read, _unverified),
    Format(ENVIRONMENTS, environment_yml.read, _proven, by_name=False),
)
"""The first is that of every other name."""


def of(path: Path) -> Format:
    """The format of `path`, by its name."""
    return next((known for known in FORMATS if path.name.lower() in known.names), FORMATS[0])
