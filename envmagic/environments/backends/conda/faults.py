"""The ways conda environments break inside, each with what mends it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Environment
from envmagic.core.names import normalized
from envmagic.environments.backends.base import Fault, InstallPlan
from envmagic.environments.backends.conda import metadata

__all__ = ["of"]


def of(environment: Environment) -> Iterator[Fault]:
    """Packages that are not whole, and distributions of another Python."""
    prefix, shown = environment.prefix, display.user_path(environment.prefix)
    broken = tuple(metadata.broken(prefix))
    if broken:
        problem = Problem(
            "broken-distribution",
            f"Files of conda's {', '.join(broken)} are missing in {shown}.",
            f"conda install --force-reinstall --prefix {shlex.quote(str(prefix))}"
            f" {' '.join(broken)}",
            subject=str(prefix),
        )
        yield Fault(problem, InstallPlan(broken, reinstall=broken))
    yield from _left_behind(environment)


def _left_behind(environment: Environment) -> Iterator[Fault]:
    """Distributions that pip installed for a Python which conda has replaced since."""
    prefix, shown = environment.prefix, display.user_path(environment.prefix)
    for lib in sorted((prefix / "lib").glob("python3.*")):
        version = lib.name.removeprefix("python")
        if version == environment.short_version or not re.fullmatch(r"3\.\d+", version):
            continue
        names = sorted(_names(lib / "site-packages") - set(metadata.distributions(environment)))
        if not names:
            continue
        problem = Problem(
            "python-changed",
            f"{', '.join(names)} in {shown} were installed for Python {version};"
            f" it has {environment.short_version} now.",
            f"{shlex.quote(str(environment.python))} -m pip install {' '.join(names)}",
            Severity.WARNING,
            str(prefix),
        )
        yield Fault(problem, InstallPlan(tuple(names)), beside=True)


def _names(site: Path) -> set[str]:
    infos = site.glob("*.dist-info")
    return {normalized(i.name.split("-")[0]) for i in infos} - {"envmagic"}
