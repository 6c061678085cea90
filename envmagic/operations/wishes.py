"""What `create` and `%%env` are asked for, in words that the rest understands."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from envmagic import requirements
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import EnvSpec, Frontend, Place
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.verbs import CreateRequest
from envmagic.environments import backends, interpreters, renamed
from envmagic.environments.backends.base import Backend, InstallPlan
from envmagic.environments.registry import Target
from envmagic.jupyter import kernelspecs
from envmagic.operations import validation
from envmagic.planning import pythons

__all__ = ["backend_of", "called", "files_of", "python_for", "said", "spec_of", "twice"]


def backend_of(request: CreateRequest, at: Target) -> Backend:
    """What makes the environment that is asked for, or the one that is there already."""
    return backends.get(request.backend) if request.backend else backends.at(at.prefix)


def files_of(request: CreateRequest, place: Place) -> tuple[tuple[Path, ...], list[str]]:
    """The files to install: those named, or the one beside the notebook when nothing is."""
    if request.files or request.requirements or request.bare:
        installs = said(request)
        return tuple(validation.existing_file(f, place, installs) for f in request.files), []
    beside = place.directory / REQUIREMENTS
    own = backends.get(request.backend).file_beside(place.directory) if request.backend else None
    if own is not None:
        beside = own
    elif not beside.is_file() or not validation.lines_of(beside):
        return (), []
    of_notebook = place.notebook is not None or place.frontend is Frontend.NOTEBOOK
    where = "beside the notebook" if of_notebook else "here"
    return (beside,), [f"Installed what {beside.name} {where} asks for."]


def said(request: CreateRequest) -> tuple[str, ...]:
    """The words that a requirement is said behind."""
    return ("create", *([request.target] if request.target else ()), "--with")


def spec_of(request: CreateRequest, at: Target) -> EnvSpec:
    name = kernelspecs.free_name(at.name, at.prefix)
    return EnvSpec(at.prefix, name, request.python, request.backend, request.channels)


def python_for(spec: EnvSpec, wanted: InstallPlan, place: Place, notes: list[str]) -> str | None:
    """The version that is asked for around the notebook; None where ours, or the backend's own
    choice, will do."""
    asked, over = pythons.around(place.directory)
    if backends.choose(spec.backend).python(spec).executable == Path():  # it brings its own
        named = wanted.files or any(text.startswith("python") for text in wanted.requirements)
        return asked[0].text if asked and not named else None
    notes += [f"{display.user_path(p.file)} was passed over: {p.reason}." for p in over]
    ours = interpreters.running().version
    recorded = [
        (version, f"{display.user_path(file)} was recorded with it")
        for file in wanted.files
        if (version := _recorded_with(file))
    ]
    chosen, over = pythons.choose(asked, [*recorded, (ours, "")])
    notes += [f"{display.user_path(p.file)} was passed over: {p.reason}." for p in over]
    if chosen.version.split(".")[:2] == ours.split(".")[:2]:
        return None
    notes.append(f"Python {chosen.version} was taken: {chosen.why}.")
    return chosen.version


def _recorded_with(file: Path) -> str:
    """The version of Python in the record in `file`; empty without one."""
    try:
        block = requirements.read(file).block
    except EnvmagicError:
        return ""
    return (block.python or "") if block is not None else ""


def called(request: CreateRequest, at: Target) -> list[str]:
    """That the environment is called otherwise than it was typed, where it is."""
    word = request.target
    if word is None or names.is_path(word) or word == at.name:
        return []
    if renamed.called(word.lower()) is not None:
        return [f"{word} is called {at.name} now; write that here."]
    return [f"{word} is called {at.name}: names are in lower case."]


def twice(lines: Sequence[str]) -> list[str]:
    """That a name stands in more than one of the requirement `lines`, and in which."""
    found: dict[str, list[str]] = {}
    for line in lines:
        with contextlib.suppress(InvalidRequirement):
            found.setdefault(normalized(Requirement(line).name), []).append(line)
    return [
        f"{name} stands there {len(same)} times ({', '.join(same)}); all of it holds."
        for name, same in found.items()
        if len(same) > 1
    ]
