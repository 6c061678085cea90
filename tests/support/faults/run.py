"""The whole campaign as a command: a table of what was tried and found, and the tries that failed.

`run.py` does every try, `run.py SCENARIO…` those of some scenarios, `run.py ID…` single tries,
with all that was said in them.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from support import processes
from support.faults.campaign import Campaign
from support.faults.checks import KINDS
from support.faults.scenarios import SCENARIOS, find
from support.faults.strikes import QUIET
from support.faults.tries import Outcome, Try

__all__ = ["failures", "main", "table"]

_HEADS = ("verb", "kills", "losses", "leftovers", "ghosts", "tracebacks", "failed repeats")


def main(words: Sequence[str]) -> int:
    """Do what `words` say and show it; 1 when anything was found. An interrupt ends it early."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as directory:
        campaign = Campaign(Path(directory))
        campaign.prepare()
        with contextlib.suppress(KeyboardInterrupt):
            for outcome in _asked(campaign, words):
                outcomes.append(outcome)
                _show(outcome, whole=any(":" in word for word in words))
        processes.end_in(campaign.root)  # a runtime is still being compiled
    print(f"\n{failures(outcomes)}\n\n{table(outcomes)}")
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _asked(campaign: Campaign, words: Sequence[str]) -> Iterator[Outcome]:
    ids = [word for word in words if ":" in word]
    if ids:
        return campaign.outcomes([Try.of(id) for id in ids])
    return campaign.whole([find(word) for word in words] or SCENARIOS)


def _show(outcome: Outcome, *, whole: bool) -> None:
    """A sign for a try, or all that was said in it."""
    if whole:
        missed = not outcome.hit and outcome.tried.when != QUIET
        note = "  (nothing was killed: it was over before)" if missed else ""
        print(f"{outcome.tried.id}{note}\n{outcome.told}\n", flush=True)
    else:
        print("x" if outcome.faults else "." if outcome.hit else "-", end="", flush=True)


def table(outcomes: Iterable[Outcome]) -> str:
    """How many tries of each verb were killed, and in how many of them something was found."""
    rows: dict[str, list[int]] = {}
    for outcome in outcomes:
        row = rows.setdefault(outcome.tried.scenario.name, [0] * (len(KINDS) + 1))
        row[0] += outcome.hit
        kinds = {fault.kind for fault in outcome.faults}
        for number, kind in enumerate(KINDS, 1):
            row[number] += kind in kinds
    rows = dict(sorted(rows.items()))
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = [_HEADS, *((name, *map(str, row)) for name, row in rows.items())]
    return "\n".join(
        f"{name:20}"
        + "".join(f"{cell:>{len(head) + 2}}" for cell, head in zip(row, _HEADS[1:], strict=True))
        for name, *row in lines
    )


def failures(outcomes: Iterable[Outcome]) -> str:
    """The tries in which something was found, each by its id."""
    failed = sorted((o for o in outcomes if o.faults), key=lambda o: o.tried.id)
    lines = []
    for outcome in failed:
        lines.append(outcome.tried.id)
        lines += [f"    {fault}" for fault in outcome.faults]
    again = ["", "One of them alone, with all that was said: nox -s faults -- ID"]
    return "\n".join([*lines, *(again if failed else ())])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
