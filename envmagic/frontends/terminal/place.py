"""Where words said in a terminal count: the notebook they mean, its environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core import names
from envmagic.core.errors import WordsError
from envmagic.core.model import Frontend, Place
from envmagic.core.verbs import (
    IMAGES,
    AttachRequest,
    CreateRequest,
    ExportRequest,
    InstallRequest,
    Request,
    ShipRequest,
)
from envmagic.environments import backends, registry

if TYPE_CHECKING:
    from envmagic.frontends.grammar.asked import ParsedCommand

__all__ = ["from_here", "of_terminal"]


def of_terminal(asked: ParsedCommand) -> Place:
    """The place of words said in a terminal. Raises `EnvmagicError` when a name means nothing.

    Without `--env`, the environment is that of the notebook's kernel, else `.venv` beside the
    notebook; without a notebook, `.venv` in the working directory.
    """
    here = Path.cwd()
    if asked.notebook is None:
        return Place(Frontend.TERMINAL, here, prefix=_named(asked.env, here) or _venv(here))
    path = here / Path(asked.notebook).expanduser()
    if not path.is_file():
        raise WordsError(
            "no-notebook", f"There is no notebook {asked.notebook}.", subject=str(path)
        )
    return _of_file(path, _named(asked.env, here))


def from_here(asked: ParsedCommand) -> Request:
    """The request with its relative paths made absolute, where `--notebook` would move them.

    In a terminal they count from the working directory, whichever notebook is meant.
    """
    request = asked.request
    if asked.notebook is None:
        return request
    here = Path.cwd()
    if isinstance(request, CreateRequest | AttachRequest):
        target = request.target
        if target is not None and names.is_path(target):
            request = replace(request, target=str(here / Path(target).expanduser()))
    if isinstance(request, CreateRequest | InstallRequest):
        files = tuple(str(here / Path(file).expanduser()) for file in request.files)
        request = replace(request, files=files)
    if isinstance(request, ShipRequest) and request.engine in IMAGES:
        target = str(here / Path(str(request.target)).expanduser())
        request = replace(request, target=target)
    if isinstance(request, ExportRequest) and request.to is not None:
        request = replace(request, to=str(here / Path(request.to).expanduser()))
    return request


def _of_file(path: Path, prefix: Path | None) -> Place:
    from envmagic.jupyter import notebook_file

    kernel = notebook_file.read(path).kernel
    if prefix is None:
        prefix = registry.environment_of(kernel, path.parent) or _venv(path.parent)
    return Place(Frontend.TERMINAL, path.parent, path, prefix, kernel)


def _named(word: str | None, here: Path) -> Path | None:
    if word is None:
        return None
    return registry.existing(word, Place(Frontend.TERMINAL, here)).prefix


def _venv(directory: Path) -> Path | None:

    prefix = directory / ".venv"
    return prefix if backends.is_environment(prefix) else None
