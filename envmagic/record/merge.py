"""One requirements file of a record: what is to be in it, and bringing it there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic import requirements
from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Place
from envmagic.core.schema import RecordedNotebook
from envmagic.record.alternatives import agreed
from envmagic.record.entries import entries_of, lines_of
from envmagic.record.environments import NotebookEnvironments
from envmagic.record.held import RecordContext, RecordedEntries
from envmagic.record.need import Needs
from envmagic.record.report_data import notebook_data
from envmagic.record.result import FILE, Outcome, RecordOptions
from envmagic.record.succession import Succession, succession
from envmagic.record.user_lines import OwnLines, own_lines
from envmagic.requirements import Block, Entry, Kind, RequirementsFile
from envmagic.requirements.diff import unified
from envmagic.system import files, locks

if TYPE_CHECKING:
    from envmagic.record.conda import partition
    from envmagic.requirements.environment_yml import CondaFile

__all__ = ["read", "recorded", "refused"]


def read(path: Path | None) -> RequirementsFile:
    """The requirements file at `path`; an empty one for the screen (None)."""
    return RequirementsFile(Path(FILE)) if path is None else requirements.read(path)


def refused(path: Path | None, problem: Problem) -> Outcome:
    """That nothing could be recorded into `path`."""
    return Outcome(path, Block(recording=False), False, [], [problem], [], written=False)


def recorded(
    path: Path | None,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: RecordOptions,
    place: Place,
    installations: NotebookEnvironments,
) -> Outcome:
    """Record the notebooks of `group` into `path`, or with `--check` compare it.

    `found` is what each needs. Without a path nothing is written. Raises `EnvmagicError` when the
    file cannot be read or written.
    """
    if path is None:
        return _merged(path, group, found, asked, place, installations)[0]
    if asked.check:
        outcome, file = _merged(path, group, found, asked, place, installations)
        problem = _hash_checked(file, outcome.block)
    else:
        with locks.lock(path):
            while True:
                outcome, file = _merged(path, group, found, asked, place, installations)
                problem = _hash_checked(file, outcome.block)
                if not outcome.changed or problem is not None:
                    break
                if files.write_over(path, file.raw, file.with_block(outcome.block)):
                    break  # else somebody has saved it meanwhile
    if problem is not None:
        problems = [*outcome.problems, problem]
        return replace(outcome, changed=False, diff="", problems=problems, written=False)
    return _with_conda(outcome, path, asked, place, installations)


def _merged(
    path: Path | None,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: RecordOptions,
    place: Place,
    installations: NotebookEnvironments,
) -> tuple[Outcome, RequirementsFile]:
    """The block as it should be, and the file as it is now."""
    file = read(path)
    while True:
        outcome = _merged_into(file, path, group, found, asked, place, installations)
        settled = file.settled(outcome.block)
        if settled is file:
            return outcome, file
        file = settled  # lines that turned out to be the user's win over what was to be written


def _merged_into(
    file: RequirementsFile,
    path: Path | None,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: RecordOptions,
    place: Place,
    installations: NotebookEnvironments,
) -> Outcome:
    directory = path.parent if path is not None else place.directory
    users = own_lines(file)
    problems: list[Problem] = []
    data: list[RecordedNotebook] = []
    base = _base(file, group, found, asked, place, directory, users)
    beside = base.conda
    parts: list[partition.Part] = []
    pythons: list[str] = []
    editable: dict[str, str] = {}
    held, new = base.held, dict[str, list[Entry]]()
    for notebook in group:
        needs = found[notebook]
        if isinstance(needs, Problem):
            problems.append(replace(needs, severity=Severity.WARNING))
            continue
        name = _relative(notebook, directory)
        installed = installations.of(notebook, needs.kernel)
        own = users.of(installed.index if installed else None)
        context = RecordContext(
            name,
            directory,
            held,
            base.block.pin,
            installed.index if installed else None,
            own,
            lambda other, here=notebook: installations.share(here, directory / other),  # type: ignore[misc]
            installed.prefix if installed else None,
            lambda other: installations.prefix_of(directory / other),
            keep=notebook == place.notebook and not place.saved_since_start,
        )
        needs = agreed(needs, context)
        entries, lines, warnings = entries_of(needs, context)
        for_pip, part, warnings = _parted(entries, warnings, needs, context, asked, beside)
        parts += [part] if part is not None else []
        editable |= {name: line for name, line in lines.items() if line.startswith("-e ")}
        held.add(for_pip, {line: name for name, line in editable.items()})
        new[name] = for_pip
        pythons += [installed.python] if installed else []
        problems += warnings
        lines |= part.lines if part is not None else {}
        shown = _relative(notebook, place.directory)
        data.append(notebook_data(needs, for_pip, lines, own, shown))
    merged = base.block.replaced({**dict.fromkeys(base.succession.lost, ()), **new})
    merged = file.proven(merged, [entry for entries in new.values() for entry in entries])
    merged = merged.with_lines(editable).without_names(users.installing)
    merged = replace(merged, python=_python(base.block, pythons))
    outcome = _outcome(file, path, merged, asked, data, problems)
    return replace(outcome, parts=tuple(parts), succession=base.succession)


@dataclass(frozen=True)
class _Base:
    """What the notebooks of a group are recorded on top of."""

    block: Block
    """With the state that is asked for, and without the old names of notebooks."""
    held: RecordedEntries
    succession: Succession
    conda: CondaFile | None
    """`environment.yml` beside, its block like `block`."""


def _base(
    file: RequirementsFile,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: RecordOptions,
    place: Place,
    directory: Path,
    users: OwnLines,
) -> _Base:
    block = file.block or Block(recording=False)
    pin = asked.pin or block.pin
    recording = {"on": True, "off": False, None: block.recording}[asked.state]
    beside = _beside(directory) if asked.beside else None
    live = {_relative(place.notebook, directory)} if place.notebook is not None else set()
    became = succession(
        [block, *([beside.block] if beside is not None and beside.block is not None else [])],
        {_relative(notebook, directory): found[notebook] for notebook in group},
        directory,
        live,
        users.installing,
    )
    if beside is not None and beside.block is not None:
        beside = replace(beside, block=became.of(beside.block).restyled(pin, exact="="))
    block = replace(became.of(block).restyled(pin), recording=recording)
    held = RecordedEntries(block, directory, became.waiting | became.lost, file.doubtful)
    return _Base(block, held, became, beside)


def _parted(
    entries: list[Entry],
    warnings: list[Problem],
    needs: Needs,
    context: RecordContext,
    asked: RecordOptions,
    beside: CondaFile | None,
) -> tuple[list[Entry], partition.Part | None, list[Problem]]:
    """The entries for pip, conda's part, and what is to be said, where conda has to do with it."""
    prefix = context.environment
    in_conda = prefix is not None and (prefix / "conda-meta").is_dir()
    if beside is None and not in_conda:
        return entries, None, warnings
    from envmagic.record.conda import partition

    if not asked.beside:
        modules = {need.name: [module for module, _ in need.sites] for need in needs.needs}
        entries, said = partition.as_pip(entries, modules, prefix)
        return entries, None, [*warnings, *said]
    split = partition.split(
        context.notebook, entries, prefix, context.pin, beside, context.held, keep=context.keep
    )
    if split is None:
        return entries, None, warnings
    for_pip, part, said = split
    known = {entry.text for entry in for_pip}
    warnings = [w for w in warnings if w.code != "unresolved" or w.subject in known]
    return for_pip, part, [*warnings, *said]


def _python(block: Block, pythons: Sequence[str]) -> str | None:
    """The Python for the header: the one it has, where a notebook runs on that."""
    return block.python if not pythons or block.python in pythons else pythons[-1]


def _outcome(
    file: RequirementsFile,
    path: Path | None,
    block: Block,
    asked: RecordOptions,
    data: list[RecordedNotebook],
    problems: list[Problem],
) -> Outcome:
    if asked.check and file.block is not None:
        # notebooks of several Pythons may share a file, and the check runs on yet another one
        block = replace(block, python=file.block.python)
    idle = file.block is None and not block.entries and asked.state is None
    changed = path is not None and not idle and not file.is_current(block)
    diff = unified(file.path, file.raw, file.with_block(block)) if changed and asked.check else ""
    lines = list(lines_of(list(block.entries)))
    written = not idle or (path is not None and path.exists())
    return Outcome(
        path, block, changed, data, problems, lines, diff, differs=changed, written=written
    )


def _with_conda(
    outcome: Outcome,
    path: Path,
    asked: RecordOptions,
    place: Place,
    installations: NotebookEnvironments,
) -> Outcome:
    """`outcome` with what became of `environment.yml`, which lists what conda installs."""
    directory = path.parent
    if not outcome.parts and (outcome.notebooks or not asked.beside or not _beside(directory)):
        return outcome

    def same(one: str, other: str) -> bool:
        return installations.share(directory / one, directory / other)

    from envmagic.record.conda import environment_yml

    conda, diff, problems = environment_yml.update(
        directory,
        outcome.parts,
        outcome.block,
        same,
        succession=outcome.succession,
        check=asked.check,
    )
    return replace(
        outcome,
        changed=outcome.changed or conda is not None,
        problems=[*outcome.problems, *problems],
        lines=[*outcome.lines, *(e.text for part in outcome.parts for e in part.entries)],
        diff=outcome.diff + diff,
        conda=conda,
    )


def _beside(directory: Path) -> CondaFile | None:
    """`environment.yml` in `directory`; what reads it is imported only where there is one."""
    names = ("environment.yml", "environment.yaml")
    if not any(os.path.exists(os.path.join(directory, name)) for name in names):
        return None
    from envmagic.record.conda import partition

    return partition.beside(directory)


def _hash_checked(file: RequirementsFile, block: Block) -> Problem | None:
    """pip wants hashes for all requirements of a file or for none."""
    hashed = any(line.hashed for line in requirements.user_lines(file))
    if not hashed or not any(e.kind is Kind.REQUIREMENT for e in block.entries):
        return None
    return Problem(
        "hash-checked",
        f"{user_path(file.path)} has hashes, and pip takes no requirement without one beside them.",
        "Record into another file",
        subject=str(file.path),
        command=("record", "--to", "requirements-notebook.txt"),
    )


def _relative(path: Path, directory: Path) -> str:
    if path.parent == directory:
        return path.name
    return os.path.relpath(path, directory).replace(os.sep, "/")
