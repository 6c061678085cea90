"""Where conda has to do with a record: its file beside, and what of a notebook's needs is in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import Problem
from envmagic.core.record_files import ENVIRONMENTS
from envmagic.record.held import RecordContext, name_of
from envmagic.record.job import Job
from envmagic.record.need import Needs
from envmagic.record.result import Outcome
from envmagic.requirements import Entry, RequirementLine

if TYPE_CHECKING:
    from envmagic.record.conda import partition
    from envmagic.record.conda.listed import Listed
    from envmagic.requirements.environment_yml import CondaFile

__all__ = ["beside", "listed", "parted", "users_in", "with_conda"]


def beside(directory: Path) -> CondaFile | None:
    """`environment.yml` in `directory`; what reads it is imported only where there is one."""
    if not any(os.path.exists(os.path.join(directory, name)) for name in ENVIRONMENTS):
        return None
    from envmagic.record.conda import partition

    return partition.beside(directory)


def listed(directory: Path) -> Listed | None:
    """What the user lists in the `environment.yml` in `directory`; None where there is none."""
    if not any(os.path.exists(os.path.join(directory, name)) for name in ENVIRONMENTS):
        return None
    from envmagic.record.conda import listed as conda

    return conda.listed(directory)


def users_in(
    found: Listed | None, conda: CondaFile | None, context: RecordContext
) -> Mapping[str, RequirementLine]:
    """The lines in `found` that count as the user's for a notebook.

    In a conda environment those of its `pip:` section: conda's packages are told by what is there.
    Where the environment is not known all do that nothing is recorded for: that says otherwise.
    """
    if found is None:
        return {}
    prefix = context.environment
    if prefix is not None or context.index is not None:
        in_conda = prefix is not None and (prefix / "conda-meta").is_dir()
        return found.pip if in_conda else {}
    from envmagic.record.conda import partition

    held = {name_of(entry, context.directory) for entry in context.held.of(context.notebook)}
    held |= context.held.optional(context.notebook)
    held |= partition.listed_for(conda, context.notebook).keys()
    return {n: line for n, line in {**found.pip, **found.conda}.items() if n not in held}


def parted(
    entries: list[Entry],
    warnings: list[Problem],
    needs: Needs,
    context: RecordContext,
    conda: CondaFile | None,
    *,
    apart: bool,
) -> tuple[list[Entry], partition.CondaPart | None, list[Problem]]:
    """The entries for pip, conda's part, and what is to be said, where conda has to do with it.

    `conda` is the file beside; `apart`: pip's lines are all that is written.
    """
    prefix = context.environment
    in_conda = prefix is not None and (prefix / "conda-meta").is_dir()
    if conda is None and not in_conda:
        return entries, None, warnings
    from envmagic.record.conda import partition

    if apart:
        modules = {need.name: [module for module, _ in need.sites] for need in needs.needs}
        entries, said = partition.as_pip(entries, modules, prefix)
        return entries, None, [*warnings, *said]
    split = partition.split(context, entries, conda)
    if split is None:
        return entries, None, warnings
    for_pip, part, said = split
    known = {entry.text for entry in for_pip}
    warnings = [w for w in warnings if w.code != "unresolved" or w.subject in known]
    return for_pip, part, [*warnings, *said]


def with_conda(job: Job, outcome: Outcome) -> Outcome:
    """`outcome` with what became of `environment.yml`, which lists what conda installs."""
    there = job.options.beside and beside(job.directory)
    if not outcome.parts and (outcome.notebooks or not there):
        return outcome
    from envmagic.record.conda import environment_yml

    conda, diff, problems, unwritten = environment_yml.update(
        environment_yml.CondaJob(
            job.directory, outcome.parts, outcome.block, job.environments, outcome.succession
        ),
        check=job.options.check,
    )
    wanted = [entry.text for part in outcome.parts for entry in part.entries]
    return replace(
        outcome,
        changed=outcome.changed or conda is not None,
        problems=[*outcome.problems, *problems],
        lines=[*outcome.lines, *(line for line in wanted if line not in unwritten)],
        unwritten=unwritten,
        diff=outcome.diff + diff,
        conda=conda,
    )
