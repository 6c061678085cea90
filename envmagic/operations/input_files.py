"""What a file that is named, or lies beside the notebook, says of the environment to be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import WordsError
from envmagic.core.model import Place
from envmagic.core.record_files import REQUIREMENTS
from envmagic.core.verbs import CreateRequest
from envmagic.environments import backends
from envmagic.environments.backends.base import Backend

__all__ = ["with_file"]


def with_file(request: CreateRequest, place: Place) -> CreateRequest:
    """`request` with what a backend's own file, such as `environment.yml`, says about it: that
    backend makes it, under the name in the file.

    It counts when it is named (`-r`), and for a bare `create` where it lies beside the notebook
    alone or was written by us. Raises `WordsError` when another backend is asked for as well.
    """
    found = _file_of(request, place)
    if found is None:
        return request
    file, backend = found
    if request.backend not in (None, backend.name):
        raise WordsError(
            "other-backend",
            f"{display.user_path(file)} is for {backend.name.value},"
            f" and --backend says {request.backend.value}.",
            "Leave --backend out.",
            subject=str(file),
        )
    name = backend.name_in(file) if request.target is None else None
    return replace(request, backend=backend.name, target=request.target or name)


def _file_of(request: CreateRequest, place: Place) -> tuple[Path, Backend] | None:
    for word in request.files:
        path = place.directory / Path(word).expanduser()
        backend = backends.of_file(path)
        if backend is not None:
            return (path, backend) if path.is_file() else None
    if request.files or request.requirements or request.bare:
        return None
    for backend in backends.every():
        beside = backend.file_beside(place.directory)
        if beside is None or request.backend not in (None, backend.name):
            continue
        alone = not (place.directory / REQUIREMENTS).is_file()
        if request.backend is backend.name or alone or backend.is_recorded_in(beside):
            return beside, backend
    return None
