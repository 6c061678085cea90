"""The environment that the notebook runs in, for the verbs that change it."""

from __future__ import annotations

import os

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment, Place
from envmagic.environments import backends, registry, renamed

__all__ = ["environment_of"]


def environment_of(place: Place) -> Environment:
    """The environment the notebook runs in. Raises when it runs in none."""
    beside = place.directory / ".venv"
    if place.prefix is None and beside.is_dir() and not os.access(beside, os.R_OK | os.X_OK):
        raise EnvmagicError(
            "unreadable",
            f"{display.user_path(beside)} is somebody else's and may not be read.",
            "Name another environment with --env NAME.",
            subject=str(beside),
        )
    if place.prefix is None:
        raise WordsError(
            "no-environment",
            "No environment was named and there is no .venv here.",
            "Name one with --env NAME, or make one",
            command=("create",),
        )
    if not place.prefix.exists():
        raise EnvmagicError(
            "environment-gone",
            f"The environment {display.user_path(place.prefix)} is not there any more.",
            "Make it again",
            subject=str(place.prefix),
            command=("create", str(place.prefix)),
        )
    if not backends.is_environment(place.prefix):
        raise EnvmagicError(
            "not-an-environment",
            f"This notebook runs in {display.user_path(place.prefix)},"
            " a Python that is no environment of its own.",
            "Make one first",
            subject=str(place.prefix),
            command=("create",),
        )
    return registry.environment_at(renamed.now_at(place.prefix))
