"""Whether an environment is the one that Jupyter itself runs in: changed only on request."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Frontend, Place
from envmagic.environments import inspection, registry
from envmagic.imports.trees import tree_of
from envmagic.jupyter import launcher

__all__ = ["is_jupyters_own", "refuse"]

_SERVER = "jupyter-server"


def is_jupyters_own(prefix: Path, directories: Sequence[Path], installed: Collection[str]) -> bool:
    """Whether `prefix`, which this process runs in, with those distributions `installed`, is
    Jupyter's own.

    That is one with a server in it that is neither the project's of one of the `directories` nor
    has been made a kernel by envmagic.
    """
    projects = any(prefix.is_relative_to(tree_of(directory)) for directory in directories)
    return _SERVER in installed and not projects and launcher.NAME not in sys.modules


def refuse(
    environment: Environment, place: Place, here: tuple[str, ...], own: tuple[str, ...]
) -> None:
    """Raise where the notebook at `place` runs in Jupyter's own `environment`.

    `here` are the words that change it all the same, `own` those that make the notebook an
    environment; empty where that is no help.
    """
    prefix = environment.prefix
    if place.frontend is not Frontend.NOTEBOOK or not registry.is_this_process(prefix):
        return
    if is_jupyters_own(prefix, (place.directory,), inspection.distributions(environment)):
        typed = display.command_line(here, "%env")
        hint = f"To change that one: {typed}. To have one of this notebook's own"
        raise EnvmagicError(
            "jupyters-own",
            f"This notebook runs in {display.user_path(prefix)}, where Jupyter itself runs;"
            " nothing was changed there.",
            hint if own else "To change it all the same",
            command=own or here,
            subject=str(prefix),
        )
