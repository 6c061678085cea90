"""Finds what a kernel is made of elsewhere, once the environment that it runs in is gone.

An environment may be deleted, emptied or synced under its kernel, which has loaded only part of
itself. What it imports after that lies among the runtimes as well, where the parts of all kernels
of this kind of Python are. Imported while `%load_ext envmagic` runs, for later it may not be there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

from envmagic._version import __version__
from envmagic.system import directories

__all__ = ["install", "uninstall"]

_GAUGES = ("envmagic", "IPython", "ipykernel")
"""Where one of these is gone, all parts of the kernel count as gone."""
_KIND = f"{sys.implementation.cache_tag}{'t' if 't' in getattr(sys, 'abiflags', '') else ''}-"
"""With what names of kinds of Python begin whose compiled modules this one can load."""


def install() -> None:
    """Look elsewhere for modules that nothing else finds; twice is once."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)


def uninstall() -> None:
    """Look elsewhere no longer."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


class _SpareParts:
    """Asked last, so it costs nothing as long as all is there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        above, _, _ = name.rpartition(".")
        gone = _is_gone(above) if above else any(map(_is_gone, _gauges(name)))
        if not gone:
            return None
        inside = above.replace(".", os.sep)
        for place in _places():
            found = PathFinder.find_spec(name, [os.path.join(place, inside)])
            if found is not None and found.origin is not None:
                return found
        return None


_finder: Any = _SpareParts()


def _gauges(name: str) -> tuple[str, ...]:
    return ("os",) if name in sys.stdlib_module_names else _GAUGES


def _is_gone(module: str) -> bool:
    """Whether the file is gone that a module was loaded from."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return isinstance(file, str) and not os.path.exists(file)


def _places() -> Iterator[str]:
    """Where the parts of kernels of this kind of Python lie, the nearest first."""
    try:
        runtimes = str(directories.runtimes())
    except (OSError, RuntimeError):  # no home
        return
    own = f"envmagic-{__version__}-"
    yield from (os.path.join(runtimes, name) for name in _names(runtimes) if name.startswith(own))
    for kind in _names(runtimes):
        if kind.startswith(_KIND):
            here = os.path.join(runtimes, kind)
            yield from (os.path.join(here, name, "lib") for name in _names(here))
    yield from _standard_library(runtimes)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _standard_library(runtimes: str) -> list[str]:
    """Of the Python that makes runtimes, where that is of the same kind."""
    try:
        with open(os.path.join(runtimes, "builder.json"), encoding="utf-8") as opened:
            held = json.load(opened)
        return list(held["library"]) if held["kind"].startswith(_KIND) else []
    except (OSError, ValueError, KeyError, TypeError):
        return []
