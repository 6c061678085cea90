"""What goes to workers: versions from the record, the notebook's own modules, named variables."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from packaging.requirements import Requirement

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.distributions.origin import origin_of, source_of
from envmagic.environments import satisfaction
from envmagic.environments.inventory import Inventory
from envmagic.shipping.local_modules import LocalModule, local_modules

__all__ = ["Payload", "Pin"]

_ORIGIN = "direct_url.json"


@dataclass(frozen=True)
class Pin:
    """A distribution in the version that is installed here."""

    name: str
    """Normalised."""
    version: str
    url: str = ""
    """Where it came from, when from no index: a commit of a repository, an archive."""
    directory: Path | None = None
    """Its project's directory here, which is nowhere else: a wheel of it has to be built."""

    @property
    def line(self) -> str:
        """A requirement for it: `six==1.17.0`, `six @ git+https://…@COMMIT`."""
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"

    @property
    def stamp(self) -> float:
        """When the newest file in its `directory` was changed; 0.0 where there is none."""
        return _stamp(self.directory) if self.directory is not None else 0.0


@dataclass(frozen=True)
class Payload:
    """All that a worker needs to run what the notebook sends it."""

    environment: Environment
    pins: tuple[Pin, ...]
    """What the record needs, with all that it needs in turn; by name."""
    modules: tuple[LocalModule, ...]
    variables: Mapping[str, str]
    """Those that the user named, no other."""
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What the record names -> what that needs of `pins`, itself among them."""

    @classmethod
    def of(
        cls,
        there: Inventory,
        directory: Path,
        notebook: Path | None = None,
        cells: Sequence[str] = (),
        variables: Sequence[str] = (),
    ) -> Payload:
        """What the record in `directory` needs of what is `there`, and the local modules of
        `notebook` and the `cells` that are not saved in it yet.

        Raises `EnvmagicError` where there is no record (`no-file`), something in it is not
        installed (`not-installed`), or one of `variables` is not set (`no-variable`).
        """
        modules = local_modules(notebook, cells) if notebook is not None else ()
        needs = _needs(there, directory)
        pins = tuple(_pin(n, *there.distributions[n]) for n in sorted(set().union(*needs.values())))
        return cls(there.environment, pins, modules, _named(variables), needs)

    @property
    def python(self) -> str:
        """The full version of the notebook's Python."""
        return self.environment.version

    @property
    def platform(self) -> str:
        return f"{platform.system()} {platform.machine()}"

    @property
    def names(self) -> list[str]:
        """The distributions to ask a worker for."""
        return [pin.name for pin in self.pins]

    @property
    def module_names(self) -> list[str]:
        return [module.name for module in self.modules]

    @cached_property
    def digest(self) -> str:
        """Text that is another when something else would be sent; it tells no variable's value."""
        told = [
            self.python,
            [(pin.line, pin.stamp) for pin in self.pins],
            [(module.name, module.digest) for module in self.modules],
            [(k, hashlib.sha256(v.encode()).hexdigest()) for k, v in self.variables.items()],
        ]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()

    def without(self, names: Iterable[str]) -> Payload:
        """The same without the distributions `names` (normalised): an engine has its own."""
        left = set(names)
        pins = tuple(pin for pin in self.pins if pin.name not in left)
        return replace(self, pins=pins)

    def only_for(self, names: Iterable[str]) -> frozenset[str]:
        """Those of the distributions that nothing in the record needs but `names`, themselves among
        them."""
        own = set(names)
        others = [needed for name, needed in self.needs.items() if name not in own]
        theirs = [needed for name, needed in self.needs.items() if name in own]
        return frozenset().union(*theirs).difference(*others)


def _needs(there: Inventory, directory: Path) -> dict[str, frozenset[str]]:
    file = directory / REQUIREMENTS
    if not file.is_file():
        raise WordsError(
            "no-file",
            f"There is no {file.name} in {display.user_path(directory)} that says what to send.",
            "To write it",
            command=("record",),
            subject=str(file),
        )
    lines = [line for line in requirements.read(file).all_lines() if not line.constraint]
    found = [line.requirement for line in lines if line.requirement]
    python = there.environment.version
    lacking = [each.name for each in satisfaction.missing(found, there.distributions, python)]
    for line in lines:
        if line.location is not None and line.requirement is None:
            name = line.name or _installed_from(directory / line.location, there) or line.guess
            if name in there.distributions:
                found.append(Requirement(str(name)))
            else:
                lacking.append(display.shortened(line.location))
    if lacking:
        raise EnvmagicError(
            "not-installed",
            f"{file.name} asks for {display.joined(lacking[:5])}, which the environment has not as"
            " it is asked for.",
            "To install it",
            command=("sync",),
            subject=lacking[0],
        )
    roots = {normalized(requirement.name) for requirement in found}
    return {
        name: frozenset(
            satisfaction.needed_by(
                [r for r in found if normalized(r.name) == name], there.distributions, python
            )
        )
        for name in sorted(roots)
    }


def _installed_from(place: Path, there: Inventory) -> str:
    """The distribution that was installed from the directory or file `place`; empty without one."""
    for name, (_, info) in there.distributions.items():
        source = source_of(str(info / _ORIGIN))
        if source is not None and os.path.realpath(source) == os.path.realpath(place):
            return name
    return ""


def _pin(name: str, version: str, info: Path) -> Pin:
    source = source_of(str(info / _ORIGIN))
    if source is not None:
        return Pin(name, version, directory=source)
    url, _ = origin_of(str(info / _ORIGIN))
    return Pin(name, version, url or "")


def _stamp(path: Path) -> float:
    """When the newest file in a project was changed; 0.0 where it is gone."""
    latest = 0.0
    for above, directories, names in os.walk(path):
        directories[:] = [d for d in directories if not d.startswith(".") and d != "__pycache__"]
        for name in names:
            try:
                latest = max(latest, os.stat(os.path.join(above, name)).st_mtime)
            except OSError:
                continue
    return latest


def _named(variables: Sequence[str]) -> dict[str, str]:
    unset = [name for name in variables if name not in os.environ]
    if unset:
        raise WordsError(
            "no-variable",
            f"{display.joined(unset)} {'is' if len(unset) == 1 else 'are'} not set here.",
            "Set it first with os.environ[…] = … in a cell, or leave it out.",
            subject=unset[0],
        )
    return {name: os.environ[name] for name in variables}
