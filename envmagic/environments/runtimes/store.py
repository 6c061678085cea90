"""Where runtimes lie, what is in them, and which of them a kernel needs now.

`jupyter/launcher` tells what it reads of these files; this writes them.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments import inspection
from envmagic.environments.inspection import Distributions
from envmagic.jupyter import launcher
from envmagic.system import directories, files, locks, scratch

__all__ = [
    "Index",
    "Runtime",
    "at",
    "clear_unfinished",
    "describe",
    "directory",
    "discard",
    "every",
    "forget",
    "is_used",
    "remove",
]

_SCHEMA = 1
_INDEX = "index.json"
_DESCRIPTION = "runtime.json"
_CUT_OFF = 6 * 3600.0  # seconds; a runtime is filled and tried in less


@dataclass(frozen=True)
class Runtime:
    """The parts of a kernel, outside every environment."""

    place: Path
    """Its directory: `lib` and `info` have the distributions, `pip` and `pip-info` have pip."""
    python: str
    """The version of Python that it was made with, `3.12.4`."""
    made: float
    """When, in seconds since the epoch."""
    shared: bool
    """It was made for no environment in particular."""

    @property
    def kind(self) -> str:
        """The kind of Python that it is for; see `launcher.kind_of_python`."""
        return self.place.parent.name

    @property
    def name(self) -> str:
        return self.place.name

    @property
    def lib(self) -> Path:
        return self.place / "lib"

    @property
    def distributions(self) -> Distributions:
        """What is in it; its metadata lies in `info`."""
        return inspection.distributions_in((self.place / "info",))

    @property
    def whole(self) -> bool:
        """Whether everything is there that a kernel loads at its start."""
        return launcher.whole(str(self.place))

    @property
    def loaded(self) -> set[str]:
        """The modules and packages, those at the top, that a kernel loads from it at its start."""
        try:
            files = json.loads((self.place / _DESCRIPTION).read_bytes())["loaded"]
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        return {Path(file).parts[0].partition(".")[0] for file in files}

    @property
    def used(self) -> float:
        """When a kernel was last started with it, in seconds since the epoch."""
        try:
            return os.stat(self.place / "used").st_mtime
        except OSError:
            return self.made

    @property
    def size(self) -> int:
        """Bytes that its files take."""
        return inspection.size(self.place)


@dataclass
class Index:
    """What is known of one kind of Python: its shared runtime, and which suits what is held."""

    kind: str
    names: set[str]
    """Normalised names of the distributions whose versions in an environment matter."""
    verdicts: dict[str, dict[str, Any]]
    """By `launcher.digest` of those that an environment holds."""
    shared: str = ""
    """The name of the shared runtime; empty when there is none."""

    @classmethod
    def load(cls, kind: str) -> Index:
        """That of `kind`; an empty one where there is none that can be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            held = json.loads((directory(kind) / _INDEX).read_bytes())
            if held["schema"] == _SCHEMA:
                verdicts = {str(k): dict(v) for k, v in held["verdicts"].items()}
                return cls(kind, set(held["names"]), verdicts, str(held["shared"]))
        return cls(kind, set(), {})

    def knows(self, name: str) -> bool:
        """Whether a kernel may still be started with the runtime called `name`."""
        return name == self.shared or any(v.get("runtime") == name for v in self.verdicts.values())

    def forget(self, name: str) -> None:
        """Let no environment have the runtime called `name` any more."""
        self.verdicts = {k: v for k, v in self.verdicts.items() if v.get("runtime") != name}
        if self.shared == name:
            self.shared = ""

    def save(self) -> None:
        """Write it; the caller holds the lock of `directory(kind)`. Raises `EnvmagicError`."""
        held = {
            "schema": _SCHEMA,
            "shared": self.shared,
            "names": sorted(self.names),
            "verdicts": self.verdicts,
        }
        files.write_atomic(directory(self.kind) / _INDEX, json.dumps(held, indent=1).encode())


def directory(kind: str) -> Path:
    """Where the runtimes for one kind of Python lie."""
    return directories.runtimes() / kind


def describe(place: Path, *, python: str, shared: bool, loaded: Mapping[str, int]) -> None:
    """Write what a runtime says of itself; `loaded` are the files below `lib` that a kernel loads
    at its start, and their lengths."""
    held = {"python": python, "made": time.time(), "shared": shared, "loaded": dict(loaded)}
    files.write_atomic(place / _DESCRIPTION, json.dumps(held).encode())


def at(place: Path) -> Runtime | None:
    """The runtime in the directory `place`; None where there is none that can be read."""
    try:
        held = json.loads((place / _DESCRIPTION).read_bytes())
        return Runtime(place, str(held["python"]), float(held["made"]), bool(held["shared"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def every() -> list[Runtime]:
    """All there are, sorted by kind and age."""
    files = directories.runtimes().glob(f"*/[!.]*/{_DESCRIPTION}")
    found = [at(file.parent) for file in files]
    return sorted(
        (runtime for runtime in found if runtime is not None), key=lambda r: (r.kind, r.made)
    )


def clear_unfinished(kind: str) -> None:
    """Remove what somebody who was cut off has filled and not tried, hours ago; what is newer may
    be tried now, by one whose home is another. The caller holds the lock."""
    with contextlib.suppress(OSError):
        for place in directory(kind).glob("[!.]*/"):
            if (place / _DESCRIPTION).exists() or not place.is_dir():
                continue
            if time.time() - place.stat().st_mtime > _CUT_OFF:
                with _unused(place) as free:
                    if free:
                        discard(place)


def discard(place: Path) -> None:
    """Remove the directory of a runtime; raises `OSError` where that cannot be."""
    with scratch.beside(place.parent) as aside:
        place.rename(aside)  # gone at once: there is never half of one


def is_used(runtime: Runtime) -> bool:
    """Whether a kernel that runs now was started with it."""
    with _unused(runtime.place) as free:
        return not free


def remove(runtime: Runtime) -> bool:
    """Remove a runtime that no kernel uses; whether it is gone. The caller holds the lock.

    Raises `EnvmagicError` where it cannot be removed.
    """
    with _unused(runtime.place) as free:
        if not free:
            return False
        index = Index.load(runtime.kind)
        index.forget(runtime.name)
        index.save()
        try:
            discard(runtime.place)
        except OSError as error:
            raise EnvmagicError(
                "not-writable",
                f"{display.user_path(runtime.place)} cannot be removed: {error.strerror}.",
                subject=str(runtime.place),
            ) from error
    return True


def forget(runtime: Runtime) -> str:
    """Let no further kernel have `runtime`, which one uses now, and say so.

    The caller holds the lock.
    """
    index = Index.load(runtime.kind)
    index.forget(runtime.name)
    index.save()
    return f"{display.user_path(runtime.place)} is in use; it can go when its kernels have ended."


@contextlib.contextmanager
def _unused(place: Path) -> Iterator[bool]:
    """Whether no kernel uses what is there; none starts with it within the `with` block then."""
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context((place / "used").open("r+b"))
            free = locks.try_lock(file)
        except OSError as error:  # where nothing can be locked, nobody knows
            free = isinstance(error, FileNotFoundError)
        yield free
