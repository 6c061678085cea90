"""A kernel that starts while its environment is being filled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envmagic.core.model import Environment, Kernel, Switch
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import Behind
from envmagic.environments.runtimes.building import modules_of
from envmagic.jupyter import launcher

__all__ = ["EarlyStart"]

_HOOKS = ("*.pth", "sitecustomize.py", "usercustomize.py")
"""What a Python runs once, at its start; see https://docs.python.org/3/library/site.html."""
_ASKED_FOR = "ipykernel"  # who has it in an environment wants it to be used


class EarlyStart:
    """The kernel of `environment`, started when that has been made and before it is filled.

    It is given up where it has loaded what is another by the time the environment is complete.
    """

    def __init__(
        self, switch: Switch, kernel: Kernel, environment: Environment, behind: Behind
    ) -> None:
        self._switch, self._behind, self._version = switch, behind, environment.version
        self._held = _held(environment, behind)
        self._hooks = _hooks(environment)
        switch.begin(kernel)

    def settle(self, there: Inventory, behind: Behind) -> None:
        """Keep it where the environment, as it is `there` now, starts the same kernel."""
        if self._is_outdated(there, behind):
            self._switch.give_up()

    def give_up(self) -> None:
        """End it."""
        self._switch.give_up()

    def _is_outdated(self, there: Inventory, behind: Behind) -> bool:
        environment = there.environment
        if (
            behind.verdict != self._behind.verdict
            or environment.version != self._version
            or _hooks(environment) != self._hooks
        ):
            return True
        loaded = behind.runtime.loaded
        return any(
            modules_of(info) & loaded
            for name, (_, info) in there.distributions.items()
            if self._is_another(name, there.versions[name])
        )

    def _is_another(self, name: str, version: str) -> bool:
        """Whether a part of kernels is another than at its start."""
        parts = self._behind.runtime.distributions
        if name not in parts or self._held.get(name) == version:
            return False
        return name in self._held or name == _ASKED_FOR or parts[name][0] != version


def _held(environment: Environment, behind: Behind) -> Mapping[str, str]:
    places = [str(place) for place in environment.site_packages]
    return launcher.distributions(places, set(behind.runtime.distributions))


def _hooks(environment: Environment) -> set[tuple[Path, int]]:
    """What runs at the start of its Python, and before that where conda activates it."""
    found = [f for place in environment.site_packages for hook in _HOOKS for f in place.glob(hook)]
    found += (environment.prefix / "etc" / "conda" / "activate.d").glob("*")
    return {(file, file.stat().st_mtime_ns) for file in found if file.is_file()}
