"""How the kernel of a notebook was started last, for as long as nothing it hangs on has changed.

A plan takes a fifth of a second, most of it for imports; this imports next to nothing. What the
plan has read is noted down by its times and sizes, what it has listed by the names, what it has
looked for by whether it is there, and the notebook by what counts in its cells. Where any of it is
otherwise, the plan is made anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from envmagic._version import __version__
from envmagic.system import reading

__all__ = ["Looks", "recall", "remember"]

_SCHEMA = 2
_MOST = 256 * 1024 * 1024  # bytes of a notebook
_WHOLE = re.compile(r"%env|# ///")
_COUNTS = re.compile(r"^.*(?:import|install|__).*$|^[ \t]*[%!].*$", re.M)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OF_PYTHON = (os.path.dirname(os.__file__), _PACKAGE)
_SITES = frozenset({"site-packages", "dist-packages"})
_PASSING = re.compile(r"\.ipynb$|^\.ipynb_checkpoints$|^\.~|^__pycache__$|~$")


class Looks:
    """What is read and listed while a plan is made, by Python's audit events; what is looked for
    makes none, and is to be added."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.directories: set[str] = set()
        self.looked_for: set[str] = set()
        self._on = False
        sys.addaudithook(self._heard)

    @contextlib.contextmanager
    def at_all(self) -> Iterator[None]:
        """Note down what happens inside."""
        self._on = True
        try:
            yield
        finally:
            self._on = False

    def _heard(self, event: str, values: tuple[Any, ...]) -> None:
        if not self._on or event not in ("open", "os.listdir", "os.scandir"):
            return
        path = values[0]
        if not isinstance(path, (str, os.PathLike)):
            return
        (self.files if event == "open" else self.directories).add(os.path.abspath(path))


def recall(home: str, notebook: str) -> tuple[list[str], dict[str, str], str] | None:
    """The words and variables that the kernel of `notebook` was started with, `{connection_file}`
    among the words, and what it shows; None where something has changed. The paths are absolute."""
    try:
        with open(_file(home, notebook), encoding="utf-8") as opened:
            held = json.load(opened)
        if held["schema"] != _SCHEMA or held["who"] != _who(home) or held["notebook"] != notebook:
            return None
        if _essence(notebook, everything=held["everything"]) != held["essence"]:
            return None
        if any(_facts(path) != facts for path, facts in held["files"].items()):
            return None
        if any(_names(path) != names for path, names in held["directories"].items()):
            return None
        if any(os.path.lexists(path) != there for path, there in held["looked_for"].items()):
            return None
        return held["words"], held["variables"], held["shows"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(
    home: str,
    notebook: str,
    looks: Looks,
    words: tuple[str, ...],
    variables: dict[str, str],
    shows: str,
    *,
    everything: bool,
) -> None:
    """Keep for `recall` what starts the kernel of `notebook`, which follows from what `looks` has.

    With `everything` the notebook's imports count too. Raises `OSError` where that cannot be
    written, and `ValueError` for a notebook in another form than the usual one.
    """
    mine = [os.path.join(home, name) for name in ("plans", "starts")]
    sites = [place for place in sys.path if os.path.basename(place) in _SITES]
    passed_over = tuple(place + os.sep for place in (*_OF_PYTHON, *sites, *mine))
    files = [f for f in looks.files if f != notebook and not f.startswith(passed_over)]
    listed = [d for d in looks.directories if not f"{d}{os.sep}".startswith(passed_over)]
    held = {
        "schema": _SCHEMA,
        "who": _who(home),
        "notebook": notebook,
        "everything": everything,
        "essence": _essence(notebook, everything=everything),
        "files": {path: _facts(path) for path in sorted({*files, words[0]})},
        "directories": {path: _names(path) for path in sorted(listed)},
        "looked_for": {path: os.path.lexists(path) for path in sorted(looks.looked_for)},
        "words": list(words),
        "variables": variables,
        "shows": shows,
    }
    file = _file(home, notebook)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    part = f"{file}.{os.getpid()}"
    try:
        with open(part, "w", encoding="utf-8") as opened:
            json.dump(held, opened)
        os.replace(part, file)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise


def _file(home: str, notebook: str) -> str:
    name = f"{zlib.crc32(os.fsencode(notebook)):08x}.json"
    return os.path.join(home, "starts", name)


def _who(home: str) -> list[str]:
    """Who has made the plan; another one may make another."""
    return [__version__, _PACKAGE, sys.prefix, home, os.environ.get("JUPYTER_DATA_DIR", "")]


def _essence(notebook: str, *, everything: bool) -> int:
    """What stands for all in the cells of `notebook` that says which environment it runs in.

    Raises `OSError`, and `ValueError` where it is in another form than the usual one.
    """
    text = reading.content(notebook, _MOST).decode("utf-8")
    try:
        said = list(_counting(json.loads(text), everything=everything))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(notebook) from error
    return zlib.crc32("\n".join(said).encode("utf-8", "surrogatepass"))


def _counting(held: Any, *, everything: bool) -> Iterator[str]:
    yield str(held["metadata"].get("language_info", {}).get("version"))
    for cell in held["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if _WHOLE.search(source):
            yield source
        elif everything:
            yield from _COUNTS.findall(source)


def _facts(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_mtime_ns, found.st_size]


def _names(path: str) -> int | None:
    """What stands for the names in a directory, notebooks and what editors leave apart, and for
    which of them are conda's prefixes."""
    try:
        names = sorted(name for name in os.listdir(path) if not _PASSING.search(name))
    except OSError:
        return None
    said = []
    for name in names:
        is_conda = os.path.exists(os.path.join(path, name, "conda-meta"))
        said.append(f"{name}/" if is_conda else name)
    return zlib.crc32("\n".join(said).encode("utf-8", "surrogateescape"))
