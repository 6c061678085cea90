"""What is at the place of an environment that is asked for: nothing, one, or what is in the way."""

from __future__ import annotations

from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.core.verbs import CreateRequest
from envmagic.environments import backends, registry

__all__ = ["is_vacant", "present"]


def is_vacant(prefix: Path) -> bool:
    """Whether an environment can be made at `prefix`. Raises when something else is there."""
    shown = display.user_path(prefix)
    if prefix.is_symlink() and not backends.is_environment(prefix):
        raise EnvmagicError(
            "not-a-directory",
            f"{shown} is a link, and no environment is where it leads.",
            "Name the directory itself",
            subject=str(prefix),
            command=("create", str(prefix.resolve())),
        )
    if prefix.is_dir():
        if not any(prefix.iterdir()):
            return True
        if backends.is_environment(prefix):
            return False
        first = min(prefix.iterdir()).name
        raise EnvmagicError(
            "not-empty",
            f"{shown} is a directory with other things in it ({first}), not an environment.",
            "Choose another NAME or PATH.",
            subject=str(prefix),
        )
    if prefix.exists() or prefix.is_symlink():
        raise EnvmagicError(
            "not-a-directory",
            f"{shown} is a file.",
            "Choose another NAME or PATH.",
            subject=str(prefix),
        )
    return True


def present(prefix: Path, request: CreateRequest) -> Environment:
    """The environment at `prefix`, if it is what the request asks for."""
    environment = registry.environment_at(prefix)
    away = ("remove", request.target or ".venv", "--yes") if environment.owned else ()
    hint = "To make it anew, take it away first" if away else "Choose another NAME or PATH."
    backend = backends.of(environment)
    if request.python is not None and not backend.has_python(environment, request.python):
        raise EnvmagicError(
            "other-python",
            f"{display.user_path(prefix)} has Python {environment.version}, not {request.python}.",
            hint,
            command=away,
            subject=str(prefix),
        )
    if request.backend is not None and request.backend is not environment.backend:
        raise EnvmagicError(
            "other-backend",
            f"{display.user_path(prefix)} was made with {environment.backend.value},"
            f" not {request.backend.value}.",
            hint,
            command=away,
            subject=str(prefix),
        )
    return environment
