"""The verb `record`: what notebooks import, written to the requirements file beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic import files, locks, requirements
from envmagic.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.home import user_path
from envmagic.model import Environment, Place, Progress, Report
from envmagic.operations import notebooks
from envmagic.operations.entries import Context, Held, entries_of, lines_of
from envmagic.operations.installation import Installations, Installed
from envmagic.operations.needs import Needs, Sources, needs_of
from envmagic.operations.reporting import notebook_data
from envmagic.operations.scanning import scanned
from envmagic.requests import RecordRequest
from envmagic.requirements import Block, Entry, Kind, Pin, RequirementLine, RequirementsFile
from envmagic.shapes import RecordData, RecordedNotebook

if TYPE_CHECKING:
    from envmagic.operations import conda_record
    from envmagic.requirements.condafile import CondaFile

__all__ = ["keep", "record", "record_notebook", "state_of"]

FILE = "requirements.txt"
MANY = 16  # notebooks; from there only cells that can hold an import are parsed


@dataclass(frozen=True)
class Asked:
    """A `record` with its words understood."""

    pin: Pin | None
    state: str | None
    check: bool
    file: Path | None
    """`--to FILE`; None: beside each notebook."""
    print: bool
    """`--to -`."""


@dataclass(frozen=True)
class Outcome:
    """What recording into one file came to."""

    file: Path | None
    block: Block
    changed: bool
    notebooks: list[RecordedNotebook]
    problems: list[Problem]
    lines: list[str]
    diff: str = ""
    parts: tuple[conda_record.Part, ...] = ()
    """What conda has of the notebooks' needs, for `environment.yml`."""
    conda: Path | None = None
    """The `environment.yml` that changed, or would."""


def record(request: RecordRequest, place: Place, progress: Progress) -> Report:
    """Write, or with `--check` compare, the record of the notebooks that `request` names.

    Raises `EnvmagicError` when a single notebook or its requirements file cannot be read or
    written; among several, one that cannot be read is a warning and keeps what it had.
    """
    asked = _understood(request, place)
    paths = notebooks.choose(request.paths, place)
    installations = Installations.chosen(request.env, place)
    groups: dict[Path | None, list[Path]] = {}
    for path in paths:
        target = None if asked.print else asked.file or path.parent / FILE
        groups.setdefault(target, []).append(path)
    if len(paths) > 1:
        progress.step(f"reading {len(paths)} notebooks")
    kept = {file: _read(file) for file in groups}
    found = _scanned(paths, kept, asked, place, installations)
    guesses = _ask_online(found) if request.online else []
    outcomes = [
        _recorded(file, group, found, asked, place, installations) for file, group in groups.items()
    ]
    report = _report(outcomes, asked)
    return replace(report, problems=(*report.problems, *guesses))


def _ask_online(found: dict[Path, Needs | Problem]) -> list[Problem]:
    from envmagic.operations import online

    read = {path: needs for path, needs in found.items() if isinstance(needs, Needs)}
    answered, problems = online.asked(list(read.values()))
    found.update(zip(read, answered, strict=True))
    return problems


def record_notebook(
    place: Place,
    environment: Environment,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> tuple[RecordData | None, tuple[Problem, ...], bool]:
    """Record the notebook at `place` with `environment`; `installed` are requirements it was given.

    `removed` are distributions that were taken out of it (normalised names). Recording is on from
    then, unless it was turned off. Returns the data, warnings and whether the file changed; no data
    where there is no notebook, or a program runs it. Other verbs call this after they have
    installed, so what fails here is a warning.
    """
    if place.notebook is None or place.executing:
        return None, (), False
    try:
        asked = Asked(None, None if _is_off(place.notebook) else "on", False, None, False)
        installations = Installations.live(place, Installed.of(environment))
        outcome = _live(place, installations, asked, installed, removed)
    except EnvmagicError as error:
        return None, (replace(error.problem, severity=Severity.WARNING),), False
    return _data([outcome], asked), tuple(outcome.problems), outcome.changed


def keep(place: Place) -> tuple[Problem, ...]:
    """Bring the record of the live notebook at `place` up to date, if its file says recording on.

    Returns what is wrong; raises nothing that a cell could be blamed for.
    """
    if place.notebook is None or place.executing:
        return ()
    try:
        file = requirements.read(place.notebook.parent / FILE)
        if file.block is None or not file.block.recording:
            return ()
        installations = Installations.live(place, Installed.here())
        asked = Asked(None, None, False, None, False)
        return tuple(_live(place, installations, asked).problems)
    except EnvmagicError as error:
        return (error.problem,)


def _live(
    place: Place,
    installations: Installations,
    asked: Asked,
    installed: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> Outcome:
    assert place.notebook is not None
    file = place.notebook.parent / FILE
    sources = _sources(place.notebook, _read(file), place, installations)
    told = replace(sources, installed=tuple(installed), removed=frozenset(removed))
    needs = needs_of(place.notebook, told)
    return _recorded(file, [place.notebook], {place.notebook: needs}, asked, place, installations)


def _is_off(notebook: Path) -> bool:
    file = requirements.read(notebook.parent / FILE)
    return file.block is not None and not file.block.recording


def state_of(notebook: Path) -> RecordData | None:
    """What the file beside `notebook` says of the record; None when it has no block."""
    try:
        file = requirements.read(notebook.parent / FILE)
    except EnvmagicError:
        return None
    if file.block is None:
        return None
    return RecordData(
        file=str(file.path),
        state="on" if file.block.recording else "off",
        pin=file.block.pin.value,
        lines=list(lines_of(list(file.block.entries))),
    )


def _understood(request: RecordRequest, place: Place) -> Asked:
    if request.pin is not None and request.pin not in {p.value for p in Pin}:
        raise WordsError(
            "bad-pin",
            f"--pin {request.pin} is none of exact, compatible, minimum and none.",
            subject=request.pin,
        )
    to_screen = request.to == "-"
    file = None
    if request.to is not None and not to_screen:
        file = Path(os.path.abspath(place.directory / Path(request.to).expanduser()))
        if file.is_dir():
            file = file / FILE
    pin = Pin(request.pin) if request.pin else None
    return Asked(pin, request.state, request.check, file, to_screen)


def _read(file: Path | None) -> RequirementsFile:
    return RequirementsFile(Path(FILE)) if file is None else requirements.read(file)


def _scanned(
    paths: Sequence[Path],
    kept: Mapping[Path | None, RequirementsFile],
    asked: Asked,
    place: Place,
    installations: Installations,
) -> dict[Path, Needs | Problem]:
    if len(paths) == 1:
        target = next(iter(kept.values()))
        return {paths[0]: needs_of(paths[0], _sources(paths[0], target, place, installations))}
    listed = {file: _listed(held) for file, held in kept.items()}

    def sources(path: Path) -> Sources:
        file = None if asked.print else asked.file or path.parent / FILE
        found = _sources(path, kept[file], place, installations, listed[file])
        return replace(found, thorough=len(paths) < MANY)

    return scanned(paths, sources)


def _sources(
    path: Path,
    file: RequirementsFile,
    place: Place,
    installations: Installations,
    listed: frozenset[str] | None = None,
) -> Sources:
    """What is known of the notebook `path`; `listed` are the names in `file`, where they are known
    already."""
    live = path == place.notebook
    return Sources(
        lambda kernel: installations.index_for(path, kernel),
        cells=place.cells if live else (),
        failed=place.failed if live else frozenset(),
        saved=not live or path.exists(),
        listed=_listed(file) if listed is None else listed,
        target=file.path,
    )


def _listed(file: RequirementsFile) -> frozenset[str]:
    """The distributions that `file` names, in the user's lines or in the block."""
    names = {line.name for line in _users(file).values()}
    names |= {e.key.partition(";")[0] for e in _entries(file.block) if e.kind is Kind.REQUIREMENT}
    return frozenset(name for name in names if name)


def _entries(block: Block | None) -> tuple[Entry, ...]:
    return block.entries if block is not None else ()


def _users(file: RequirementsFile) -> dict[str, RequirementLine]:
    """The user's lines by name; of several, one that installs before one that only limits."""
    found: dict[str, RequirementLine] = {}
    for line in requirements.user_lines(file):
        if line.name and (line.name not in found or found[line.name].constraint):
            found[line.name] = line
    return found


def _recorded(
    path: Path | None,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: Asked,
    place: Place,
    installations: Installations,
) -> Outcome:
    if path is None:
        return _merged(path, group, found, asked, place, installations)[0]
    if asked.check:
        outcome, file = _merged(path, group, found, asked, place, installations)
        refused = _refused(file, outcome.block)
    else:
        with locks.lock(path):
            outcome, file = _merged(path, group, found, asked, place, installations)
            refused = _refused(file, outcome.block)
            if outcome.changed and refused is None:
                files.write_atomic(path, file.with_block(outcome.block))
    if refused is not None:
        return replace(outcome, changed=False, diff="", problems=[*outcome.problems, refused])
    return _with_conda(outcome, path, asked, place, installations)


def _with_conda(
    outcome: Outcome, path: Path, asked: Asked, place: Place, installations: Installations
) -> Outcome:
    """`outcome` with what became of `environment.yml`, which lists what conda installs."""
    if not outcome.parts:
        return outcome
    directory = path.parent
    live = _relative(place.notebook, directory) if place.notebook is not None else ""

    def same(one: str, other: str) -> bool:
        return installations.share(directory / one, directory / other)

    from envmagic.operations import conda_record

    conda, diff, problems = conda_record.update(
        directory,
        outcome.parts,
        outcome.block,
        same,
        exists=lambda name: name == live or os.path.exists(os.path.join(directory, name)),
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
    from envmagic.operations import conda_record

    return conda_record.beside(directory)


def _split(
    name: str,
    entries: Sequence[Entry],
    prefix: Path | None,
    pin: Pin,
    beside: CondaFile | None,
    *,
    keep: bool,
) -> tuple[list[Entry], conda_record.Part, list[Problem]] | None:
    """`conda_record.split`, where conda has to do with the notebook at all."""
    if beside is None and (prefix is None or not (prefix / "conda-meta").is_dir()):
        return None
    from envmagic.operations import conda_record

    return conda_record.split(name, entries, prefix, pin, beside, keep=keep)


def _merged(
    path: Path | None,
    group: Sequence[Path],
    found: Mapping[Path, Needs | Problem],
    asked: Asked,
    place: Place,
    installations: Installations,
) -> tuple[Outcome, RequirementsFile]:
    """The block as it should be, and the file as it is now."""
    file = _read(path)
    block = file.block or Block(recording=False)
    directory = path.parent if path is not None else place.directory
    pin = asked.pin or block.pin
    users = _users(file)
    problems: list[Problem] = []
    data: list[RecordedNotebook] = []
    live = {_relative(place.notebook, directory)} if place.notebook is not None else set()
    beside = _beside(directory) if asked.file is None and path is not None else None
    parts: list[conda_record.Part] = []
    merged = block.without_missing(
        lambda name: name in live or os.path.exists(os.path.join(directory, name))
    )
    python = block.python
    held, new = Held(merged), dict[str, list[Entry]]()
    for notebook in group:
        needs = found[notebook]
        if isinstance(needs, Problem):
            problems.append(replace(needs, severity=Severity.WARNING))
            continue
        name = _relative(notebook, directory)
        installed = installations.of(notebook, needs.kernel)
        context = Context(
            name,
            directory,
            held,
            pin,
            installed.index if installed else None,
            users,
            lambda other, here=notebook: installations.share(here, directory / other),  # type: ignore[misc]
            installed.prefix if installed else None,
            lambda other: installations.prefix_of(directory / other),
            keep=notebook == place.notebook and not place.saved_since_start,
            repin=pin is not block.pin,
        )
        entries, warnings = entries_of(needs, context)
        for_pip = entries
        if asked.file is None and path is not None:
            prefix = installed.prefix if installed else None
            split = _split(name, entries, prefix, pin, beside, keep=context.keep)
            if split is not None:
                for_pip, part, said = split
                entries = [*for_pip, *part.entries]
                parts.append(part)
                known = {e.text for e in for_pip}
                warnings = [w for w in warnings if w.code != "unresolved" or w.subject in known]
                warnings += said
        held.add(for_pip)
        new[name] = for_pip
        python = installed.python if installed else python
        problems += warnings
        data.append(notebook_data(needs, entries, users, _relative(notebook, place.directory)))
    recording = {"on": True, "off": False, None: block.recording}[asked.state]
    merged = replace(merged.replaced(new), python=python, pin=pin, recording=recording)
    outcome = _outcome(file, path, merged, asked, data, problems)
    return replace(outcome, parts=tuple(parts)), file


def _outcome(
    file: RequirementsFile,
    path: Path | None,
    block: Block,
    asked: Asked,
    data: list[RecordedNotebook],
    problems: list[Problem],
) -> Outcome:
    idle = file.block is None and not block.entries and asked.state is None
    changed = path is not None and not idle and file.block != block
    diff = _diff(file, block) if changed and asked.check else ""
    lines = list(lines_of(list(block.entries)))
    return Outcome(path, block, changed, data, problems, lines, diff)


def _refused(file: RequirementsFile, block: Block) -> Problem | None:
    """pip wants hashes for all requirements of a file or for none."""
    hashed = any(line.hashed for line in requirements.user_lines(file))
    if not hashed or not any(e.kind is Kind.REQUIREMENT for e in block.entries):
        return None
    return Problem(
        "hash-checked",
        f"{user_path(file.path)} has hashes, and pip takes no requirement without one beside them.",
        "Record into another file: %env record --to requirements-notebook.txt",
        subject=str(file.path),
    )


def _diff(file: RequirementsFile, block: Block) -> str:
    import difflib

    def lines(text: str) -> list[str]:
        return [f"{line}\n" for line in text.splitlines()]

    old = [] if file.block is None else file.block.render()
    name = user_path(file.path)
    before = lines(file.before) + lines("\n".join(old)) + lines(file.after.lstrip("\r\n"))
    after = lines(file.before) + lines("\n".join(block.render())) + lines(file.after.lstrip("\r\n"))
    return "".join(difflib.unified_diff(before, after, name, f"{name} (as it should be)"))


def _relative(path: Path, directory: Path) -> str:
    if path.parent == directory:
        return path.name
    return os.path.relpath(path, directory).replace(os.sep, "/")


def _report(outcomes: Sequence[Outcome], asked: Asked) -> Report:
    problems = tuple(p for outcome in outcomes for p in outcome.problems)
    differs = asked.check and any(outcome.changed for outcome in outcomes)
    changed = not asked.check and any(outcome.changed for outcome in outcomes)
    return Report("record", _data(outcomes, asked), changed, problems, failed=differs)


def _data(outcomes: Sequence[Outcome], asked: Asked) -> RecordData:
    written = [o for o in outcomes if o.file is not None]
    first = written[0] if len(written) == 1 else None
    data = RecordData(
        file=str(first.file) if first else None,
        files=[str(f) for o in written for f in (o.file, o.conda) if f is not None],
        changed=not asked.check and any(o.changed for o in outcomes),
        notebooks=[n for o in outcomes for n in o.notebooks],
        lines=_unique(line for o in outcomes for line in o.lines),
    )
    if first is not None:
        data["state"] = "on" if first.block.recording else "off"
        data["pin"] = first.block.pin.value
    if asked.check:
        data["diff"] = "".join(o.diff for o in outcomes)
    return data


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
