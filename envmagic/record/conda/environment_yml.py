"""The record of a notebook that runs in a conda environment: `environment.yml` beside it.

What conda installed is listed there, under the name that conda has for it; what pip installed
stays in requirements.txt, which the file's `pip:` section includes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.record_files import ENVIRONMENTS, REQUIREMENTS
from envmagic.environments.backends.conda import condarc, edits, environment_file, metadata, specs
from envmagic.record.conda.listed import covers, name_in
from envmagic.record.conda.partition import CondaPart
from envmagic.record.environments import NotebookEnvironments
from envmagic.record.succession import Succession
from envmagic.requirements import Block, Entry, Kind, diff, environment_yml
from envmagic.requirements.environment_yml import CondaFile
from envmagic.requirements.lines import encode
from envmagic.requirements.record_file import settled as settled_file
from envmagic.system import files, locks

__all__ = ["CondaJob", "update", "verify"]


@dataclass(frozen=True)
class CondaJob:
    """What is to be listed in `environment.yml`."""

    directory: Path
    parts: Sequence[CondaPart]
    """What conda has of each notebook's needs."""
    block: Block
    """The one in requirements.txt, whose state holds here too."""
    environments: NotebookEnvironments
    succession: Succession

    def same_environment(self, one: str, other: str) -> bool:
        """Whether two notebooks, by their names in the block, run in one environment."""
        return self.environments.share(self.directory / one, self.directory / other)


@dataclass(frozen=True)
class _Merged:
    block: Block
    problems: list[Problem]


def update(
    job: CondaJob, *, check: bool
) -> tuple[Path | None, str, list[Problem], tuple[str, ...]]:
    """Bring `environment.yml` up to date with `job`.

    Returns the file if it changed (or, with `check`, would), its diff, what is to be said, and the
    lines that could be written nowhere.
    """
    path = environment_file.beside(job.directory) or job.directory / ENVIRONMENTS[0]
    try:
        with locks.lock(path):
            return *_updated(path, job, check=check), ()
    except EnvmagicError as error:
        text = environment_yml.user_text(path)
        users = {name_in(item) for item in environment_yml.packages(text)}
        mine = (entry.text for part in job.parts for entry in part.entries)
        left = tuple(dict.fromkeys(t for t in mine if not covers(specs.conda_name(t), users)))
        return None, "", [_nowhere(error.problem, left)] if left else [], left


def _nowhere(problem: Problem, lines: Sequence[str]) -> Problem:
    """That `lines` are recorded nowhere for `problem`."""
    message = f"{problem.message.removesuffix('.')}; not recorded: {', '.join(lines)}."
    return replace(problem, message=message, severity=Severity.ERROR)


def _updated(path: Path, job: CondaJob, *, check: bool) -> tuple[Path | None, str, list[Problem]]:
    present = environment_yml.read(path)
    old = present.block if present is not None else None
    if old is None and not any(part.entries for part in job.parts):
        return None, "", []
    block = job.block
    python = old.python if check and old is not None else block.python  # as in requirements.txt
    base = job.succession.of(old or Block()).restyled(block.pin, exact="=")
    base = replace(base, pin=block.pin, recording=block.recording, python=python)
    include = (path.parent / REQUIREMENTS).is_file() or bool(block.entries)
    file = replace(present or _fresh(path, job.parts), include=include)
    file, merged = settled_file(file, lambda file: _merged(file, base, job))
    content, problems = file.with_block(merged.block), merged.problems
    if include and file.pip_section is not None and environment_yml.INCLUDE not in file.pip_section:
        problems.append(_own_section(path))
    idle = old is None and not merged.block.entries and not (include and not file.pip_section)
    if idle or file.is_current(merged.block):
        return None, "", problems
    verify(file, content, merged.block)
    if check:
        return path, diff.unified(path, file.raw, content), problems
    if not files.write_over(path, file.raw, content):  # somebody has saved it meanwhile
        return _updated(path, job, check=check)
    return path, "", problems


def _merged(file: CondaFile, merged: Block, job: CondaJob) -> _Merged:
    """The block with the parts, where `file` is what the user has; and what is to be said."""
    problems: list[Problem] = []
    found: list[Entry] = []
    for part in job.parts:
        mine = [e for e in part.entries if not covers(specs.conda_name(e.text), file.names)]
        settled = [_settled(e, merged, part, job, problems) for e in mine]
        settled += _staying(settled, file.proven(merged, ()), part)
        merged = merged.replaced({part.notebook: settled})
        found += settled
    merged = file.proven(merged, found)
    listed = {e.name for e in merged.entries if specs.conda_name(e.text) in file.names}
    return _Merged(merged.without(job.succession.lost).without_names(listed), problems)


def _fresh(path: Path, parts: Sequence[CondaPart]) -> CondaFile:
    owners = next(part.owners for part in parts if part.owners is not None)
    prefix = owners.prefix
    generic = prefix.name.startswith(".") or prefix.name in {"venv", "env"}
    name = names.kernel_name_of(prefix) if generic else prefix.name
    channels = [_short(channel) for channel in metadata.channels(prefix)]
    return environment_yml.new(path, name, channels or [condarc.CONDA_FORGE])


def _short(channel: str) -> str:
    """A channel of the public server by its name alone, as everybody writes it."""
    match = re.fullmatch(r"https://conda\.anaconda\.org/([\w.-]+)", channel)
    return match[1] if match else channel


def _staying(entries: Sequence[Entry], block: Block, part: CondaPart) -> list[Entry]:
    """What was installed by name and is there still, though nothing in the notebook says so."""
    found = {entry.key for entry in entries}
    stay: list[Entry] = []
    for entry in block.entries:
        there = part.owners is None or part.owners.owner(specs.conda_name(entry.text)) is not None
        for mention in entry.mentions:
            mine = mention.notebook == part.notebook and entry.key not in found
            if mine and (part.keep or (mention.installed and there)):
                stay.append(replace(entry, mentions=(mention,)))
    return stay


def _settled(
    entry: Entry,
    block: Block,
    part: CondaPart,
    job: CondaJob,
    problems: list[Problem],
) -> Entry:
    """`entry`, or with the text that other notebooks hold, as requirements.txt does it."""
    held = next((e for e in block.entries if e.key == entry.key and e.mentions), None)
    if held is None or held.text == entry.text or part.owners is None:
        return entry
    others = [m.notebook for m in held.mentions if m.notebook != part.notebook]
    spec, owner = specs.parse(held.text), part.owners.owner(specs.conda_name(entry.text))
    if not others or all(job.same_environment(part.notebook, other) for other in others):
        return entry
    if spec is not None and owner is not None and spec.accepts(owner[1]):
        return replace(entry, text=held.text)
    problems.append(
        Problem(
            "record-conflict",
            f"{part.notebook} has {entry.text}, but {held.text} stays in environment.yml"
            f" for {', '.join(others)}.",
            "Install the same version in both environments, or keep the notebooks apart.",
            Severity.WARNING,
            entry.key,
        )
    )
    return replace(entry, text=held.text)


def verify(file: CondaFile, content: bytes, block: Block) -> None:
    """Refuse to write what conda would read otherwise, or what nobody here can tell.

    Raises `EnvmagicError` (`record-place`, `no-extra`).
    """
    edits.prove(
        edits.Edit(
            file.path,
            file.raw,
            content,
            file.mark + encode(file.user_text, file.encoding),
            _requirements(file.block or Block()),
            _requirements(block),
            environment_yml.INCLUDE,
        )
    )


def _requirements(block: Block) -> tuple[str, ...]:
    return tuple(entry.text for entry in block.entries if entry.kind is Kind.REQUIREMENT)


def _own_section(path: Path) -> Problem:
    return Problem(
        "pip-section",
        f"{display.user_path(path)} has a pip: section of its own, and conda takes only one.",
        f"Add this line to it: - {environment_yml.INCLUDE}",
        Severity.WARNING,
        str(path),
    )
