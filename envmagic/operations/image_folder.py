"""The directory that `ship docker` and `ship binder` write: what it may be, whose its files are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Frontend, Place
from envmagic.core.schema import ExportedFile
from envmagic.core.verbs import ShipRequest
from envmagic.operations import export_files, file_set
from envmagic.record.export import binder, signed
from envmagic.requirements.diff import unified
from envmagic.shipping import manifest
from envmagic.shipping.local_modules import LocalModule
from envmagic.system import files

__all__ = ["ImageFolder"]

_SHOWN = 100_000
"""Bytes of a file whose lines are shown where it differs."""


@dataclass(frozen=True)
class ImageFolder:
    """The directory that a request names."""

    request: ShipRequest
    place: Place

    @cached_property
    def path(self) -> Path:
        target = Path(self.request.target or self.request.engine).expanduser()
        return Path(os.path.abspath(self.place.directory / target))

    @property
    def typed(self) -> str:
        """As it is typed where the notebook is."""
        return display.typed(display.display(self.path, self.place.directory))

    def check(self, notebook: Path, modules: Iterable[LocalModule]) -> None:
        """Raise `WordsError` (`bad-export-name`) where an image cannot be made of it."""
        if self.path.is_file():
            raise self._unfit("is a file")
        real = Path(os.path.realpath(self.path))
        if Path(os.path.realpath(notebook)).is_relative_to(real):
            raise self._unfit("holds the notebook itself, and what it was recorded from")
        for module in modules:
            if module.is_package and real.is_relative_to(os.path.realpath(module.path)):
                raise self._unfit(f"is in the package {module.name}, which goes into it")

    def written(self, contents: Mapping[str, bytes]) -> list[ExportedFile]:
        """Have it hold `contents`, and nothing more of what was written here before.

        Raises `EnvmagicError` (`not-ours`) where a person wrote one of the files.
        """
        if self.request.engine == "binder":
            self._refuse_preferred(contents)
        return file_set.put(
            self._wanted(contents), self._is_ours, self._not_ours, self._gone(contents)
        )

    def compared(self, contents: Mapping[str, bytes]) -> tuple[list[ExportedFile], str]:
        """Which files differ from `contents`, and how: a unified diff, or that they do."""
        wanted = self._wanted(contents)
        found, told = [], []
        for path in (*wanted, *self._gone(contents)):
            before, now = file_set.held(path), wanted.get(path)
            found.append(ExportedFile(file=str(path), changed=before != now))
            if before != now and path.name != manifest.NAME:
                told.append(_difference(path, before, now))
        return found, "".join(told)

    def words(self, path: Path | None = None, *, check: bool = False) -> tuple[str, ...]:
        """What writes the same, into `path` where one is given."""
        to, request = path or self.path, self.request
        named = self.place.notebook if self.place.frontend is Frontend.TERMINAL else None
        below = named is None and to.is_relative_to(self.place.directory)
        return (
            *("ship", request.engine, str(to.relative_to(self.place.directory) if below else to)),
            *(("--check",) if check else ()),
            *(("--env-var", *request.variables) if request.variables else ()),
            *(("--notebook", str(named)) if named else ()),
        )

    @cached_property
    def _known(self) -> dict[str, str]:
        try:
            return manifest.of(self.path)
        except OSError as error:
            raise files.unreadable(self.path / manifest.NAME, error) from error

    def _wanted(self, contents: Mapping[str, bytes]) -> dict[Path, bytes]:
        found = {self.path / path: raw for path, raw in contents.items()}
        return {**found, self.path / manifest.NAME: manifest.text(contents)}

    def _gone(self, contents: Mapping[str, bytes]) -> list[Path]:
        """What was written before and is not wanted any more; what somebody edited stays."""
        left = [self.path / path for path in self._known if path not in contents]
        return [path for path in left if path.is_file() and self._is_ours(path)]

    def _is_ours(self, path: Path) -> bool:
        if path.name == manifest.NAME:
            return signed.is_ours(path)
        known = self._known.get(path.relative_to(self.path).as_posix())
        digest = hashlib.sha256(file_set.held(path) or b"").hexdigest()
        return known == digest or export_files.is_ours(path)

    def _refuse_preferred(self, contents: Mapping[str, bytes]) -> None:
        first = "environment.yml" if "environment.yml" in contents else binder.COMPANION
        other = binder.preferred(self.path, first)
        other = other if other is None or not self._is_ours(other) else None
        folders = (self.path / name for name in ("binder", ".binder"))
        other = other or next((folder for folder in folders if folder.is_dir()), None)
        if other is not None:
            raise self._refused(
                f"repo2docker takes {display.user_path(other)} instead of what would be written.",
                other,
            )

    def _not_ours(self, path: Path) -> EnvmagicError:
        return self._refused(
            f"{display.user_path(path)} was not written by ship, or somebody edited it since;"
            " it stays as it is.",
            path,
        )

    def _refused(self, said: str, subject: Path) -> EnvmagicError:
        hint = "Move it away, or write into another directory"
        command = self.words(self._free(self.path))
        return EnvmagicError("not-ours", said, hint, command=command, subject=str(subject))

    def _unfit(self, why: str) -> WordsError:
        other = self._free(self.place.directory / self.request.engine)
        return WordsError(
            "bad-export-name",
            f"{display.user_path(self.path)} {why}.",
            "For example",
            command=self.words(other),
            subject=str(self.path),
        )

    @staticmethod
    def _free(path: Path) -> Path:
        """`path`, or beside it what is not there."""
        other, number = path, 1
        while other.exists():
            number += 1
            other = path.with_name(f"{path.name}-{number}")
        return other


def _difference(path: Path, before: bytes | None, now: bytes | None) -> str:
    name = display.user_path(path)
    texts = [raw for raw in (before, now) if raw is not None]
    if path.suffix != ".ipynb" and all(b"\0" not in raw and len(raw) < _SHOWN for raw in texts):
        return unified(path, before or b"", now or b"")
    if before is None or now is None:
        return f"{name} is {'not there' if before is None else 'not wanted any more'}\n"
    return f"{name} differs\n"
