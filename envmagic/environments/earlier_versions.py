"""What earlier versions of us put into environments of ours, and nothing there needs any more."""

from __future__ import annotations

import os
from pathlib import Path

from envmagic.environments.inspection import Distributions
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import own_copy
from envmagic.environments.satisfaction import closure, names_of

__all__ = ["superfluous"]

_TOGETHER = 60.0  # seconds that one installation takes at most to write what it has unpacked


def superfluous(there: Inventory) -> list[str]:
    """The distributions that an earlier version of us has put into an environment of ours for its
    kernel, and nothing else in there needs; normalised names."""
    info = there.distributions.get("envmagic", ("", None))[1]
    if not there.environment.owned or info is None or not own_copy.is_ours(info):
        return []
    found, version = there.distributions, there.environment.version
    brought = {*names_of(own_copy.REQUIRES), "envmagic"}
    kernel = closure(brought, found, version)
    later = {name for name in kernel - {"envmagic"} if not _came_with(found[name][1], found)}
    kept = closure({*(set(found) - kernel), *later, "pip"}, found, version)
    return sorted(kernel - kept)


def _came_with(info: Path, found: Distributions) -> bool:
    """Whether the distribution with metadata in `info` was installed along with ipykernel; what a
    person has installed since stays. Installers do not note it for sure what they were asked for.
    """
    try:
        times = [os.stat(i / "INSTALLER").st_mtime for i in (info, found["ipykernel"][1])]
    except (OSError, KeyError):
        return False
    return abs(times[0] - times[1]) < _TOGETHER
