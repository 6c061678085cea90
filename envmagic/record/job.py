"""What is to be recorded into one file, and the file as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envmagic.core.errors import Problem
from envmagic.core.model import Place
from envmagic.core.record_files import REQUIREMENTS
from envmagic.record import formats
from envmagic.record.environments import NotebookEnvironments
from envmagic.record.need import Needs
from envmagic.record.result import RecordOptions
from envmagic.requirements import RequirementsFile
from envmagic.requirements.record_file import RecordFile

__all__ = ["Job", "read", "relative"]


@dataclass(frozen=True)
class Job:
    """What is to be recorded into one file."""

    path: Path | None
    """None: it is shown, and nothing is written."""
    notebooks: Sequence[Path]
    needs: Mapping[Path, Needs | Problem]
    """Of each notebook, or why it could not be read."""
    options: RecordOptions
    place: Place
    environments: NotebookEnvironments

    @property
    def directory(self) -> Path:
        """Notebooks are named from here."""
        return self.path.parent if self.path is not None else self.place.directory

    def name_of(self, notebook: Path) -> str:
        """What the file calls `notebook`."""
        return relative(notebook, self.directory)


def read(path: Path | None) -> RecordFile:
    """The record file at `path`; an empty one for the screen (None), or where there is none.

    Raises `EnvmagicError` where it cannot be read.
    """
    if path is None:
        return RequirementsFile(Path(REQUIREMENTS))
    return formats.of(path).read(path) or RequirementsFile(path)


def relative(path: Path, directory: Path) -> str:
    """`path` as the record in `directory` calls it."""
    if path.parent == directory:
        return path.name
    return os.path.relpath(path, directory).replace(os.sep, "/")
