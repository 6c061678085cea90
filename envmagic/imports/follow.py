"""Local modules: which imports are files of the notebook's own tree, and what those import."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from envmagic.imports.found import Scan
from envmagic.imports.installs import Install
from envmagic.imports.local_files import LocalFiles, as_package
from envmagic.imports.scan import scan_cell, scan_source
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import Use

__all__ = ["Followed", "follow", "tree_of", "up_from"]

_RUN = (".py", ".ipy", ".ipynb")
_EXTENSION = re.compile(r"\.(?:[^/]*\.)?(?:so|pyd)")
_FILES = 500  # local files followed from one notebook
_MADE = 1000  # files that it makes
_ROOTS = 50  # directories that they may be in


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
    absent: set[str] = field(default_factory=set)
    """Local modules and files that the notebook fetches, and that are not there: nobody can tell
    what they import. Those of them that are `unsure` may be no local ones."""
    installs: list[Install] = field(default_factory=list)
    """Of the files that the notebook runs."""
    unparsed: list[Where] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    """Of all files, with the place in each."""


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
        self.roots = [self.directory]
        self.files = LocalFiles(self.directory)
        self.made: set[str] = set()
        """Modules of which it makes a part at least."""
        self.installs_paths = any(
            i.requirement is None and not i.file and "://" not in i.text for i in scan.installs
        )
        self.of_notebooks = any(s.top in ("import_ipynb", "importnb") for s in scan.imports)
        """Notebooks can be imported like modules."""
        self.result = Followed(unparsed=list(scan.unparsed), uses=list(scan.uses))
        self.local: set[str] = set()
        self.seen: set[str] = set()
        self._take(scan)

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

    def _take(self, scan: Scan) -> None:
        """Where `scan` has modules looked for, and the files that it makes."""
        for path in scan.paths:
            place = self.files.placed(path, self.directory)
            self._add_root(place)
            if place.startswith(self.directory + os.sep):  # it may have been below another by then
                below = place[len(self.directory) + 1 :]
                for root in self.roots[1:_ROOTS]:
                    if os.path.isdir(os.path.join(root, below)):
                        self._add_root(os.path.join(root, below))
        if scan.paths:
            self.files.attach()
        if not scan.made:
            return
        self.files.add(scan.made[:_MADE], self.roots[:_ROOTS])
        self.made |= {made.module for made in scan.made}

    def _run_target(self, target: str) -> Iterable[tuple[ImportSite, str]]:
        for root in self.roots:
            for suffix in ("", ".py", ".ipynb"):
                path = self.files.placed(target + suffix, root)
                if path.endswith(_RUN) and self.files.is_file(path):
                    # IPython and Python have its own directory on the path while it runs
                    self._add_root(os.path.dirname(path))
                    return self._imports_of(path, runs=True)
        return ()

    def _imports_of(self, file: str, *, runs: bool = False) -> list[tuple[ImportSite, str]]:
        """What a local file imports, and where from; what it `runs` is part of the notebook, so
        its own `%run` and install lines count too."""
        source = self.files.source_of(file)
        written = self.files.is_written(file)
        where = Where(os.path.relpath(file, self.directory).replace(os.sep, "/"), 0, 1)
        if not written and not os.path.isfile(source):
            self.result.absent.add(where.file)
            return []
        real = os.path.realpath(source)
        inside = written or self._inside(real)
        if real in self.seen or len(self.seen) >= _FILES or not inside:
            return []
        self.seen.add(real)
        base = os.path.dirname(file)
        if source.endswith(".ipynb"):
            scan = self.read(Path(source))
        else:
            scan_text = scan_cell if file.endswith(".ipy") else scan_source
            scan = scan_text(self.files.text(file) or "", where, here=base)
        if runs:
            self._take(scan)
        for path in scan.paths:
            self._add_root(path)
        self.result.unparsed += [_placed(w, where.file) for w in scan.unparsed]
        self.result.uses += [u._replace(where=_placed(u.where, where.file)) for u in scan.uses]
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
        perhaps = False
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
            elif entry == "unknown" and self._goes_inside(site, os.path.join(root, top)):
                self.result.absent.add(site.module)
                return []
            elif entry == "unknown":
                perhaps = True
            elif self.files.is_unknown(root):  # a clone that is on the path, or was changed into
                tree = os.path.basename(self.files.tree_around(root))
                if as_package(tree) == as_package(top) and not self.installs_paths:
                    self.result.absent.add(site.module)
                    return []
                perhaps = True
        if base not in self.roots and self._entry(base, top) == "module":
            # beside a module of a package: so Python 2 imported it
            self.result.unsure.add(site.module)
        if top in self.made or site.module in self.made:
            return []
        if perhaps:
            self.result.absent.add(site.module)
            self.result.unsure.add(site.module)
        return None

    def _goes_inside(self, site: ImportSite, directory: str) -> bool:
        """Whether an import means a file in a directory: `from yolov5 import detect`, not
        `from transformers import AutoModel`, nor what is installed from a directory. What is
        copied or linked is a package."""
        names = [name for name in site.names if name != "*"]
        below = "." in site.module or (bool(names) and all(n[0].islower() for n in names))
        return (below or self.files.is_copy(directory)) and not self.installs_paths

    def _entry(self, root: str, name: str) -> str | None:
        """`module`: a file or a package of that name; `directory`: one without `__init__.py`;
        `unknown`: one that is fetched and not there."""
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
        if inside:
            return "directory"
        return "unknown" if self.files.is_unknown(os.path.join(root, name)) else None

    def _holds_python(self, directory: str) -> bool:
        return any(name.endswith(".py") for name in self._listing(directory))

    def _listing(self, directory: str) -> frozenset[str]:
        return self.files.listing(directory)

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


def _placed(where: Where, file: str) -> Where:
    return Where(where.file or file, where.cell, where.line)


def _moved(site: ImportSite, file: str) -> ImportSite:
    return site._replace(where=_placed(site.where, file))
