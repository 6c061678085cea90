"""Bringing a record into its file, or comparing the file with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import Problem
from envmagic.record import formats, recorded_with
from envmagic.record.conda_part import with_conda
from envmagic.record.job import Job
from envmagic.record.merge import merged
from envmagic.record.result import Outcome
from envmagic.requirements import Block, Kind
from envmagic.requirements.record_file import RecordFile
from envmagic.system import files, locks

__all__ = ["recorded", "refused"]


def refused(path: Path | None, problem: Problem) -> Outcome:
    """That nothing could be recorded into `path`."""
    return Outcome(path, Block(recording=False), False, [], [problem], [], written=False)


def recorded(job: Job) -> Outcome:
    """Record the notebooks of `job`, or with `--check` compare the file.

    Raises `EnvmagicError` when the file cannot be read or written.
    """
    if job.path is None:
        return merged(job)[1]
    if job.options.check:
        outcome, problem = _judged(job)[1:]
    else:
        with locks.lock(job.path):
            while True:
                file, outcome, problem = _judged(job)
                if not outcome.changed or problem is not None:
                    break
                if files.write_over(job.path, file.raw, file.with_block(outcome.block)):
                    break  # else somebody has saved it meanwhile
    if problem is not None:
        problems = [*outcome.problems, problem]
        return replace(outcome, changed=False, diff="", problems=problems, written=False)
    _note(job)
    return with_conda(job, outcome)


def _note(job: Job) -> None:
    """Remember what the record of the notebook that is at work is of."""
    notebook = job.place.notebook
    if notebook is None or notebook not in job.notebooks or job.options.check:
        return
    prefix = job.environments.prefix_of(notebook) if job.options.beside else None
    if prefix is not None:
        recorded_with.note(notebook, prefix)


def _judged(job: Job) -> tuple[RecordFile, Outcome, Problem | None]:
    """The file, what it is to hold, and why it must not be written.

    Raises `EnvmagicError` where its format says that it would be read otherwise then.
    """
    file, outcome = merged(job)
    problem = _hash_checked(file, outcome.block)
    if outcome.changed and problem is None:
        formats.of(file.path).verify(file, file.with_block(outcome.block), outcome.block)
    return file, outcome, problem


def _hash_checked(file: RecordFile, block: Block) -> Problem | None:
    """pip wants hashes for all requirements of a file or for none."""
    hashed = any(line.hashed for line in file.user_lines())
    if not hashed or not any(e.kind is Kind.REQUIREMENT for e in block.entries):
        return None
    return Problem(
        "hash-checked",
        f"{user_path(file.path)} has hashes, and pip takes no requirement without one beside them.",
        "Record into another file",
        subject=str(file.path),
        command=("record", "--to", "requirements-notebook.txt"),
    )
