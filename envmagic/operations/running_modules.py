"""What an installation means for the kernel that runs in the environment: it may need a restart."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from envmagic.core.display import joined
from envmagic.core.schema import Change
from envmagic.distributions.installed import found_in
from envmagic.environments import registry
from envmagic.environments.inventory import Inventory

__all__ = ["loaded", "replaced", "unseen"]


def loaded(there: Inventory) -> dict[str, set[str]]:
    """Distribution -> those of its modules that are loaded in this very process; nothing where it
    runs in another environment."""
    if not registry.is_this_process(there.environment.prefix):
        return {}
    found: dict[str, set[str]] = {}
    tops = {name.partition(".")[0] for name in sys.modules}
    for name in there.distributions:
        firsts = {
            line.partition("/")[0].partition(".")[0] for line in _record(there, name).splitlines()
        }
        if firsts & tops:
            found[name] = firsts & tops
    return found


def replaced(changes: Iterable[Change], modules: Mapping[str, set[str]]) -> list[str]:
    """Those of the `modules`, which were `loaded`, that `changes` replaced or removed."""
    touched = {c["name"] for c in changes if c["action"] == "removed"}
    return sorted({module for name in touched for module in modules.get(name, ())})


def unseen(changes: Iterable[Change], there: Inventory) -> list[str]:
    """A note for what was installed and this very process cannot import before it is restarted."""
    if not registry.is_this_process(there.environment.prefix):
        return []
    names = {c["name"] for c in changes if c["action"] == "installed"}
    names = {name for name in names if ".pth" in _record(there, name)}  # read at a start only
    modules = sorted(set(_unseen(names, there))) if names else []
    if not modules:
        return []
    return [f"Restart the kernel to import {joined(modules)}: Python looks for that at its start."]


def _unseen(names: set[str], there: Inventory) -> Iterator[str]:
    importlib.invalidate_caches()
    for site in _sites(names, there):
        for found in found_in(site):
            if found.name in names:
                yield from (module for module in found.modules if not _is_seen(module))


def _sites(names: Iterable[str], there: Inventory) -> Sequence[str]:
    return sorted({str(there.distributions[name][1].parent) for name in names})


def _is_seen(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return module in sys.modules


def _record(there: Inventory, name: str) -> str:
    """The list of files of an installed distribution; empty where there is none."""
    try:
        return (there.distributions[name][1] / "RECORD").read_text("utf-8", errors="replace")
    except (OSError, KeyError):
        return ""
