"""What an editable installation makes importable, found by its `.pth` files and its finders."""

from __future__ import annotations

import ast
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from envmagic.distributions.reading import MODULE, declares_namespace, read

__all__ = ["Sources", "is_standing", "stamp"]

_DEEPEST = 4  # namespaces above a package: haystack_integrations.components.embedders.mistral
_DIRECTORIES = 200  # of one distribution; a source tree may have data of any size beside its code
_ENTRIES = 1000  # of one directory without `__init__.py`
# Never a namespace package at the root of a project, after setuptools' FlatLayoutPackageFinder.
_NO_NAMESPACE = frozenset(
    """
    ci bin debian doc docs documentation manpages news newsfragments changelog test tests
    unit_test unit_tests example examples scripts tools util utils python build benchmark
    benchmarks exercise exercises htmlcov tasks notebooks data dist node_modules venv env
    __pycache__
    """.split()
)
_STARTUP = re.compile(r'(?m)^"?([^/,\n"]+\.(?:pth|start))\b')
# The tables in the finders of setuptools, scikit-build-core and meson-python, and the calls in
# those of `editables`, which hatchling and pdm use.
_TABLE = re.compile(
    r"(?m)(?:^(?:MAPPING|NAMESPACES)\b[^=\n]*="
    r"|\b(?:install|MesonpyMetaFinder)\((?:\s*'[^'\n]*',)?)\s*(\{[^{}]*\})"
)
_CALL = re.compile(r"(?m)\bmap_module(\(.*\))[ \t]*$")


@dataclass
class Sources:
    """Modules outside of RECORD, as lines like those of RECORD.

    A package that is one's own is a line of its `__init__.py`, without what is below it.
    """

    lines: list[str] = field(default_factory=list)
    namespaces: set[str] = field(default_factory=set)
    """Dotted; those with an `__init__.py` that declares it."""
    watched: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The directories that were listed, each with how it stood."""
    finders: set[str] = field(default_factory=set)
    """The modules that make the others importable."""

    def add_startup(self, directory: str, record: str, project: str | None) -> None:
        """What the `.pth` files of `record` add, and the finders that they import.

        `project` is the directory of the project, where it is known.
        """
        for name in _STARTUP.findall(record):
            for line in read(os.path.join(directory, name)).lstrip("\ufeff").splitlines():
                if name.endswith(".start"):  # PEP 829: `module:function`
                    self._add_finder(directory, record, line.partition(":")[0].strip(), project)
                elif re.match(r"import\s", line):
                    for finder in re.findall(r"\bimport\s+(\w+)", line):
                        self._add_finder(directory, record, finder, project)
                elif line.strip() and not line.startswith("#"):
                    self.add_root(os.path.join(directory, line.strip()))

    def add_root(self, root: str, under: str = "") -> None:
        """Everything that can be imported from the directory `root`, below `under`."""
        todo = [(root, under)]
        for place, above in todo:  # it grows, breadth first
            if place not in self.watched and len(self.watched) < _DIRECTORIES:
                todo += self._listed(place, above)

    def add(self, dotted: str, path: str) -> None:
        """The module `dotted`, which lies at `path`, if that is known."""
        under = dotted.replace(".", "/")
        is_package = os.path.basename(path).startswith("__init__.")
        if is_package:
            path = os.path.dirname(path)
        if not os.path.isdir(path):
            self.lines.append(f"{under}/__init__.py" if is_package else f"{under}.py")
        elif self._is_namespace(path, under):
            self.add_root(path, f"{under}/")

    def _listed(self, root: str, under: str) -> Iterator[tuple[str, str]]:
        """Takes what lies in `root`; the namespaces among it, still to be listed."""
        standing = _standing(root)
        try:
            with os.scandir(root) as entries:
                found = list(islice(entries, _ENTRIES)) if under else list(entries)
        except OSError:
            return
        self.watched[root] = standing
        for entry in found:
            match = MODULE.fullmatch(entry.name)
            if match and (under or match[1] not in ("setup", "conftest")):
                self.lines.append(f"{under}{entry.name}")
            elif entry.name.isidentifier() and _is_directory(entry):
                inner = f"{under}{entry.name}"
                if self._is_namespace(entry.path, inner) and inner not in _NO_NAMESPACE:
                    yield entry.path, f"{inner}/"

    def _is_namespace(self, path: str, under: str) -> bool:
        """Whether what is below the directory has to be listed; a package is taken here."""
        init = os.path.join(path, "__init__.py")
        if not os.path.isfile(init):
            return under.count("/") < _DEEPEST
        self.lines.append(f"{under}/__init__.py")
        if not declares_namespace(init):
            return False
        self.namespaces.add(under.replace("/", "."))
        return True

    def _add_finder(self, directory: str, record: str, name: str, project: str | None) -> None:
        if f"\n{name}.py" not in record:  # `import os, sys` of another kind of `.pth`
            return
        self.finders.add(name)
        for dotted, path in _targets(read(os.path.join(directory, f"{name}.py"))):
            if not path and project:  # meson-python's says names only
                places = [os.path.join(project, *p, dotted) for p in ((), ("src",))]
                path = next(filter(os.path.isdir, places), "")
            self.add(dotted, path)


def _targets(finder: str) -> Iterator[tuple[str, str]]:
    """Module and path, as the text of a finder has them; an empty path where it names none."""
    for text in (m[1] for p in (_TABLE, _CALL) for m in p.finditer(finder)):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, tuple) and len(value) == 2:  # ("module", "path")
            value = {value[0]: value[1]}
        pairs = value.items() if isinstance(value, dict) else [(name, "") for name in value]
        for dotted, paths in pairs:
            for path in paths if isinstance(paths, list) else [paths]:
                yield str(dotted), str(path)


def stamp(path: str) -> str:
    """The modification time of `path`, which for a directory changes with its entries."""
    try:
        return str(os.stat(path).st_mtime_ns)
    except OSError:
        return "-"


def is_standing(path: str, before: tuple[str, int]) -> bool:
    """Whether nothing that can be imported came to the directory `path`, or left it."""
    # a notebook that is saved there changes the time, and no name
    return stamp(path) == before[0] or _standing(path)[1] == before[1]


def _standing(path: str) -> tuple[str, int]:
    time = stamp(path)
    try:
        names = sorted(n for n in os.listdir(path) if n.isidentifier() or MODULE.fullmatch(n))
    except OSError:
        return time, 0
    return time, zlib.crc32(os.fsencode("\0".join(n for n in names if n != "__pycache__")))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
