"""What still needs the packages that are to be taken out of an environment."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.environments import registry, satisfaction
from envmagic.environments.inventory import Inventory

__all__ = ["refuse"]

_PROGRAMS = ("jupyterlab", "notebook", "nbclassic", "jupyter-server", "jupyterhub", "voila")
_FEW = 5


def refuse(packages: Sequence[str], there: Inventory, again: tuple[str, ...]) -> None:
    """Raise where something that stays in the environment needs one of `packages` (normalised
    names), or a person starts one as a program. `again` are the words that take them out."""
    prefix = there.environment.prefix
    for package in packages:
        users = [name for name in _users(package, there) if name not in packages]
        if users:
            more = f" and {len(users) - _FEW} more" if len(users) > _FEW else ""
            verb = "needs" if len(users) == 1 else "need"
            why = f"{', '.join(users[:_FEW])}{more} {verb} it"
        elif package in _PROGRAMS and package in there.versions:
            why = "it is what starts notebooks from there"
        elif package == "envmagic" and registry.is_this_process(prefix):
            why = "it is what carries this out"
        else:
            continue
        raise EnvmagicError(
            "still-needed",
            f"{package} stays in {display.user_path(prefix)}: {why}.",
            "To take it out all the same",
            command=again,
            subject=package,
        )


def _users(package: str, there: Inventory) -> Collection[str]:
    """The distributions that need `package` without an extra, by name."""
    python = there.environment.version
    return sorted(
        name
        for name, (_, info) in there.distributions.items()
        if name != package
        and any(
            normalized(needed.name) == package
            for needed in satisfaction.requirements_of(info, python)
        )
    )
