"""Making room for a notebook's environment, where something is in its place."""

from __future__ import annotations

import os
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Place
from envmagic.environments import backends, clearing, ownership, registry
from envmagic.operations import remove
from envmagic.planning.plan import Plan, State

__all__ = ["make_room"]


def make_room(plan: Plan, place: Place, *, theirs: bool) -> None:
    """Take away the environment of `plan` where it is ours and cannot run.

    Raises `EnvmagicError` where it is somebody else's (as all are with `theirs`), or where
    something else is in its place.
    """
    if plan.state not in (State.BROKEN, State.MISSING) or not os.path.lexists(plan.prefix):
        return
    with clearing.locked(plan.prefix):
        pass  # what was cut off is brought to an end, and what another process makes
    if plan.state is State.MISSING:
        _check_that_it_is_free(plan.prefix)
    elif plan.prefix.exists() and not _runs(plan.prefix):
        if theirs or not ownership.is_owned(plan.prefix):
            raise EnvmagicError(
                "broken",
                f"{plan.problem} envmagic did not make it, so it was left alone.",
                "Make it anew with the tool that made it.",
                subject=str(plan.prefix),
            )
        remove.take_away(plan.prefix, place)


def _runs(prefix: Path) -> bool:
    """Whether it can run by now: the plan may be older than what another process has made there."""
    try:
        return bool(registry.environment_at(prefix))
    except EnvmagicError:
        return False


def _check_that_it_is_free(prefix: Path) -> None:
    """Raises where something else is there: nobody chose that name, so another one is no help."""
    code, what = "not-a-directory", ""
    if backends.is_environment(prefix):
        return  # made in the meantime
    if prefix.is_symlink():
        what = "is a link that leads to no environment"
    elif prefix.is_dir():
        first = min((entry.name for entry in prefix.iterdir()), default="")
        code, what = "not-empty", f"holds other things ({first})" if first else ""
    elif prefix.exists():
        what = "is a file"
    if what:
        raise EnvmagicError(
            code,
            f"{display.user_path(prefix)}, where the environment is to be, {what}.",
            "Move it away; then",
            subject=str(prefix),
            command=("sync",),
        )
