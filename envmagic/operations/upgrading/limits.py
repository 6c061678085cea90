"""What the user wrote about versions, which an upgrade stays within."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Place
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.environments import satisfaction
from envmagic.imports import Where, scan_cell
from envmagic.imports.magics import cell_magic
from envmagic.jupyter import notebook_file
from envmagic.record.declared import declared_in
from envmagic.requirements import Block

__all__ = ["Limit", "Limits", "notebooks_of"]


@dataclass(frozen=True)
class Limit:
    """A requirement, and where it is written."""

    requirement: Requirement
    source: str
    """As the beginning of a clause: `your line`."""

    @property
    def name(self) -> str:
        """Normalised."""
        return normalized(self.requirement.name)

    @property
    def constraint(self) -> str:
        """As installers take one: without extras, and without a marker, which holds."""
        return f"{self.requirement.name}{self.requirement.specifier}"

    def __str__(self) -> str:
        return f"{self.source} {self.requirement}"


@dataclass(frozen=True)
class Limits:
    """All that was written, as far as it holds on one Python."""

    lines: tuple[Limit, ...] = ()

    @classmethod
    def of(cls, place: Place, python: str) -> Limits:
        """What is written for the notebook at `place`, or for those recorded there, on a Python of
        version `python`: the user's own lines, the bodies of `%%env`, what cells install in a
        certain version, inline script metadata, and of the block what is no version that was
        installed.

        Raises `EnvmagicError` where the requirements file cannot be read.
        """
        file = requirements.read(place.directory / REQUIREMENTS)
        found = [
            Limit(line.requirement, "your line")
            for line in file.user_lines()
            if line.requirement is not None
        ]
        found += _of_block(file.block)
        return cls((*_holding(found, python), *cls.of_cells(place, python).lines))

    @classmethod
    def of_cells(cls, place: Place, python: str) -> Limits:
        """What of it stands in the cells."""
        found: list[Limit] = []
        for notebook in notebooks_of(place):
            cells = place.cells if notebook == place.notebook else ()
            found += _of_notebook(notebook, cells)
        return cls(_holding(found, python))

    def of_name(self, name: str) -> tuple[Limit, ...]:
        """Those that are about the distribution `name`."""
        return tuple(limit for limit in self.lines if limit.name == name)

    def allow(self, name: str, version: str) -> bool:
        """Whether nothing that was written is against that version."""
        return not self.against(name, version)

    def against(self, name: str, version: str) -> tuple[Limit, ...]:
        """Those that are against that version."""
        return tuple(
            limit
            for limit in self.of_name(name)
            if not limit.requirement.specifier.contains(version, prereleases=True)
        )

    def without(self, names: Collection[str]) -> Limits:
        """Those that are about none of the `names`."""
        return Limits(tuple(limit for limit in self.lines if limit.name not in names))

    def constraints(self, names: Iterable[str]) -> tuple[str, ...]:
        """What holds of the distributions `names`."""
        wanted = set(names)
        return tuple(
            limit.constraint
            for limit in self.lines
            if limit.name in wanted and limit.requirement.specifier
        )

    @property
    def extras(self) -> Mapping[str, frozenset[str]]:
        """The extras of each distribution that is asked for with some."""
        found: dict[str, frozenset[str]] = {}
        for limit in self.lines:
            if limit.requirement.extras:
                held = found.get(limit.name, frozenset())
                found[limit.name] = held | limit.requirement.extras
        return found


def notebooks_of(place: Place) -> tuple[Path, ...]:
    """The notebook at `place`; where none is named, those that are recorded in its directory."""
    if place.notebook is not None:
        return (place.notebook,)
    block = requirements.read(place.directory / REQUIREMENTS).block
    names = sorted(block.notebooks) if block is not None else []
    return tuple(path for path in (place.directory / name for name in names) if path.is_file())


def _of_block(block: Block | None) -> Iterator[Limit]:
    """The requirements in the block; a version that was installed binds nothing."""
    for entry in block.entries if block is not None else ():
        requirement = entry.requirement
        if block is None or requirement is None or requirement.url:
            continue
        if block.pin.wrote(entry.text):
            requirement.specifier = type(requirement.specifier)()
        yield Limit(requirement, "the record's line")


def _of_notebook(notebook: Path, unsaved: Iterable[str]) -> Iterator[Limit]:
    """What the cells of `notebook` declare; those that are no requirements are passed over."""
    try:
        saved = notebook_file.read(notebook).cells if notebook.is_file() else ()
    except EnvmagicError:
        return  # the record will say so
    sources = [(cell.number, cell.source) for cell in saved]
    known = {source for _, source in sources}
    sources += [(0, text) for text in unsaved if text not in known]
    yield from _installed_in(sources)
    for number, source in sources:
        magic = cell_magic(source) if source.lstrip()[:1] in ("%", "#") else None
        if magic is None or not magic.is_requirements:
            continue
        for _, text in requirements.numbered(magic.body):
            requirement = _parsed(text)
            if requirement is not None:
                yield Limit(requirement, _cell(number))
    for install in declared_in(sources):
        if install.requirement is not None:
            yield Limit(install.requirement, "the notebook's script metadata has")


def _installed_in(sources: Iterable[tuple[int, str]]) -> Iterator[Limit]:
    """What cells install, of each distribution the last one: it is so when all of them have run."""
    found: dict[str, Limit] = {}
    for number, source in sources:
        if "install" in source or "create" in source:
            for install in scan_cell(source, Where("", number)).installs:
                if install.requirement is not None and not install.conda:
                    limit = Limit(install.requirement, _cell(number))
                    found[limit.name] = limit
    yield from (limit for limit in found.values() if limit.requirement.specifier)


def _cell(number: int) -> str:
    return f"cell {number} has" if number else "a cell has"


def _parsed(text: str) -> Requirement | None:
    try:
        return requirements.requirement(text)
    except EnvmagicError:
        return None


def _holding(found: Iterable[Limit], python: str) -> tuple[Limit, ...]:
    return tuple(
        limit for limit in found if satisfaction.applying([str(limit.requirement)], python)
    )
