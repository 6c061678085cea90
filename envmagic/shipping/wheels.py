"""Wheels of what is installed here from a directory, for workers that have no such directory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.environments.backends import commands, settings, tool_errors
from envmagic.shipping.payload import Pin
from envmagic.system import process

__all__ = ["built"]

_ALIKE = {"SOURCE_DATE_EPOCH": "315532800"}
"""What build backends put as the time into a wheel (reproducible-builds.org), so that the same
source gives the same bytes; the first time that a zip file can hold."""


def built(
    pins: Iterable[Pin], environment: Environment, into: Path, progress: Progress
) -> dict[str, Path]:
    """Name -> wheel in the directory `into`, of each of `pins` that is of a directory here.

    Raises `EnvmagicError` where the directory is gone or its build fails.
    """
    return {pin.name: _wheel(pin, environment, into, progress) for pin in pins if pin.directory}


def _wheel(pin: Pin, environment: Environment, into: Path, progress: Progress) -> Path:
    source = pin.directory
    assert source is not None
    if source.is_file() and source.suffix == ".whl":
        return source
    if not source.exists():
        raise EnvmagicError(
            "source-gone",
            f"{pin.name} is installed from {display.user_path(source)}, which is not there.",
            "Install it from elsewhere",
            command=("install", pin.line),
            subject=str(source),
        )
    place = into / pin.name
    place.mkdir(parents=True, exist_ok=True)
    progress.step(f"Building a wheel of {pin.name}")
    uv = commands.find_uv()
    words: list[str | Path]
    if uv is not None:
        words = commands.uv_command(uv, "build", "--wheel", "-o", place, source)
        words += ["-p", environment.python]
    else:
        pip = commands.pip_command(environment.python, environment.site_packages)
        words = [*pip, "wheel", "--no-deps", "-w", place, source]
    try:
        with settings.told(into, environment.prefix) as variables:
            process.run(
                words,
                env={**variables, **_ALIKE},
                cwd=into,
                on_line=progress.detail,
                on_wait=lambda _: progress.waiting(),
            )
    except process.CommandFailed as error:
        raise tool_errors.explain(error, f"a wheel of {pin.name}") from error
    return next(iter(place.glob("*.whl")))
