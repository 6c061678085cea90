"""Do the imports of a notebook work in the environment that it is guessed to need?

    python bench/outcome.py [CORPUS] [--half tuning|held-out|all] [--notebooks 40] [--seed 1]

For each notebook of a sample: guess, make, and run each of its imports in a process of its own; the
same with what other scanners find and with the names that the truth has, all of them installed in
their newest versions, by wheels, on one Python. A name that is not known is not asked of an index,
so none is searched. A notebook that needs a distribution over 300 MB is counted apart and only
resolved. What `bench/corpus.py` says of CORPUS holds here, too; the half that a notebook is in is
decided by its name. It needs a network, some gigabytes, and an hour; `--ours` takes a third.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from _outcome import (
    CAUSES,
    Result,
    Sample,
    by_names,
    half,
    interval,
    needs_much,
    ours,
    own_home,
    resolves,
    sample,
)
from _peers import PEERS, Crashed, Peer, environments
from corpus import ROOT, prepared
from packaging.utils import canonicalize_name

Tool = Callable[[Sample], Result]


def chosen(corpus: Path, place: Path, asked: argparse.Namespace) -> list[Sample]:
    """The sample: notebooks in a seeded order, as many as were asked for."""
    truth = json.loads((corpus / "truth.json").read_text("utf-8"))
    names = [i for i in sorted(truth) if asked.half in ("all", half(i))]
    names = [i for i in names if not asked.only or i in asked.only]
    random.Random(asked.seed).shuffle(names)
    found = (sample(name, place / name, truth[name]) for name in names)
    return [item for item in found if item is not None][: asked.notebooks]


def tools(place: Path, asked: argparse.Namespace) -> dict[str, Tool]:
    """What is compared, ours first."""

    def made(builds: bool, item: Sample) -> Result:
        return ours(item, place, asked.python, builds=builds)

    found: dict[str, Tool] = {"envmagic": partial(made, asked.builds)}
    if asked.ours:
        return found

    seen: dict[tuple[str, frozenset[str]], Result] = {}

    def with_names(names: Collection[str], item: Sample) -> Result:
        """Tools that find the same have the same come out."""
        key = item.identity, frozenset(map(canonicalize_name, names))
        if key not in seen:
            seen[key] = by_names(names, item, place, asked.python)
        return seen[key]

    def true(item: Sample) -> Result:
        return with_names(item.truth["required"], item)

    def newest(item: Sample) -> Result:
        names = [wish.name for wish in item.guess.wishes if not wish.companion]
        return with_names(names, item)

    def of(peer: Peer, bins: Path, item: Sample) -> Result:
        try:
            return with_names(peer.names(bins, item.directory), item)
        except Crashed as error:
            return Result(("everything",), "no such distribution", notes=(str(error),))

    found |= {"our names, newest": newest, "the true names, newest": true}
    for peer, bins in zip(PEERS, environments(asked.peers).values(), strict=True):
        found[peer.name] = partial(of, peer, bins)
    return found


def timed(tool: Tool, item: Sample) -> Result:
    started = time.monotonic()
    return replace(tool(item), seconds=time.monotonic() - started)


def told(name: str, item: Sample, result: Result) -> None:
    """One notebook's lines, as they come."""
    verdict = "works" if result.works else result.cause
    print(f"{item.identity} {name}: {verdict} ({result.seconds:.0f} s)", flush=True)
    for line in (*result.failed[:4], *result.notes):
        print(f"    {line[:240]}", flush=True)


def table(results: dict[str, list[Result]]) -> None:
    print("\n| | all imports work | 95 % | " + " | ".join(CAUSES) + " | median s |")
    print("|---|---|---|" + "---|" * (len(CAUSES) + 1))
    for name, rows in results.items():
        right = sum(row.works for row in rows)
        low, high = interval(right, len(rows))
        causes = Counter(row.cause for row in rows)
        seconds = sorted(row.seconds for row in rows)[len(rows) // 2]
        cells = (
            f"{right} of {len(rows)} ({right / len(rows):.0%})",
            f"{low:.0%}–{high:.0%}",
            *(str(causes[cause]) for cause in CAUSES),
            f"{seconds:.0f}",
        )
        print(f"| {name} | {' | '.join(cells)} |")


def run(items: Sequence[Sample], made: dict[str, Tool], python: str) -> None:
    results: dict[str, list[Result]] = {name: [] for name in made}
    large: list[bool] = []
    for item in items:
        if needs_much(item.truth, python):
            large.append(resolves(item.guess, python))
            print(f"{item.identity}: large, {'resolves' if large[-1] else 'does not'}", flush=True)
            continue
        for name, tool in made.items():
            result = timed(tool, item)
            told(name, item, result)
            results[name].append(result)
    if any(results.values()):
        table(results)
    print(f"\nLarge ones, of which ours resolve: {sum(large)} of {len(large)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = ROOT.parent / "shared" / "corpus"
    parser.add_argument("corpus", nargs="?", type=Path, default=default)
    parser.add_argument("--half", choices=["tuning", "held-out", "all"], default="all")
    parser.add_argument("--notebooks", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", metavar="ID")
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--peers", type=Path, default=ROOT / ".nox" / "peers")
    parser.add_argument("--work", type=Path, default=ROOT / ".nox" / "outcome")
    parser.add_argument("--ours", action="store_true", help="without the others")
    parser.add_argument("--builds", action="store_true", help="ours may build from source")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    if hasattr(os, "nice"):
        os.nice(19)
    with own_home(asked.work), tempfile.TemporaryDirectory(dir=asked.work) as name:
        place = Path(name)
        items = chosen(asked.corpus, prepared(asked.corpus, place), asked)
        run(items, tools(place, asked), asked.python)


if __name__ == "__main__":
    main()
