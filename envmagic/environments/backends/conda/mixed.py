"""What pip has installed into a conda environment, and mending what conda did to it."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import Requirement

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.core.names import normalized
from envmagic.environments import inspection, integrity, satisfaction
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import from_index, metadata

__all__ = ["by_pip", "settle"]


_ENVMAGIC = "envmagic"


def by_pip(environment: Environment) -> dict[str, str]:
    """Name -> version of what pip installed into a conda environment; ours does not count."""
    found = metadata.distributions(environment)
    return {
        name: version
        for name, (version, info) in found.items()
        if name != _ENVMAGIC and not metadata.by_conda(info)
    }


def settle(before: dict[str, str], environment: Environment, progress: Progress) -> list[str]:
    """Mend what a conda operation did to the distributions `before`, which pip had installed.

    conda does not know them: a new Python leaves them behind, a package of the same name writes
    over them, another version may not be what they need. `environment` is as it is now. Returns
    what was done, and what is left.
    """
    there = metadata.distributions(environment)
    lost = {name: version for name, version in before.items() if name not in there}
    installed = inspection.distributions(environment)
    broken = integrity.broken_distributions(installed, set(before) - set(lost))
    lost |= {name: before[name] for name in broken}
    notes: list[str] = []
    if lost:
        notes.append(_put_back(lost, environment, progress))
    notes += _unmet(environment, before)
    return notes


def _put_back(lost: dict[str, str], environment: Environment, progress: Progress) -> str:
    """Install `lost` (name -> version) again, if possible in those versions; says what it did."""
    names = ", ".join(sorted(lost))
    progress.step(f"Putting back {names}, which pip had installed")
    same = tuple(f"{name}=={version}" for name, version in sorted(lost.items()))
    reason = ""
    for lines, how in ((same, ""), (tuple(sorted(lost)), " in the versions that fit now")):
        try:
            plan = InstallPlan(reinstall=tuple(lost))
            from_index.install(environment, plan, lines, (), progress)
            return f"Put back what pip had installed{how}: {names}."
        except EnvmagicError as error:
            reason = error.problem.message
    return f"conda took {names} away, and pip cannot put it back: {reason}"


def _unmet(environment: Environment, names: Iterable[str]) -> list[str]:
    """What distributions of pip's need and no longer have, a sentence each."""
    installed = inspection.distributions(environment)
    said = []
    for name in names:
        if name not in installed:
            continue
        needs = satisfaction.requirements_of(installed[name][1], environment.version)
        for need in satisfaction.missing(needs, installed, environment.version):
            version = installed.get(normalized(need.name), ("", None))[0]
            have = f"{need.name} is now {version}" if version else f"{need.name} is gone"
            said.append(f"{name} (by pip) needs {_plain(need)}, and {have}.")
    return said


def _plain(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
