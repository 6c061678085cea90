"""`export`: the record, and its lock where there is one, as other tools read it."""

from __future__ import annotations

import re
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Place, Progress, Report
from envmagic.core.record_files import LOCK, REQUIREMENTS
from envmagic.core.schema import ExportData, ExportedFile
from envmagic.core.verbs import ExportRequest
from envmagic.imports.trees import tree_of
from envmagic.operations import export_files, export_job
from envmagic.record import export as exporting
from envmagic.record.export import Job, Made, binder, locked
from envmagic.record.export.wanted import Wanted
from envmagic.system import locks

__all__ = ["export"]

_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def export(request: ExportRequest, place: Place, progress: Progress) -> Report[ExportData]:
    """Print, or with `--to` write, the record beside the notebook in the format that is asked for.

    A file that would hold the same is not touched, and none that a person wrote is overwritten.
    Raises `EnvmagicError`.
    """
    if request.group is not None and not _GROUP.fullmatch(request.group):
        raise WordsError(
            "bad-name",
            f"{display.quoted(request.group)} cannot name a dependency group.",
            "For example",
            command=("export", "pyproject", "--group", "notebook"),
            subject=request.group,
        )
    format = exporting.FORMATS[request.format]
    target = export_files.target(request, place)
    with locks.lock(place.directory / REQUIREMENTS):
        job = _job(request, place, target)
        made = format.make(job)
        problems = (*export_job.left_out(request.format, made.left_out), *export_job.secrets(job))
        if target is None and not format.is_directory:
            return _report(request, made, [], made.files[0].text, problems)
        written = _written(request, place, job, made, target)
    problems = (*problems, *_hidden(request, job))
    return _report(request, made, written, "", problems)


def _job(request: ExportRequest, place: Place, target: Path | None) -> Job:
    directory = place.directory
    context = tree_of(directory) if request.format == "binder" else directory
    folder = target or directory
    if target is None and exporting.FORMATS[request.format].is_directory:
        folder = context / exporting.FORMATS[request.format].default
    elif target is not None and not exporting.FORMATS[request.format].is_directory:
        folder = target.parent
    if request.format in ("docker", "binder"):
        _refuse_outside(request, place, folder, context)
    else:
        context = folder
    conda = export_job.conda_of(place)
    alone = place.notebook if request.format == "pep723" else None
    wanted = export_job.wanted_of(place, conda, alone)
    return Job(
        wanted,
        _lock(request, place, wanted),
        conda,
        folder,
        context,
        request.hashes,
        request.group or exporting.GROUP,
    )


def _lock(request: ExportRequest, place: Place, wanted: Wanted) -> locked.Locked | None:
    """The lock that the format takes; None where there is none. Raises where it needs one."""
    if not exporting.FORMATS[request.format].locked:
        return None
    again = export_job.of_notebook("lock", place)
    found = locked.beside(wanted, place.notebook, again)
    if found is None and (request.hashes or request.format == "pylock"):
        raise WordsError(
            "no-file",
            f"There is no {LOCK} in {display.user_path(place.directory)}, which has the hashes.",
            "To write it",
            command=again,
            subject=str(place.directory / LOCK),
        )
    return found


def _refuse_outside(request: ExportRequest, place: Place, folder: Path, context: Path) -> None:
    if folder != context and folder.is_relative_to(context):
        return
    raise WordsError(
        "bad-export-name",
        f"{display.user_path(folder)} is not below {display.user_path(context)},"
        " which the image is made of.",
        "For example",
        command=export_files.words(request, place, context / request.format),
        subject=str(folder),
    )


def _written(
    request: ExportRequest, place: Place, job: Job, made: Made, target: Path | None
) -> list[ExportedFile]:
    if request.format == "pyproject":
        assert target is not None
        return [export_files.merge(request, place, target, made.requirements)]
    if request.format == "binder":
        _refuse_preferred(request, place, job, made)
    if not exporting.FORMATS[request.format].is_directory:
        assert target is not None
        return export_files.write(request, place, {target: made.files[0]})
    return export_files.write(request, place, {job.folder / file.name: file for file in made.files})


def _refuse_preferred(request: ExportRequest, place: Place, job: Job, made: Made) -> None:
    other = binder.preferred(job.folder, made.files[0].name)
    if other is not None and not export_files.is_ours(other):
        raise EnvmagicError(
            "not-ours",
            f"repo2docker takes {display.user_path(other)} instead of what would be written.",
            "Move it away, or write into another directory",
            command=export_files.elsewhere(request, place, job.folder),
            subject=str(other),
        )


def _hidden(request: ExportRequest, job: Job) -> tuple[Problem, ...]:
    """A note where the repository had files for Binder at its top."""
    names = binder.hidden(job.context) if request.format == "binder" else []
    names = [name for name in names if name not in (REQUIREMENTS, "environment.yml")]
    if not names or job.folder.parent != job.context:
        return ()
    said = f"repo2docker reads {job.folder.name} alone now, and no longer {display.joined(names)}."
    moved = f"Move what still counts into {job.folder.name}."
    return (Problem("left-out", said, moved, Severity.WARNING, names[0]),)


def _report(
    request: ExportRequest,
    made: Made,
    files: list[ExportedFile],
    text: str,
    problems: tuple[Problem, ...],
) -> Report[ExportData]:
    data = ExportData(
        format=request.format,
        text=text,
        files=files,
        requirements=len(made.requirements),
        left_out=list(made.left_out),
        cell=request.cell,
    )
    changed = any(file["changed"] for file in files)
    return Report("export", data, changed=changed, problems=problems)
