"""The kernel that a notebook asks for by name, as an image has to have it."""

from __future__ import annotations

import re
from pathlib import Path

from envmagic.core import names
from envmagic.core.errors import WordsError
from envmagic.core.verb_names import VERBS
from envmagic.jupyter import kernelspecs, notebook_file
from envmagic.planning import cells as declared_in_cells
from envmagic.shipping.image_text import Kernel
from envmagic.system import directories

__all__ = ["kernel_of"]

_PLAIN = "python3"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_USES = re.compile(
    r"^[ \t]*(?:%(?:re)?load_ext[ \t]+envmagic\b|(?:import|from)[ \t]+envmagic\b|%%env(?:magic)?\b"
    rf"|%env(?:magic)?[ \t]+(?:{'|'.join(VERBS)})\b)",
    re.MULTILINE,
)


def kernel_of(notebook: Path, envmagic: str) -> Kernel:
    """The kernel for `notebook`; `envmagic` is the requirement that is for one whose cells use it.

    Raises `EnvmagicError` where it cannot be read, or a cell means no environment.
    """
    read = notebook_file.read(notebook)
    name = read.kernel if read.kernel and _NAME.fullmatch(read.kernel) else _PLAIN
    known = kernelspecs.find(name)
    title = " ".join((known.display_name if known is not None else name).split())
    if not any(_USES.search(cell.source) for cell in read.cells):
        return Kernel(name, title)
    said = declared_in_cells.of_magic(notebook, read.cells, notebook.parent)
    at = said.prefix if said is not None else None
    by_name = at is not None and at.is_relative_to(directories.envs())
    inside = at is not None and not by_name and at.is_relative_to(notebook.parent)
    place = at.relative_to(notebook.parent).as_posix() if at is not None and inside else ""
    called = said.name if said is not None and not inside else ""
    if not called and name != kernelspecs.OWN:
        called = name
    return Kernel(name, title, envmagic, _valid(called), place)


def _valid(name: str) -> str:
    """`name` where an environment can be called so, else nothing."""
    try:
        return names.validate(name) if name else ""
    except WordsError:
        return ""
