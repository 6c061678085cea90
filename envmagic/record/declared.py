"""What a notebook declares in its block of inline script metadata (PEP 723)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.imports import Install, Where
from envmagic.imports.script_block import blocks
from envmagic.system import toml_files

__all__ = ["declared_in"]


def declared_in(cells: Iterable[tuple[int, str]]) -> list[Install]:
    """The dependencies of the first such block in `cells`; of one that is none nothing counts.

    That of a file that a cell writes is the file's.
    """
    for number, source in cells:
        if "# ///" not in source or source.lstrip().startswith("%%"):
            continue
        for line, kind, lines in blocks(source):
            if kind == "script":
                return list(_dependencies("\n".join(lines), Where("", number, line)))
    return []


def _dependencies(text: str, where: Where) -> Iterator[Install]:
    try:
        listed = toml_files.parsed(text).get("dependencies")
    except ValueError:
        return
    for item in listed if isinstance(listed, list) else ():
        try:
            requirement = requirements.requirement(item) if isinstance(item, str) else None
        except EnvmagicError:
            continue
        if requirement is not None:
            yield Install(item, where, requirement)
