"""Whose settings uv and pip obey when we run them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envmagic.environments.backends import commands, indexes, pip_configuration, uv_configuration

__all__ = ["Settings", "told", "told_by"]


@dataclass(frozen=True)
class Settings:
    """Whose settings an installer obeys."""

    directory: Path | None
    """Those around it, as far as the user has agreed to them."""
    prefix: Path | None
    """The environment that it works on; None: a directory that is none."""
    kernel: bool = False
    """It gets parts of a kernel."""
    index: bool = True
    """What is wanted names no index itself, which goes before."""


@contextlib.contextmanager
def told(directory: Path | None, prefix: Path | None = None) -> Iterator[dict[str, str]]:
    """The variables for an installer that is asked something in `directory`, for the environment at
    `prefix`: where packages come from is the user's to say, and where they go is not."""
    with told_by(Settings(directory, prefix)) as said:
        yield said


@contextlib.contextmanager
def told_by(settings: Settings) -> Iterator[dict[str, str]]:
    """The variables for an installer that obeys `settings`: uv where there is one, else pip."""
    directory, prefix = settings.directory, settings.prefix
    if commands.find_uv() is None:
        yield pip_configuration.for_pip(prefix, kernel=settings.kernel)
        return
    with uv_configuration.for_uv(directory, kernel=settings.kernel) as said:
        more = indexes.from_pip(directory, prefix, index=settings.index)
        yield {**commands.uv_variables(), **more, **said}
