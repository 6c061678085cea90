"""The ways conda environments break, each with its remedy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Environment, Kernel, Progress
from envmagic.environments import provisioning
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import condarc, metadata, mixed

__all__ = ["gone", "is_somebody_else_s", "look", "settings"]

Found = tuple[Problem, "Callable[[], None] | None"]


def is_somebody_else_s(prefix: Path, kernel: Kernel | None, *, current: bool) -> bool:
    """Whether the conda environment at `prefix` has nothing to do with us: neither made nor
    registered by envmagic, nor the one this notebook runs in."""
    owned = (prefix / "envmagic.json").is_file()
    return mixed.is_conda(prefix) and kernel is None and not owned and not current


def gone(prefix: Path, kernel: Kernel | None) -> Problem | None:
    """That what was registered as a conda environment has lost its `conda-meta`."""
    entry = kernel.metadata.get("envmagic") if kernel is not None else None
    was = isinstance(entry, dict) and entry.get("backend") == "conda"
    if kernel is None or not was or mixed.is_conda(prefix):
        return None
    return Problem(
        "no-conda-meta",
        f"{display.user_path(prefix)} was a conda environment, and its conda-meta/history is gone.",
        "Make it again, or take its kernel away",
        subject=str(prefix),
        command=("remove", kernel.name, "--yes"),
    )


def settings() -> Iterator[Found]:
    """What is wrong with the user's `.condarc`."""
    try:
        condarc.load()
    except EnvmagicError as error:
        yield error.problem, None


def look(environment: Environment, progress: Progress) -> Iterator[Found]:
    """What is wrong inside a conda environment: packages not whole, packages of another Python."""
    prefix, shown = environment.prefix, display.user_path(environment.prefix)
    broken = tuple(metadata.broken(prefix))
    if broken:

        def relink() -> None:
            with provisioning.locked(prefix):
                provisioning.install_checked(
                    environment, InstallPlan(broken, reinstall=broken), progress
                )

        problem = Problem(
            "broken-distribution",
            f"Files of conda's {', '.join(broken)} are missing in {shown}.",
            f"conda install --force-reinstall --prefix {shlex.quote(str(prefix))}"
            f" {' '.join(broken)}",
            subject=str(prefix),
        )
        yield problem, relink if environment.owned else None
    yield from _left_behind(environment, progress)


def _left_behind(environment: Environment, progress: Progress) -> Iterator[Found]:
    """Distributions that pip installed for a Python which conda has replaced since."""
    prefix, shown = environment.prefix, display.user_path(environment.prefix)
    for lib in sorted((prefix / "lib").glob("python3.*")):
        version = lib.name.removeprefix("python")
        if version == environment.short_version or not re.fullmatch(r"3\.\d+", version):
            continue
        names = sorted(_names(lib / "site-packages") - set(metadata.distributions(environment)))
        if not names:
            continue
        wanted = InstallPlan(tuple(names), pip_only=True)

        def again(wanted: InstallPlan = wanted) -> None:
            with provisioning.locked(prefix):
                provisioning.install_checked(environment, wanted, progress)

        problem = Problem(
            "python-changed",
            f"{', '.join(names)} in {shown} were installed for Python {version};"
            f" it has {environment.short_version} now.",
            f"{shlex.quote(str(environment.python))} -m pip install {' '.join(names)}",
            Severity.WARNING,
            str(prefix),
        )
        yield problem, again if environment.owned else None


def _names(site: Path) -> set[str]:
    infos = site.glob("*.dist-info")
    return {metadata.normalized(i.name.split("-")[0]) for i in infos} - {"envmagic"}
