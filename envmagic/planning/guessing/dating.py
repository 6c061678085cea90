"""When what a notebook imports was last changed, by its history in git."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from envmagic.system import process

__all__ = ["imports_changed", "last_commit"]

_SECONDS = 20.0
_COMMITS = 12  # that are looked at
_FILES = 25  # of that kind; a commit that touches more is an edit of all, not of this one
_IMPORT = r"(^|[\"' ])(import|from) +[A-Za-z_]"


def imports_changed(notebook: Path) -> datetime | None:
    """The time of the newest commit that touched a line of `notebook` with an import in it.

    Commits that edit very many notebooks at once, reformatting or renaming, are passed over, if
    there is another. None where there is no such history: no git, or a file that is not in it.
    """
    words = ["log", f"-{_COMMITS}", "--format=%H %ct", "-G", _IMPORT, "--", notebook.name]
    rows = [line.split() for line in _git(notebook, words).splitlines()]
    times = {row[0]: datetime.fromtimestamp(int(row[1]), timezone.utc) for row in rows}
    for commit, time in times.items():
        if _touched(notebook, commit) <= _FILES:
            return time
    return next(iter(times.values()), None)


def last_commit(file: Path) -> datetime | None:
    """The time of the newest commit that touched `file`; None where git knows of none."""
    said = _git(file, ["log", "-1", "--format=%ct", "--", file.name]).strip()
    return datetime.fromtimestamp(int(said), timezone.utc) if said.isdigit() else None


def _touched(notebook: Path, commit: str) -> int:
    """How many notebooks a commit touches."""
    words = ["diff-tree", "--root", "--no-commit-id", "--name-only", "-r", commit]
    names = _git(notebook, words).splitlines()
    return sum(name.rstrip('"').endswith(notebook.suffix) for name in names)


def _git(notebook: Path, words: list[str]) -> str:
    try:
        ran = process.run(["git", *words], cwd=notebook.parent, timeout=_SECONDS)
    except process.CommandFailed:
        return ""
    return ran.stdout
