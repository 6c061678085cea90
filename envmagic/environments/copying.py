"""Copying what a virtual environment holds into a new one: nothing is fetched or built again."""

from __future__ import annotations

import base64
import contextlib
import csv
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments import inspection, journal, relocation
from envmagic.environments.backends import staged
from envmagic.environments.contents import MARK
from envmagic.environments.runtimes import own_copy
from envmagic.system import scratch

__all__ = ["copy"]

_SYSTEM_SITES = "include-system-site-packages"
_LARGEST = 1 << 20  # bytes of a command that is text


def copy(source: Environment, target: Environment) -> None:
    """Put what is installed in `source` into `target`, a new one of the same kind of Python.

    Files that something shares already, as an installer's cache does, are shared once more; the
    others are copied. Commands say where they are now. Raises `EnvmagicError`.
    """
    try:
        with scratch.beside(target.prefix) as staging:
            _Copy(source.prefix, target.prefix, staging).all()
            journal.copying(source.prefix, target.prefix)
            staged.move_in(staging, target.prefix)
        _see_system_sites(source.prefix, target.prefix)
    except OSError as error:
        raise EnvmagicError(
            "no-space" if error.errno == errno.ENOSPC else "not-writable",
            f"{display.user_path(source.prefix)} cannot be copied to"
            f" {display.user_path(target.prefix)}: {error.strerror or error}.",
            subject=str(target.prefix),
        ) from error


class _Copy:
    """Copies below `staging`, laid out as the environment at `target`, what `source` holds."""

    def __init__(self, source: Path, target: Path, staging: Path) -> None:
        self._source, self._target, self._staging = source, target, staging
        self._changed: dict[str, bytes] = {}
        """What the copy of a file holds otherwise: path from the prefix, with `/`."""

    def all(self) -> None:
        sites = inspection.site_packages(self._source)
        recorded = [path for site in sites for path in self._outside(site)]
        for relative in dict.fromkeys(recorded):
            self._one(relative)
        for site in sites:
            ours = self._ours(site)
            for relative in self._inside(site):
                if relative not in ours:
                    self._one(relative)
        for site in sites:
            for info in (self._staging / site.relative_to(self._source)).glob("*.dist-info"):
                self._tell(info / "RECORD")

    def _inside(self, site: Path) -> Iterator[str]:
        for directory, names, files in os.walk(site):
            base = os.path.relpath(directory, self._source)
            links = [name for name in names if os.path.islink(os.path.join(directory, name))]
            for name in (*files, *links):
                yield f"{base}/{name}"

    def _outside(self, site: Path) -> Iterator[str]:
        """The commands and data of the distributions in `site`, which lie elsewhere."""
        for info in sorted(site.glob("*.dist-info")):
            if own_copy.is_ours(info):
                continue
            for row in _rows(info / "RECORD"):
                path = os.path.normpath(os.path.join(site, row[0]))
                relative = os.path.relpath(path, self._source)
                if row[0].startswith("..") and not relative.startswith(".."):
                    yield relative

    def _ours(self, site: Path) -> set[str]:
        """What a version of ours has put into `site`."""
        base = os.path.relpath(site, self._source)
        infos = [info for info in site.glob("*.dist-info") if own_copy.is_ours(info)]
        return {f"{base}/{row[0]}" for info in infos for row in _rows(info / "RECORD")}

    def _one(self, relative: str) -> None:
        source, copied = self._source / relative, self._staging / relative
        if relative == MARK or os.path.lexists(self._target / relative):
            return  # the new environment has its own
        if not os.path.lexists(source) or os.path.lexists(copied):
            return
        copied.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            copied.symlink_to(os.readlink(source))
            return
        content = self._said_anew(source, relative)
        if content is not None:
            copied.write_bytes(content)
            shutil.copystat(source, copied)
            self._changed[relative] = content
        elif not _shared(source, copied):
            shutil.copy2(source, copied)

    def _said_anew(self, file: Path, relative: str) -> bytes | None:
        """The content of a command or a `.pth` file with the new path in it; None: as it is."""
        site, _, name = relative.rpartition("/")
        in_site = site.endswith("site-packages") and name.endswith(".pth")
        if not (in_site or site in ("bin", "Scripts")) or file.stat().st_size > _LARGEST:
            return None
        text = file.read_bytes()
        old, new = os.fsencode(self._source), os.fsencode(self._target)
        changed = text if b"\0" in text else relocation.pointed(text, old, new)
        return changed if changed != text else None

    def _tell(self, record: Path) -> None:
        """Have a RECORD say what the files hold that have another path in them."""
        rows = list(_rows(record))
        site = record.parents[1].relative_to(self._staging)
        new = [_row(row, os.path.normpath(site / row[0]), self._changed) for row in rows]
        if new == rows:
            return
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(new)
        record.unlink()  # it may be another's, too
        record.write_text(text.getvalue(), "utf-8")


def _row(row: list[str], relative: str, changed: Mapping[str, bytes]) -> list[str]:
    content = changed.get(relative)
    if content is None:
        return row
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return [row[0], f"sha256={digest}", str(len(content))]


def _rows(record: Path) -> Iterator[list[str]]:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = record.read_text("utf-8")
        yield from (row for row in csv.reader(text.splitlines()) if row and row[0])


def _shared(source: Path, target: Path) -> bool:
    """Whether `target` is another name of the file `source` now.

    One that has no other name yet is its environment's own: who edits it there means that one
    alone. Compiled ones are never edited, Python replaces them.
    """
    if source.stat().st_nlink < 2 and source.suffix != ".pyc":
        return False
    try:
        os.link(source, target)
    except OSError:  # on another file system
        return False
    return True


def _see_system_sites(source: Path, target: Path) -> None:
    """Have `target` see what is installed beside its Python where `source` does."""
    if f"{_SYSTEM_SITES} = true" not in (source / "pyvenv.cfg").read_text("utf-8"):
        return
    config = target / "pyvenv.cfg"
    said = config.read_text("utf-8").replace(f"{_SYSTEM_SITES} = false", f"{_SYSTEM_SITES} = true")
    config.write_text(said, "utf-8")
