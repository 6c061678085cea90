"""What the verbs do differently where conda makes or fills the environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envmagic import backends, probe, satisfaction
from envmagic.backends.base import Wanted
from envmagic.backends.conda import environment_file, metadata, specs
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import BackendName, Environment, Place, Progress
from envmagic.core.verbs import CreateRequest

__all__ = [
    "by_pip",
    "files_beside",
    "is_conda",
    "lacking",
    "packages",
    "pins",
    "settle",
    "with_file",
]

_ENVMAGIC = "envmagic"


def is_conda(prefix: Path) -> bool:
    """Whether a conda environment is at `prefix`."""
    return (prefix / "conda-meta" / "history").is_file()


def with_file(request: CreateRequest, place: Place) -> CreateRequest:
    """`request` with what an `environment.yml` says about it: conda makes it, under its name.

    It counts when it is named (`-r`), and for a bare `create` where it lies beside the notebook
    alone or was written by us. Raises `WordsError` when another backend is asked for as well.
    """
    file = _file_of(request, place)
    if file is None:
        return request
    if request.backend not in (None, BackendName.CONDA):
        raise WordsError(
            "other-backend",
            f"{display.user_path(file)} is for conda, and --backend says {request.backend.value}.",
            "Leave --backend out.",
            subject=str(file),
        )
    name = environment_file.read(file).name if request.target is None else None
    return replace(request, backend=BackendName.CONDA, target=request.target or name)


def _file_of(request: CreateRequest, place: Place) -> Path | None:
    for word in request.files:
        path = place.directory / Path(word).expanduser()
        if environment_file.is_environment_file(path):
            return path if path.is_file() else None
    if request.files or request.requirements or request.bare:
        return None
    beside = environment_file.beside(place.directory)
    if beside is None:
        return None
    alone = not (place.directory / "requirements.txt").is_file()
    chosen = request.backend is BackendName.CONDA or alone or environment_file.has_block(beside)
    usable = request.backend in (None, BackendName.CONDA)
    return beside if chosen and usable else None


def pins(place: Place, wanted: Wanted) -> tuple[Wanted, list[Problem]]:
    """`wanted` held to the versions in the `environment.yml` beside the notebook.

    One that contradicts what is asked for now is dropped, with a warning.
    """
    beside = environment_file.beside(place.directory)
    if beside is None or wanted.upgrade or beside in wanted.files:
        return wanted, []
    asked = {s.name: s for text in wanted.requirements if (s := specs.parse(text))}
    held: list[str] = []
    problems: list[Problem] = []
    for line in environment_file.read(beside).dependencies:
        pin = specs.parse(line)
        if pin is None or not pin.version or pin.name == "python":
            continue
        other = asked.get(pin.name)
        if other is not None and other.accepts(pin.version.lstrip("=").split()[0]) is False:
            message = f"{pin.text} in {beside.name} contradicts {other.text}; it was not used."
            problems.append(
                Problem("pin-dropped", message, severity=Severity.WARNING, subject=pin.name)
            )
        else:
            held.append(pin.text)
    return replace(wanted, held=tuple(held)), problems


def lacking(environment: Environment, wanted: Wanted) -> Wanted:
    """`wanted` without what the conda environment has for certain."""
    from envmagic.backends.conda import missing

    return missing(environment, wanted)


def files_beside(place: Place, environment: Environment) -> tuple[Path, ...]:
    """The `environment.yml` beside the notebook, where conda can use it."""
    beside = environment_file.beside(place.directory)
    return (beside,) if beside and environment.backend is BackendName.CONDA else ()


def packages(environment: Environment) -> dict[str, str]:
    """Normalised name -> version of everything conda installed, in any language."""
    if environment.backend is not BackendName.CONDA:
        return {}
    found = metadata.packages(environment.prefix)
    return {metadata.normalized(name): package.version for name, package in found.items()}


def by_pip(environment: Environment) -> dict[str, str]:
    """Name -> version of what pip installed into a conda environment; ours does not count."""
    if environment.backend is not BackendName.CONDA:
        return {}
    found = metadata.distributions(environment)
    return {
        name: version
        for name, (version, info) in found.items()
        if name != _ENVMAGIC and not metadata.by_conda(info)
    }


def settle(before: dict[str, str], environment: Environment, progress: Progress) -> list[str]:
    """Mend what a conda operation did to the distributions `before`, which pip had installed.

    conda does not know them: a new Python leaves them behind, a package of the same name writes
    over them, another version may not be what they need. Returns what was done, and what is left.
    """
    environment = probe.inspect(environment.prefix, owned=environment.owned)
    there = metadata.distributions(environment)
    lost = {name: version for name, version in before.items() if name not in there}
    lost |= {n: before[n] for n in probe.broken_distributions(environment, set(before) - set(lost))}
    notes: list[str] = []
    if lost:
        notes.append(_put_back(lost, environment, progress))
    notes += _unmet(environment, before)
    return notes


def _put_back(lost: dict[str, str], environment: Environment, progress: Progress) -> str:
    """Install `lost` (name -> version) again, if possible in those versions; says what it did."""
    names = ", ".join(sorted(lost))
    progress.step(f"Putting back {names}, which pip had installed")
    same = tuple(f"{name}=={version}" for name, version in sorted(lost.items()))
    backend = backends.for_environment(environment)
    reason = ""
    for lines, how in ((same, ""), (tuple(sorted(lost)), " in the versions that fit now")):
        wanted = Wanted(lines, reinstall=tuple(lost), pip_only=True)
        try:
            backend.install(environment, wanted, progress)
            return f"Put back what pip had installed{how}: {names}."
        except EnvmagicError as error:
            reason = error.problem.message
    return f"conda took {names} away, and pip cannot put it back: {reason}"


def _unmet(environment: Environment, names: Iterable[str]) -> list[str]:
    """What distributions of pip's need and no longer have, a sentence each."""
    installed = probe.distributions(environment)
    said = []
    for name in names:
        if name not in installed:
            continue
        needs = satisfaction.requirements_of(installed[name][1], environment.version)
        for need in satisfaction.missing(needs, installed, environment.version):
            version = installed.get(canonicalize_name(need.name), ("", None))[0]
            have = f"{need.name} is now {version}" if version else f"{need.name} is gone"
            said.append(f"{name} (by pip) needs {_plain(need)}, and {have}.")
    return said


def _plain(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}"
