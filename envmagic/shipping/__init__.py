"""Giving a notebook's environment to the workers of an engine, each in the engine's own words."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from envmagic.shipping.engine import Engine

__all__ = ["engine_called"]


def engine_called(name: str) -> Engine:
    """The one of `core.verbs.ENGINES` called `name`. What it is written in is the user's own: it is
    imported when it is asked for."""
    return cast("Engine", import_module(f"{__name__}.{name}_cluster"))
