"""Which file of the user's hides a module from a kernel that does not start for it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

__all__ = ["hiding"]

_PATH = re.compile(r"""["'(]([^"'()\n]+\.py)["')]""")
_MODULE = re.compile(r"(?:module|from|named) '([A-Za-z_][\w.]*)'")


def hiding(said: str, directory: Path) -> Path | None:
    """The file in `directory`, where a kernel was started, that its last words `said` blame: one
    that is called like a module of Python's, or that a traceback went through; None for no such."""
    here = os.path.realpath(directory)
    named = [Path(directory, found) for found in _PATH.findall(said)]
    for module in _MODULE.findall(said):
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names:
            named += [directory / f"{top}.py", directory / top / "__init__.py"]
    for file in reversed(named):
        place = file.parent.parent if file.name == "__init__.py" else file.parent
        if os.path.realpath(place) == here and file.is_file():
            return file
    return None
