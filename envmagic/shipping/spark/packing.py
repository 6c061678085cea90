"""The packers, which the extra `envmagic[ship]` brings, and the Python that has them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends import commands
from envmagic.system import directories, import_path, process

__all__ = ["pack"]

_SECONDS = 3600.0


def pack(tool: str, asked: Mapping[str, Any], place: Path, progress: Progress) -> None:
    """Have `tool` (`venv_pack` or `conda_pack`) do what `packer` is `asked` for, with what it
    writes for a moment in the directory `place`.

    Raises `EnvmagicError`: `no-packer` where no Python here has it, else `pack-failed`.
    """
    program = files(__package__).joinpath("packer.py").read_text("utf-8")
    for python, path in _pythons(tool):
        try:
            ran = process.run(
                [python, "-c", program],
                input=json.dumps({**asked, "tool": tool, "path": path}),
                env={"TMPDIR": str(place), "TEMP": str(place)},
                cwd=place,
                timeout=_SECONDS,
                on_line=progress.detail,
                on_wait=lambda _: progress.waiting(),
            )
        except process.CommandFailed as error:
            raise EnvmagicError(
                "pack-failed",
                f"{_called(tool)} could not pack the environment: {error.last_line}.",
                subject=str(asked["prefix"]),
                detail=error.stderr,
            ) from error
        if "missing" not in json.loads(ran.stdout.splitlines()[-1]):
            return
    raise _nowhere(tool)


def _pythons(tool: str) -> Iterator[tuple[str | Path, list[str]]]:
    """Interpreters that may have it, and where else they find it: this one, the one that envmagic
    was installed for, and the one of a command on PATH."""
    spec = import_path.installed(tool)
    if spec is not None and spec.origin:
        yield sys.executable, [str(Path(spec.origin).parents[1])]
    home = _home()
    if home is not None and home != sys.executable:
        yield home, []
    command = shutil.which(_called(tool))
    if command is not None:
        beside = Path(os.path.realpath(command)).with_name("python")
        if os.access(beside, os.X_OK):
            yield beside, []


def _home() -> str | None:
    """The Python that envmagic is installed for: a kernel runs in another one."""
    try:
        held = json.loads((directories.runtimes() / "builder.json").read_bytes())
        python = str(held["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return python if os.access(python, os.X_OK) else None


def _called(tool: str) -> str:
    return tool.replace("_", "-")


def _nowhere(tool: str) -> EnvmagicError:
    python = _home() or sys.executable
    words: tuple[str, ...] = (python, "-m", "pip", "install", _called(tool))
    if commands.find_uv() is not None:
        words = (str(commands.find_uv()), "pip", "install", "-p", python, _called(tool))
    return EnvmagicError(
        "no-packer",
        f"{_called(tool)}, which makes the archive, is not beside envmagic.",
        "The extra envmagic[ship] has it; to install it",
        tool_command=words,
        subject=_called(tool),
    )
