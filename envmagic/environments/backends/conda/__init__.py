"""conda environments: found, activated, made and changed, with or without conda installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment, EnvSpec, Progress
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import engines, metadata, partition, specs
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.environments.backends.conda.partition import Parts
from envmagic.system import prefix_layout

__all__ = ["CondaBackend", "missing"]


class CondaBackend:
    """Packages come from conda's channels, and from the package index those that conda lacks."""

    name = BackendName.CONDA
    # what `create` found in no channel, for the `install` that follows it
    _unknown: ClassVar[dict[Path, list[str]]] = {}

    def missing(self) -> str:
        return engines.missing()

    def create(self, spec: EnvSpec, python: Path, wanted: InstallPlan, progress: Progress) -> None:
        parts = partition.split(wanted)
        named = any(specs.conda_name(s) == "python" for s in parts.conda)
        first = [] if named and not spec.python else [specs.python_spec(spec.python).text]
        rest = [s for s in parts.conda if not (first and specs.conda_name(s) == "python")]
        (spec.prefix / "conda-meta").mkdir(parents=True, exist_ok=True)
        (spec.prefix / "conda-meta" / "history").touch()
        channels = tuple(dict.fromkeys([*spec.channels, *parts.channels]))
        change = Transaction(
            spec.prefix, channels, specs=_without_doubles([*first, *rest]), held=wanted.held
        )
        self._unknown[spec.prefix] = _apply(change, progress)

    def fill(self, environment: Environment, wanted: InstallPlan, progress: Progress) -> list[str]:
        return self.install(environment, wanted, progress)  # conda's own part is there already

    def install(
        self, environment: Environment, wanted: InstallPlan, progress: Progress
    ) -> list[str]:
        parts = partition.split(wanted)
        for_pip, notes = list(parts.pip), list(parts.notes)
        again = tuple(n for n in wanted.reinstall if _is_of_conda(environment, n))
        if wanted.pip_only:
            for_pip = [*wanted.requirements]
        else:
            lacking = [s for s in parts.conda if wanted.upgrade or not _is_there(s, environment)]
            known = self._unknown.pop(environment.prefix, [])
            if any(specs.python_name(s) in known for s in lacking):
                of_index = [s for s in lacking if specs.python_name(s) in known]
                for_pip += of_index
                notes += _from_index(of_index)
                lacking = [s for s in lacking if s not in of_index]
            mended = [s for s in lacking if specs.conda_name(s) in wanted.reinstall]
            for_pip += [s for s in mended if specs.conda_name(s) not in again]
            lacking = [s for s in lacking if s not in for_pip]
            if lacking or again:
                change = _change(environment, parts, lacking, wanted, again)
                unknown = _apply(change, progress)
                for_pip += unknown
                notes += _from_index(unknown)
        if for_pip or parts.pip_files:
            _pip(_as_it_is(environment), wanted, for_pip, parts.pip_files, progress)
        return notes

    def uninstall(
        self, environment: Environment, packages: Sequence[str], progress: Progress
    ) -> None:
        prefix = environment.prefix
        there = metadata.packages(prefix)
        owners = {name: _owner(environment, name) for name in packages}
        of_conda = sorted({owner for owner in owners.values() if owner is not None})
        if of_conda:
            kept = metadata.requested(prefix) or {name: name for name in there}
            change = Transaction(
                prefix,
                tuple(metadata.channels(prefix)),
                kept=tuple(s for n, s in kept.items() if n not in of_conda),
                held=(f"python {environment.short_version}.*",),
                remove=tuple(of_conda),
            )
            _apply(change, progress)
        of_pip = [name for name, owner in owners.items() if owner is None]
        if of_pip:
            installers.uninstall(environment, of_pip, progress)


def missing(environment: Environment, wanted: InstallPlan) -> InstallPlan:
    """`wanted` without the requirements that the environment satisfies for certain."""
    lacking = [
        text
        for text in wanted.requirements
        if (spec := specs.parse(text)) is None or not _is_there(spec.text, environment)
    ]
    return replace(wanted, requirements=tuple(lacking))


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
    told = [n for n in map(specs.conda_name, unknown) if metadata.normalized(n) not in _QUIET]
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
    found = metadata.distributions(environment).get(metadata.normalized(spec.name))
    return found is not None and spec.accepts(found[0]) is True


def _is_of_conda(environment: Environment, name: str) -> bool:
    return name in metadata.packages(environment.prefix)


def _owner(environment: Environment, name: str) -> str | None:
    """The conda package that `name`, a package or a distribution, is of; None where pip put it."""
    for package in metadata.packages(environment.prefix):
        if metadata.normalized(package) == metadata.normalized(name):
            return package
    found = metadata.distributions(environment).get(metadata.normalized(name))
    if found is None or not metadata.by_conda(found[1]):
        return None
    return metadata.owner(environment.prefix, found[1])


def _change(
    environment: Environment,
    parts: Parts,
    lacking: Sequence[str],
    wanted: InstallPlan,
    again: tuple[str, ...],
) -> Transaction:
    prefix = environment.prefix
    there = metadata.packages(prefix)
    # without a note of what was asked for, all that is there counts as asked for
    kept = metadata.requested(prefix) or {name: name for name in there}
    held = [*metadata.pinned(prefix), *wanted.held]
    if not any(specs.conda_name(s) == "python" for s in lacking) and "python" in there:
        held.append(f"python {environment.short_version}.*")  # as conda itself does
    return Transaction(
        prefix,
        tuple(dict.fromkeys([*parts.channels, *metadata.channels(prefix)])),
        specs=_without_doubles(lacking),
        kept=tuple(kept.values()),
        held=tuple(held),
        reinstall=again,
        upgrade=wanted.upgrade,
    )


def _pip(
    environment: Environment,
    wanted: InstallPlan,
    lines: Sequence[str],
    files: Sequence[Path],
    progress: Progress,
) -> None:
    """Install what only pip has, holding every distribution of conda's where it is."""
    there = metadata.distributions(environment)
    held = {name: version for name, (version, info) in there.items() if metadata.by_conda(info)}
    pins = [c for c in wanted.constraints if metadata.normalized(specs.conda_name(c)) not in held]
    more = replace(
        wanted,
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


def _without_doubles(words: Iterable[str]) -> tuple[str, ...]:
    """A bare name goes where the same name comes with a version too."""
    listed = list(dict.fromkeys(words))
    versioned = {specs.conda_name(w) for w in listed if w != specs.conda_name(w)}
    return tuple(w for w in listed if w not in versioned)
