"""uv and pip, which write `pylock.toml`."""

from __future__ import annotations

from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends import commands, installers, settings, tool_errors
from envmagic.record.lock.inputs import Inputs
from envmagic.system import process

__all__ = ["compiled"]


def compiled(inputs: Inputs, file: Path, progress: Progress) -> str:
    """The text of a lock for `inputs` that is to be in `file`.

    By uv, else by a pip that can (25.1 and later). Raises `EnvmagicError` where neither is there,
    where an index does not have what is installed, or cannot be reached.
    """
    uv = commands.find_uv()
    run = _by_pip if uv is None else _by_uv
    environment = inputs.there.environment
    try:
        with (
            installers.written(inputs.pins) as constraints,
            installers.written(inputs.sources) as sources,
            settings.told(file.parent, environment.prefix) as variables,
        ):
            words = run(inputs, constraints, sources)
            return process.run(
                words,
                env=variables,
                cwd=file.parent,
                on_line=progress.detail,
                on_wait=lambda _: progress.waiting(),
            ).stdout
    except process.CommandFailed as error:
        raise tool_errors.explain(error, f"what {file.name} is to hold") from error


def _by_uv(inputs: Inputs, constraints: Path | None, sources: Path | None) -> list[str | Path]:
    uv = commands.find_uv()
    assert uv is not None
    words = commands.uv_command(uv, "pip", "compile", "--format", "pylock.toml", "--no-header")
    words += ["--no-annotate", "-p", inputs.there.environment.python, inputs.file]
    words += ["-c", constraints] if constraints is not None else []
    words += ["--override", sources] if sources is not None else []
    return [*words, *(["--universal"] if inputs.universal else [])]


def _by_pip(inputs: Inputs, constraints: Path | None, sources: Path | None) -> list[str | Path]:
    if inputs.universal:
        raise EnvmagicError(
            "no-installer",
            "A lock for all platforms is made by uv, which is not installed.",
            "To get it",
            tool_command=("pip", "install", "uv"),
        )
    environment = inputs.there.environment
    words = commands.pip_command(environment.python, environment.site_packages)
    if "lock" not in process.run([*words, "help"], check=False).stdout:
        raise EnvmagicError(
            "no-installer",
            "Locking needs uv, or pip 25.1 or later; neither is here.",
            "To get uv",
            tool_command=("pip", "install", "uv"),
        )
    words += ["lock", "-q", "-r", inputs.file, "-o", "-"]
    words += ["-c", constraints] if constraints is not None else []
    words += ["-r", sources] if sources is not None else []
    return words
