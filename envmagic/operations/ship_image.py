"""`ship docker` and `ship binder`: a directory that an image of the notebook is built of."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import Frontend, Place, Progress, Report
from envmagic.core.record_files import LOCK
from envmagic.core.schema import ExportedFile, ShipData
from envmagic.core.verbs import ShipRequest
from envmagic.environments import backends
from envmagic.environments.inventory import Inventory
from envmagic.jupyter import notebook_file
from envmagic.operations import export_job
from envmagic.operations.here import environment_of
from envmagic.operations.image_folder import ImageFolder
from envmagic.operations.image_kernel import kernel_of
from envmagic.record.export import Job, locked
from envmagic.record.lock import inputs
from envmagic.record.lock import text as lock_text
from envmagic.shipping import own, wheels
from envmagic.shipping.image import WHEELS, Contents, Image, lines_of, sources_of
from envmagic.shipping.local_modules import local_modules
from envmagic.system import scratch

__all__ = ["ship_image"]

_VARIABLE = re.compile(r"[A-Za-z_]\w*")


def ship_image(request: ShipRequest, place: Place, progress: Progress) -> Report[ShipData]:
    """Have the directory hold what an image needs, or with `--check` say whether it does.

    Raises `EnvmagicError`, with the directory as it was.
    """
    folder = ImageFolder(request, place)
    notebook = _notebook(folder)
    _check_names(request)
    there = backends.look(environment_of(place))
    with scratch.beside(Path(tempfile.gettempdir())) as beside:
        beside.mkdir()
        image = _image(folder, notebook, there, beside, progress)
        made = image.contents()
    problems = (
        *export_job.left_out(f"an image by {request.engine}", list(image.packages.left_out)),
        *export_job.secrets(image.job),
        *_kept_back(made),
        *_unsaved(folder, notebook),
    )
    if request.check:
        compared, diff = folder.compared(made.files)
        data = _data(folder, image, there, compared, diff)
        return Report("ship", data, problems=(*problems, *_behind(folder, data)), failed=bool(diff))
    written = folder.written(made.files)
    changed = any(file["changed"] for file in written)
    return Report("ship", _data(folder, image, there, written), changed=changed, problems=problems)


def _notebook(folder: ImageFolder) -> Path:
    notebook = folder.place.notebook
    if notebook is None:
        terminal = folder.place.frontend is Frontend.TERMINAL
        raise WordsError(
            "no-notebook",
            "An image is made for one notebook, and none is named."
            if terminal
            else "Nobody can tell which notebook this is.",
            "Name it with --notebook FILE."
            if terminal
            else "Say it in a terminal:"
            f" envmagic ship {folder.request.engine} {folder.typed} --notebook FILE",
        )
    if not notebook.is_file():
        raise WordsError(
            "no-notebook", f"There is no notebook {notebook.name}.", subject=str(notebook)
        )
    return notebook


def _check_names(request: ShipRequest) -> None:
    for name in request.variables:
        if not _VARIABLE.fullmatch(name):
            raise WordsError(
                "option-value",
                f"{display.quoted(name.partition('=')[0])} is no name of a variable."
                if "=" not in name
                else f"--env-var takes the name alone: {name.partition('=')[0]}.",
                "No value is written into a file; docker run -e KEY takes it from where it runs.",
            )


def _image(
    folder: ImageFolder, notebook: Path, there: Inventory, beside: Path, progress: Progress
) -> Image:
    place = folder.place
    job = _job(folder, there)
    modules = local_modules(notebook)
    folder.check(notebook, modules)
    asked = job.wanted.lines if job.locked is None else (*job.wanted.lines, *job.locked.lines)
    sources = sources_of(there, asked, place.directory)
    built = wheels.built(sources, there.environment, beside, progress)
    mine = own.pin()
    kernel = kernel_of(notebook, mine.line)
    wheel = None
    if kernel.envmagic and mine.directory is not None:
        wheel = wheels.built([mine], there.environment, beside, progress)[mine.name]
        kernel = kernel_of(notebook, f"./{WHEELS}/{wheel.name}")
    packages = lines_of(there, job, sources, built)
    return Image(
        folder.request.engine,
        job,
        packages,
        notebook,
        modules,
        kernel,
        wheel,
        folder.request.variables,
    )


def _job(folder: ImageFolder, there: Inventory) -> Job:
    place = folder.place
    conda = export_job.conda_of(place)
    wanted = export_job.wanted_of(place, conda)
    again = export_job.of_notebook("lock", place)
    lock = locked.beside(wanted, place.notebook, again)
    if lock is not None:
        again = (*again, *(("--to", str(lock.file)) if lock.file.name != LOCK else ()))
        _check_lock(lock, wanted.python, again)
    elif conda is None:  # what is not installed has no version that could be named
        inputs.Inputs.of(there, wanted.directory / "requirements.txt")
    return Job(wanted, lock, conda, folder.path, folder.path)


def _check_lock(lock: locked.Locked, python: str | None, again: tuple[str, ...]) -> None:
    """Raise `EnvmagicError` where an image cannot take what is locked."""
    said = lock_text.said(lock.text)
    if not lock.fits_linux:
        where = said.get("platform", "another platform")
        raise EnvmagicError(
            "another-platform",
            f"{lock.file.name} is for {where}, and an image runs Linux.",
            "To lock for all platforms",
            command=(*again, "--universal"),
            subject=str(lock.file),
        )
    if python and said.get("python", python) != python:
        raise EnvmagicError(
            "lock-behind",
            f"{lock.file.name} is for Python {said['python']}, and the notebook has {python}.",
            "To lock again",
            command=again,
            subject=str(lock.file),
        )


def _kept_back(made: Contents) -> tuple[Problem, ...]:
    if not made.left_out:
        return ()
    said = f"Not in it, as such files hold secrets: {display.joined(made.left_out[:5])}."
    return (Problem("left-out", said, severity=Severity.WARNING, subject=made.left_out[0]),)


def _unsaved(folder: ImageFolder, notebook: Path) -> tuple[Problem, ...]:
    """A note where cells ran that the file has not yet."""
    saved = {cell.source.strip() for cell in notebook_file.read(notebook).cells}
    ran = [cell for cell in folder.place.cells if cell.strip() not in saved]
    if not [cell for cell in ran if f"ship {folder.request.engine}" not in cell]:
        return ()
    return (
        Problem(
            "not-saved",
            f"{notebook.name} has cells that are not saved; they are not in it.",
            "Save the notebook, then type it again",
            Severity.WARNING,
            str(notebook),
            command=folder.words(check=folder.request.check),
        ),
    )


def _behind(folder: ImageFolder, data: ShipData) -> tuple[Problem, ...]:
    files = [file["file"] for file in data["files"] if file["changed"]]
    if not files:
        return ()
    differ = "file of it is" if len(files) == 1 else "files of it are"
    return (
        Problem(
            "image-behind",
            f"{folder.typed} is behind: {len(files)} {differ} not what would be written now.",
            "To write it",
            subject=files[0],
            command=folder.words(),
        ),
    )


def _data(
    folder: ImageFolder,
    image: Image,
    there: Inventory,
    files: list[ExportedFile],
    diff: str = "",
) -> ShipData:
    names = [line.parsed.name or "" for line in image.packages.lines]
    names += list(image.packages.wheels)
    held = {name: there.versions[name] for name in sorted(names) if name in there.versions}
    takes = folder.request.engine == "docker"
    lost = () if takes else folder.request.variables
    return ShipData(
        engine=folder.request.engine,
        address="",
        python=image.job.wanted.python or there.environment.short_version,
        platform="Linux",
        distributions=held,
        modules=[module.name for module in image.modules],
        variables=list(folder.request.variables) if takes else [],
        sent=[],
        workers=[],
        settings={},
        variable="",
        file=str(folder.path),
        files=files,
        diff=diff,
        notes=[f"A Binder is given no variables: {', '.join(lost)}."] if lost else [],
    )
