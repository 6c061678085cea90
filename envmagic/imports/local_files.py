"""The files that a notebook can import: those on the disk, and those that it makes itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from envmagic.imports.made import Made
from envmagic.system import reading

__all__ = ["LocalFiles", "as_package"]

_SIZE = 4 * 1024 * 1024  # bytes of a file that is read
_LONGEST = 1000  # characters of a path
# Where the notebooks of Colab, Kaggle and Databricks run: what they name there is beside them.
_HOMES = ("/content", "/kaggle/working", "../working", "/databricks/driver")
# What a platform attaches, which is nowhere else.
_ATTACHED = (
    "/content/drive",
    "/content/gdrive",
    "/kaggle/input",
    "../input",
    "/dbfs",
    "/Workspace",
)


@dataclass
class _Content:
    texts: list[str] = field(default_factory=list)
    source: str = ""
    """A file of which it is a copy."""
    adds: bool = True
    """To what is on the disk."""


class LocalFiles:
    """The disk as it is, with what the notebook in `directory` makes put over it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._listings: dict[str, frozenset[str]] = {}
        self._made: dict[str, _Content] = {}
        self._below: dict[str, set[str]] = {}
        self._trees: dict[str, str] = {}
        """Directories whose content only running tells, and what each is a copy of."""

    def attach(self) -> None:
        """What platforms attach is there, though nobody can tell what is in it."""
        self._trees.update((self.placed(place, self.directory), "") for place in _ATTACHED)

    def add(self, made: Iterable[Made], roots: Iterable[str]) -> None:
        """What is `made` is there from now on, seen from each of `roots`: nobody can tell in which
        of them the notebook was when it made it."""
        places = list(roots)
        for one in made:
            nameless = one.path != "." and not one.path.strip("./")
            if nameless or "\0" in one.path or "*" in one.path or len(one.path) > _LONGEST:
                continue
            for place in {self.placed(one.path, root) for root in places}:
                source = self.placed(one.source, self.directory) if one.source else ""
                if one.is_tree:
                    self._trees[place] = source
                else:
                    self._write(place, one, source)
                self._note(place)
        self._listings.clear()

    def placed(self, path: str, root: str) -> str:
        """The absolute place of `path` as code in `root` names it."""
        path = os.path.expanduser(path.replace("\\", "/"))
        for home in _HOMES:
            named = path == home or path.startswith(f"{home}/")
            if named and not os.path.isdir(os.path.join(self.directory, home)):
                path, root = path[len(home) + 1 :], self.directory
        return os.path.normpath(os.path.join(root, path))

    def listing(self, directory: str) -> frozenset[str]:
        """The names in a directory; none where there is no such."""
        found = self._listings.get(directory)
        if found is None:
            found = self._on_disk(directory)
            if directory in self._below:
                found |= self._below[directory]
            source = self._trees.get(directory)
            if source:
                found |= self._on_disk(source)
            self._listings[directory] = found
        return found

    def text(self, file: str) -> str | None:
        """What is in a file; None where that cannot be told."""
        made = self._made.get(file)
        if made is None or (made.adds and not made.source):
            there = _text(self._real(file))
            if made is None or not made.texts:
                return there
            return "\n".join([there or "", *made.texts])
        texts = self._texts(file)
        if texts:
            return "\n".join(texts)
        return _text(file) if os.path.isfile(file) else _text(made.source) if made.source else None

    def is_file(self, file: str) -> bool:
        """Whether it is there, or made."""
        return file in self._made or os.path.isfile(self._real(file))

    def is_written(self, file: str) -> bool:
        """Whether the notebook itself says what is in it."""
        return bool(self._texts(file))

    def source_of(self, file: str) -> str:
        """Where what is in `file` lies, where it is a copy that is not there; else `file`."""
        made = self._made.get(file)
        if made is not None and made.source and not os.path.isfile(file):
            return made.source
        return self._real(file)

    def is_unknown(self, directory: str) -> bool:
        """Whether anything may be in `directory`: it was fetched, and it is not there."""
        if directory == self.directory:
            return directory in self._trees
        if os.path.isdir(directory) or self._on_disk(self._real(directory)):
            return False
        while directory not in self._trees:
            above = os.path.dirname(directory)
            if above in (directory, self.directory):
                return False
            directory = above
        return True

    def is_copy(self, directory: str) -> bool:
        """Whether it is made as the copy of another."""
        return bool(self._trees.get(directory))

    def tree_around(self, directory: str) -> str:
        """What is fetched as a whole, and has `directory` in it."""
        while directory not in self._trees and directory != os.path.dirname(directory):
            directory = os.path.dirname(directory)
        return directory

    def _texts(self, file: str) -> list[str]:
        """What is written into a file, or into the one that it is a copy of."""
        made = self._made.get(file)
        if made is None or made.texts or made.source not in self._made:
            return [] if made is None else made.texts
        return self._made[made.source].texts

    def _real(self, path: str) -> str:
        """`path`, or where it lies in what its directory is a copy of."""
        above = path
        while above != os.path.dirname(above) and self._trees:
            if self._trees.get(above) and not os.path.lexists(above):
                return self._trees[above] + path[len(above) :]
            above = os.path.dirname(above)
        return path

    def _write(self, place: str, one: Made, source: str) -> None:
        held = self._made.setdefault(place, _Content())
        held.adds = held.adds and one.adds
        if one.text is not None and not one.adds:
            held.texts = []
        if one.text is not None:
            held.texts.append(one.text)
        if source:
            held.source = source

    def _note(self, place: str) -> None:
        """The directories above `place` have it, up to the notebook's own or the top."""
        while place not in (self.directory, os.path.dirname(place)):
            above, name = os.path.split(place)
            self._below.setdefault(above, set()).add(name)
            place = above

    def _on_disk(self, directory: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(directory))
        except (OSError, ValueError):
            return frozenset()


def _text(file: str) -> str | None:
    try:
        raw = reading.content(file, _SIZE)
    except (OSError, ValueError):
        return None
    return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def as_package(name: str) -> str:
    """`segment_anything` of `segment-anything-main`: the package in a repository of that name."""
    return re.sub(r"[-_.]+", "_", re.sub(r"[-_](?:main|master)$", "", name)).lower()
