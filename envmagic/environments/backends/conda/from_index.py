"""Installing what only the package index has, beside conda's packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.model import Environment, Progress
from envmagic.core.names import normalized
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import metadata, specs
from envmagic.system import prefix_layout

__all__ = ["install"]


def install(
    environment: Environment,
    plan: InstallPlan,
    lines: Sequence[str],
    files: Sequence[Path],
    progress: Progress,
) -> None:
    """Install `lines` and `files` in place of those of `plan`, holding every distribution of
    conda's where it is."""
    environment = _as_it_is(environment)
    there = metadata.distributions(environment)
    held = {name: version for name, (version, info) in there.items() if metadata.by_conda(info)}
    pins = [c for c in plan.constraints if normalized(specs.conda_name(c)) not in held]
    more = replace(
        plan,
        requirements=tuple(specs.for_pip(line) for line in lines),
        files=tuple(files),
        constraints=(*(f"{name}=={version}" for name, version in held.items()), *pins),
    )
    installers.install(environment, more, progress)


def _as_it_is(environment: Environment) -> Environment:
    """`environment` with the Python that it has now, which conda may just have changed."""
    python = metadata.packages(environment.prefix).get("python")
    if python is None or python.version == environment.version:
        return environment
    short = ".".join(python.version.split(".")[:2])
    site = prefix_layout.conda_site_packages(environment.prefix, short)
    return replace(environment, version=python.version, site_packages=(site,))
