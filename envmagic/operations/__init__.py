"""What the verbs do: one function each, request -> `Report`, the same for all three frontends."""

from __future__ import annotations

from envmagic.core import verbs
from envmagic.core.errors import Problem
from envmagic.core.model import Place, Progress, Report
from envmagic.system import scratch

__all__ = ["keep_record", "run"]


def run(request: verbs.Request, place: Place, progress: Progress) -> Report:
    """Carry out `request` at `place`. Raises `EnvmagicError` when it could not be done.

    What an earlier one left that was killed is cleared away first.
    """
    scratch.sweep(progress.step)
    match request:
        case verbs.CreateRequest():
            from envmagic.operations.create import create

            return create(request, place, progress)
        case verbs.CellRequest():
            from envmagic.operations.create import cell

            return cell(request, place, progress)
        case verbs.AttachRequest():
            from envmagic.operations.attach import attach

            return attach(request, place, progress)
        case verbs.UseRequest():
            from envmagic.operations.use import use

            return use(request, place, progress)
        case verbs.InstallRequest():
            from envmagic.operations.install import install

            return install(request, place, progress)
        case verbs.UninstallRequest():
            from envmagic.operations.install import uninstall

            return uninstall(request, place, progress)
        case verbs.SyncRequest():
            from envmagic.operations.install import sync

            return sync(request, place, progress)
        case verbs.RecordRequest():
            from envmagic.operations.record import record

            return record(request, place, progress)
        case verbs.ListRequest():
            from envmagic.operations.overview import list_all

            return list_all(request, place, progress)
        case verbs.StatusRequest():
            from envmagic.operations.overview import status

            return status(request, place, progress)
        case verbs.RemoveRequest():
            from envmagic.operations.remove import remove

            return remove(request, place, progress)
        case verbs.DoctorRequest():
            from envmagic.operations.doctor import doctor

            return doctor(request, place, progress)


def keep_record(place: Place) -> tuple[Problem, ...]:
    """Bring the record of the notebook at `place` up to date after a cell; returns what is wrong.

    Only while its file says `recording on`.
    """
    from envmagic.record.of_notebook import keep

    return keep(place)
