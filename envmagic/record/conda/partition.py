"""What of a notebook's needs is conda's, and what pip's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.names import normalized
from envmagic.distributions import known
from envmagic.environments.backends.conda import environment_file, specs
from envmagic.record.conda.listed import pip_names
from envmagic.record.conda.owners import Owners, owners_of
from envmagic.record.held import RecordContext, RecordedEntries
from envmagic.record.succession import stem
from envmagic.requirements import Entry, Kind, Pin, environment_yml
from envmagic.requirements.environment_yml import CondaFile

__all__ = ["CondaPart", "as_pip", "beside", "listed_for", "split"]


@dataclass(frozen=True)
class CondaPart:
    """What conda has of a notebook's needs."""

    notebook: str
    entries: tuple[Entry, ...]
    owners: Owners | None
    """None where the notebook runs elsewhere."""
    keep: bool = False
    """Nothing that the notebook has in the block leaves it."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The line for each distribution by the name that pip has for it."""


def beside(directory: Path) -> CondaFile | None:
    """The `environment.yml` in `directory`, where it can be read as far as a record needs it.

    Raises `EnvmagicError` (`bad-block`) where it cannot be told what is recorded there: all of it
    would go to requirements.txt.
    """
    path = environment_file.beside(directory)
    try:
        return environment_yml.read(path) if path is not None else None
    except EnvmagicError as error:
        if error.problem.code == "bad-block":
            raise
        return None  # said when it is to be written


def split(
    context: RecordContext, entries: Sequence[Entry], beside: CondaFile | None
) -> tuple[list[Entry], CondaPart, list[Problem]] | None:
    """Entries that stay in requirements.txt, those for `environment.yml`, and what is to be said.

    Where the environment is not known, what `beside` lists for the notebook stays there. None where
    conda has nothing to do with the notebook.
    """
    notebook, prefix, pin = context.notebook, context.environment, context.pin
    held, keep = context.held, context.keep
    owners = owners_of(prefix) if prefix is not None else None
    if owners is None and (beside is None or beside.block is None):
        return None
    if owners is None:
        assert beside is not None
        kept, theirs = _as_listed(notebook, entries, beside, held)
        # an import that the file explains may not be the only one
        keep = keep or any(e.kind is Kind.UNRESOLVED and e not in kept for e in entries)
        return kept, CondaPart(notebook, tuple(theirs.values()), None, keep, _lines(theirs)), []
    kept, theirs, problems = [], {}, []
    for entry in entries:
        name = entry.key.partition(";")[0]
        owner = owners.owner(name)
        if entry.kind is not Kind.REQUIREMENT or owner is None:
            kept.append(entry)
            continue
        package, version = owner
        theirs[name] = replace(entry, text=f"{package}{_specifier(pin, version)}")
        if normalized(package) != name:
            problems.append(_other_name(package, name))
    part = CondaPart(notebook, tuple(theirs.values()), owners, keep, _lines(theirs))
    return kept, part, problems


def _lines(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {name: entry.text for name, entry in entries.items()}


def _as_listed(
    notebook: str, entries: Sequence[Entry], beside: CondaFile, held: RecordedEntries
) -> tuple[list[Entry], dict[str, Entry]]:
    """What stays for pip, and what `beside` lists for the notebook by the name that pip has for it.

    A line of `beside` that nothing here is called like explains what is called almost like it, and
    then an import that belongs to no known distribution.
    """
    listed = listed_for(beside, notebook)
    names = {entry: normalized(entry.key.partition(";")[0]) for entry in entries}
    found = {entry: listed[name] for entry, name in names.items() if name in listed}
    left = {e.text: e for e in listed.values() if e not in found.values()}
    stems = {stem(name): e for name, e in listed.items() if e.text in left}
    pinned = {e.key.partition(";")[0] for e in held.of(notebook)}
    for entry, name in names.items():
        if entry in found or entry.kind is not Kind.REQUIREMENT or name in pinned:
            continue
        if stem(name) in stems:
            found[entry] = stems[stem(name)]
            left.pop(found[entry].text, None)
    kept: list[Entry] = []
    theirs: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind is Kind.REQUIREMENT and entry in found:
            theirs[names[entry]] = replace(found[entry], mentions=entry.mentions)
        elif entry.kind is not Kind.UNRESOLVED or not (
            entry in found or (left and not held.lists(entry.text, notebook))
        ):
            kept.append(entry)
    return kept, theirs


def as_pip(
    entries: Sequence[Entry], modules: Mapping[str, Sequence[str]], prefix: Path | None
) -> tuple[list[Entry], list[Problem]]:
    """`entries` as pip can install them, where conda alone knows what is installed at `prefix`.

    `modules` are those imported of each distribution. Conda's versions are not pip's, so such a
    line has none; where no distribution is known a comment says the import.
    """
    owners = owners_of(prefix) if prefix is not None else None
    if owners is None:
        return list(entries), []
    found: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        name = entry.key.partition(";")[0]
        if entry.kind is not Kind.REQUIREMENT or not owners.is_of_conda_alone(name):
            found.append(entry)
            continue
        called = _called_by_pip(name, modules.get(name, ()))
        if called is not None:
            found.append(replace(entry, text=called))
            continue
        text = next(iter(modules.get(name, ())), name)
        found.append(Entry(Kind.UNRESOLVED, text, entry.mentions))
        problems.append(_conda_alone(name))
    return found, problems


def _called_by_pip(package: str, modules: Sequence[str]) -> str | None:
    for module in modules:
        row = known().distribution_of(module)
        if row is not None and row[0].distribution:
            return row[0].distribution
    name = normalized(specs.python_name(package))
    return name if name in known().distributions else None


def listed_for(beside: CondaFile | None, notebook: str) -> dict[str, Entry]:
    """What the file lists for `notebook`: distribution -> entry."""
    if beside is None or beside.block is None:
        return {}
    found: dict[str, Entry] = {}
    for entry in beside.block.entries:
        if any(m.notebook == notebook for m in entry.mentions):
            package = specs.conda_name(entry.text)
            names = (package, specs.python_name(package), *sorted(pip_names(package)))
            found |= {normalized(name): entry for name in names}
    return found


def _specifier(pin: Pin, version: str) -> str:
    if pin is Pin.NONE:
        return ""
    if pin is Pin.EXACT:
        return f"={version}"  # what `conda env export` writes
    return pin.specifier(version)


def _other_name(package: str, name: str) -> Problem:
    return Problem(
        "conda-name",
        f"environment.yml says {package}, which is conda's name for what pip calls {name}.",
        severity=Severity.INFO,
        subject=name,
    )


def _conda_alone(package: str) -> Problem:
    return Problem(
        "conda-alone",
        f"{package} is conda's, and no distribution is known that pip could install instead.",
        "environment.yml can list it",
        Severity.WARNING,
        package,
        command=("record",),
    )
