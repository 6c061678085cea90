"""Which notebooks a `record` is about, and which environment each runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Door, Place

if TYPE_CHECKING:
    from envmagic.system.process import CommandFailed

__all__ = ["Chosen", "choose"]

RECORDS = ("requirements.txt", "environment.yml", "environment.yaml")
"""Files that hold a record of the notebooks beside them."""
_SUFFIXES = (".ipynb", ".py", ".md", ".qmd", ".rmd")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
_MARKER = b"# >>> envmagic "


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
    if not words and place.door is Door.NOTEBOOK:
        raise EnvmagicError(
            "no-notebook",
            "Which notebook this is cannot be told, so it has no record.",
            "Name it: %env record NOTEBOOK.ipynb; or print what this session needs:"
            " %env record --to -",
        )
    chosen = Chosen()
    places = [
        Path(os.path.abspath(place.directory / Path(word).expanduser())) for word in words or (".",)
    ]
    for path in places:
        if path.is_dir():
            _take(chosen, path, _below(path, chosen.problems))
        elif path.name in RECORDS and path.is_file():
            _take(chosen, path.parent, _below(path.parent, chosen.problems, deep=False))
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
            "Name one: %env record NOTEBOOK.ipynb",
        )
    return chosen


def _take(chosen: Chosen, directory: Path, paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        if path.suffix == ".ipynb":
            chosen.notebooks[path] = None
        elif path.parent not in chosen.directories and _holds_record(path):
            chosen.directories[path.parent] = None


def _holds_record(path: Path) -> bool:
    try:
        return _MARKER in path.read_bytes().replace(b"\0", b"")  # UTF-16 too
    except OSError:
        return False


def _below(directory: Path, problems: list[Problem], *, deep: bool = True) -> list[Path]:
    """Notebooks and files that may hold a record in `directory`, and with `deep` below it."""
    listed = _git_listed(directory, problems, deep=deep)
    paths = listed if listed is not None else _walked(directory, deep=deep)
    return [path for path in paths if path.is_file()]


def _git_listed(directory: Path, problems: list[Problem], *, deep: bool) -> list[Path] | None:
    """What git does not ignore; None where there is no repository, or git cannot say."""
    if not any((parent / ".git").exists() for parent in (directory, *directory.parents)):
        return None
    from envmagic.system import process

    # without -z, names come quoted: what is no UTF-8 would not survive as text
    words = ["git", "-C", str(directory), "-c", "core.quotePath=true", "ls-files", "-co"]
    words += ["--exclude-standard", "--", *_patterns(deep=deep)]
    try:
        names = process.run(words, timeout=60, env={"LC_ALL": "C"}).stdout.splitlines()
    except process.CommandFailed as error:
        problem = _git_failed(directory, error)
        problems += [problem] if problem not in problems else []
        return None
    paths = [directory / _unquoted(name) for name in dict.fromkeys(names) if name]
    skipped = {p: _is_skipped(p, directory) for p in {path.parent for path in paths}}
    return [path for path in paths if not skipped[path.parent]]


def _patterns(*, deep: bool) -> list[str]:
    if not deep:
        return [f":(glob){name}" for name in ("*.ipynb", *RECORDS)]
    return ["*.ipynb", *RECORDS, *(f"*/{name}" for name in RECORDS)]


def _git_failed(directory: Path, error: CommandFailed) -> Problem:
    remedy = re.search(r"git config --global --add safe\.directory \S.*", error.stderr)
    reason = "it belongs to somebody else" if remedy else error.last_line
    return Problem(
        "git-failed",
        f"git does not list {user_path(directory)} ({reason}), so what it ignores is not left out.",
        remedy[0] if remedy else "",
        Severity.WARNING,
        str(directory),
    )


_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


def _unquoted(name: str) -> str:
    """A path as git quotes it: octal and C escapes of bytes, between quotation marks."""
    if not name.startswith('"'):
        return name

    def byte(match: re.Match[str]) -> str:
        code = match[1]
        return chr(_ESCAPES[code] if code in _ESCAPES else int(code, 8))

    plain = re.sub(r"\\([0-7]{3}|.)", byte, name[1:-1])
    return os.fsdecode(plain.encode("latin-1"))


def _is_skipped(inside: Path, top: Path) -> bool:
    """Whether the directory `inside` is of an environment, hidden or the like, seen from `top`."""
    while inside != top:
        if _is_foreign(str(inside)):
            return True
        inside = inside.parent
    return False


def _is_foreign(directory: str) -> bool:
    """No place for somebody's notebooks: hidden, of an environment, or of a tool."""
    name = os.path.basename(directory)
    return (
        name.startswith(".")
        or name in _SKIPPED
        or os.path.exists(os.path.join(directory, "pyvenv.cfg"))
        or os.path.exists(os.path.join(directory, "conda-meta"))
    )


def _walked(directory: Path, *, deep: bool) -> Iterator[Path]:
    for base, directories, files in os.walk(directory):
        wanted = (name for name in files if name.endswith(".ipynb") or name in RECORDS)
        yield from (Path(base, name) for name in wanted)
        if not deep:
            return
        directories[:] = [d for d in directories if not _is_foreign(os.path.join(base, d))]
