"""The files that `export` writes: what they may be called, and that nobody's text is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Frontend, Place
from envmagic.core.schema import ExportedFile
from envmagic.core.verbs import ExportRequest
from envmagic.operations import file_set
from envmagic.record import lock as locking
from envmagic.record.export import FORMATS, GROUP, File, binder, groups, signed
from envmagic.system import files, reading

__all__ = ["elsewhere", "is_ours", "merge", "target", "words", "write"]


def target(request: ExportRequest, place: Place) -> Path | None:
    """The file or directory that `--to` names; None without it.

    Raises `WordsError` (`bad-export-name`) where those who read the format would not look at it.
    """
    if request.to is None:
        return None
    format = FORMATS[request.format]
    path = Path(os.path.abspath(place.directory / Path(request.to).expanduser()))
    if path.is_dir() and not format.is_directory:
        path /= format.default
    wrong = path.is_file() if format.is_directory else not re.fullmatch(format.names, path.name)
    if wrong:
        what = "a file" if format.is_directory else f"no name of a file for {request.format}"
        raise WordsError(
            "bad-export-name",
            f"{display.shortened(path.name)} is {what}.",
            "For example",
            command=elsewhere(request, place, path.with_name(format.default)),
            subject=str(path),
        )
    return path


def elsewhere(request: ExportRequest, place: Place, path: Path) -> tuple[str, ...]:
    """The words that write the same beside `path`, where nothing is."""
    known = FORMATS[request.format]
    stem, suffix = (path.name, "") if known.is_directory else (path.stem, path.suffix)
    other, number = path, 0
    while other.exists():
        number += 1
        more = "export" if number == 1 else f"export-{number}"
        name = f"pylock.{more}.toml" if request.format == "pylock" else f"{stem}-{more}{suffix}"
        other = path.with_name(name)
    return words(request, place, other)


def words(request: ExportRequest, place: Place, to: Path) -> tuple[str, ...]:
    """What writes the same to `to`."""
    named = place.notebook if place.frontend is Frontend.TERMINAL else None
    below = named is None and to.is_relative_to(place.directory)
    return (
        *("export", request.format, *(("--hashes",) if request.hashes else ())),
        *(("--group", request.group) if request.group else ()),
        *("--to", str(to.relative_to(place.directory) if below else to)),
        *(("--notebook", str(named)) if named else ()),
    )


def is_ours(path: Path) -> bool:
    """Whether an export wrote `path`, and nobody since. Raises `EnvmagicError`."""
    try:
        if path.name == binder.RUNTIME:
            return signed.is_ours(path.with_name(binder.COMPANION)) and _is_told(path)
        return signed.is_ours(path) or _is_own_lock(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise files.unreadable(path, error) from error


def _is_own_lock(path: Path) -> bool:
    return path.suffix == ".toml" and locking.is_ours(path) and not locking.is_edited(path)


def _is_told(path: Path) -> bool:
    """Whether the requirements beside `path` say that it was written with them."""
    note = binder.note(reading.content(path).decode("utf-8", "replace"))
    return note.encode() in reading.content(path.with_name(binder.COMPANION))


def write(request: ExportRequest, place: Place, wanted: Mapping[Path, File]) -> list[ExportedFile]:
    """Make the files hold what they are to hold, all or none of them; which ones changed.

    Raises `EnvmagicError` (`not-ours`) where a person wrote one of them.
    """
    contents = {path: _content(path, file.text) for path, file in wanted.items()}
    return file_set.put(contents, is_ours, lambda path: _not_ours(request, place, path))


def merge(
    request: ExportRequest, place: Place, path: Path, requirements: Sequence[str]
) -> ExportedFile:
    """Put the dependency group into `path`, of which no other byte changes.

    Raises `EnvmagicError` where it is no TOML, or the group has no place in it.
    """
    group = request.group or GROUP
    while True:
        raw = file_set.held(path) or b""
        try:
            now = groups.merged(raw.decode("utf-8"), group, requirements).encode()
        except groups.NoPlace as error:
            raise EnvmagicError(
                "no-place",
                f"{display.user_path(path)} has no place for it: {error}.",
                f"Write `{group} = []` below [{groups.GROUPS}] there, or into another file",
                command=words(request, place, path.parent / request.format / path.name),
                subject=str(path),
            ) from error
        except ValueError as error:
            raise EnvmagicError(
                "bad-declaration",
                f"{display.user_path(path)} is no TOML: {display.shortened(str(error))}.",
                "Mend it there.",
                subject=str(path),
            ) from error
        if now == raw:
            return ExportedFile(file=str(path), changed=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        if files.write_over(path, raw, now):
            return ExportedFile(file=str(path), changed=True)


def _content(path: Path, text: str) -> bytes:
    unsigned = path.name == binder.RUNTIME or path.suffix == ".toml"
    return text.encode() if unsigned else signed.signed(text)


def _not_ours(request: ExportRequest, place: Place, path: Path) -> EnvmagicError:
    named = path.parent if FORMATS[request.format].is_directory else path
    return EnvmagicError(
        "not-ours",
        f"{display.user_path(path)} was not written by export, or somebody edited it since;"
        " it stays as it is.",
        "To write another",
        command=elsewhere(request, place, named),
        subject=str(path),
    )
