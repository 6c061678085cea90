"""The backend `conda`: what is special about its environments."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import BackendName, Environment, EnvSpec, Progress
from envmagic.core.names import normalized
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import Fault, InstallPlan
from envmagic.environments.backends.conda import (
    discovery,
    engines,
    environment_file,
    faults,
    from_index,
    metadata,
    mixed,
    partition,
    rattler_client,
    specs,
)
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.environments.backends.conda.partition import Parts
from envmagic.environments.backends.conda.prefix import inspect
from envmagic.environments.interpreters import Python
from envmagic.environments.inventory import Inventory
from envmagic.jupyter.kernelspecs import Launch
from envmagic.system import directories, import_path

__all__ = ["CondaBackend", "CondaPlan"]


@dataclass(frozen=True)
class CondaPlan(InstallPlan):
    """What is to be installed into a conda environment."""

    held: tuple[str, ...] = ()
    """Versions of conda's packages that hold without being asked for (`numpy=1.26.4`)."""
    asked: tuple[str, ...] = ()
    """What counts as asked for from then on, where that is not all of it."""


class CondaBackend:
    """Packages come from conda's channels, and from the package index those that conda lacks."""

    name = BackendName.CONDA
    of_distributions = False

    def missing(self) -> str:
        return engines.missing()

    def inspect(self, prefix: Path, *, owned: bool) -> Environment:
        return inspect(prefix, owned=owned)

    def packages(self, environment: Environment) -> dict[str, str]:
        found = metadata.packages(environment.prefix)
        return {normalized(name): package.version for name, package in found.items()}

    def lacking(self, there: Inventory, plan: InstallPlan) -> InstallPlan:
        lacking = [
            text
            for text in plan.requirements
            if (spec := specs.parse(text)) is None or not _is_there(spec.text, there.environment)
        ]
        return replace(plan, requirements=tuple(lacking))

    def has_python(self, environment: Environment, wanted: str) -> bool:
        return specs.python_spec(wanted).accepts(environment.version) is not False

    def faults(self, environment: Environment) -> Iterator[Fault]:
        return faults.of(environment)

    def written(self, prefix: Path, *, cut_off: bool) -> Mapping[str, str | None]:
        is_conda = (prefix / "conda-meta").is_dir()
        return metadata.written(prefix, cut_off=cut_off) if is_conda else {}

    def lines(self, text: str, source: str) -> tuple[str, ...]:
        return specs.lines_of(text, source)

    def understands(self, text: str) -> bool:
        return specs.parse(text) is not None

    def reads(self, file: Path) -> bool:
        return environment_file.is_environment_file(file)

    def check_file(self, file: Path) -> None:
        environment_file.read(file)

    def file_beside(self, directory: Path) -> Path | None:
        return environment_file.beside(directory)

    def is_recorded_in(self, file: Path) -> bool:
        return environment_file.has_block(file)

    def name_in(self, file: Path) -> str | None:
        return environment_file.read(file).name

    def held_beside(
        self, directory: Path, plan: InstallPlan
    ) -> tuple[InstallPlan, tuple[Problem, ...]]:
        beside = environment_file.beside(directory)
        if beside is None or plan.upgrade or beside in plan.files:
            return plan, ()
        asked = {s.name: s for text in plan.requirements if (s := specs.parse(text))}
        held: list[str] = []
        problems: list[Problem] = []
        for line in environment_file.read(beside).dependencies:
            pin = specs.parse(line)
            if pin is None or not pin.version or pin.name == "python":
                continue
            other = asked.get(pin.name)
            if other is not None and other.accepts(pin.version.lstrip("=").split()[0]) is False:
                message = f"{pin.text} in {beside.name} contradicts {other.text}; it was not used."
                problems.append(
                    Problem("pin-dropped", message, severity=Severity.WARNING, subject=pin.name)
                )
            else:
                held.append(pin.text)
        return CondaPlan(**vars(plan), held=tuple(held)), tuple(problems)

    def as_requirements(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(specs.for_pip, texts))

    def python(self, spec: EnvSpec) -> Python:
        return Python(Path(), spec.python or "")

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        parts = partition.split(plan)
        named = any(specs.conda_name(s) == "python" for s in parts.conda)
        first = [] if named and not spec.python else [specs.python_spec(spec.python).text]
        first += [] if any(specs.conda_name(s) == "pip" for s in parts.conda) else ["pip"]
        given = any(specs.conda_name(s) == "python" for s in first)
        rest = [s for s in parts.conda if not (given and specs.conda_name(s) == "python")]
        (spec.prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
        (spec.prefix / "conda-meta" / "history").touch()
        channels = tuple(dict.fromkeys([*spec.channels, *parts.channels]))
        change = Transaction(
            spec.prefix, channels, specs=_without_doubles([*first, *rest]), held=_held(plan)
        )
        unknown = _apply(change, progress)
        if isinstance(plan, CondaPlan) and plan.asked:
            there = metadata.packages(spec.prefix)
            dists = [package.dist for package in there.values()]
            metadata.note(spec.prefix, dists, remove=sorted(there))
            metadata.note(spec.prefix, dists, update=plan.asked)
        return tuple(unknown)

    def fill(
        self,
        environment: Environment,
        plan: InstallPlan,
        left: tuple[str, ...],
        progress: Progress,
    ) -> list[str]:
        return self._install(environment, plan, left, progress)  # conda's own part is there already

    def again(self, environment: Environment) -> tuple[InstallPlan, tuple[str, ...]]:
        there = metadata.packages(environment.prefix).values()
        exact = tuple(f"{p.name}=={p.version} {p.build}" for p in there)
        asked = tuple(metadata.requested(environment.prefix).values())
        return CondaPlan(exact, asked=asked), tuple(metadata.channels(environment.prefix))

    def created(self, environment: Environment) -> None:
        discovery.announce(environment.prefix)

    def install(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        by_pip = mixed.by_pip(environment)
        notes = self._install(environment, plan, (), progress)
        return notes + self._settle(by_pip, environment, progress)

    def add(self, environment: Environment, plan: InstallPlan, progress: Progress) -> list[str]:
        parts = partition.split(plan)
        from_index.install(environment, plan, plan.requirements, parts.pip_files, progress)
        return list(parts.notes)

    def uninstall(
        self, environment: Environment, names: Sequence[str], progress: Progress
    ) -> list[str]:
        by_pip = {n: v for n, v in mixed.by_pip(environment).items() if n not in names}
        there = metadata.packages(environment.prefix)
        owners = {name: _owner(environment, name) for name in names}
        of_conda = sorted({owner for owner in owners.values() if owner is not None})
        if of_conda:
            kept = metadata.requested(environment.prefix) or {name: name for name in there}
            change = Transaction(
                environment.prefix,
                tuple(metadata.channels(environment.prefix)),
                kept=tuple(s for n, s in kept.items() if n not in of_conda),
                held=(f"python {environment.short_version}.*",),
                remove=tuple(of_conda),
            )
            _apply(change, progress)
        of_pip = [name for name, owner in owners.items() if owner is None]
        if of_pip:
            installers.uninstall(environment, of_pip, progress)
        return self._settle(by_pip, environment, progress)

    def launch(self, environment: Environment) -> Launch:
        return Launch(_rattler(), activated=True)

    def _install(
        self,
        environment: Environment,
        plan: InstallPlan,
        known: Sequence[str],
        progress: Progress,
    ) -> list[str]:
        """Install `plan`; of `known` it is known that no channel has them."""
        parts = partition.split(plan)
        for_pip, notes = list(parts.pip), list(parts.notes)
        again = tuple(n for n in plan.reinstall if _is_of_conda(environment, n))
        lacking = [s for s in parts.conda if plan.upgrade or not _is_there(s, environment)]
        of_index = [s for s in lacking if specs.python_name(s) in known]
        for_pip += of_index
        notes += _from_index(of_index)
        lacking = [s for s in lacking if s not in of_index]
        mended = [s for s in lacking if specs.conda_name(s) in plan.reinstall]
        for_pip += [s for s in mended if specs.conda_name(s) not in again]
        lacking = [s for s in lacking if s not in for_pip]
        if lacking or again:
            unknown = _apply(_change(environment, parts, lacking, plan, again), progress)
            for_pip += unknown
            notes += _from_index(unknown)
        if for_pip or parts.pip_files:
            from_index.install(environment, plan, for_pip, parts.pip_files, progress)
        return notes

    def _settle(
        self, by_pip: dict[str, str], environment: Environment, progress: Progress
    ) -> list[str]:
        if not by_pip:
            return []
        now = inspect(environment.prefix, owned=environment.owned)
        return mixed.settle(by_pip, now, progress)


def _held(plan: InstallPlan) -> tuple[str, ...]:
    return plan.held if isinstance(plan, CondaPlan) else ()


def _rattler() -> dict[str, str]:
    """Which Python has the extra, for the kernel's `%env install`: it has none itself."""
    known = os.environ.get(rattler_client.VARIABLE, "")
    if import_path.installed("rattler") is not None:
        known = f"{sys.executable}{os.pathsep}{directories.package().parent}"
    return {rattler_client.VARIABLE: known.replace("$", "$$")} if known else {}


def _apply(change: Transaction, progress: Progress) -> list[str]:
    """Carry out `change` without what no channel has, even under its conda name; returns that."""
    engine = engines.choose()
    before = [p.dist for p in metadata.packages(change.prefix).values()]
    unknown: list[str] = []
    for attempt in (_renamed, _left_out, None):
        try:
            if change.specs or change.remove or change.reinstall:
                engine.apply(change, progress)
            break
        except NotInChannels as error:
            if "python" in error.names or attempt is None:
                raise _not_there(error.names, change) from error
            change, left = attempt(change, error.names)
            unknown += left
    if engine.name == "rattler" and (change.specs or change.remove):
        metadata.note(
            change.prefix,
            before,
            update=change.specs,
            remove=change.remove,
            channels=change.channels,
        )
    return unknown


def _renamed(change: Transaction, names: Sequence[str]) -> tuple[Transaction, list[str]]:
    """`change` with `names` as conda may call them: `torch` is `pytorch` there."""
    new = tuple(specs.renamed(s) if specs.conda_name(s) in names else s for s in change.specs)
    # asking again costs a look into the channels, and with conda itself seconds
    return _left_out(change, names) if new == change.specs else (replace(change, specs=new), [])


def _left_out(change: Transaction, names: Sequence[str]) -> tuple[Transaction, list[str]]:
    left = [s for s in change.specs if specs.conda_name(s) in names]
    kept = tuple(s for s in change.specs if s not in left)
    return replace(change, specs=kept), [specs.python_name(s) for s in left]


def _not_there(names: Iterable[str], change: Transaction) -> EnvmagicError:
    channels = ", ".join(change.channels) or "the configured channels"
    return EnvmagicError(
        "no-package",
        f"There is no {', '.join(names)} in {channels}.",
        "Add a channel that has it: --channel conda-forge",
    )


# What a kernel needs comes from wherever it is; nobody asked for it.
_QUIET = {"pip", "ipykernel", "ipython", "jupyter-client", "packaging", "tomli"}


def _from_index(unknown: Sequence[str]) -> list[str]:
    told = [n for n in map(specs.conda_name, unknown) if normalized(n) not in _QUIET]
    if not told:
        return []
    verb = "is" if len(told) == 1 else "are"
    return [f"{', '.join(told)} {verb} not in the conda channels and came from the package index."]


def _is_there(text: str, environment: Environment) -> bool:
    """Whether conda or pip has installed what `text` asks for, as far as can be told for sure."""
    spec = specs.parse(text)
    if spec is None:
        return False
    installed = metadata.packages(environment.prefix)
    package = installed.get(spec.name) or installed.get(specs.conda_name(specs.renamed(text)))
    if package is not None:
        return spec.accepts(package.version) is True and metadata.is_whole(package)
    found = metadata.distributions(environment).get(normalized(spec.name))
    return found is not None and spec.accepts(found[0]) is True


def _is_of_conda(environment: Environment, name: str) -> bool:
    return name in metadata.packages(environment.prefix)


def _owner(environment: Environment, name: str) -> str | None:
    """The conda package that `name`, a package or a distribution, is of; None where pip put it."""
    for package in metadata.packages(environment.prefix):
        if normalized(package) == normalized(name):
            return package
    found = metadata.distributions(environment).get(normalized(name))
    if found is None or not metadata.by_conda(found[1]):
        return None
    return metadata.owner(environment.prefix, found[1])


def _change(
    environment: Environment,
    parts: Parts,
    lacking: Sequence[str],
    plan: InstallPlan,
    again: tuple[str, ...],
) -> Transaction:
    prefix = environment.prefix
    there = metadata.packages(prefix)
    # without a note of what was asked for, all that is there counts as asked for
    kept = metadata.requested(prefix) or {name: name for name in there}
    held = [*metadata.pinned(prefix), *_held(plan)]
    if not any(specs.conda_name(s) == "python" for s in lacking) and "python" in there:
        held.append(f"python {environment.short_version}.*")  # as conda itself does
    return Transaction(
        prefix,
        tuple(dict.fromkeys([*parts.channels, *metadata.channels(prefix)])),
        specs=_without_doubles(lacking),
        kept=tuple(kept.values()),
        held=tuple(held),
        reinstall=again,
        upgrade=plan.upgrade,
    )


def _without_doubles(words: Iterable[str]) -> tuple[str, ...]:
    """A bare name goes where the same name comes with a version too."""
    listed = list(dict.fromkeys(words))
    versioned = {specs.conda_name(w) for w in listed if w != specs.conda_name(w)}
    return tuple(w for w in listed if w not in versioned)
