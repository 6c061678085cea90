"""How fast the record is, beside deptry and pipreqs and the bare cost of parsing.

python bench/record.py [CORPUS] [--peers DIRECTORY] [--many 10000]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from _ground import ratio, spread, table
from _peers import PEERS, environments

ROOT = Path(__file__).parents[1]
ROUNDS = 5
BARE = """
import ast, json, pathlib, sys, warnings
warnings.simplefilter("ignore")
for path in pathlib.Path(sys.argv[1]).rglob("*.ipynb"):
    document = json.loads(path.read_bytes())
    sheets = document.get("worksheets") or [document]
    for cell in (c for sheet in sheets for c in sheet["cells"] if c["cell_type"] == "code"):
        source = cell.get("source", cell.get("input", ""))
        try:
            ast.parse(source if isinstance(source, str) else "".join(source))
        except (SyntaxError, ValueError):
            from IPython.core.inputtransformer2 import TransformerManager
            try:
                ast.parse(TransformerManager().transform_cell("".join(source)))
            except (SyntaxError, ValueError):
                pass
"""
RESOLVE = """
import sys, time
from pathlib import Path
from envmagic.distributions import Resolver, index_of, known
known()
start = time.perf_counter()
index = index_of([Path(sys.argv[1])])
assert Resolver(index).resolve("module_250.deep").name == "dist-250"
print(time.perf_counter() - start)
start = time.perf_counter()
assert Resolver(index_of([Path(sys.argv[1])])).resolve("module_7").name == "dist-7"
print(time.perf_counter() - start)
"""


def run(words: list[str], cwd: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command."""
    import time

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(words, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return wall, used


def walls(words: list[str], cwd: Path) -> list[float]:
    return [run(words, cwd)[0] for _ in range(ROUNDS)]


def ours(target: Path) -> list[str]:
    words = [sys.executable, "-m", "envmagic", "record", "--env", "none", "--to", "-"]
    return [*words, str(target)]


def peak(words: list[str]) -> float:
    """The largest resident size, in MB, of the command's processes."""
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], stdout=-3, stderr=-3)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    said = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    return float(said.stdout)


def site_of(place: Path, count: int) -> Path:
    """A site-packages directory with `count` distributions of two hundred files each."""
    site = place / "site-packages"
    for number in range(count):
        info = site / f"dist_{number}-1.0.dist-info"
        info.mkdir(parents=True)
        info.joinpath("METADATA").write_text(f"Name: dist-{number}\nVersion: 1.0\n" + "x\n" * 400)
        top = f"module_{number}" if number % 10 else f"shared/part_{number}"
        files = [f"{top}/__init__.py,sha256=0,1", f"module_{number}/__init__.py,,"]
        files += [f"{top}/deep/file_{n}.py,sha256=47DEQpj8HBSa-_TImW,0" for n in range(200)]
        info.joinpath("RECORD").write_text("\n".join([*files, f"{info.name}/RECORD,,"]) + "\n")
    return site


def compare(corpus: Path, bins: dict[str, Path]) -> None:
    deptry, pipreqs = (
        next(p for p in PEERS if p.name == name).command(bins[name], corpus)
        for name in ("deptry", "pipreqs")
    )
    one = next(p for p in sorted(corpus.iterdir()) if p.is_dir())
    alone = [str(bins["deptry"] / "deptry"), "."]
    (one / "requirements.txt").touch()
    rows = []
    for what, ourselves, theirs, cwd in (
        ("the corpus, beside deptry", ours(corpus), [*deptry[:1], "."], corpus),
        ("the corpus, beside pipreqs", ours(corpus), pipreqs, corpus),
        ("one notebook, beside deptry", ours(next(one.glob("*.ipynb"))), alone, one),
    ):
        mine, other = walls(ourselves, cwd), walls(theirs, cwd)
        rows.append((what, spread(mine), spread(other), ratio(mine, other)))
    table("One command", ("what", "envmagic", "the other", "ratio"), rows)


def many(corpus: Path, place: Path, count: int) -> None:
    notebooks = sorted(corpus.rglob("*.ipynb"))
    rows = []
    for wanted in (count // 10, count):
        tree = place / f"many{wanted}"
        for number in range(wanted):
            source = notebooks[number % len(notebooks)]
            target = tree / f"{number // len(notebooks)}" / f"{number}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(source)
        wall, used = run(ours(tree), place)
        bare_wall, bare_used = run([sys.executable, "-c", BARE, str(tree)], place)
        rows.append(
            (
                str(wanted),
                f"{wall:.2f} s",
                f"{used:.2f} s",
                f"{bare_wall:.2f} s",
                f"{used / bare_used:.2f} ×",
            )
        )
        shutil.rmtree(tree)
    head = ("notebooks", "envmagic", "its processor time", "json.loads + ast.parse", "processor")
    table("Growth", head, rows)


def resolving(place: Path) -> None:
    site = site_of(place, 500)
    first: list[float] = []
    cached: list[float] = []
    again: list[float] = []
    for _ in range(ROUNDS):
        shutil.rmtree(Path(os.environ["ENVMAGIC_HOME"]) / "cache", ignore_errors=True)
        for kept in (first, cached):
            words = [sys.executable, "-c", RESOLVE, str(site)]
            said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
            kept.append(float(said[0]))
        again.append(float(said[1]))
    rows = [
        ("first", spread(first, "ms")),
        ("afterwards, another process", spread(cached, "ms")),
        ("afterwards, the same process", spread(again, "ms")),
    ]
    table("Resolving against 500 distributions", ("when", "time"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the record is.")
    parser.add_argument("corpus", nargs="?", type=Path, default=ROOT.parent / "shared" / "corpus")
    parser.add_argument("--peers", type=Path, default=ROOT / ".nox" / "peers")
    parser.add_argument("--many", type=int, default=10_000)
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="envmagic-bench-") as name:
        place = Path(name)
        os.environ["ENVMAGIC_HOME"] = str(place / "home")
        corpus = place / "corpus"
        shutil.copytree(asked.corpus / "notebooks", corpus)
        (corpus / "requirements.txt").touch()
        run(ours(corpus), place)  # compiled once
        compare(corpus, environments(asked.peers))
        print(f"\nPeak memory on the corpus: {peak(ours(corpus)):.0f} MB a process")
        many(corpus, place, asked.many)
        resolving(place)


if __name__ == "__main__":
    main()
