"""`rename`: another name for an environment, and all that goes by the old one goes along."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Environment, Frontend, Place, Progress, Report
from envmagic.core.schema import RenameData
from envmagic.core.verbs import RenameRequest
from envmagic.environments import (
    backends,
    clearing,
    history,
    moving,
    registry,
    relocation,
    renamed,
    running,
)
from envmagic.environments.registry import Target
from envmagic.jupyter import kernelspecs, notebook_file
from envmagic.operations import at_prefix
from envmagic.planning import memory
from envmagic.system import directories, prefix_layout

__all__ = ["rename"]


def rename(request: RenameRequest, place: Place, progress: Progress) -> Report[RenameData]:
    """Give the environment `source` the NAME or PATH `target`: its directory where that is called
    by the name, its kernel, its history, what is remembered of it, the notebook that runs there.

    Raises `EnvmagicError`, with everything as it was.
    """
    source = registry.existing(request.source, place)
    environment = registry.environment_at(source.prefix)
    kernel = kernelspecs.of_prefix(source.prefix)
    before = registry.describe(environment, kernel, place)
    at = _target(request, environment, place)
    current = prefix_layout.same(environment.prefix, place.prefix)
    mentions = list(_mentions(before["name"], environment.prefix, place))
    back = renamed.unlink(at.prefix, environment.prefix)
    if not back and prefix_layout.same(at.prefix, environment.prefix):
        if before["name"] == at.name and kernel is not None:
            raise _same(request)
        with clearing.locked(environment.prefix):
            _refuse_running(environment.prefix, place, kernels_only=True)
            new = moving.called(environment, kernel, _free(at))
            history.changed(environment.prefix, "", name=(before["name"], new.name))
    else:
        _refuse_fixed(environment, at.prefix, request)
        old = environment.prefix
        with clearing.both_locked(old, at.prefix):
            registry.environment_at(old)  # another may have renamed it meanwhile
            if not at_prefix.is_vacant(at.prefix):
                raise _taken(at.prefix, request)
            runs = _refuse_running(old, place)
            progress.step(f"Moving {display.user_path(old)} to {display.user_path(at.prefix)}")
            moving.move(old, at.prefix, (before["name"], _free(at)))
            memory.moved(old, at.prefix)
            if runs:
                renamed.link(old, at.prefix)
        environment = registry.environment_at(at.prefix)
        found = kernelspecs.of_prefix(at.prefix)
        assert found is not None
        new = found
    hint = ""
    if place.switch is not None:
        hint = place.switch.renamed(before["name"], new, current=current)
    described = registry.describe(environment, new, replace(place, prefix=place.prefix))
    described["current"] = current
    data = RenameData(environment=described, before=before, mentions=mentions, hint=hint)
    return Report("rename", data, True, tuple(_told(data)))


def _target(request: RenameRequest, environment: Environment, place: Place) -> Target:
    """Where it goes and what it is called then. Raises `WordsError`."""
    if names.is_path(request.target):
        return registry.target(request.target, place)
    name = names.validate(request.target)
    kernel = kernelspecs.find(name)
    taken = kernel is not None and not prefix_layout.same(kernel.prefix, environment.prefix)
    there = directories.envs() / name
    if backends.is_environment(there) and not prefix_layout.same(there, environment.prefix):
        taken = True
    if taken:
        raise _taken(there, request)
    ours = environment.prefix.parent == directories.envs() and environment.owned
    return Target(directories.envs() / name if ours else environment.prefix, name)


def _free(at: Target) -> str:
    """The name, or that with a suffix where a kernel has it already."""
    kernel = kernelspecs.find(at.name)
    taken = kernel is not None and not prefix_layout.same(kernel.prefix, at.prefix)
    return names.suffixed(at.name, at.prefix) if taken else at.name


def _refuse_fixed(environment: Environment, to: Path, request: RenameRequest) -> None:
    """What cannot be moved, or is not ours to move."""
    shown = display.user_path(environment.prefix)
    if not environment.owned:
        raise EnvmagicError(
            "not-ours",
            f"{shown} was not made by envmagic, so it stays where it is.",
            "To have it there as well",
            subject=str(environment.prefix),
            command=("clone", request.source, request.target),
        )
    why = "" if backends.of(environment).of_distributions else "the files of conda's hold the path"
    if not why and not relocation.fits(to):
        why = "its commands could not name that place"
    if why or environment.prefix.is_symlink():
        raise EnvmagicError(
            "not-moved",
            f"{shown} cannot be moved: {why or 'it is a link'}.",
            "To have the same there",
            subject=str(environment.prefix),
            command=("clone", request.source, request.target),
        )


def _refuse_running(prefix: Path, place: Place, *, kernels_only: bool = False) -> bool:
    """A process of somebody else's would lose its files. Whether this notebook's run there."""
    here = registry.is_this_process(prefix)
    if here and place.frontend is Frontend.TERMINAL:
        raise EnvmagicError(
            "in-use",
            f"This command itself runs from {display.user_path(prefix)}.",
            "Use the envmagic of another environment.",
            subject=str(prefix),
        )
    pids = running.pids_in(prefix, kernels_only=kernels_only)
    own = running.with_children(place.switch.processes() if place.switch is not None else ())
    others = [pid for pid in pids if pid not in own]
    if others:
        notebook = running.notebook_of(others[0])
        of = f", {notebook}" if notebook else ""
        raise EnvmagicError(
            "in-use",
            f"A process still runs in {display.user_path(prefix)} (pid {others[0]}{of}).",
            "Shut its kernel down first.",
            subject=str(prefix),
        )
    return here or bool(pids)


def _mentions(name: str, prefix: Path, place: Place) -> Iterator[str]:
    """The cells that mean the environment by its name."""
    words = re.compile(rf"^%%?env(?:magic)?[ \t]+(?:[a-z]+[ \t]+)?{re.escape(name)}(?=\s|$)", re.M)
    carried = memory.of_prefix(prefix)
    known = [Path(path) for path in carried.notebooks] if carried is not None else []
    for path in dict.fromkeys([*([place.notebook] if place.notebook else []), *known]):
        with contextlib.suppress(EnvmagicError, OSError):
            for cell in notebook_file.read(path).cells:
                if words.search(cell.source):
                    yield f"{display.display(path, place.directory)}, cell {cell.number}"


def _told(data: RenameData) -> Iterator[Problem]:
    if data["mentions"]:
        before, name = data["before"]["name"], data["environment"]["name"]
        yield Problem(
            "old-name",
            f"{before} still stands in {display.joined(data['mentions'])}.",
            f"Write {name} there; no notebook is changed.",
            Severity.INFO,
            before,
        )


def _same(request: RenameRequest) -> WordsError:
    return WordsError(
        "in-the-way",
        f"{display.quoted(request.target)} is what it is called already.",
        "Choose another NAME or PATH.",
        subject=request.target,
    )


def _taken(prefix: Path, request: RenameRequest) -> EnvmagicError:
    return EnvmagicError(
        "in-the-way",
        f"Another environment is called {request.target}.",
        "Choose another NAME or PATH, or take that away first",
        subject=str(prefix),
        command=("remove", request.target, "--yes"),
    )
