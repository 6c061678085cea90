"""The lock beside a record as lines of a requirements file, with the hashes of their files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.core.record_files import LOCK, lock_of
from envmagic.environments.runtimes import standards
from envmagic.record.export.public import without_secrets
from envmagic.record.export.wanted import Line, Wanted
from envmagic.record.lock import text as lock_text
from envmagic.system import files, toml_files

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

__all__ = ["Locked", "beside"]

_PATH = re.compile(r'(?<=\bpath = ")(?!/|[A-Za-z]:)[^"\n]+(?=")')
_SELECTED = re.compile(r"\b(?:extras|dependency_groups)\b")


@dataclass(frozen=True)
class Locked:
    """What a lock has."""

    file: Path
    text: str
    """Without secrets."""
    lines: tuple[Line, ...] = ()
    left_out: tuple[str, ...] = ()
    had_secrets: bool = False

    @property
    def fits_linux(self) -> bool:
        said = lock_text.said(self.text)
        if "platform" in said:
            return said["platform"].startswith("linux")
        return "universal" in said or sys.platform == "linux"

    def text_from(self, other: Path) -> str:
        """`text` as it is in the directory `other`, from where relative paths count then."""

        def moved(path: re.Match[str]) -> str:
            return Path(os.path.relpath(self.file.parent / path[0], other)).as_posix()

        text = self.text if other == self.file.parent else _PATH.sub(moved, self.text)
        return text if text == self.text else lock_text.signed(lock_text.body(text), self.text)


def beside(wanted: Wanted, notebook: Path | None, again: tuple[str, ...]) -> Locked | None:
    """The lock of `notebook`, else of its directory; None where there is none.

    Raises `EnvmagicError` where it cannot be read, was edited or lacks what the record asks for;
    `again` are the words that write it.
    """
    own = [lock_of(notebook)] if notebook is not None else []
    files_here = (*own, wanted.directory / LOCK)
    file = next((file for file in files_here if file.is_file()), None)
    if file is None:
        return None
    again = (*again, *(("--to", str(file)) if file.name != LOCK else ()))
    raw = files.read(file).decode("utf-8", "replace").replace("\r\n", "\n")
    if lock_text.is_edited(raw):
        raise _behind(file, "it was edited by hand", again)
    lock = _parsed(file, raw, again)
    _agree(wanted, lock, file, again, whole="conda" not in lock_text.said(raw))
    text = "".join(map(without_secrets, raw.splitlines(keepends=True)))
    chosen = [package for package in lock.packages if not _SELECTED.search(str(package.marker))]
    left_out = [
        f"{package.name} (for an extra or a group of the lock)"
        for package in lock.packages
        if package not in chosen
    ]
    lines = tuple(_line(package, file.parent) for package in chosen)
    lines += _of_conda(wanted, lock) if "conda" in lock_text.said(raw) else ()
    return Locked(file, text, lines, tuple(left_out), text != raw)


def _parsed(file: Path, text: str, again: tuple[str, ...]) -> Pylock:
    shown = display.user_path(file)
    try:
        reader = standards.packaging("pylock")
    except ImportError as error:
        raise EnvmagicError(
            "packaging-too-old",
            f"packaging {metadata.version('packaging')} in this kernel is too old to read {shown}.",
            "Say the same in a terminal, where a newer one reads it.",
            subject=str(file),
        ) from error
    try:
        lock: Pylock = reader.Pylock.from_dict(toml_files.parsed(text))
    except (ValueError, reader.PylockValidationError) as error:
        raise EnvmagicError(
            "bad-declaration",
            f"{shown} is no lock: {display.shortened(str(error))}.",
            "To write it anew, move it away",
            command=again,
            subject=str(file),
        ) from error
    return lock


def _agree(
    wanted: Wanted, lock: Pylock, file: Path, again: tuple[str, ...], *, whole: bool
) -> None:
    """Raise `EnvmagicError` where `lock` has not what the record asks for; one that is not `whole`
    may lack what conda has."""
    held: dict[str, list[Package]] = {}
    for package in lock.packages:
        held.setdefault(normalized(package.name), []).append(package)
    for line in wanted.lines:
        asked = line.parsed.requirement
        if asked is None or (asked.marker is not None and not asked.marker.evaluate()):
            continue
        there = held.get(normalized(asked.name), [])
        fits = [p for p in there if _is_within(p.version, asked.specifier)]
        if not fits and (there or whole):
            raise _behind(file, f"it has not {asked.name} as {asked} asks for it", again)


def _is_within(version: Version | None, asked: SpecifierSet) -> bool:
    """As text: the lock's version may be of another packaging than the line's."""
    return version is None or asked.contains(str(version), prereleases=True)


def _of_conda(wanted: Wanted, lock: Pylock) -> tuple[Line, ...]:
    """What the record asks for and a lock beside conda's packages has not, since conda has it."""
    held = {normalized(package.name) for package in lock.packages}
    return tuple(line for line in wanted.lines if line.parsed.name not in held)


def _behind(file: Path, why: str, again: tuple[str, ...]) -> EnvmagicError:
    return EnvmagicError(
        "lock-behind",
        f"{file.name} is behind: {why}.",
        "To lock again",
        command=again,
        subject=str(file),
    )


def _line(package: Package, directory: Path) -> Line:
    marker = f" ; {package.marker}" if package.marker else ""
    if package.directory is not None:
        path = package.directory.path
        path = path if path.startswith((".", "/")) else f"./{path}"
        return Line(f"-e {path}" if package.directory.editable else path)
    if package.vcs is not None:
        at = package.vcs
        where = at.url or (directory / str(at.path)).as_uri()
        below = f"#subdirectory={at.subdirectory}" if at.subdirectory else ""
        where = f"{at.type}+{where}@{at.commit_id}{below}"
        return Line(without_secrets(f"{package.name} @ {where}{marker}"))
    if package.archive is not None:
        archive = package.archive
        where = archive.url or (directory / str(archive.path)).absolute().as_uri()
        told = _told([archive.hashes])
        return Line(without_secrets(f"{package.name} @ {where}{marker}"), told)
    held = [wheel.hashes for wheel in package.wheels or ()]
    held += [package.sdist.hashes] if package.sdist is not None else []
    version = f"=={package.version}" if package.version else ""
    return Line(f"{package.name}{version}{marker}", _told(held))


def _told(held: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """Those that installers take."""
    kinds = ("sha256", "sha384", "sha512")
    return tuple(sorted({f"{k}:{found[k]}" for found in held for k in kinds if k in found}))
