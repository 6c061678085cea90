"""The packaging that reads lock files and dependency groups: the one that is imported, or a newer.

What an environment holds itself goes first in its kernel, and old environments hold an old one. A
newer one lies in the runtime behind the kernel and beside the envmagic that made it; it is loaded
under another name, so that a cell goes on importing the environment's.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from envmagic.environments.runtimes import own_copy
from envmagic.jupyter import launcher
from envmagic.system import directories

__all__ = ["packaging"]

_NEEDED = ("pylock", "dependency_groups")
_OTHER = "_envmagic_packaging"


def packaging(part: str) -> ModuleType:
    """The module `part` of packaging; all parts are of one copy, since their types do not mix.

    Raises `ImportError` where no copy is new enough.
    """
    return importlib.import_module(f"{_copy()}.{part}")


@functools.cache
def _copy() -> str:
    import packaging as importable

    if _is_new_enough(Path(str(importable.__file__)).parent):
        return importable.__name__
    for place in _places():
        if _is_new_enough(place / "packaging"):
            with contextlib.suppress(ImportError, OSError, SyntaxError):
                return _loaded(place / "packaging")
    raise ImportError("there is no packaging that reads lock files")


def _is_new_enough(package: Path) -> bool:
    return all((package / f"{part}.py").is_file() for part in _NEEDED)


def _places() -> Iterator[Path]:
    behind = launcher.of_this_process()
    if behind is not None:
        yield behind / "lib"
    yield from map(Path, own_copy.origins())
    yield from sorted(directories.runtimes().glob("*/*/lib"))


def _loaded(package: Path) -> str:
    """The package as `_OTHER`. Its modules import one another by relative names only."""
    spec = importlib.util.spec_from_file_location(
        _OTHER, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(str(package))
    module = importlib.util.module_from_spec(spec)
    sys.modules[_OTHER] = module
    try:
        spec.loader.exec_module(module)
        for part in _NEEDED:
            importlib.import_module(f"{_OTHER}.{part}")
    except BaseException:
        for name in [name for name in sys.modules if name.partition(".")[0] == _OTHER]:
            del sys.modules[name]
        raise
    return _OTHER
