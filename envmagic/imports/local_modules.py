"""Which imports are files of a notebook's own tree, and which files those are."""

from __future__ import annotations

import os
import re

from envmagic.imports.found import Scan
from envmagic.imports.local_files import LocalFiles, as_package
from envmagic.imports.sites import ImportSite

__all__ = ["LocalModules"]

_EXTENSION = re.compile(r"\.(?:[^/]*\.)?(?:so|pyd)")
_MADE = 1000  # files that a notebook makes
_ROOTS = 50  # directories that they may be in


class LocalModules:
    """The modules that the notebook in `directory`, scanned as `scan`, has beside it or makes."""

    def __init__(self, scan: Scan, directory: str) -> None:
        self.directory = directory
        self.files = LocalFiles(directory)
        self.roots = [directory]
        """Where they are looked for."""
        self.unsure: set[str] = set()
        self.absent: set[str] = set()
        self.places: dict[str, str] = {}
        """As `Followed` has them."""
        self.of_notebooks = any(s.top in ("import_ipynb", "importnb") for s in scan.imports)
        """Notebooks can be imported like modules."""
        self.installs_paths = any(
            i.requirement is None and not i.file and "://" not in i.text for i in scan.installs
        )
        self.made: set[str] = set()
        """Modules of which it makes a part at least."""
        self.take(scan)

    def take(self, scan: Scan) -> None:
        """Where `scan` has modules looked for, and the files that it makes."""
        for path in scan.paths:
            place = self.files.placed(path, self.directory)
            self.add_root(place)
            if place.startswith(self.directory + os.sep):  # it may have been below another by then
                below = place[len(self.directory) + 1 :]
                for root in self.roots[1:_ROOTS]:
                    if os.path.isdir(os.path.join(root, below)):
                        self.add_root(os.path.join(root, below))
        if scan.paths:
            self.files.attach()
        if not scan.made:
            return
        self.files.add(scan.made[:_MADE], self.roots[:_ROOTS])
        self.made |= {made.module for made in scan.made}

    def add_root(self, directory: str) -> None:
        """Look for modules in `directory`, too."""
        if directory not in self.roots:
            self.roots.append(directory)

    def files_of(self, site: ImportSite, base: str) -> list[str] | None:
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
                self.found(top, root)
                return self._below(root, site, relative=False) or []
            if entry == "directory":
                below = self._below(root, site, relative=False)
                if below:
                    self.found(top, root)
                    return below
                if self._holds_python(os.path.join(root, top)):
                    self.unsure.add(site.module)
            elif entry == "unknown" and self._goes_inside(site, os.path.join(root, top)):
                self.absent.add(site.module)
                return []
            elif entry == "unknown":
                perhaps = True
            elif self.files.is_unknown(root):  # a clone that is on the path, or was changed into
                tree = os.path.basename(self.files.tree_around(root))
                if as_package(tree) == as_package(top) and not self.installs_paths:
                    self.absent.add(site.module)
                    return []
                perhaps = True
        if base not in self.roots and self._entry(base, top) == "module":
            # beside a module of a package: so Python 2 imported it
            self.unsure.add(site.module)
        if top in self.made or site.module in self.made:
            return []
        if perhaps:
            self.absent.add(site.module)
            self.unsure.add(site.module)
        return None

    def found(self, top: str, root: str) -> None:
        """Note where the module `top` lies, which is in `root`."""
        if top in self.places:
            return
        listing = self.files.listing(root)
        package = (top,) if "__init__.py" in self.files.listing(os.path.join(root, top)) else ()
        built = sorted(name for name in listing if _is_built(name, top))
        for name in (*package, f"{top}.py", *built, top):  # as Python takes them
            if name in listing:
                self.places[top] = os.path.join(root, name)
                return

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
        listing = self.files.listing(root)
        if f"{name}.py" in listing or (self.of_notebooks and f"{name}.ipynb" in listing):
            return "module"
        if name not in listing:
            return "module" if any(_is_built(f, name) for f in listing) else None
        inside = self.files.listing(os.path.join(root, name))
        if "__init__.py" in inside:
            return "module"
        if inside:
            return "directory"
        return "unknown" if self.files.is_unknown(os.path.join(root, name)) else None

    def _holds_python(self, directory: str) -> bool:
        return any(name.endswith(".py") for name in self.files.listing(directory))

    def _below(self, root: str, site: ImportSite, *, relative: bool) -> list[str]:
        """The files that importing `site` from `root` runs."""
        files: list[str] = []
        path = root
        for part in site.module.split(".") if site.module else ():
            path = os.path.join(path, part)
            found = self._file(path)
            if found is None and not self.files.listing(path):
                return files
            files += [found] if found else []
        for name in site.names:
            found = self._file(os.path.join(path, name))
            files += [found] if found else []
        return files

    def _file(self, path: str) -> str | None:
        parent, name = os.path.split(path)
        if f"{name}.py" in self.files.listing(parent):
            return path + ".py"
        if self.of_notebooks and f"{name}.ipynb" in self.files.listing(parent):
            return path + ".ipynb"
        if "__init__.py" in self.files.listing(path):
            return os.path.join(path, "__init__.py")
        return None


def _is_built(file: str, name: str) -> bool:
    """Whether `file` is the compiled module `name`."""
    return file.startswith(name) and _EXTENSION.fullmatch(file[len(name) :]) is not None
