"""What a `pylock.toml` has for the Python and the machine here, and what of it is for others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.runtimes import standards
from envmagic.planning import lock_file
from envmagic.planning.documents import bad_declaration
from envmagic.planning.plan import Kind, Source

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock
    from packaging.tags import Tag

__all__ = ["Locked", "is_mismatch", "locked_in"]


@dataclass(frozen=True)
class Locked:
    """A lock, as it is for one Python."""

    file: Path
    lines: Mapping[str, str]
    """Normalised name -> what installs it, with hashes where the lock has a file for here."""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> version, of what the lock says one of."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Normalised name -> why its locked files are not taken: a clause."""
    other_python: str = ""
    """What it requires of the Python, where the one here is another."""
    whole: bool = True
    """All that the file says for here is in it."""

    @property
    def ways(self) -> tuple[InstallPlan, ...]:
        """Plans that come to the same: the files at the addresses that were locked, where an
        installer reads those; the same from the user's own index, by their hashes."""
        plan = InstallPlan(tuple(self.lines.values()), directory=self.file.parent, alone=True)
        direct = self.whole and not self.unfit and not self.other_python
        return (replace(plan, lock=self.file), plan) if direct else (plan,)

    def without(self, names: frozenset[str]) -> Locked:
        """The same but for `names`."""
        left = {name: line for name, line in self.lines.items() if name not in names}
        return replace(self, lines=left, whole=self.whole and not names & self.lines.keys())


def locked_in(file: Path, python: str) -> Locked:
    """What the lock in `file` has for Python `python` (`3.12.4`) on this machine.

    Raises `EnvmagicError` where it is no lock.
    """
    lock = lock_file.parsed(file)
    if isinstance(lock, str):
        raise bad_declaration(Source(Kind.LOCK, file), lock)
    lines: dict[str, str] = {}
    pins: dict[str, str] = {}
    unfit: dict[str, str] = {}
    tags = _tags(python)
    for package in _applying(lock, python):
        name = normalized(package.name)
        bare = replace(package, marker=None)
        lines[name] = _editable(bare, file.parent) or lock_file.line_of(bare, file.parent)
        if package.version is not None:
            pins[name] = str(package.version)
        if not _has_file(package, tags):
            lines[name] = f"{name}=={package.version}" if package.version else name
            unfit[name] = f"{file.name} has files of it for other machines or Pythons only"
    required = lock.requires_python
    other = "" if required is None or required.contains(python) else str(required)
    return Locked(file, lines, pins, unfit, other)


def is_mismatch(error: EnvmagicError) -> bool:
    """Whether an installer refused a file that is not the one that was locked."""
    said = f"{error.problem.message} {error.problem.detail}".lower()
    return "hash mismatch" in said or "size mismatch" in said or "do not match the hash" in said


def _applying(lock: Pylock, python: str) -> Iterator[Package]:
    """The packages that are for this machine, without extras, in the groups that are the usual."""
    groups = frozenset(getattr(lock, "default_groups", None) or ())
    values: dict[str, str | Set[str]] = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "extras": frozenset[str](),
        "dependency_groups": groups,
    }
    for package in lock.packages:
        if package.marker is None or package.marker.evaluate(values, context="lock_file"):
            yield package


def _editable(package: Package, directory: Path) -> str:
    place = package.directory
    return f"-e {(directory / place.path).absolute()}" if place and place.editable else ""


def _tags(python: str) -> frozenset[Tag]:
    """Of the wheels that a CPython of that version takes on this machine."""
    tags = standards.packaging("tags")
    parts = tuple(map(int, python.split(".")[:2]))
    return frozenset(
        (*tags.cpython_tags(parts), *tags.compatible_tags(parts, f"cp{parts[0]}{parts[1]}"))
    )


def _has_file(package: Package, tags: frozenset[Tag]) -> bool:
    """Whether one of the files that are locked can be installed; what is no file can."""
    utils = standards.packaging("utils")
    if package.sdist is not None or not package.wheels:
        return True
    for wheel in package.wheels:
        try:
            found = utils.parse_wheel_filename(wheel.filename)[3]
        except utils.InvalidWheelFilename:
            return True
        if found & tags:
            return True
    return False
