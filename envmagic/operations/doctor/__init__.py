"""`doctor`: everything that is broken or about to be, each with its remedy."""

from __future__ import annotations

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import DoctorData, IndexData
from envmagic.core.verbs import DoctorRequest
from envmagic.environments import registry
from envmagic.environments.backends import commands, indexes
from envmagic.jupyter import kernelspecs
from envmagic.operations.autoload import state
from envmagic.operations.doctor import conda
from envmagic.operations.doctor.autoload import of_startup_files
from envmagic.operations.doctor.environments import of_environment
from envmagic.operations.doctor.finding import Finding
from envmagic.operations.doctor.kernels import of_kernel
from envmagic.operations.doctor.leftovers import of_leftovers
from envmagic.operations.doctor.runtimes import of_runtimes
from envmagic.record import recorded_with
from envmagic.system import prefix_layout, unforeseen

__all__ = ["doctor"]


def doctor(request: DoctorRequest, place: Place, progress: Progress) -> Report[DoctorData]:
    """Look at every kernel and environment; `--fix` mends ours and leaves the rest alone."""
    if request.report:
        data = DoctorData(
            kernels=0, environments=0, fixed=[], autoload=state(), report=unforeseen.report()
        )
        return Report("doctor", data)
    every = kernelspecs.every()
    registered = kernelspecs.by_prefix(every)
    prefixes = [
        prefix
        for prefix in registry.known_prefixes(place)
        if not conda.is_somebody_else_s(
            prefix,
            registered.get(prefix_layout.identity(prefix)),
            current=prefix_layout.same(prefix, place.prefix),
        )
    ]
    findings = [*conda.settings()]
    progress.step(f"Looking at {len(every)} kernels and {len(prefixes)} environments")
    for kernel in every:
        findings += of_kernel(kernel)
    for prefix in prefixes:
        findings += of_environment(prefix, progress)
    findings += of_runtimes(every)
    findings += of_leftovers(progress)
    findings += of_startup_files()
    fixed, kept = _mend(findings, progress) if request.fix else ([], [])
    if request.fix:
        recorded_with.sweep()
    data = DoctorData(
        kernels=len(every),
        environments=len(prefixes),
        fixed=[p.message for p in fixed],
        autoload=state(),
        installer="uv" if commands.find_uv() else "pip",
        indexes=_indexes(place),
    )
    left = tuple(f.problem for f in findings if f.problem not in fixed)
    return Report("doctor", data, changed=bool(fixed), problems=(*left, *kept))


def _indexes(place: Place) -> list[IndexData]:
    """Where packages come from that are installed from here."""
    if commands.find_uv():
        found = indexes.for_uv(place.directory, place.prefix)
    else:
        found = indexes.for_pip(place.prefix)
    return [IndexData(option=index.option, url=index.url, said=index.where) for index in found]


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
