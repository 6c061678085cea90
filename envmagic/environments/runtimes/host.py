"""What a runtime stands behind: a Python, and the directories that it imports from."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from envmagic._version import REQUIRES_PYTHON
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments import inspection
from envmagic.environments.inspection import Distributions
from envmagic.jupyter import launcher
from envmagic.system import cache, directories, process

__all__ = ["Host"]

_ASK = "import sys; sys.path.append(sys.argv[1]); import launcher; print(launcher.kind_of_python())"
_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
_KINDS = "kinds-of-python.json"


@dataclass(frozen=True)
class Host:
    """An interpreter whose kernel has its parts behind it."""

    prefix: Path
    python: Path
    version: str
    """`3.12.4`."""
    kind: str
    """What it shares extension modules with; see `launcher.kind_of_python`."""
    directories: tuple[Path, ...]
    """What it imports from, in its order, as far as distributions lie there."""

    @classmethod
    def of(cls, environment: Environment) -> Host:
        """That of `environment`. Raises `EnvmagicError` when its interpreter does not run."""
        return cls(
            environment.prefix,
            environment.python,
            environment.version or _asked(environment, _VERSION),
            _kind(environment),
            environment.site_packages,
        )

    @property
    def held(self) -> Distributions:
        """What it has itself, read from the disk."""
        return inspection.distributions_in(self.directories)

    @property
    def runs_envmagic(self) -> bool:
        """Whether its Python is new enough for envmagic."""
        return tuple(int(part) for part in self.version.split(".")[:2]) >= REQUIRES_PYTHON


def _kind(environment: Environment) -> str:
    """Asked of the interpreter, once for each that lies on the disk."""
    real = os.path.realpath(environment.python)
    if real == os.path.realpath(sys.executable):
        return launcher.kind_of_python()
    known = cache.load(_KINDS, "")
    kinds: dict[str, str] = known if isinstance(known, dict) else {}
    try:
        key = f"{real} {os.stat(real).st_mtime_ns}"
    except OSError as error:
        raise _not_running(environment, str(error.strerror)) from error
    if key not in kinds:
        kind = _asked(environment, _ASK, directories.package() / "jupyter")
        kinds = {**kinds, key: kind}
        cache.save(_KINDS, "", kinds)
    return kinds[key]


def _asked(environment: Environment, code: str, *more: Path) -> str:
    """What the interpreter of `environment` prints when it runs `code`."""
    words: list[str | Path] = [environment.python, "-I", "-S", "-c", code, *more]
    try:
        return process.run(words, timeout=60).stdout.strip()
    except process.CommandFailed as error:
        why = error.last_line or f"it ended with code {error.code} and said nothing"
        raise _not_running(environment, why) from error


def _not_running(environment: Environment, why: str) -> EnvmagicError:
    return EnvmagicError(
        "kernel-cannot-start",
        f"The Python of {display.user_path(environment.prefix)} does not run: {why}",
        subject=str(environment.prefix),
    )
