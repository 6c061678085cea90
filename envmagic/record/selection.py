"""Which notebooks a `record` is about, and which environment each runs in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError, Problem, WordsError
from envmagic.core.model import Frontend, Place
from envmagic.core.record_files import BEGIN
from envmagic.record.notebook_files import RECORDS, below
from envmagic.system import reading

__all__ = ["Chosen", "choose", "holds_record"]

_SUFFIXES = (".ipynb", ".py", ".md", ".qmd", ".rmd")
_MARKER = BEGIN.encode()


@dataclass
class Chosen:
    """What the words of a `record` name."""

    notebooks: dict[Path, None] = field(default_factory=dict)
    """Absolute, in their order."""
    directories: dict[Path, None] = field(default_factory=dict)
    """Where a record is to be looked after though no notebook need be left there."""
    problems: list[Problem] = field(default_factory=list)


def choose(words: tuple[str, ...], place: Place) -> Chosen:
    """The notebooks that `words` name: files, all below directories, those beside a record.

    Without words the notebook of `place`, or in a terminal all below the working directory. Raises
    `WordsError` (`no-notebook`) when there is nothing of that name, or no notebook there.
    """
    if not words and place.notebook is not None:
        return Chosen({place.notebook: None})
    if not words and place.frontend is Frontend.NOTEBOOK:
        raise EnvmagicError(
            "no-notebook",
            "Which notebook this is cannot be told, so it has no record.",
            "Name it (record NOTEBOOK.ipynb), or print what this session needs",
            command=("record", "--to", "-"),
        )
    chosen = Chosen()
    places = [
        Path(os.path.abspath(place.directory / Path(word).expanduser())) for word in words or (".",)
    ]
    for path in places:
        if path.is_dir():
            _take(chosen, path, below(path, chosen.problems))
        elif path.name in RECORDS and path.is_file():
            _take(chosen, path.parent, below(path.parent, chosen.problems, deep=False))
            chosen.directories[path.parent] = None
        elif path.suffix.lower() in _SUFFIXES and path.is_file():
            chosen.notebooks[path] = None
        else:
            reason = "is no notebook" if path.exists() else "does not exist"
            raise WordsError("no-notebook", f"{user_path(path)} {reason}.", subject=str(path))
    if not chosen.notebooks and not chosen.directories:
        raise WordsError(
            "no-notebook",
            f"There is no notebook in {' or '.join(map(user_path, places))}; what git ignores is"
            " left out, and so are environments and hidden directories.",
            "Name one",
            command=("record", "NOTEBOOK.ipynb"),
        )
    return chosen


def _take(chosen: Chosen, directory: Path, paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        if path.suffix == ".ipynb":
            chosen.notebooks[path] = None
        elif path.parent not in chosen.directories and holds_record(path):
            chosen.directories[path.parent] = None


def holds_record(path: Path) -> bool:
    """Whether envmagic keeps a record in `path`."""
    try:
        return _MARKER in reading.content(path).replace(b"\0", b"")  # UTF-16 too
    except OSError:
        return False
