"""Whether what was asked for is there once an installer has said that all went well."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments import backends
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.satisfaction import missing
from envmagic.requirements import RequirementLine

__all__ = ["absent", "broken", "check"]


def check(there: Inventory, wanted: InstallPlan) -> None:
    """Raise `EnvmagicError` where something that is `wanted` is not `there`."""
    names = absent(there, wanted)
    if not names:
        return
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    raise EnvmagicError(
        "install-failed",
        f"The installer reported no error, but {shown} {'is' if len(names) == 1 else 'are'} not in"
        f" {display.user_path(there.environment.prefix)} afterwards.",
        "Look into the settings of uv and pip for what sends installations elsewhere or tries them"
        " only (target, prefix, root, dry-run).",
        subject=names[0],
    )


def absent(there: Inventory, wanted: InstallPlan) -> list[str]:
    """What is `wanted` and certainly not `there`, as it was written."""
    lines = [
        line for line, directory in _lines(there, wanted) if _is_absent(line, directory, there)
    ]
    return [display.shortened(line.text) for line in lines]


def broken(there: Inventory, wanted: InstallPlan) -> list[str]:
    """The distributions that are `wanted` by name and are `there` without some of their files."""
    lines = [line for text in wanted.requirements for line in _parsed(text)]
    names = {line.name for line in lines if line.name is not None}
    return there.broken(names & set(there.distributions))


def _lines(there: Inventory, wanted: InstallPlan) -> Iterator[tuple[RequirementLine, Path]]:
    """The lines that install something, each with the directory that it counts from."""
    directory = wanted.directory or there.environment.prefix
    backend = backends.of(there.environment)
    files = list(wanted.files)
    for text in wanted.requirements:
        # what the backend's own solver took is its own to compare
        if backend.understands(text):
            continue
        for line in _parsed(text):
            if line.includes is not None and not line.is_constraint:
                files.append(directory / line.includes)
            yield line, directory
    for file in files:
        if backends.of_file(file) is None:
            for line in _read(file):
                yield line, file.parent


def _parsed(text: str) -> tuple[RequirementLine, ...]:
    try:
        return requirements.parse_lines(text, "")
    except EnvmagicError:  # a version of some packager, which is installed again
        return ()


def _read(file: Path) -> tuple[RequirementLine, ...]:
    try:
        return requirements.read(file).all_lines()
    except EnvmagicError:  # the installer has read it all the same
        return ()


def _is_absent(line: RequirementLine, directory: Path, there: Inventory) -> bool:
    if line.is_option or line.constraint:
        return False
    if line.requirement is not None:
        return _is_missing(line.requirement, there)
    if line.name is not None:
        return line.name not in there.versions
    location = line.location or ""
    path = directory / os.path.expanduser(location)
    if "${" in location or "://" in location or not path.is_dir():
        return False  # it does not say what it is called
    return not any(_is_from(path, info) for _, info in there.distributions.values())


def _is_missing(requirement: Requirement, there: Inventory) -> bool:
    bare = Requirement(str(requirement))
    bare.extras = set()  # what an extra brings is for the installer to know
    try:
        return bool(missing([bare], there.distributions, there.environment.version))
    except InvalidVersion:  # of some packagers
        return False


def _is_from(path: Path, info: Path) -> bool:
    """Whether the distribution with metadata in `info` was installed from the directory `path`."""
    try:
        url = str(json.loads((info / "direct_url.json").read_text("utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not url.startswith("file:"):
        return False
    place = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
    return os.path.realpath(place) == os.path.realpath(path)
