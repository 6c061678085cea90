"""What a verb has changed so far, told by looking: said where it was interrupted or failed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core import verbs
from envmagic.core.display import display, joined, user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Place
from envmagic.core.record_files import ENVIRONMENTS, REQUIREMENTS
from envmagic.environments import backends, inspection, journal, registry
from envmagic.environments.registry import Target
from envmagic.jupyter import kernelspecs, startup_file
from envmagic.system import directories, prefix_layout

__all__ = ["Footprint", "take"]

_Stamp = tuple[int, int, int]
_MANY = 5
_RECORDS = (REQUIREMENTS, *ENVIRONMENTS)


@dataclass(frozen=True)
class Footprint:
    """How the things stood that a verb may change."""

    environments: Mapping[Path, Mapping[str, str] | None]
    """What is installed in each, name -> version; None where there is none."""
    kernels: Mapping[Path, str | None]
    """The kernel of each."""
    files: Mapping[Path, _Stamp | None]
    directory: Path
    trees: tuple[Path, ...] = ()
    """Below them any record may be written; they are too large to be looked through before."""
    since: int = field(default_factory=time.time_ns)

    def changed(self) -> list[str]:
        """What is different now, a clause each; empty where nothing is."""
        return [
            *(c for prefix, held in self.environments.items() for c in _of_prefix(prefix, held)),
            *(c for prefix, name in self.kernels.items() for c in self._of_kernel(prefix, name)),
            *(
                f"{display(path, self.directory)} was {'written' if path.exists() else 'removed'}"
                for path in self._files()
            ),
        ]

    def _files(self) -> Iterator[Path]:
        """The files that are different now."""
        yield from (path for path, stamp in self.files.items() if _stamp(path) != stamp)
        for tree in self.trees:
            for directory, _, names in os.walk(tree):
                for path in (Path(directory, n) for n in names if n in _RECORDS):
                    stamp = _stamp(path)
                    if path not in self.files and stamp is not None and stamp[0] > self.since:
                        yield path

    def _of_kernel(self, prefix: Path, before: str | None) -> Iterator[str]:
        kernel = kernelspecs.of_prefix(prefix)
        if before is not None and kernel is None:
            yield f"the kernel {before} was taken away"
        elif kernel is not None and kernel.name != before:
            stamp = _stamp(kernel.directory / "kernel.json")
            if stamp is not None and stamp[0] > self.since:
                yield f"the kernel {kernel.name} was registered"


def take(request: verbs.Request | verbs.CarryOutRequest, place: Place) -> Footprint:
    """How what `request` may change stands now; nothing is run for it, and it raises nothing."""
    targets = list(_targets(request, place))
    registers = not isinstance(
        request,
        verbs.InstallRequest
        | verbs.UninstallRequest
        | verbs.SyncRequest
        | verbs.UndoRequest
        | verbs.UpgradeRequest,
    )
    return Footprint(
        {at.prefix: _held(at.prefix) for at in targets},
        {at.prefix: _called(at) for at in targets} if registers else {},
        {path: _stamp(path) for path in _files(request, place)},
        place.directory,
        tuple(_trees(request, place)),
    )


def _targets(request: verbs.Request | verbs.CarryOutRequest, place: Place) -> Iterator[Target]:
    if isinstance(request, verbs.CellRequest):
        request = request.create
    try:
        if isinstance(request, verbs.CreateRequest | verbs.CloneRequest | verbs.RenameRequest) or (
            isinstance(request, verbs.RestoreRequest) and request.target is not None
        ):
            yield registry.target(request.target, place)
        elif isinstance(request, verbs.AttachRequest | verbs.RemoveRequest):
            yield registry.existing(request.target, place)
        elif isinstance(
            request,
            verbs.InstallRequest
            | verbs.UninstallRequest
            | verbs.SyncRequest
            | verbs.UndoRequest
            | verbs.UpgradeRequest,
        ):
            yield from [Target(place.prefix, "")] if place.prefix is not None else []
        elif isinstance(
            request, verbs.CarryOutRequest | verbs.DoctorRequest | verbs.RestoreRequest
        ):
            yield registry.target(None, place)
            home = directories.envs()
            names = os.listdir(home) if home.is_dir() else []
            yield from (Target(home / name, name) for name in names)
    except (EnvmagicError, OSError):
        return  # the verb itself will say so


def _files(request: verbs.Request | verbs.CarryOutRequest, place: Place) -> Iterator[Path]:
    if isinstance(request, verbs.AutoloadRequest):
        yield startup_file.of_default_profile().path
        return
    beside = {place.directory: None}
    if isinstance(request, verbs.RecordRequest):
        beside |= dict.fromkeys(p if p.is_dir() else p.parent for p in _named(request, place))
        if request.to not in (None, "-"):
            yield place.directory / os.path.expanduser(request.to or "")
    for directory in beside:
        yield from (directory / name for name in _RECORDS)


def _trees(request: verbs.Request | verbs.CarryOutRequest, place: Place) -> Iterator[Path]:
    if isinstance(request, verbs.RecordRequest):
        yield from filter(Path.is_dir, _named(request, place))
        if not request.paths and place.notebook is None:
            yield place.directory


def _named(request: verbs.RecordRequest, place: Place) -> list[Path]:
    return [place.directory / os.path.expanduser(path) for path in request.paths]


def _held(prefix: Path) -> dict[str, str] | None:
    """What is installed at `prefix`; None where no environment is. It costs one listing, for it is
    asked before each verb."""
    if not backends.is_environment(prefix):
        return None
    found = inspection.distributions_in(inspection.site_packages(prefix))
    return {name: version for name, (version, _) in found.items()}


def _called(at: Target) -> str | None:
    """The kernel of an environment, as far as it is called as it is by rights."""
    kernel = kernelspecs.find(at.name)
    if kernel is None or kernel.prefix is None:
        return None
    return at.name if prefix_layout.same(kernel.prefix, at.prefix) else None


def _stamp(path: Path) -> _Stamp | None:
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _of_prefix(prefix: Path, before: Mapping[str, str] | None) -> Iterator[str]:
    shown, now = user_path(prefix), _held(prefix)
    if journal.unfinished_at(prefix) is not None:
        yield f"{shown} is half done, and doctor --fix brings that to its end"
    elif before is None and now is not None:
        yield f"{shown} was made"
    elif before is not None and now is None:
        yield f"{shown} was removed"
    elif before is not None and now is not None and before != now:
        came = [f"{name} {v}" for name, v in sorted(now.items()) if before.get(name) != v]
        went = sorted(set(before) - set(now))
        yield from [f"{_some(came)} {_was(came)} installed into {shown}"] if came else []
        yield from [f"{_some(went)} {_was(went)} taken out of {shown}"] if went else []


def _some(names: list[str]) -> str:
    if len(names) > _MANY:
        names = [*names[:_MANY], f"{len(names) - _MANY} more"]
    return joined(names)


def _was(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"
