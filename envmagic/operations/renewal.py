"""An environment that is there gets what it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from envmagic.core import display
from envmagic.core.model import Progress, Switch
from envmagic.environments import backends, changing, fulfilment, provisioning
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.provisioning import Ready
from envmagic.operations import running_modules

__all__ = ["lacking", "renew"]


def lacking(there: Inventory, wanted: InstallPlan) -> InstallPlan:
    """`wanted` without what is satisfied; files are left to the installer."""
    if wanted.upgrade:
        return wanted
    return backends.of(there.environment).lacking(there, wanted)


def renew(
    there: Inventory,
    name: str,
    wanted: InstallPlan,
    progress: Progress,
    notes: list[str],
    switch: Switch | None,
) -> tuple[Ready, Mapping[str, set[str]]]:
    """Install what is missing and see that the kernel is registered; with the modules that were
    loaded before, as far as that matters."""
    environment = there.environment
    if not environment.owned:
        notes.append(f"{display.user_path(environment.prefix)} was there already and was attached.")
    if not wanted.upgrade:
        there = _whole(there, wanted, progress, notes)
    wanted = lacking(there, wanted)
    loaded = running_modules.loaded(there) if wanted else {}
    ready = provisioning.make_ready(there, name, wanted, progress, switch=switch)
    notes += ready.notes
    return ready, loaded


def _whole(
    there: Inventory, wanted: InstallPlan, progress: Progress, notes: list[str]
) -> Inventory:
    """What is there once what is asked for and lacks files is installed again."""
    broken = fulfilment.broken(there, wanted)
    if not broken:
        return there
    notes.append(f"Files of {display.joined(broken)} were missing; they are there again.")
    return changing.install_checked(there, changing.again(there, broken), progress)[0]
