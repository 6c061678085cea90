"""The user's own lines of a requirements file, by the distribution that each of them installs.

A URL or a path does not say its distribution. The environment knows where what is installed came
from, the project at a path says its name, and a repository is mostly called like what is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core.names import normalized
from envmagic.distributions import Index
from envmagic.record import markers
from envmagic.requirements import Block, Kind, RequirementLine
from envmagic.requirements.record_file import RecordFile
from envmagic.system import reading

__all__ = ["OwnLines", "names_in", "own_lines", "project_name"]

_REFERENCE = re.compile(r"(?:(?<=[^/])|(?<=\.git)/)@.*")
_SECTION = re.compile(r"\s*\[(project|metadata|tool\.poetry)\]")
_NAME = re.compile(r"\s*name\s*[=:]\s*[\"']?([A-Za-z0-9][A-Za-z0-9._-]*)")
_SETUP_NAME = re.compile(r"\bname\s*=\s*[\"']([A-Za-z0-9][A-Za-z0-9._-]*)[\"']")


@dataclass(frozen=True)
class OwnLines:
    """The user's lines; `of` gives them by name."""

    named: Mapping[str, RequirementLine]
    """Those that say a name; of several, one that installs before one that only limits."""
    unnamed: tuple[RequirementLine, ...]
    """URLs and paths."""
    directory: Path
    """Relative paths count from here."""
    limited: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)
    """All that install what no line installs without a marker, by name."""
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What those that install ask for, by name."""

    def installing(self, python: str | None) -> frozenset[str]:
        """The distributions that they install wherever there is that Python, as far as the lines
        say it alone."""
        partial = self.partial(python)
        found = self.of(None).items()
        return frozenset(n for n, line in found if not line.constraint and n not in partial)

    def partial(self, python: str | None) -> Mapping[str, tuple[RequirementLine, ...]]:
        """The lines for what they install on some machines alone, by name."""
        return {
            name: lines
            for name, lines in self.limited.items()
            if not markers.on_every_machine(frozenset(markers.of(lines)), python)
        }

    def idle(self, python: str) -> Mapping[str, tuple[RequirementLine, ...]]:
        """The lines for what they do not install here for that Python, by name."""
        return {n: lines for n, lines in self.limited.items() if not _holding(lines, python)}

    def of(self, index: Index | None, python: str | None = None) -> Mapping[str, RequirementLine]:
        """The lines by normalised name; `index` is that of the notebook's environment, `python` its
        Python: a line whose marker is not true for that does not count."""
        if not self.unnamed and not (self.limited and python):
            return self.named
        found = dict(self.named)
        for limited, lines in self.limited.items() if python else ():
            del found[limited]
            found.update((limited, line) for line in _holding(lines, python or "")[:1])
        places = dict(_places(index)) if index is not None else {}
        for line in self.unnamed:
            for name in (places.get(self._place(line)), self._called(line)):
                if name and (name not in found or found[name].constraint):
                    found[name] = line
        return found

    def _place(self, line: RequirementLine) -> str:
        location = line.location or ""
        return _of_url(location) if "://" in location else self._path(location)

    def _path(self, location: str) -> str:
        plain = os.path.expanduser(location.removeprefix("file:"))
        return os.path.realpath(os.path.join(self.directory, plain))

    def _called(self, line: RequirementLine) -> str | None:
        location = line.location or ""
        if location.startswith("file://"):
            path = _of_file_url(location)
            return project_name(path) if os.path.isdir(path) else line.guess
        return line.guess or project_name(self._path(location))


def own_lines(file: RecordFile) -> OwnLines:
    """The user's lines in `file`, those of files that it includes too."""
    named: dict[str, RequirementLine] = {}
    unnamed: list[RequirementLine] = []
    lines = file.user_lines()
    for line in lines:
        if line.name is None:
            unnamed += [line] if line.location and not line.constraint else []
        elif line.name not in named or named[line.name].constraint:
            named[line.name] = line
    return OwnLines(named, tuple(unnamed), file.path.parent, _limited(lines), _extras(lines))


def _limited(lines: Iterable[RequirementLine]) -> Mapping[str, tuple[RequirementLine, ...]]:
    found: dict[str, list[RequirementLine]] = {}
    always: set[str] = set()
    for line in lines:
        if line.name is None or line.constraint:
            continue
        if line.requirement is None or line.requirement.marker is None:
            always.add(line.name)
        else:
            found.setdefault(line.name, []).append(line)
    return {name: tuple(lines) for name, lines in found.items() if name not in always}


def _extras(lines: Iterable[RequirementLine]) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in lines:
        if line.requirement is not None and line.name is not None and not line.constraint:
            found[line.name] = found.get(line.name, frozenset()) | line.requirement.extras
    return found


def _holding(lines: Iterable[RequirementLine], python: str) -> list[RequirementLine]:
    return [line for line in lines if any(markers.holds(m, python) for m in markers.of([line]))]


def names_in(block: Block, directory: Path) -> Iterator[str]:
    """The distributions that `block` lists, those of its `-e` lines too."""
    for entry in block.entries:
        if entry.kind is Kind.REQUIREMENT:
            name = entry.key.partition(";")[0]
            yield (project_name(directory / name[3:]) or name) if name.startswith("-e ") else name


def project_name(directory: str | Path) -> str | None:
    """The distribution whose sources lie in `directory`, normalised; None where there is none."""
    for file in ("pyproject.toml", "setup.cfg", "setup.py"):
        text = _read(os.path.join(directory, file))
        name = _SETUP_NAME.search(text) if file == "setup.py" else _declared(text)
        if name is not None:
            return normalized(name[1])
    return None


def _declared(text: str) -> re.Match[str] | None:
    inside = False
    for line in text.splitlines():
        if line.startswith("["):
            inside = _SECTION.match(line) is not None
        elif inside and (name := _NAME.match(line)):
            return name
    return None


def _read(path: str) -> str:
    try:
        return reading.content(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _places(index: Index) -> Iterable[tuple[str, str]]:
    """Where the distributions of `index` came from, as far as that was no package index."""
    for name, held in index.distributions.items():
        if held.editable:
            yield os.path.realpath(held.editable), name
        if held.url:
            yield _of_url(held.url), name


def _of_url(url: str) -> str:
    """What stays the same in the addresses of one repository: no user, reference or `.git`."""
    head, _, fragment = url.partition("#")
    scheme, _, rest = head.partition("://")
    netloc, slash, path = rest.partition("/")
    if scheme == "file":
        return os.path.realpath(_of_file_url(head))
    path = _REFERENCE.sub("", path.partition("?")[0]).rstrip("/").removesuffix(".git")
    part = re.search(r"subdirectory=([^&]+)", fragment)
    below = f"#{part[1].strip('/')}" if part else ""
    return f"{scheme}://{netloc.rpartition('@')[2].lower()}{slash}{path}{below}"


def _of_file_url(url: str) -> str:
    import urllib.parse
    import urllib.request

    return urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
