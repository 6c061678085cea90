"""Score the record, and other scanners, on a corpus of notebooks with known truth.

    python bench/corpus.py [CORPUS] [--peers DIRECTORY] [--ours]

CORPUS (default: `corpus` in the `shared` directory beside the repository) holds `notebooks/<id>/`,
`truth.json` and `micro.py`. Nothing is installed and no index is asked: what counts is what each
tool knows. The `.py` files beside a notebook are emptied first, for every tool: they stay local
modules, and only the notebook's own imports are scored, which is what the truth lists.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from _peers import PEERS, Crashed, environments
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
Truth = dict[str, Any]
Names = Callable[[Path], set[str]]


@dataclass
class Score:
    """How one tool did on some notebooks."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    exact: int = 0
    notebooks: int = 0
    crashed: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, identity: str, names: Iterable[str], truth: Truth) -> None:
        tp, wrong, missed = judge({canonicalize_name(n) for n in names}, truth)
        self.right += tp
        self.wrong += len(wrong)
        self.missed += len(missed)
        self.notebooks += 1
        self.exact += not wrong and not missed
        if wrong or missed:
            self.faults.append(f"{identity}: not needed {wrong}, missed {missed}")

    @property
    def precision(self) -> float:
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.right + self.missed, 1)

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def judge(names: set[str], truth: Truth) -> tuple[int, list[str], list[str]]:
    """Needed ones found, names that are not needed, and needed ones that were missed."""
    alternatives: dict[str, list[str]] = truth.get("alternatives", {})
    neutral = {*truth["optional"], *truth["neutral"]}
    for optional in truth["optional"]:
        neutral |= set(alternatives.get(optional, ()))
    used: set[str] = set()
    missed: list[str] = []
    for needed in truth["required"]:
        met = [n for n in (needed, *alternatives.get(needed, ())) if n in names]
        if met:
            used.add(met[0])
        else:
            missed.append(needed)
    wrong = sorted(n for n in names if n not in used and n not in neutral)
    return len(truth["required"]) - len(missed), wrong, missed


def ours(directory: Path) -> set[str]:
    """What the command prints for a notebook without any environment."""
    notebook = next(directory.glob("*.ipynb"))
    words = [sys.executable, "-m", "envmagic", "record", "--env", "none", "--pin", "none"]
    said = subprocess.run(
        [*words, "--to", "-", str(notebook)], capture_output=True, text=True, cwd=directory
    )
    if said.returncode:
        raise Crashed(said.stderr)
    return {n for n in map(name_of, said.stdout.splitlines()) if n}


def name_of(line: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(line).name
    except InvalidRequirement:
        return ""


def measured(place: Path, truth: dict[str, Truth], names: Names) -> dict[str, Score]:
    """A score for all notebooks and one for each bucket."""
    scores: dict[str, Score] = {"all": Score()}
    for identity, what in sorted(truth.items()):
        try:
            found = names(place / identity)
        except Crashed:
            found = set()
            scores["all"].crashed += 1
        for bucket in ("all", *what["buckets"]):
            scores.setdefault(bucket, Score()).add(identity, found, what)
    return scores


def prepared(corpus: Path, place: Path) -> Path:
    target = place / "notebooks"
    shutil.copytree(corpus / "notebooks", target)
    for file in target.rglob("*.py"):
        file.write_text("")
    return target


def micro(corpus: Path, place: Path) -> list[str]:
    """The hard little notebooks whose imports we get wrong."""
    spec = importlib.util.spec_from_file_location("micro", corpus / "micro.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wrong: list[str] = []
    for number, (name, (notebook, expected)) in enumerate(module.CASES.items()):
        directory = place / f"micro{number}"
        directory.mkdir()
        path = directory / "case.ipynb"
        mark = b"\xef\xbb\xbf" if "BOM" in name else b""
        path.write_bytes(mark + json.dumps(notebook).encode())
        if top_level(path) != expected:
            wrong.append(f"{name}: {sorted(top_level(path))}, not {sorted(expected)}")
    return wrong


def top_level(path: Path) -> set[str]:
    """The first parts of the imports that our JSON lists for the notebook itself."""
    words = [sys.executable, "-m", "envmagic", "record", "--env", "none", "--to", "-", "--json"]
    said = subprocess.run([*words, str(path)], capture_output=True, text=True, check=True)
    (notebook,) = json.loads(said.stdout)["data"]["notebooks"]
    sites = [s for r in notebook["requirements"] if not r["optional"] for s in r["sites"]]
    own = (s for s in [*sites, *notebook["unresolved"]] if s["file"] == notebook["path"])
    modules = [site["module"] for site in own]
    return {module.partition(".")[0] for module in modules if module}


def row(name: str, scores: dict[str, Score]) -> str:
    total = scores["all"]
    namespace = scores.get("namespace", Score())
    cells = (
        f"{total.f1:.3f}",
        f"{total.exact / total.notebooks:.3f}",
        f"{total.precision:.3f}",
        f"{total.recall:.3f}",
        f"{namespace.exact / max(namespace.notebooks, 1):.2f}",
        str(total.crashed),
    )
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the record on a corpus of notebooks.")
    parser.add_argument("corpus", nargs="?", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--peers", type=Path, default=ROOT / ".nox" / "peers")
    parser.add_argument("--ours", action="store_true", help="without the other scanners")
    asked = parser.parse_args()
    truth = json.loads((asked.corpus / "truth.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as name:
        place = prepared(asked.corpus, Path(name))
        print("| | F1 | exact | precision | recall | namespace exact | crashed |")
        print("|---|---|---|---|---|---|---|")
        own = measured(place, truth, ours)
        print(row("envmagic", own), flush=True)
        if not asked.ours:
            for peer, bins in zip(PEERS, environments(asked.peers).values(), strict=True):
                scores = measured(place, truth, partial(peer.names, bins))
                print(row(peer.name, scores), flush=True)
        wrong = micro(asked.corpus, Path(name))
        print(f"\nHard little notebooks: {42 - len(wrong)} right.", *wrong, sep="\n- ")
        print("\nWhere envmagic and the truth differ:", *own["all"].faults, sep="\n- ")


if __name__ == "__main__":
    main()
