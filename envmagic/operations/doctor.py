"""`doctor`: everything that is broken or about to be, each with its remedy."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import BackendName, Environment, Kernel, Place, Progress, Report
from envmagic.core.schema import DoctorData
from envmagic.core.verbs import DoctorRequest
from envmagic.environments import (
    inspection,
    integrity,
    journal,
    ownership,
    payload,
    provisioning,
    registry,
)
from envmagic.jupyter import kernelspecs
from envmagic.operations import conda_doctor
from envmagic.system import directories, locks

__all__ = ["doctor"]


@dataclass(frozen=True)
class Finding:
    """Something wrong, and how it is mended when it is ours."""

    problem: Problem
    mend: Callable[[], object] | None = None
    """Mends it; a text that it returns is said, too."""


def doctor(request: DoctorRequest, place: Place, progress: Progress) -> Report:
    """Look at every kernel and environment; `--fix` mends ours and leaves the rest alone."""
    every = kernelspecs.every()
    registered = kernelspecs.by_prefix(every)
    prefixes = [
        prefix
        for prefix in registry.known_prefixes(place)
        if not conda_doctor.is_somebody_else_s(
            prefix,
            registered.get(os.path.realpath(prefix)),
            current=registry.same(prefix, place.prefix),
        )
    ]
    findings = [Finding(*found) for found in conda_doctor.settings()]
    progress.step(f"Looking at {len(every)} kernels and {len(prefixes)} environments")
    for kernel in every:
        findings += _kernel(kernel)
    for prefix in prefixes:
        findings += _environment(prefix, progress)
    findings += _leftovers(progress)
    fixed, kept = _mend(findings, progress) if request.fix else ([], [])
    data = DoctorData(
        kernels=len(every), environments=len(prefixes), fixed=[p.message for p in fixed]
    )
    left = tuple(f.problem for f in findings if f.problem not in fixed)
    return Report("doctor", data, changed=bool(fixed), problems=(*left, *kept))


def _mend(findings: list[Finding], progress: Progress) -> tuple[list[Problem], list[Problem]]:
    """Mend what can be; returns what was wrong, and what had to be left."""
    fixed: list[Problem] = []
    kept: list[Problem] = []
    for finding in findings:
        if finding.mend is None:
            continue
        progress.step(f"Mending: {finding.problem.message}")
        try:
            said = finding.mend()
        except (EnvmagicError, OSError):
            continue  # it stays among the problems
        fixed.append(finding.problem)
        if isinstance(said, str) and said:
            kept.append(
                Problem("kept", said, severity=Severity.INFO, subject=finding.problem.subject)
            )
    return fixed, kept


def _kernel(kernel: Kernel) -> Iterator[Finding]:
    """What is wrong with one kernelspec. Ours without an environment are simply removed."""
    python = kernel.argv[0] if kernel.argv else ""
    remove = f"jupyter kernelspec remove {kernel.name}"

    def unregister() -> None:
        assert kernel.prefix is not None
        with provisioning.locked(kernel.prefix):
            now = kernelspecs.read(kernel.directory)
            if now is not None and not kernel.prefix.is_dir():  # not made anew meanwhile
                kernelspecs.unregister(now)

    ours = kernel.ours and kernel.directory.parent == kernelspecs.directory()
    if kernel.prefix is not None and not kernel.prefix.is_dir():
        yield Finding(
            _problem(
                "environment-gone",
                f"The kernel {kernel.name!r} is for {display.user_path(kernel.prefix)},"
                " which is not there any more.",
                f"%env remove {kernel.name} --yes" if ours else remove,
                kernel.name,
            ),
            unregister if ours else None,
        )
    elif os.path.isabs(python) and not Path(python).exists():
        yield Finding(
            _problem(
                "no-interpreter",
                f"The kernel {kernel.name!r} cannot start: {display.user_path(python)} is missing.",
                remove if not ours else "",
                kernel.name,
            )
        )
    elif _is_bare_python(python) and not _belongs_to_environment(kernel):
        yield Finding(
            _problem(
                "bare-python",
                f"The kernel {kernel.name!r} starts {python!r} without a path, which is whatever"
                " Python the server runs on.",
                f"Write an absolute path in {display.user_path(kernel.directory / 'kernel.json')}",
                kernel.name,
                Severity.WARNING,
            )
        )
    elif "ipykernel_launcher" in kernel.argv and not kernel.ours:
        yield from _foreign_ipykernel(kernel, Path(python))


def _foreign_ipykernel(kernel: Kernel, python: Path) -> Iterator[Finding]:
    """A kernel somebody else registered: is ipykernel there at all?"""
    prefix = python.parent.parent
    try:
        environment = registry.environment_at(prefix)
    except EnvmagicError:
        return  # no environment of its own: its files do not tell
    if "ipykernel" not in inspection.distributions(environment):
        yield Finding(
            _problem(
                "no-ipykernel",
                f"The kernel {kernel.name!r} cannot start: ipykernel is not installed in"
                f" {display.user_path(prefix)}.",
                f"%env attach {display.typed(prefix)}",
                kernel.name,
            )
        )


def _environment(prefix: Path, progress: Progress) -> Iterator[Finding]:
    """What is wrong inside one environment."""
    kernel = kernelspecs.of_prefix(prefix)
    if not prefix.is_dir():
        return  # said of its kernel
    lost = conda_doctor.gone(prefix, kernel)
    if lost is not None:
        yield Finding(lost)
        return
    try:
        environment = registry.environment_at(prefix)
    except EnvmagicError as error:
        yield Finding(error.problem)
        return
    moved = _moved_from(environment)
    if moved:
        yield Finding(
            _problem(
                "moved",
                f"{display.user_path(prefix)} was moved or copied from {display.user_path(moved)};"
                " its commands still point there.",
                "Make it again: %env create NAME",
                str(prefix),
                Severity.WARNING,
            )
        )
        return
    yield from _contents(environment, kernel, progress)
    if environment.backend is BackendName.CONDA:
        yield from (Finding(*found) for found in conda_doctor.look(environment, progress))


def _contents(
    environment: Environment, kernel: Kernel | None, progress: Progress
) -> Iterator[Finding]:
    prefix = environment.prefix
    name = kernel.name if kernel else registry.Target(prefix, prefix.name).name
    broken = integrity.broken_distributions(environment)
    installed = inspection.distributions(environment)

    def reinstall() -> None:
        with provisioning.locked(prefix):
            now = registry.environment_at(prefix)
            still = integrity.broken_distributions(now) if now.owned else []
            if still:
                provisioning.install_checked(now, provisioning.again(now, still), progress)

    if broken:
        yield Finding(
            _problem(
                "broken-distribution",
                f"Files of {', '.join(broken)} are missing in {display.user_path(prefix)}.",
                f"{shlex.quote(str(environment.python))} -m pip install --force-reinstall"
                f" {' '.join(broken)}",
                str(prefix),
            ),
            reinstall if environment.owned else None,
        )

    def ready() -> None:
        with provisioning.locked(prefix):
            now = registry.environment_at(prefix)
            if now.owned:
                provisioning.make_ready(now, name, provisioning.NOTHING, progress)

    if kernel is not None and "ipykernel" not in installed:
        yield Finding(
            _problem(
                "no-ipykernel",
                f"The kernel {name!r} cannot start: ipykernel is not installed in"
                f" {display.user_path(prefix)}.",
                f"%env attach {display.typed(prefix)}",
                name,
            ),
            ready if environment.owned else None,
        )
    elif environment.owned and payload.fits(environment) and payload.is_stale(environment):
        yield Finding(
            _problem(
                "old-envmagic",
                f"{display.user_path(prefix)} holds an older envmagic.",
                "%env doctor --fix",
                str(prefix),
                Severity.WARNING,
            ),
            ready,
        )
    elif environment.owned and kernel is None:
        yield Finding(
            _problem(
                "no-kernel",
                f"{display.user_path(prefix)} has no kernel.",
                f"%env attach {display.typed(prefix)}",
                str(prefix),
                Severity.WARNING,
            ),
            ready,
        )


def _leftovers(progress: Progress) -> Iterator[Finding]:
    """What was being made or removed when its process ended.

    One that is alive and holds its lock is at work; an installer that goes on alone is waited for.
    What is to be done is decided under the lock, by what is there then: the entry may be another
    one, or none.
    """
    for entry in journal.unfinished():
        prefix = Path(entry.prefix)
        if not locks.is_free(prefix) and entry.running:
            continue

        def settle(prefix: Path = prefix) -> str:
            with provisioning.locked(prefix) as kept:
                if ownership.is_owned(prefix):  # only its kernel was lacking
                    name = names.kernel_name_of(prefix)
                    now = registry.environment_at(prefix)
                    provisioning.make_ready(now, name, provisioning.NOTHING, progress)
                return kept.message if kept else ""

        code, message = "half-made", "was never finished"
        hint = "%env create makes it again; %env doctor --fix clears it away."
        if entry.removing:
            code, message, hint = "half-deleted", "is only half removed", "%env doctor --fix"
        shown = f"{display.user_path(prefix)} {message}."
        yield Finding(_problem(code, shown, hint, entry.prefix), settle)
    for left in _of_earlier_versions():

        def delete(left: Path = left) -> None:
            shutil.rmtree(left)

        yield Finding(
            _problem(
                "half-deleted",
                f"{display.user_path(left)} was left by a command that was cut off.",
                "%env doctor --fix",
                str(left),
                Severity.WARNING,
            ),
            delete,
        )


def _of_earlier_versions() -> list[Path]:
    """What versions that kept no note of it left of environments and kernels."""
    found = [*directories.envs().glob(".envmagic-trash-*")]
    for kind in ("new", "old"):
        found += kernelspecs.directory().glob(f".envmagic-{kind}-*")
    return sorted(found)


def _moved_from(environment: Environment) -> str:
    """Where the environment was made, when that is elsewhere: scripts hold the absolute path."""
    if ownership.is_owned(environment.prefix):
        return ""
    for script in ("activate", "pip", "pip3", "jupyter-kernelspec"):
        recorded = _prefix_in(environment.python.parent / script)
        if recorded and os.path.realpath(recorded) != os.path.realpath(environment.prefix):
            return recorded
    return ""


def _prefix_in(script: Path) -> str:
    try:
        text = script.read_bytes()[:8000].decode("utf-8", "replace")
    except OSError:
        return ""
    for line in text.splitlines():
        if line.startswith("#!/") and line.endswith(("/bin/python", "/bin/python3")):
            return line[2:].strip().rpartition("/bin/")[0]
        key, _, value = line.strip().partition("=")
        value = value.strip().strip("'\"")
        if key == "VIRTUAL_ENV" and value.startswith("/"):
            return value
    return ""


def _is_bare_python(word: str) -> bool:
    return word.startswith("python") and os.path.basename(word) == word


def _belongs_to_environment(kernel: Kernel) -> bool:
    """ipykernel's own spec inside an environment starts that environment's Python."""
    root = kernel.directory.parent.parent.parent.parent
    return inspection.is_environment(root)


def _problem(
    code: str, message: str, hint: str, subject: str, severity: Severity = Severity.ERROR
) -> Problem:
    return Problem(code, message, hint, severity, subject)
