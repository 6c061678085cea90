"""What the verbs do differently where conda makes or fills the environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import Problem, Severity, WordsError
from envmagic.core.model import BackendName, Environment, Place
from envmagic.core.verbs import CreateRequest
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import environment_file, specs

__all__ = ["files_beside", "pins", "with_file"]


def with_file(request: CreateRequest, place: Place) -> CreateRequest:
    """`request` with what an `environment.yml` says about it: conda makes it, under its name.

    It counts when it is named (`-r`), and for a bare `create` where it lies beside the notebook
    alone or was written by us. Raises `WordsError` when another backend is asked for as well.
    """
    file = _file_of(request, place)
    if file is None:
        return request
    if request.backend not in (None, BackendName.CONDA):
        raise WordsError(
            "other-backend",
            f"{display.user_path(file)} is for conda, and --backend says {request.backend.value}.",
            "Leave --backend out.",
            subject=str(file),
        )
    name = environment_file.read(file).name if request.target is None else None
    return replace(request, backend=BackendName.CONDA, target=request.target or name)


def _file_of(request: CreateRequest, place: Place) -> Path | None:
    for word in request.files:
        path = place.directory / Path(word).expanduser()
        if environment_file.is_environment_file(path):
            return path if path.is_file() else None
    if request.files or request.requirements or request.bare:
        return None
    beside = environment_file.beside(place.directory)
    if beside is None:
        return None
    alone = not (place.directory / "requirements.txt").is_file()
    chosen = request.backend is BackendName.CONDA or alone or environment_file.has_block(beside)
    usable = request.backend in (None, BackendName.CONDA)
    return beside if chosen and usable else None


def pins(place: Place, wanted: InstallPlan) -> tuple[InstallPlan, list[Problem]]:
    """`wanted` held to the versions in the `environment.yml` beside the notebook.

    One that contradicts what is asked for now is dropped, with a warning.
    """
    beside = environment_file.beside(place.directory)
    if beside is None or wanted.upgrade or beside in wanted.files:
        return wanted, []
    asked = {s.name: s for text in wanted.requirements if (s := specs.parse(text))}
    held: list[str] = []
    problems: list[Problem] = []
    for line in environment_file.read(beside).dependencies:
        pin = specs.parse(line)
        if pin is None or not pin.version or pin.name == "python":
            continue
        other = asked.get(pin.name)
        if other is not None and other.accepts(pin.version.lstrip("=").split()[0]) is False:
            message = f"{pin.text} in {beside.name} contradicts {other.text}; it was not used."
            problems.append(
                Problem("pin-dropped", message, severity=Severity.WARNING, subject=pin.name)
            )
        else:
            held.append(pin.text)
    return replace(wanted, held=tuple(held)), problems


def files_beside(place: Place, environment: Environment) -> tuple[Path, ...]:
    """The `environment.yml` beside the notebook, where conda can use it."""
    beside = environment_file.beside(place.directory)
    return (beside,) if beside and environment.backend is BackendName.CONDA else ()
