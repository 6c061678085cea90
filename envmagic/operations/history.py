"""`history`: what changed in the environment that the notebook runs in, and by whom."""

from __future__ import annotations

import re

from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import Change, ChangeData, HistoryData
from envmagic.core.verbs import HistoryRequest
from envmagic.environments import history as kept
from envmagic.environments import registry
from envmagic.environments.history import Entry
from envmagic.operations.here import environment_of

__all__ = ["data_of", "history"]

_LATEST = 20
_PINNED = re.compile(r"[^=]+==(.+)")


def history(request: HistoryRequest, place: Place, progress: Progress) -> Report[HistoryData]:
    """What changed in the environment, also what other tools did there meanwhile."""
    environment = environment_of(place)
    kept.look(environment.prefix)
    entries = kept.entries(environment.prefix)
    shown = entries if request.all else entries[-_LATEST:]
    data = HistoryData(
        environment=registry.describe(environment, None, place),
        history=[data_of(entry) for entry in shown],
    )
    problems = []
    if len(shown) < len(entries):
        more = f"{len(entries) - len(shown)} earlier changes are kept."
        problems.append(
            Problem(
                "more-history", more, "To see them", Severity.INFO, command=("history", "--all")
            )
        )
    return Report("history", data, problems=tuple(problems))


def data_of(entry: Entry) -> ChangeData:
    """One change, for people and programs."""
    return ChangeData(
        number=entry.number,
        when=entry.when,
        what=entry.what,
        notebook=entry.notebook or None,
        changes=_changes(entry),
        before=dict(entry.before),
        after=dict(entry.after),
        cut_off=entry.cut_off,
        traits={name: list(values) for name, values in entry.traits.items()},
    )


def _changes(entry: Entry) -> list[Change]:
    removed = [
        Change(name=n, version=_version(v), action="removed") for n, v in entry.before.items()
    ]
    return removed + [
        Change(name=n, version=_version(v), action="installed") for n, v in entry.after.items()
    ]


def _version(line: str) -> str:
    """Of a line of the history: its version, else where it came from."""
    pinned = _PINNED.fullmatch(line)
    if pinned is not None:
        return pinned[1]
    return line.partition(" @ ")[2] or line
