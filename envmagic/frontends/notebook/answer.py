"""A verb said in a notebook: run it with its progress, and show its answer once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from envmagic import operations, switching
from envmagic.core import verbs
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress, Report, Silent
from envmagic.frontends import render
from envmagic.frontends.grammar.asked import Help
from envmagic.frontends.notebook import place, session
from envmagic.frontends.progress import Display, Milestones

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.frontends.grammar.asked import Help, ParsedCommand

__all__ = ["Json", "Shown", "error_json", "give", "show"]


@dataclass(frozen=True)
class Shown(Report[Any]):
    """A `Report` that took the place of its progress display, so the cell shows it already."""

    cell: int = 0
    """The prompt number of that cell."""

    def display(self, shell: InteractiveShell) -> None:
        """Show it, in another cell than the one that shows it already."""
        from IPython.display import display

        if shell.execution_count != self.cell:
            display(render.bundle(self), raw=True)


class Json(str):
    """The JSON envelope as text, shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def give(shell: InteractiveShell, asked: ParsedCommand | Help) -> object:
    """Do what was asked and return what the magic returns. Raises `EnvmagicError`."""
    if isinstance(asked, Help):
        from envmagic.frontends.grammar import help

        print(help.text(asked, terminal=False), end="")
        return None
    progress = Silent() if asked.json else _progress(shell)
    try:
        request = _meant_here(shell, asked.request)
        report = operations.run(request, place.of_notebook(shell), progress)
    except BaseException:
        _stop(progress)
        raise
    try:
        _fill_next_cell(shell, report)
        if asked.json:
            return Json(render.json(report))
        return _shown(shell, _once(shell, report), progress)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("Interrupted when it was done.") from error


def _meant_here(
    shell: InteractiveShell, request: verbs.Request
) -> verbs.Request | verbs.CarryOutRequest:
    """`sync` where the notebook's environment is not ready: it is made so, and moved to."""
    pending = session.pending(shell)
    if pending is None or not isinstance(request, verbs.SyncRequest):
        return request
    running = shell.get_parent().get("header", {}).get("msg_id")
    if pending.request != running:  # a person typed it
        return verbs.CarryOutRequest(trust=request.trust)
    switching.put_off_cell(shell, pending.request, pending.cell)
    return verbs.CarryOutRequest(pending.cell, request.trust, pending.failed)


def _fill_next_cell(shell: InteractiveShell, report: Report[Any]) -> None:
    """Offer the text that is to be a cell of its own as one below this cell."""
    if report.verb == "export" and report.data["cell"]:
        shell.set_next_input(report.data["text"].rstrip("\n"))


def _once(shell: InteractiveShell, report: Report[Any]) -> Report[Any]:
    """`report` without what this session has been told."""
    said = session.said(shell)
    new = [p for p in report.problems if p.code != "kernel-only" or p.message not in said]
    said.update(p.message for p in new if p.code in ("kernel-only", "lock-behind"))
    return replace(report, problems=tuple(new))


def show(shell: InteractiveShell, given: object) -> None:
    """Show what the magic would return, since the cell ends here and nothing will."""
    from IPython.display import display

    if isinstance(given, Report):
        display(given)
    elif given is not None:
        print(given)


def error_json(verb: str, error: EnvmagicError) -> str:
    """The envelope of a verb that could not be done."""
    return render.json(Report(verb, {}, problems=(error.problem,)))


def _progress(shell: InteractiveShell) -> Progress:
    return Display() if _updates(shell) else Milestones()


def _updates(shell: InteractiveShell) -> bool:
    """Whether the frontend replaces a display that is updated.

    Notebooks do, and say which cell a request is of; nbclient, nbconvert and papermill do, and
    allow no input. `jupyter console`, the Qt console and IPython in a terminal do not.
    """
    if getattr(shell, "kernel", None) is None:
        return False
    parent: dict[str, Any] = shell.get_parent() or {}
    content, metadata = parent.get("content") or {}, parent.get("metadata") or {}
    return bool(metadata.get("cellId")) or not content.get("allow_stdin", True)


def _stop(progress: Progress) -> None:
    if isinstance(progress, Display):
        progress.stop()
    elif isinstance(progress, Milestones):
        progress.finish()


def _shown(shell: InteractiveShell, report: Report[Any], progress: Progress) -> Report[Any]:
    if isinstance(progress, Milestones):
        progress.finish()
    if not (isinstance(progress, Display) and progress.shown):
        return report
    progress.finish(render.bundle(report))
    values = {field.name: getattr(report, field.name) for field in fields(Report)}
    return Shown(**values, cell=shell.execution_count)
