"""A kernel that starts while its environment is being filled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from envmagic.core.model import Environment, Kernel, Switch
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import Behind
from envmagic.environments.runtimes.building import modules_of
from envmagic.jupyter import launcher, startup_file
from envmagic.system import directories

__all__ = ["EarlyStart", "runs_at_start"]

_HOOKS = ("*.pth", "sitecustomize.py", "usercustomize.py")
"""What a Python runs once, at its start; see https://docs.python.org/3/library/site.html."""
_ACTIVATION = ("etc/conda/activate.d/*", "etc/conda/env_vars.d/*", "conda-meta/state")
"""What conda does before that; see
https://docs.conda.io/projects/conda-build/en/stable/resources/activate-scripts.html."""
_CONFIGURATION = ("ipython_config.py", "ipython_config.json", "ipython_kernel_config.py")
_SYSTEM = ("/etc/ipython", "/usr/local/etc/ipython")
_ASKED_FOR = "ipykernel"  # who has it in an environment wants it to be used
_LATER = frozenset({"debugpy", "psutil"})
"""What a kernel loads beside what it imports: when it begins to serve."""


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

    def _is_outdated(self, there: Inventory, behind: Behind) -> bool:
        environment = there.environment
        if (
            behind.verdict != self._behind.verdict
            or environment.version != self._version
            or _hooks(environment) != self._hooks
            or any(there.versions.get(name) != was for name, was in self._held.items())
        ):
            return True
        loaded = behind.runtime.loaded | _LATER
        return any(
            there.versions.get(name, version) != self._held.get(name, version)
            or self._is_wanted(name, there)
            for name, (version, info) in behind.runtime.distributions.items()
            if modules_of(info) & loaded
        )

    def _is_wanted(self, name: str, there: Inventory) -> bool:
        return name == _ASKED_FOR and name in there.versions and name not in self._held


def runs_at_start(environment: Environment) -> bool:
    """Whether a person has IPython run or load something at its start, which may need what the
    environment gets."""
    own = directories.ipython() / "profile_default"
    places = [own, environment.prefix / "etc" / "ipython", *map(Path, _SYSTEM)]
    startup = [f for p in places for kind in ("*.py", "*.ipy") for f in p.glob(f"startup/{kind}")]
    # our own loads what such a kernel has loaded already
    return any((place / name).exists() for place in places for name in _CONFIGURATION) or any(
        not startup_file.at(file).is_ours for file in startup
    )


def _held(environment: Environment, behind: Behind) -> Mapping[str, str]:
    places = [str(place) for place in environment.site_packages]
    return launcher.distributions(places, set(behind.runtime.distributions))


def _hooks(environment: Environment) -> set[tuple[Path, int]]:
    """What runs at the start of its Python, and before that where conda activates it."""
    found = [f for place in environment.site_packages for hook in _HOOKS for f in place.glob(hook)]
    found += [file for hook in _ACTIVATION for file in environment.prefix.glob(hook)]
    return {(file, file.stat().st_mtime_ns) for file in found if file.is_file()}
