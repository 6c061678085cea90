"""uv and pip, which write `pylock.toml`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends import (
    commands,
    installers,
    pip_configuration,
    settings,
    tool_errors,
)
from envmagic.environments.backends.arrivals import Arrivals
from envmagic.record.lock.inputs import Inputs
from envmagic.system import process

__all__ = ["compiled"]

_UV, _PIP = "0.6.15", "25.1"
"""The first that write such files."""
_TOO_OLD = re.compile(r"unexpected argument '--format'|invalid value 'pylock\.toml'")
_LOCKS = re.compile(r"^\s+lock\s", re.M)
_EXPERIMENT = "is currently an experimental command"
_HEAD = re.compile(r'^created-by = "[^"\n]*"\n', re.M)


@dataclass(frozen=True)
class _Files:
    """What an engine reads."""

    requirements: Path
    pins: Path | None
    limits: Path | None
    sources: Path | None

    @property
    def constraints(self) -> list[str | Path]:
        return [w for file in (self.pins, self.limits) if file is not None for w in ("-c", file)]


def compiled(inputs: Inputs, file: Path, progress: Progress) -> str:
    """The text of a lock for `inputs` that is to be in `file`.

    By uv, else by a pip that can (25.1 and later). Raises `EnvmagicError` where neither is there,
    where an index does not have what is installed, or cannot be reached.
    """
    uv = commands.find_uv()
    try:
        if uv is not None:
            prefix = inputs.there.environment.prefix
            with _files(inputs, inputs.lines) as read, settings.told(file.parent, prefix) as said:
                return _run(_by_uv(uv, inputs, read), said, file, progress)
    except process.CommandFailed as error:
        if not _TOO_OLD.search(error.stderr):
            raise tool_errors.explain(error, f"what {file.name} is to hold") from error
    if inputs.universal:
        raise _none(f"A lock for all platforms is made by uv {_UV} or later, which is not here.")
    pip = _pip(inputs)
    prefix = inputs.there.environment.prefix
    try:
        with _files(inputs, inputs.asked(file.parent), whole=False) as read:
            words = _by_pip(pip, inputs, read)
            made = _run(words, pip_configuration.for_pip(prefix, kernel=False), file, progress)
    except process.CommandFailed as error:
        raise tool_errors.explain(error, f"what {file.name} is to hold") from error
    # its wheels are those for this Python alone
    python = f'requires-python = "=={inputs.there.environment.short_version}.*"\n'
    return _HEAD.sub(lambda head: head[0] + python, made, count=1)


def _run(
    words: list[str | Path], variables: Mapping[str, str], file: Path, progress: Progress
) -> str:
    arrivals = Arrivals(progress)
    return process.run(
        words,
        env=variables,
        cwd=file.parent,
        on_line=lambda line: None if _EXPERIMENT in line else arrivals.heard(line),
        on_wait=lambda _: progress.waiting(),
    ).stdout


@contextlib.contextmanager
def _files(inputs: Inputs, lines: tuple[str, ...], *, whole: bool = True) -> Iterator[_Files]:
    """What `inputs` are, in files; `whole`: the user's own file, where all of it counts."""
    own = inputs.file if whole else None
    with (
        installers.written(() if own is not None else lines or ("",)) as asked,
        installers.written(inputs.pins) as pins,
        installers.written(() if own is not None else inputs.limits) as limits,
        installers.written(inputs.sources) as sources,
    ):
        found = own or asked
        assert found is not None
        yield _Files(found, pins, limits, sources)


def _by_uv(uv: Path, inputs: Inputs, read: _Files) -> list[str | Path]:
    words = commands.uv_command(uv, "pip", "compile", "--format", "pylock.toml", "--no-header")
    words += ["--no-annotate", "-p", inputs.there.environment.python, read.requirements]
    words += read.constraints
    words += ["--override", read.sources] if read.sources is not None else []
    words += ["--no-deps"] if inputs.conda else []
    return [*words, *(["--universal"] if inputs.universal else [])]


def _by_pip(pip: list[str | Path], inputs: Inputs, read: _Files) -> list[str | Path]:
    words = [*pip, "lock", "-q", "-r", read.requirements, "-o", "-", *read.constraints]
    return [*words, *(["--no-deps"] if inputs.conda else [])]


def _pip(inputs: Inputs) -> list[str | Path]:
    """The words that run a pip that locks: the environment's own, else the one beside or behind us.
    Raises `EnvmagicError` where none does."""
    environment = inputs.there.environment
    for sites in (environment.site_packages, ()):
        with contextlib.suppress(EnvmagicError):
            words = commands.pip_command(environment.python, sites)
            if _LOCKS.search(process.run([*words, "help"], check=False).stdout):
                return words
    raise _none(f"Locking needs uv {_UV} or pip {_PIP}, or later; what is here is older.")


def _none(message: str) -> EnvmagicError:
    words = ("pip", "install", "-U", "uv")
    return EnvmagicError("no-installer", message, "To get it", tool_command=words)
