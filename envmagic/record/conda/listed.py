"""What the user lists in `environment.yml`, by the names that pip has for it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.environments.backends.conda import environment_file, specs
from envmagic.requirements import RequirementLine, environment_yml, parse_lines

__all__ = ["Listed", "covers", "listed", "name_in", "pip_names"]

_PARTS = ("-base", "-core", "-gpu", "-cpu")  # conda has the module apart from what goes with it


@dataclass(frozen=True)
class Listed:
    """The user's lines of one file, by distribution."""

    conda: dict[str, RequirementLine] = field(default_factory=dict)
    pip: dict[str, RequirementLine] = field(default_factory=dict)
    """Of its `pip:` section."""


def listed(directory: Path) -> Listed:
    """What the user lists in the `environment.yml` in `directory`; nothing where there is none."""
    path = environment_file.beside(directory)
    text = environment_yml.user_text(path) if path is not None else ""
    found = Listed()
    for item in environment_yml.packages(text):
        for name in pip_names(name_in(item)):
            found.conda.setdefault(name, RequirementLine(item, 0, ""))
    for line in _requirements(environment_yml.pip_lines(text)):
        if line.name is not None:
            found.pip.setdefault(line.name, line)
    return found


def name_in(item: str) -> str:
    """The package that an item of `dependencies` names, as conda writes it."""
    return specs.conda_name(item.rpartition("::")[2].strip("\"' "))


def pip_names(package: str) -> frozenset[str]:
    """What pip may call that which conda's `package` brings: torch for pytorch, opencv-python for
    py-opencv. A name that conda has for something else (`graphviz`, the program) is none."""
    names = {package, *(package.removesuffix(part) for part in _PARTS)}
    names |= {name.removeprefix(start) for name in names for start in ("py-", "python-")}
    names |= {python for python, conda in specs.CONDA_NAMES.items() if conda in names}
    others = {python for python, conda in specs.CONDA_NAMES.items() if conda not in names}
    return frozenset(normalized(name) for name in names - others)


def covers(package: str, users: Collection[str]) -> bool:
    """Whether one of the packages `users` is, or brings, conda's `package`."""
    if package in users:
        return True
    names = pip_names(package)
    return any(not names.isdisjoint(pip_names(user)) for user in users)


def _requirements(lines: Iterable[str]) -> Iterator[RequirementLine]:
    for text in lines:
        try:
            yield from parse_lines(text, "")
        except EnvmagicError:
            continue
