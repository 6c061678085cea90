"""Local modules: which imports are files of the notebook's own tree, and what those import."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from envmagic.imports.installs import Install
from envmagic.imports.scan import Scan, scan_cell, scan_source
from envmagic.imports.sites import ImportSite, Where
from envmagic.system import reading

__all__ = ["Followed", "follow", "tree_of", "up_from"]

_RUN = (".py", ".ipy", ".ipynb")
_EXTENSION = re.compile(r"\.(?:[^/]*\.)?(?:so|pyd)")
_FILES = 500  # local files followed from one notebook
_SIZE = 4 * 1024 * 1024  # bytes of one


@dataclass
class Followed:
    """A scan with its local imports taken out and what they import put in."""

    imports: list[ImportSite] = field(default_factory=list)
    """What is not local; `unsure` below are among them."""
    local: list[str] = field(default_factory=list)
    """Dotted modules of the notebook's own tree, sorted."""
    unsure: set[str] = field(default_factory=set)
    """Modules that could be a directory without `__init__.py`: local only if nothing else is known.
    """
    installs: list[Install] = field(default_factory=list)
    """Of the files that the notebook runs."""
    unparsed: list[Where] = field(default_factory=list)


def tree_of(directory: Path) -> Path:
    """How far following goes: the version-controlled tree around `directory`, else itself."""
    return Path(_top(str(directory)) or directory)


def up_from(directory: Path) -> list[Path]:
    """`directory` and those above it, as far as `tree_of` goes."""
    top = tree_of(directory)
    return [directory, *(place for place in directory.parents if place.is_relative_to(top))]


@lru_cache(maxsize=4096)
def _top(directory: str) -> str | None:
    if os.path.exists(os.path.join(directory, ".git")):
        return directory
    parent = os.path.dirname(directory)
    return _top(parent) if parent != directory else None


def follow(scan: Scan, directory: Path, tree: Path, read: Callable[[Path], Scan]) -> Followed:
    """Tell local modules in `scan` (of a notebook in `directory`) from others, and follow them.

    `read` scans another notebook, for `%run other.ipynb`. Files outside `tree` are known to be
    local and not read.
    """
    return _Follower(scan, directory, tree, read).run()


class _Follower:
    def __init__(
        self, scan: Scan, directory: Path, tree: Path, read: Callable[[Path], Scan]
    ) -> None:
        self.scan, self.directory, self.tree, self.read = scan, str(directory), str(tree), read
        self.roots = list(
            dict.fromkeys([self.directory, *(os.path.join(self.directory, p) for p in scan.paths)])
        )
        self.written = {_module_of(w) for w in scan.written}
        self.of_notebooks = any(s.top in ("import_ipynb", "importnb") for s in scan.imports)
        """Notebooks can be imported like modules."""
        self.result = Followed(unparsed=list(scan.unparsed))
        self.local: set[str] = set()
        self.seen: set[str] = set()
        self.listings: dict[str, frozenset[str]] = {}

    def run(self) -> Followed:
        queue: list[tuple[ImportSite, str]] = [(s, self.directory) for s in self.scan.imports]
        for _, target in self.scan.runs:
            queue += self._run_target(target)
        for site, base in queue:  # grows while it is walked
            files = self._files(site, base)
            if files is None:
                self.result.imports.append(site)
                continue
            # `from . import x` inside a package is that package's own
            if site.module and not (site.level and site.where.file):
                self.local.add(site.module)
            for file in files:
                queue += self._imports_of(file)
        self.result.local = sorted(self.local)
        return self.result

    def _run_target(self, target: str) -> Iterable[tuple[ImportSite, str]]:
        for suffix in ("", ".py", ".ipynb"):
            path = os.path.join(self.directory, os.path.expanduser(target) + suffix)
            if path.endswith(_RUN) and os.path.isfile(path):
                if not path.endswith(".ipynb"):  # a script's own directory is on its path
                    self._add_root(os.path.dirname(path))
                return self._imports_of(path, runs=True)
        return ()

    def _imports_of(self, file: str, *, runs: bool = False) -> list[tuple[ImportSite, str]]:
        """What a local file imports, and where from; what it `runs` is part of the notebook, so
        its own `%run` and install lines count too."""
        real = os.path.realpath(file)
        if real in self.seen or len(self.seen) >= _FILES or not self._inside(real):
            return []
        self.seen.add(real)
        base = os.path.dirname(file)
        where = Where(os.path.relpath(file, self.directory).replace(os.sep, "/"), 0, 1)
        if file.endswith(".ipynb"):
            scan = self.read(Path(file))
        else:
            text = _text(file) or ""
            scan_text = scan_cell if file.endswith(".ipy") else scan_source
            scan = scan_text(text, where, here=base)
        for path in scan.paths:
            self._add_root(path)
        self.result.unparsed += [_placed(w, where.file) for w in scan.unparsed]
        found = [(_moved(s, where.file), base) for s in scan.imports]
        if runs:
            self.result.installs += scan.installs
            for _, target in scan.runs:
                found += self._run_target(target)
        return found

    def _add_root(self, directory: str) -> None:
        if directory not in self.roots:
            self.roots.append(directory)

    def _inside(self, real: str) -> bool:
        return real.startswith(os.path.realpath(self.tree).rstrip(os.sep) + os.sep)

    def _files(self, site: ImportSite, base: str) -> list[str] | None:
        """The local files of an import; None when it is not a local one."""
        if site.level:
            for _ in range(site.level - 1):
                base = os.path.dirname(base)
            return self._below(base, site, relative=True) or []
        top = site.top
        if site.extension and "." not in site.module and self._entry(self.directory, top) is None:
            return None
        for root in self.roots:
            entry = self._entry(root, top)
            if entry == "module":
                return self._below(root, site, relative=False) or []
            if entry == "directory":
                below = self._below(root, site, relative=False)
                if below:
                    return below
                if self._holds_python(os.path.join(root, top)):
                    self.result.unsure.add(site.module)
        if base not in self.roots and self._entry(base, top) == "module":
            # beside a module of a package: so Python 2 imported it
            self.result.unsure.add(site.module)
        return [] if top in self.written or site.module in self.written else None

    def _entry(self, root: str, name: str) -> str | None:
        """`module`: a file or a package of that name; `directory`: one without `__init__.py`."""
        listing = self._listing(root)
        if f"{name}.py" in listing or (self.of_notebooks and f"{name}.ipynb" in listing):
            return "module"
        if name not in listing:
            built = any(
                f.startswith(name) and _EXTENSION.fullmatch(f[len(name) :]) for f in listing
            )
            return "module" if built else None
        inside = self._listing(os.path.join(root, name))
        if "__init__.py" in inside:
            return "module"
        return "directory" if inside else None

    def _holds_python(self, directory: str) -> bool:
        return any(name.endswith(".py") for name in self._listing(directory))

    def _listing(self, directory: str) -> frozenset[str]:
        found = self.listings.get(directory)
        if found is None:
            try:
                found = frozenset(os.listdir(directory))
            except (OSError, ValueError):
                found = frozenset()
            self.listings[directory] = found
        return found

    def _below(self, root: str, site: ImportSite, *, relative: bool) -> list[str]:
        """The files that importing `site` from `root` runs."""
        files: list[str] = []
        path = root
        for part in site.module.split(".") if site.module else ():
            path = os.path.join(path, part)
            found = self._file(path)
            if found is None and not self._listing(path):
                return files
            files += [found] if found else []
        for name in site.names:
            found = self._file(os.path.join(path, name))
            files += [found] if found else []
        return files

    def _file(self, path: str) -> str | None:
        parent, name = os.path.split(path)
        if f"{name}.py" in self._listing(parent):
            return path + ".py"
        if self.of_notebooks and f"{name}.ipynb" in self._listing(parent):
            return path + ".ipynb"
        if "__init__.py" in self._listing(path):
            return os.path.join(path, "__init__.py")
        return None


def _module_of(written: str) -> str:
    """`helper` of `helper.py`, `pkg` of `pkg/__init__.py`: what the file makes importable."""
    path = written.replace("\\", "/").removeprefix("./")
    head = path.partition("/")[0]
    return head.removesuffix(".py") if path.endswith(".py") else ""


def _text(file: str) -> str | None:
    try:
        raw = reading.content(file, _SIZE)
    except OSError:
        return None
    return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _placed(where: Where, file: str) -> Where:
    return Where(where.file or file, where.cell, where.line)


def _moved(site: ImportSite, file: str) -> ImportSite:
    from dataclasses import replace

    return replace(site, where=_placed(site.where, file))
