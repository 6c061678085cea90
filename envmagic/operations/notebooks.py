"""Which notebooks a `record` is about, and which environment each runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from envmagic.errors import EnvmagicError, WordsError
from envmagic.home import user_path
from envmagic.model import Door, Place

__all__ = ["choose", "environment_of"]

_SUFFIXES = (".ipynb", ".py", ".md", ".qmd", ".rmd")
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


def choose(words: tuple[str, ...], place: Place) -> list[Path]:
    """The notebooks that `words` name: files, and all below directories, absolute and sorted.

    Without words the notebook of `place`, or in a terminal all below the working directory. Raises
    `WordsError` (`no-notebook`) when there is nothing of that name, or no notebook there.
    """
    if not words and place.notebook is not None:
        return [place.notebook]
    if not words and place.door is Door.NOTEBOOK:
        raise EnvmagicError(
            "no-notebook",
            "Which notebook this is cannot be told, so it has no record.",
            "Name it: %env record NOTEBOOK.ipynb",
        )
    found: dict[Path, None] = {}
    places = [
        Path(os.path.abspath(place.directory / Path(word).expanduser())) for word in words or (".",)
    ]
    for path in places:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path)))
        elif path.suffix.lower() in _SUFFIXES and path.is_file():
            found[path] = None
        else:
            reason = "is no notebook" if path.exists() else "does not exist"
            raise WordsError("no-notebook", f"{user_path(path)} {reason}.", subject=str(path))
    if not found:
        raise WordsError(
            "no-notebook",
            f"There is no notebook in {' or '.join(map(user_path, places))}; what git ignores is"
            " left out.",
            "Name one: %env record NOTEBOOK.ipynb",
        )
    return list(found)


def environment_of(kernel: str | None, directory: Path) -> Path | None:
    """The prefix of the notebook's kernelspec, else of `.venv` beside it, else None.

    Never that of the Python this command runs in, which would be there by accident.
    """
    from envmagic import probe

    prefix = _of_kernel(kernel) if kernel else None
    if prefix is None and probe.is_environment(directory / ".venv"):
        prefix = directory / ".venv"
    if prefix is None or os.path.realpath(prefix) == os.path.realpath(sys.prefix):
        return None
    return prefix if probe.is_environment(prefix) else None


def _of_kernel(name: str) -> Path | None:
    from envmagic import kernels

    kernel = kernels.find(name)
    if kernel is None or not kernel.argv:
        return None
    if kernel.prefix is not None:
        return kernel.prefix
    python = Path(kernel.argv[0])
    return python.parent.parent if python.is_absolute() else None


def _below(directory: Path) -> list[Path]:
    listed = _git_listed(directory)
    return sorted(listed if listed is not None else _walked(directory))


def _git_listed(directory: Path) -> list[Path] | None:
    """What git does not ignore; None where there is no git or no repository."""
    if not any((parent / ".git").exists() for parent in (directory, *directory.parents)):
        return None
    from envmagic import process

    words = ["git", "-C", str(directory), "ls-files", "-coz", "--exclude-standard", "--", "*.ipynb"]
    try:
        names = process.run(words, timeout=60).stdout.split("\0")
    except process.CommandFailed:
        return None
    paths = (directory / name for name in dict.fromkeys(names) if name)
    return [p for p in paths if not _is_skipped(p.relative_to(directory)) and p.is_file()]


def _is_skipped(relative: Path) -> bool:
    return any(part in _SKIPPED or part == ".ipynb_checkpoints" for part in relative.parts)


def _walked(directory: Path) -> Iterator[Path]:
    for base, directories, files in os.walk(directory):
        directories[:] = [
            name
            for name in directories
            if not name.startswith(".")
            and name not in _SKIPPED
            and not os.path.exists(os.path.join(base, name, "pyvenv.cfg"))
            and not os.path.exists(os.path.join(base, name, "conda-meta"))
        ]
        yield from (Path(base, name) for name in files if name.endswith(".ipynb"))
