"""Local modules: which imports are files of the notebook's own tree, and what those import."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.imports.found import Scan
from envmagic.imports.installs import Install
from envmagic.imports.local_modules import LocalModules
from envmagic.imports.scan import scan_cell, scan_source
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import Use

__all__ = ["Followed", "follow"]

_RUN = (".py", ".ipy", ".ipynb")
_FILES = 500  # local files followed from one notebook


@dataclass
class Followed:
    """A scan with its local imports taken out and what they import put in."""

    imports: list[ImportSite] = field(default_factory=list)
    """What is not local; `unsure` below are among them."""
    local: list[str] = field(default_factory=list)
    """Dotted modules of the notebook's own tree, sorted."""
    places: dict[str, str] = field(default_factory=dict)
    """Top-level module of them -> its file or directory; of files that are run, too."""
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
        self.modules = LocalModules(scan, self.directory)
        self.files = self.modules.files
        self.result = Followed(
            unsure=self.modules.unsure,
            absent=self.modules.absent,
            places=self.modules.places,
            unparsed=list(scan.unparsed),
            uses=list(scan.uses),
        )
        self.local: set[str] = set()
        self.seen: set[str] = set()

    def run(self) -> Followed:
        queue: list[tuple[ImportSite, str]] = [(s, self.directory) for s in self.scan.imports]
        for _, target in self.scan.runs:
            queue += self._run_target(target)
        for site, base in queue:  # grows while it is walked
            files = self.modules.files_of(site, base)
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
        for root in self.modules.roots:
            for suffix in ("", ".py", ".ipynb"):
                path = self.files.placed(target + suffix, root)
                if path.endswith(_RUN) and self.files.is_file(path):
                    # IPython and Python have its own directory on the path while it runs
                    self.modules.add_root(os.path.dirname(path))
                    stem = os.path.splitext(os.path.basename(path))[0]
                    self.modules.found(stem, os.path.dirname(path))
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
            self.modules.take(scan)
        for path in scan.paths:
            self.modules.add_root(path)
        self.result.unparsed += [_placed(w, where.file) for w in scan.unparsed]
        self.result.uses += [u._replace(where=_placed(u.where, where.file)) for u in scan.uses]
        found = [(_moved(s, where.file), base) for s in scan.imports]
        if runs:
            self.result.installs += scan.installs
            for _, target in scan.runs:
                found += self._run_target(target)
        return found

    def _inside(self, real: str) -> bool:
        return real.startswith(os.path.realpath(self.tree).rstrip(os.sep) + os.sep)


def _placed(where: Where, file: str) -> Where:
    return Where(where.file or file, where.cell, where.line)


def _moved(site: ImportSite, file: str) -> ImportSite:
    return site._replace(where=_placed(site.where, file))
