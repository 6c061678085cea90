"""Which notebook files lie in a tree, as git and the eye see them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.record import formats
from envmagic.system import process

if TYPE_CHECKING:
    from envmagic.system.process import CommandFailed

__all__ = ["RECORDS", "below"]


RECORDS = tuple(name for known in formats.FORMATS for name in known.names)
"""Files that hold a record of the notebooks beside them."""


_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


def below(directory: Path, problems: list[Problem], *, deep: bool = True) -> list[Path]:
    """Notebooks and files that may hold a record in `directory`, and with `deep` below it."""
    listed = _git_listed(directory, problems, deep=deep)
    paths = listed if listed is not None else _walked(directory, deep=deep)
    return [path for path in paths if path.is_file()]


def _git_listed(directory: Path, problems: list[Problem], *, deep: bool) -> list[Path] | None:
    """What git does not ignore; None where there is no repository, or git cannot say."""
    if not any((parent / ".git").exists() for parent in (directory, *directory.parents)):
        return None
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
