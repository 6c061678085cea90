"""What is asked to be installed, checked before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Place
from envmagic.environments import backends
from envmagic.environments.backends.base import Backend, InstallPlan
from envmagic.operations import other_formats
from envmagic.operations.corrections import meant
from envmagic.requirements import RequirementLine, numbered
from envmagic.system import files

__all__ = ["body_lines", "check", "existing_file", "lines_of"]


def check(wanted: InstallPlan, backend: Backend) -> None:
    """Refuse what is no requirement, options that no requirements file has, and files that are for
    another kind of environment than that of `backend`; those that are included, too."""
    for text in wanted.requirements:
        if backend.understands(text):
            continue
        _refuse_other_words(text, "")
        lines = requirements.parse_lines(text, "")
        _refuse_options(text, "")
        if wanted.directory is not None:
            for included in (i for line in lines for i in _included(line, wanted.directory)):
                _check_file(included)
    for file in wanted.files:
        own = backends.of_file(file)
        if own is None:
            _check_file(file)
        elif own.name is backend.name:
            own.check_file(file)
        else:
            name = own.name.value
            raise EnvmagicError(
                "other-backend",
                f"{display.user_path(file)} is for {name},"
                f" and this environment is none of {name}'s.",
                "Make one that is",
                command=("create", other_formats.new_name(file, name), "-r", str(file)),
                subject=str(file),
            )


def body_lines(body: str, source: str, backend: Backend) -> tuple[str, ...]:
    """The lines of a `%%env` body, comments cut. Raises with the number of a malformed one, as the
    notebook counts: the line of the magic is the first."""
    text = f"\n{body}"
    for number, line in numbered(text):
        if not backend.understands(line) or line.endswith(","):
            _refuse_other_words(line, f"Line {number} of {source} is no requirement: ")
            _refuse_options(line, f"Line {number} of {source}: ")
    return backend.lines(text, source)


def _refuse_other_words(text: str, start: str) -> None:
    """Raise where `text` is no line that pip reads and it is certain which one was meant; the
    message has `start` before what it quotes."""
    if _is_line(text):
        return
    words = meant(text)
    if not words:
        return
    shown = display.quoted(text)
    *first, last = words
    raise EnvmagicError(
        "bad-requirement",
        f"{start}{shown}." if start else f"{shown} is no requirement.",
        f"Write a line for each: {', '.join(first)} and {last}"
        if first and start
        else f"Write: {' '.join(words if start else map(display.typed, words))}",
        subject=display.shortened(text),
    )


def _is_line(text: str) -> bool:
    if text.startswith("- ") or text.endswith(","):  # an item of a list, or one cut off
        return False
    try:
        return not any(line.fault for line in requirements.parse_lines(text, ""))
    except EnvmagicError:
        return False


def _refuse_options(text: str, start: str) -> None:
    """Raise where `text`, if it is a line that pip reads, has an option that is not; the message
    has `start` before what is wrong."""
    try:
        lines = requirements.parse_lines(text, "")
    except EnvmagicError:
        return  # which says that it is no line
    for line in lines:
        if line.fault:
            shown = display.quoted(text)
            raise EnvmagicError(
                "bad-requirement",
                f"{start}{line.fault}: {shown}." if start else f"{shown}: {line.fault}.",
                "Write requirements such as pandas>=2, -e PATH, -r FILE or --index-url URL.",
                subject=display.shortened(text),
            )


def _check_file(file: Path) -> None:
    """Refuse a requirements file, or one that it includes, in which pip would refuse a line."""
    seen: set[Path] = set()
    waiting = [file]
    while waiting:
        each = waiting.pop()
        if each.resolve() in seen:
            continue
        seen.add(each.resolve())
        for line in lines_of(each):
            _refuse_options(line.text, f"Line {line.line} of {display.user_path(each)}: ")
            waiting += _included(line, each.parent)


def _included(line: RequirementLine, directory: Path) -> Iterator[Path]:
    """The file that `line` includes, seen from `directory`, where it is one that is there. Raises
    where it is of a format that pip does not read."""
    name = line.includes
    if name is None or "://" in name or not (directory / name).is_file():
        return
    other_formats.refuse_included(directory / name, directory)
    yield directory / name


def lines_of(file: Path) -> tuple[RequirementLine, ...]:
    """The lines of the requirements file `file`, whatever its encoding."""
    try:
        text = requirements.decode(files.read(file))[0]
    except UnicodeDecodeError as error:
        raise EnvmagicError(
            "unreadable",
            f"{display.user_path(file)} cannot be read: {error}.",
            subject=str(file),
        ) from error
    shown = display.user_path(file)
    requirements.lines_with_included(file, text)
    try:
        return requirements.parse_lines(text, shown)
    except EnvmagicError:
        for number, line in numbered(text):
            _refuse_other_words(line, f"Line {number} of {shown} is no requirement: ")
        raise


def existing_file(word: str, place: Place, installs: tuple[str, ...]) -> Path:
    """The file `word` means, seen from `place`; `installs` are the words that a requirement is said
    behind. Raises `WordsError` when it is not there, or is of a format that pip does not read."""
    path = place.directory / os.path.expanduser(word)
    if not path.is_file():
        reason = "is no plain file" if path.exists() else "does not exist"
        raise WordsError("no-file", f"{display.user_path(path)} {reason}.", subject=str(path))
    other_formats.refuse(path, place.directory, installs)
    return path
