"""Changing an environment that is there: whole afterwards, or as it was before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.environments import backends, fulfilment, history, ownership
from envmagic.environments.backends import half_done
from envmagic.environments.backends.base import NOTHING, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.what_changed import named

__all__ = [
    "again",
    "checked",
    "install",
    "install_checked",
    "looked_again",
    "mended",
    "put_back",
    "take_out",
]


def install_checked(
    there: Inventory, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> tuple[Inventory, list[str]]:
    """Install `wanted` and see on the disk that it is whole, else put everything back.

    An installer that was once cut off leaves distributions that it later takes for whole; those
    are installed again, and it is an error when that does not mend them. In an environment that
    is not ours only what was installed now is looked at. `beside`: nothing that is there changes.
    Returns what is there now, and notes for the person.
    """

    def change() -> list[str]:
        return install(there, wanted, progress, beside=beside)

    return checked(there, change, progress, wanted)


def checked(
    there: Inventory,
    change: Callable[[], list[str]],
    progress: Progress,
    wanted: InstallPlan = NOTHING,
) -> tuple[Inventory, list[str]]:
    """Have an environment that holds what is `there` changed by `change`, which returns notes for
    the person, and see on the disk that it is whole and holds what is `wanted`, else put everything
    back.

    Returns what is there now, and the notes. Raises what `change` raises.
    """
    try:
        notes = change()
        now = mended(looked_again(there.environment), there.versions, progress)
        fulfilment.check(now, wanted)
        return now, notes
    except BaseException:
        put_back(there, progress)
        raise


def put_back(before: Inventory, progress: Progress) -> None:
    """Undo what changed in an environment since it held `before`, if it can be.

    Called while another error is on its way, so it raises none of its own: on a disk that is full
    anything may fail.
    """
    environment = before.environment
    with contextlib.suppress(Exception):  # what is there may be another Python
        environment = backends.inspect(environment.prefix, owned=environment.owned)
    with contextlib.suppress(Exception):
        there = backends.look(environment)
        after, versions = there.versions, before.versions
        added = sorted(set(after) - set(versions))
        lost = [name for name, version in versions.items() if after.get(name) != version]
        hurt = [n for n in _broken_since(there, after) if n in versions and n not in lost]
        if added:
            with contextlib.suppress(Exception):  # what was lost is put back all the same
                take_out(there, added, progress)
        if lost or hurt:
            names = (*lost, *hurt)
            lines = tuple(f"{name}=={versions[name]}" for name in names)
            plan = InstallPlan(requirements=lines, reinstall=names)
            with contextlib.suppress(Exception):
                backends.of(environment).install(environment, plan, progress)
    if environment.owned:
        half_done.clear(environment, before.entries)


def take_out(there: Inventory, names: Sequence[str], progress: Progress) -> list[str]:
    """Uninstall distributions `names`, also those that an installer was cut off over.

    It takes out only what has its RECORD, so such ones are made whole before, if they can be.
    Returns notes for the person.
    """
    environment = there.environment
    backend = backends.of(environment)
    cut_off = there.broken(set(names))
    cut_off += there.unlisted(set(names) - set(cut_off))
    if cut_off:
        with contextlib.suppress(EnvmagicError):
            backend.install(environment, again(there, cut_off), progress)
    return backend.uninstall(environment, names, progress)


def again(there: Inventory, names: Iterable[str]) -> InstallPlan:
    """Installing distributions `names` once more in the versions that they look installed in."""
    held = tuple(names)
    versions = {name: version for name, (version, _) in there.distributions.items()}
    lines = tuple(f"{n}=={versions[n]}" if versions.get(n) else n for n in held)
    return InstallPlan(requirements=lines, reinstall=held)


def install(
    there: Inventory, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> list[str]:
    environment = there.environment
    backend = backends.of(environment)
    progress.step(f"Installing {named(wanted)}")
    return (backend.add if beside else backend.install)(environment, wanted, progress)


def looked_again(environment: Environment) -> Inventory:
    """What is there after a change, which may have brought another Python, too."""
    there = backends.look(backends.inspect(environment.prefix, owned=environment.owned))
    return history.saw(there)


def mended(there: Inventory, before: Mapping[str, str], progress: Progress) -> Inventory:
    """Install again what lacks files since the environment held `before`; what is there then."""
    broken = _broken_since(there, before)
    if not broken:
        return there
    progress.step(f"Mending {', '.join(broken)}")
    environment = there.environment
    backends.of(environment).install(environment, again(there, broken), progress)
    there = looked_again(environment)
    broken = _broken_since(there, before)
    if broken:
        raise EnvmagicError(
            "broken-distribution",
            f"Files of {', '.join(broken)} are missing in {display.user_path(environment.prefix)}.",
            "To see more",
            subject=str(environment.prefix),
            command=("doctor",),
        )
    return there


def _broken_since(there: Inventory, before: Mapping[str, str]) -> list[str]:
    if ownership.is_owned(there.environment.prefix):
        return there.broken()
    return there.broken({n for n, v in there.versions.items() if before.get(n) != v})
