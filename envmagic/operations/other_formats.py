"""Files that say what is needed and that pip does not read line by line, told by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import WordsError
from envmagic.core.record_files import ENVIRONMENTS

__all__ = ["new_name", "refuse", "refuse_included"]


@dataclass(frozen=True)
class _Format:
    """A kind of file, and what takes it."""

    names: str
    """An expression for the whole name in lower case."""
    what: str
    hint: str
    command: tuple[str, ...] = ()
    """An empty word is the verb that was said, with what a requirement is said behind."""
    tool_command: tuple[str, ...] = ()
    """In both `{file}` and `{directory}` are filled in."""


_PROJECT = "the file of a project"
_LOCK = "a lock file"
_FORMATS = (
    _Format(r".*\.ipynb", "a notebook", "To write what it needs", ("record", "{file}")),
    _Format(
        r"pyproject\.toml|setup\.(py|cfg)",
        _PROJECT,
        "To install the project",
        ("", "{directory}"),
    ),
    _Format(r"uv\.lock", f"uv's {_LOCK[2:]}", "What takes it is", (), ("uv", "sync")),
    _Format(
        r"pylock(\.[^.]+)?\.toml",
        _LOCK,
        "What takes it is",
        (),
        ("uv", "pip", "sync", "{file}"),
    ),
    _Format(r"poetry\.lock", f"Poetry's {_LOCK[2:]}", "What takes it is", (), ("poetry", "sync")),
    _Format(r"pdm\.lock", f"PDM's {_LOCK[2:]}", "What takes it is", (), ("pdm", "sync")),
    _Format(r"pixi\.(lock|toml)", "a file of pixi's", "What takes it is", (), ("pixi", "install")),
    _Format(r"pipfile(\.lock)?", "a file of pipenv's", "What takes it is", (), ("pipenv", "sync")),
    _Format(r".*\.(whl|zip|tar\.(gz|bz2|xz)|tgz)", "a package", "To install it", ("", "{file}")),
)


def refuse(file: Path, directory: Path, installs: tuple[str, ...]) -> None:
    """Raise `WordsError` where `file` is called as one of another format, saying what takes it.

    It is named as seen from `directory`; `installs` are the words that a requirement is said
    behind.
    """
    name = file.name.lower()
    found = next((f for f in _FORMATS if re.fullmatch(f.names, name)), None)
    if found is None:
        return
    shown = {"file": _typed(file, directory), "directory": _typed(file.parent, directory)}
    raise WordsError(
        "no-requirements",
        f"{display.user_path(file)} is {found.what}, not a requirements file.",
        found.hint,
        command=tuple(
            w for word in found.command for w in ([word.format(**shown)] if word else installs)
        ),
        tool_command=tuple(word.format(**shown) for word in found.tool_command),
        subject=str(file),
    )


def refuse_included(file: Path, directory: Path) -> None:
    """As `refuse`, for a file that a line in `directory` includes; nor is conda's read there."""
    refuse(file, directory, ("install",))
    if file.name.lower() in ENVIRONMENTS:
        raise WordsError(
            "no-requirements",
            f"{display.user_path(file)} is conda's list, not a requirements file.",
            "To make an environment of it",
            command=("create", new_name(file, "conda"), "-r", _typed(file, directory)),
            subject=str(file),
        )


def new_name(file: Path, backend: str) -> str:
    """What an environment of that `backend` may be called which is made of `file`."""
    return names.suggest(f"{file.absolute().parent.name}-{backend}")


def _typed(path: Path, directory: Path) -> str:
    """`path` as a word that means a path, from `directory` where it is below."""
    if path.is_relative_to(directory):
        below = path.relative_to(directory).as_posix()
        return "." if below == "." else f"./{below}"
    return str(path)
