"""What one file of a record is to hold: what is needed, on top of what it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.core.schema import RecordedNotebook
from envmagic.record.alternatives import agreed
from envmagic.record.conda_part import beside, listed, parted, users_in
from envmagic.record.entries import entries_of, lines_of
from envmagic.record.environments import InstalledIndex
from envmagic.record.held import RecordContext, RecordedEntries
from envmagic.record.job import Job, read, relative
from envmagic.record.need import Needs
from envmagic.record.report_data import notebook_data
from envmagic.record.result import Outcome
from envmagic.record.succession import Succession, succession
from envmagic.record.user_lines import own_lines
from envmagic.requirements import Block, Entry
from envmagic.requirements.diff import unified
from envmagic.requirements.record_file import RecordFile, settled

if TYPE_CHECKING:
    from envmagic.record.conda import partition

__all__ = ["merged"]

_EVERYWHERE = "ipython"  # wherever a notebook runs


def merged(job: Job) -> tuple[RecordFile, Outcome]:
    """The file as it is now, and the block as it should be."""
    return settled(read(job.path), lambda file: _Merge(job, file).outcome())


class _Merge:
    """The needs of a job's notebooks, one after the other, on top of what one file holds."""

    def __init__(self, job: Job, file: RecordFile) -> None:
        self._job, self._file = job, file
        self._users = own_lines(file)
        self._block = file.block or Block(recording=False)
        self._conda = beside(job.directory) if job.options.beside else None
        """`environment.yml` beside, its block like this one."""
        self._listed = listed(job.directory) if job.options.beside else None
        self._became = self._succession()
        self._base = self._restyled()
        gone = self._became.waiting | self._became.lost
        self._held = RecordedEntries(self._base, job.directory, gone, file.doubtful)
        self._forget_contradicted()
        self._new: dict[str, list[Entry]] = {}
        self._parts: list[partition.CondaPart] = []
        self._pythons: list[str] = []
        self._editable: dict[str, str] = {}
        self._problems: list[Problem] = []
        self._lines: list[tuple[Needs, Mapping[str, str], RecordContext]] = []
        """Of each notebook what it needs, and the lines for that as it alone would have them."""

    def outcome(self) -> Outcome:
        """What the file is to hold."""
        for notebook in self._job.notebooks:
            needs = self._job.needs[notebook]
            if isinstance(needs, Problem):
                self._problems.append(replace(needs, severity=Severity.WARNING))
            else:
                self._take(notebook, needs)
        entries = [entry for found in self._new.values() for entry in found]
        merged = self._base.replaced({**dict.fromkeys(self._became.lost, ()), **self._new})
        merged = self._file.proven(merged, entries)
        python = self._python()
        merged = merged.with_lines(self._editable).without_names(self._users.installing(python))
        return self._told(replace(merged, python=python))

    def _take(self, notebook: Path, needs: Needs) -> None:
        """The notebook needs that; the next one has to agree with it."""
        job, name = self._job, self._job.name_of(notebook)
        installed = job.environments.of(notebook, needs.kernel)
        context = self._context(name, notebook, installed)
        more = users_in(self._listed, self._conda, context)
        context = replace(context, users={**more, **context.users}) if more else context
        needs = agreed(needs, context)
        entries, lines, warnings = entries_of(needs, context)
        for_pip, part, warnings = parted(
            entries, warnings, needs, context, self._conda, apart=not job.options.beside
        )
        self._parts += [part] if part is not None else []
        self._editable |= {name: line for name, line in lines.items() if line.startswith("-e ")}
        self._held.add(
            for_pip,
            {line: name for name, line in self._editable.items()},
            installed.index.distributions if installed is not None else (),
        )
        self._new[name] = for_pip
        self._pythons += [installed.python] if installed else []
        self._problems += warnings
        if installed is not None:
            self._problems += _kernel_only(needs, installed)
        lines |= part.lines if part is not None else {}
        self._lines.append((needs, lines, context))

    def _context(
        self, name: str, notebook: Path, installed: InstalledIndex | None
    ) -> RecordContext:
        place, python = self._job.place, None
        if installed is not None:
            python = installed.version or installed.python
        return RecordContext(
            name,
            notebook,
            self._job.directory,
            self._held,
            self._base.pin,
            installed.index if installed else None,
            self._users.of(installed.index if installed else None, python),
            installed.prefix if installed else None,
            self._job.environments,
            keep=notebook == place.notebook and not place.saved_since_start,
            python=python,
            partial=self._users.idle(python) if python else self._users.partial(self._base.python),
            extras=self._users.extras,
        )

    def _succession(self) -> Succession:
        """What became of notebooks that are gone."""
        job, conda = self._job, self._conda
        live = job.place.notebook
        return succession(
            [
                self._block,
                *([conda.block] if conda is not None and conda.block is not None else []),
            ],
            {job.name_of(notebook): job.needs[notebook] for notebook in job.notebooks},
            job.directory,
            {job.name_of(live)} if live is not None else set(),
            self._users.installing(self._block.python),
        )

    def _forget_contradicted(self) -> None:
        """Ranges that all who need them say anew: what one of them asked for before may be over."""
        said: set[str] = set()
        known: set[str] = set()
        for notebook in self._job.notebooks:
            needs = self._job.needs[notebook]
            if isinstance(needs, Needs):
                known.add(self._job.name_of(notebook))
                said.update(need.name for need in needs.needs if need.specifier)
        for name in said:
            held = self._held.requirement(name)
            if held is None or not {m.notebook for m in held.mentions} <= known:
                continue
            if not self._held.is_pin(name):
                self._held.forget(name)

    def _restyled(self) -> Block:
        """The block with the state that is asked for, and without the old names of notebooks; that
        of `environment.yml`, too."""
        options, became, conda = self._job.options, self._became, self._conda
        pin = options.pin or self._block.pin
        if conda is not None and conda.block is not None:
            self._conda = replace(conda, block=became.of(conda.block).restyled(pin, exact="="))
        recording = {"on": True, "off": False, None: self._block.recording}[options.state]
        return replace(became.of(self._block).restyled(pin), recording=recording)

    def _python(self) -> str | None:
        """The Python for the header: the one it has, where a notebook runs on that."""
        pythons, python = self._pythons, self._base.python
        return python if not pythons or python in pythons else pythons[-1]

    def _data(self, block: Block) -> Iterator[RecordedNotebook]:
        """What is reported of each notebook: the lines as they are in the end."""
        by_notebook: dict[str, list[Entry]] = {}
        for entry in block.entries:
            for name in {mention.notebook: None for mention in entry.mentions}:
                by_notebook.setdefault(name, []).append(entry)
        for needs, lines, context in self._lines:
            mine = by_notebook.get(context.notebook, [])
            shown = relative(context.path, self._job.place.directory)
            yield notebook_data(needs, mine, lines, context.users, shown)

    def _told(self, block: Block) -> Outcome:
        file, path, options = self._file, self._job.path, self._job.options
        if options.check and file.block is not None:
            # notebooks of several Pythons may share a file, and the check runs on yet another one
            block = replace(block, python=file.block.python)
        idle = file.block is None and not block.entries and options.state is None
        changed = path is not None and not idle and not file.is_current(block)
        content = file.with_block(block) if changed and options.check else b""
        return Outcome(
            path,
            block,
            changed,
            list(self._data(block)),
            self._problems,
            list(lines_of(list(block.entries))),
            unified(file.path, file.raw, content) if content else "",
            parts=tuple(self._parts),
            differs=changed,
            succession=self._became,
            written=not idle or (path is not None and path.exists()),
        )


def _kernel_only(needs: Needs, installed: InstalledIndex) -> list[Problem]:
    """What the notebook imports and only its kernel has."""
    where = user_path(installed.prefix) if installed.prefix is not None else "the environment"
    return [
        Problem(
            "kernel-only",
            f"{need.name} is a part of the kernel here, and is not in {where}.",
            "To have it there too",
            Severity.INFO,
            need.name,
            command=("install", need.name),
        )
        for need in needs.needs
        if need.imported and need.name in installed.kernel_only and need.name != _EVERYWHERE
    ]
