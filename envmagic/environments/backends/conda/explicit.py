"""The explicit list of a conda environment: the very files of its packages, with their hashes."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import metadata

__all__ = ["Explicit", "explicit"]

_HEAD = """\
# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
# platform: {platform}
# created-by: envmagic
@EXPLICIT
"""
_USER = re.compile(r"(?<=://)[^/@\s]+@|(?<=/)t/[^/]+/")
_SYSTEMS = {"win32": "win", "darwin": "osx"}
_MACHINES = {"x86_64": "64", "amd64": "64", "i686": "32", "arm64": "arm64"}


@dataclass(frozen=True)
class Explicit:
    """What `conda create --file` makes the same environment of."""

    platform: str
    """As conda calls it: `linux-64`."""
    text: str
    packages: int

    @property
    def name(self) -> str:
        """What the file of the list is called, as conda-lock does it."""
        return f"conda-{self.platform}.lock"


def explicit(prefix: Path) -> Explicit:
    """The list of the environment at `prefix`, without credentials; each package behind what it
    needs. Raises `EnvmagicError` for a package whose address nobody noted down."""
    records = {package.name: record for package, record in metadata.records(prefix)}
    lines = [_line(name, records[name]) for name in _ordered(records)]
    where = _platform(records)
    text = _HEAD.format(platform=where) + "".join(f"{line}\n" for line in lines)
    return Explicit(where, text, len(lines))


def _line(name: str, record: Mapping[str, Any]) -> str:
    url = str(record.get("url") or "")
    if "://" not in url:
        raise EnvmagicError(
            "bad-lock",
            f"Where conda's package {display.user_text(name)} came from is not known, so it cannot"
            " be locked.",
            "To have it from a channel",
            command=("install", name),
            subject=name,
        )
    # every conda reads MD5 there, the older ones nothing else
    digest = record.get("md5") or (f"sha256:{record['sha256']}" if record.get("sha256") else "")
    return _USER.sub("", url) + (f"#{digest}" if digest else "")


def _ordered(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names, each behind those it needs: mamba links them in that order."""
    needs = {
        name: sorted({str(each).split()[0] for each in records[name].get("depends") or ()})
        for name in sorted(records)
    }
    graph = {name: [n for n in found if n in records] for name, found in needs.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return sorted(records)


def _platform(records: Mapping[str, Mapping[str, Any]]) -> str:
    known = {str(record.get("subdir") or "") for record in records.values()} - {"", "noarch"}
    if len(known) == 1:
        return known.pop()
    machine = platform.machine().lower()
    return f"{_SYSTEMS.get(sys.platform, 'linux')}-{_MACHINES.get(machine, machine)}"
