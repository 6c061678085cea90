"""What all kinds of venv have in common: `pyvenv.cfg`, and being filled from outside."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic._version import REQUIRES_PYTHON
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, WordsError
from envmagic.core.model import BackendName, Environment, EnvSpec, Progress
from envmagic.environments import inspection, interpreters
from envmagic.environments.backends import installers, pythons
from envmagic.environments.backends.base import NOTHING, Fault, InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.satisfaction import missing
from envmagic.jupyter.kernelspecs import Launch
from envmagic.system import directories, prefix_layout, reading
from envmagic.system.prefix_layout import interpreter

__all__ = ["PyvenvBackend"]

_NAMED = re.compile(r"python(3\.\d+)[td]*")


class PyvenvBackend:
    """The part of a backend that all kinds of venv share; see `base.Backend`."""

    of_distributions = True

    def inspect(self, prefix: Path, *, owned: bool) -> Environment:
        config = _read_config(prefix)
        python = interpreter(prefix)
        if not python.exists():
            raise _cannot_run(prefix, _gone(python, config), config, owned=owned)
        other = _other_than_made_for(prefix, python)
        if other:
            why = f"its Python is {other} now, and what it holds is for another"
            raise _cannot_run(prefix, why, config, owned=owned)
        version = config.get("version") or config.get("version_info") or ""
        return Environment(
            prefix=prefix,
            python=python,
            version=inspection.plain_version(version) or inspection.version_of_directories(prefix),
            backend=_backend(config),
            owned=owned,
            site_packages=(*inspection.site_packages(prefix), *_system_site_packages(config)),
        )

    def packages(self, environment: Environment) -> dict[str, str]:
        return {}

    def lacking(self, there: Inventory, plan: InstallPlan) -> InstallPlan:
        lines = [(line, requirements.requirement(line)) for line in plan.requirements]
        parsed = [r for _, r in lines if r is not None]
        lacking = missing(parsed, there.distributions, there.environment.version)
        return replace(
            plan, requirements=tuple(line for line, r in lines if r is None or r in lacking)
        )

    def has_python(self, environment: Environment, wanted: str) -> bool:
        version = pythons.find(wanted).version
        return version.split(".")[:2] == environment.version.split(".")[:2]

    def faults(self, environment: Environment) -> Iterator[Fault]:
        return iter(())

    def written(self, prefix: Path, *, cut_off: bool) -> Mapping[str, str | None]:
        return {}

    def lines(self, text: str, source: str) -> tuple[str, ...]:
        return tuple(line.text for line in requirements.parse_lines(text, source))

    def understands(self, text: str) -> bool:
        return False

    def reads(self, file: Path) -> bool:
        return False

    def check_file(self, file: Path) -> None: ...

    def file_beside(self, directory: Path) -> Path | None:
        return None

    def is_recorded_in(self, file: Path) -> bool:
        return False

    def name_in(self, file: Path) -> str | None:
        return None

    def held_beside(
        self, directory: Path, plan: InstallPlan
    ) -> tuple[InstallPlan, tuple[Problem, ...]]:
        return plan, ()

    def as_requirements(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(texts)

    def python(self, spec: EnvSpec) -> interpreters.Python:
        python = pythons.find(spec.python)
        if tuple(int(p) for p in python.version.split(".")[:2]) < REQUIRES_PYTHON:
            raise EnvmagicError(
                "python-too-old",
                f"Python {python.version} is too old for envmagic, which needs 3.10 or newer.",
                "Make the environment there without it and adopt that",
                subject=python.version,
                command=("attach", str(spec.prefix)),
            )
        return python

    def fill(
        self,
        environment: Environment,
        plan: InstallPlan,
        left: tuple[str, ...],
        progress: Progress,
    ) -> list[str]:
        installers.fill(environment, plan, progress)
        return []

    def again(self, environment: Environment) -> tuple[InstallPlan, tuple[str, ...]]:
        return NOTHING, ()

    def created(self, environment: Environment) -> None: ...

    def install(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        installers.install(environment, plan, progress)
        return []

    def add(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        return self.install(environment, plan, progress)

    def uninstall(
        self, environment: Environment, names: Sequence[str], progress: Progress
    ) -> list[str]:
        installers.uninstall(environment, names, progress)
        return []

    def launch(self, environment: Environment) -> Launch:
        # jupyter_client expands ${PATH} when it starts the kernel, and $$ to $
        scripts = str(prefix_layout.scripts_directory(environment.prefix)).replace("$", "$$")
        return Launch(
            {
                "PATH": f"{scripts}{os.pathsep}${{PATH}}",
                "VIRTUAL_ENV": str(environment.prefix).replace("$", "$$"),
                "PIP_USER": "0",  # pip.conf may say it, and no pip can do that in here
            }
        )


def _read_config(prefix: Path) -> dict[str, str]:
    file = prefix / "pyvenv.cfg"
    try:
        text = reading.content(file).decode("utf-8", "replace")
    except OSError:
        if not prefix.is_dir():  # it was moved or removed just now
            raise WordsError(
                "not-an-environment",
                f"{display.user_path(prefix)} is not there any more.",
                "To see those there are",
                subject=str(prefix),
                command=("list",),
            ) from None
        empty = not any(prefix.iterdir())
        reason = "is empty" if empty else "is no environment: it has no pyvenv.cfg"
        raise WordsError(
            "not-an-environment",
            f"{display.user_path(prefix)} {reason}.",
            "Make one there" if empty else "",
            subject=str(prefix),
            command=("create", str(prefix)) if empty else (),
        ) from None
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _gone(python: Path, config: Mapping[str, str]) -> str:
    base = config.get("home", "")
    if python.is_symlink() and base:
        return f"the Python it was made from is gone ({display.user_path(base)})"
    return f"{display.user_path(python)} is missing"


def _cannot_run(prefix: Path, why: str, config: Mapping[str, str], *, owned: bool) -> EnvmagicError:
    return EnvmagicError(
        "no-interpreter",
        f"{display.user_path(prefix)} cannot run: {why}.",
        "Make it anew with another one" if owned else "Make it anew with the tool that made it.",
        subject=str(prefix),
        command=_again(prefix, config) if owned else (),
    )


def _other_than_made_for(prefix: Path, python: Path) -> str:
    """The version that `python` has become, as where an upgrade changed what it leads to; empty
    where that installs into what is there."""
    found = _NAMED.fullmatch(os.path.basename(os.path.realpath(python)))
    there = {site.parent.name.rstrip("t") for site in inspection.site_packages(prefix)}
    if found is None or not there or f"python{found[1]}" in there:
        return ""
    return found[1]


def _again(prefix: Path, config: Mapping[str, str]) -> tuple[str, ...]:
    """The command that makes it anew: on a Python of the same version, else on ours."""
    word = prefix.name if prefix.parent == directories.envs() else str(prefix)
    had = (config.get("version") or config.get("version_info") or "").split(".")[:2]
    there = {python.version.split(".")[1] for python in interpreters.installed()}
    ours = interpreters.running().version.split(".")[:2]
    return ("create", word, "--python", ".".join(had if had[1:] and had[1] in there else ours))


def _backend(config: dict[str, str]) -> BackendName:
    if "uv" in config:
        return BackendName.UV
    return BackendName.VIRTUALENV if "virtualenv" in config else BackendName.VENV


def _system_site_packages(config: dict[str, str]) -> tuple[Path, ...]:
    if config.get("include-system-site-packages", "").lower() != "true" or "home" not in config:
        return ()
    base = Path(config["home"])
    return inspection.site_packages(base.parent if base.name in {"bin", "Scripts"} else base)
