"""The values that scanning gives: where something is imported.

A notebook has hundreds of them, so they are tuples: frozen dataclasses take three times as long to
make.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ImportSite", "Where"]


class Where(NamedTuple):
    """A place in a notebook or file."""

    file: str = ""
    """Path of a followed file from the notebook's directory; empty: the notebook itself."""
    cell: int = 0
    """Among all cells, counting from 1; 0 outside a notebook."""
    line: int = 1
    """In the cell or file, counting from 1."""

    def below(self, line: int) -> Where:
        """The place of the line with that number in a text that begins here."""
        return Where(self.file, self.cell, self.line + line - 1)


class ImportSite(NamedTuple):
    """One import in one place."""

    module: str
    """Dotted; empty in `from . import x`."""
    where: Where
    names: tuple[str, ...] = ()
    """What `from module import …` takes, which may be submodules."""
    optional: bool = False
    """The code goes on without it (`try` … `except ImportError`)."""
    level: int = 0
    """Leading dots of a relative import."""
    extension: bool = False
    """Asked for by `%load_ext` and the like, not by an import."""

    @property
    def dotted(self) -> tuple[str, ...]:
        """`a.b` and `a.b.c` of `from a.b import c`."""
        return (self.module, *(f"{self.module}.{name}" for name in self.names))

    @property
    def top(self) -> str:
        """`google` of `google.cloud.storage`."""
        return self.module.partition(".")[0]
