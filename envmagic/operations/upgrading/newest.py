"""The newest versions that the index has, whatever they go together with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from envmagic.core.names import normalized
from envmagic.environments import interpreters
from envmagic.environments.backends import commands, settings
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.system import process

__all__ = ["newer_python", "newest"]

_SECONDS = 120.0


def newest(there: Inventory, directory: Path, python: Python | None = None) -> Mapping[str, str]:
    """Normalised name -> version of what is there and of which the index has a newer one, for the
    environment's Python or for another `python`. Empty where that cannot be told."""
    uv = commands.find_uv()
    environment = there.environment
    executable = python.executable if python is not None else environment.python
    site = environment.site_packages[0]
    if uv is not None:
        words = commands.uv_command(uv, "pip", "list", "-p", executable)
        words += ["--target", site] if python is not None else []
    else:
        sites = environment.site_packages if python is None else ()
        words = [*commands.pip_command(executable, sites), "list"]
        words += ["--path", site] if python is not None else []
    try:
        with settings.told(directory, environment.prefix) as variables:
            words += ["--outdated", "--format", "json"]
            said = process.run(words, env=variables, cwd=directory, timeout=_SECONDS).stdout
        return {normalized(each["name"]): str(each["latest_version"]) for each in json.loads(said)}
    except (process.CommandFailed, ValueError, KeyError, TypeError):
        return {}


def newer_python(version: str) -> Python | None:
    """The newest Python on this machine that is newer than `version`, `3.12.4`, by its minor."""
    now = tuple(int(part) for part in version.split(".")[:2])
    return next((p for p in interpreters.installed() if p.parts[:2] > now), None)
