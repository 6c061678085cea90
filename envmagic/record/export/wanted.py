"""What a record asks for, as every format of an export takes it: lines, options, Python."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.record_files import REQUIREMENTS
from envmagic.record.export.public import without_secrets
from envmagic.requirements import (
    Block,
    Kind,
    Pin,
    RequirementLine,
    RequirementsFile,
    decode,
    parse_lines,
    read,
)
from envmagic.requirements.options import Part, given

__all__ = ["Line", "Wanted"]

_HASH = re.compile(r"\s+--hash[= ]\s*\S+")
_REMOTE = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+:(?=/)|[A-Za-z]+\+[a-z]+:")
_EGG = re.compile(r"(?<=[#&])egg=[^&]*&?")


@dataclass(frozen=True)
class Line:
    """One thing that is to be installed."""

    text: str
    """As a requirements file has it, without hashes and secrets."""
    hashes: tuple[str, ...] = ()
    """`sha256:…` of its files."""

    @property
    def parsed(self) -> RequirementLine:
        return parse_lines(self.text, "")[0]

    @property
    def path(self) -> str | None:
        """The file or directory that it installs, if it is one of this machine's."""
        location = self.parsed.location
        return location if location and not _REMOTE.match(location) else None

    @property
    def standard(self) -> str | None:
        """It as a requirement of the standard (PEP 508); None where it cannot be one."""
        parsed = self.parsed
        if self.path is not None:
            return None
        if parsed.requirement is not None:
            return str(parsed.requirement)
        location = _EGG.sub("", parsed.location or "").rstrip("#&")
        return f"{parsed.name} @ {location}" if parsed.name else None

    def seen_from(self, directory: Path, other: Path) -> str:
        """Its text where relative paths count from `other`, and no longer from `directory`."""
        path = self.path
        absolute = path is None or path.startswith("file:") or os.path.isabs(path)
        if path is None or absolute or directory == other:
            return self.text
        there = Path(os.path.relpath(directory / path, other)).as_posix()
        there = there if there.startswith(".") else f"./{there}"
        start = self.text.rindex(path)
        return self.text[:start] + there + self.text[start + len(path) :]


@dataclass(frozen=True)
class Wanted:
    """What is recorded in a directory."""

    directory: Path
    python: str | None = None
    """`3.12`; None where nothing says it."""
    pin: Pin = Pin.EXACT
    lines: tuple[Line, ...] = ()
    options: tuple[str, ...] = ()
    """Where packages are found, a line of a requirements file each."""
    included: tuple[str, ...] = ()
    """URLs of further requirements files."""
    left_out: tuple[str, ...] = ()
    """What no format can say."""
    secrets: tuple[str, ...] = ()
    """The lines that lost a user, a password or a token, as they are now."""
    secret_files: tuple[Path, ...] = ()
    """Where those stand."""

    @classmethod
    def of(cls, directory: Path, notebook: Path | None = None) -> Wanted:
        """What the requirements file in `directory` asks for; of the block in it only what
        `notebook` needs, where the block knows it. Raises `EnvmagicError`."""
        file = read(directory / REQUIREMENTS)
        _check(file)
        others = _of_others(file.block, directory, notebook) if file.block else frozenset()
        lines = [line for line in file.all_lines() if line.text not in others]
        telling = {line.source for line in lines if without_secrets(line.text) != line.text}
        secrets: list[str] = []

        def public(text: str) -> str:
            shown = without_secrets(text)
            secrets.extend([shown] if shown != text else [])
            return shown

        wanted, left_out = _limited(lines)
        found = [Line(public(_HASH.sub("", line).strip())) for line in wanted]
        return cls(
            directory,
            file.block.python if file.block else None,
            file.block.pin if file.block else Pin.EXACT,
            tuple(dict.fromkeys(found)),
            tuple(dict.fromkeys(public(option) for option in _options(lines))),
            tuple(public(i) for line in lines if (i := line.includes) and "://" in i),
            tuple(left_out),
            tuple(secrets),
            tuple(Path(source).expanduser() for source in sorted(telling)),
        )

    def with_python(self, python: str | None) -> Wanted:
        """The same, for `python` where the record names none."""
        return self if self.python or not python else replace(self, python=python)

    def options_from(self, other: Path) -> tuple[str, ...]:
        """`options` where relative paths count from `other`."""
        found = []
        for option in self.options if other != self.directory else ():
            (each,) = given(option)
            is_path = each.option.name == "--find-links" and not _REMOTE.match(each.value)
            if is_path and not os.path.isabs(each.value):
                there = Path(os.path.relpath(self.directory / each.value, other)).as_posix()
                option = replace(each, value=there).line
            found.append(option)
        return tuple(found) or self.options


def _check(file: RequirementsFile) -> None:
    """Raise `EnvmagicError` for a line that pip would refuse: it would be missing in the export."""
    for line in parse_lines(decode(file.raw)[0], user_path(file.path)):
        included = line.includes
        if included and "://" not in included and not (file.path.parent / included).is_file():
            raise EnvmagicError(
                "no-file",
                f"Line {line.line} of {user_path(file.path)} includes {included},"
                " which is not there.",
                "Take the line out, or put the file there.",
                subject=included,
            )


def _of_others(block: Block, directory: Path, notebook: Path | None) -> frozenset[str]:
    """The lines of `block` that `notebook` does not need."""
    if notebook is None:
        return frozenset()
    name = Path(os.path.relpath(notebook, directory)).as_posix()
    if name not in block.notebooks:
        return frozenset()
    return frozenset(
        entry.text
        for entry in block.entries
        if entry.kind is Kind.REQUIREMENT
        and entry.mentions
        and name not in {mention.notebook for mention in entry.mentions}
    )


def _limited(lines: Iterable[RequirementLine]) -> tuple[list[str], list[str]]:
    """What is to be installed, held to the constraints among `lines`, and those that limit what
    nothing asks for by name."""
    lines = list(lines)
    limits = [line for line in lines if line.constraint and line.requirement is not None]
    found: list[str] = []
    names: set[str | None] = set()
    for line in lines:
        if line.is_option or line.constraint:
            continue
        names.add(line.name)
        found.append(_held(line, limits))
    loose = [line.text for line in limits if line.name not in names]
    return found, [f"{text} (a constraint on what nothing asks for by name)" for text in loose]


def _held(line: RequirementLine, limits: Iterable[RequirementLine]) -> str:
    requirement = line.requirement
    if requirement is None or requirement.url:
        return line.text
    mine = [r for limit in limits if limit.name == line.name and (r := limit.requirement)]
    mine = [limit for limit in mine if limit.marker is None and limit.specifier]
    if not mine:
        return line.text
    for limit in mine:
        requirement.specifier &= limit.specifier
    return str(requirement)


def _options(lines: Iterable[RequirementLine]) -> Iterator[str]:
    for line in lines:
        if line.is_option and not line.fault and line.includes is None:
            for each in given(line.text):
                if each.option.part is Part.FINDING and not each.option.of_its_lines:
                    yield each.line
