"""What the frontends cost: loading, `--help`, Tab, an idle `%%env`, recording after each cell.

Prints medians of `ROUNDS` rounds; what is compared takes turns within each round.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _ground import home, table
from support.kernels import RunningKernel
from support.lab import write_notebook

ROUNDS = 15
KERNELS = 5  # fresh ones, for loading

_LOAD = """
import psutil, time
_rss, _began = psutil.Process().memory_info().rss, time.perf_counter()
get_ipython().run_line_magic("load_ext", "envmagic")
(time.perf_counter() - _began), psutil.Process().memory_info().rss - _rss
"""
# inside the kernel: a round trip would measure the sockets as well
_TAB = """
def _tab(text, rounds):
    import time
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        get_ipython().kernel.do_complete(text, len(text))
        taken.append(time.perf_counter() - began)
    return taken
"""

_CELL = """
def _cell(code, rounds):
    import time
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        get_ipython().run_cell(code, store_history=True)
        taken.append(time.perf_counter() - began)
    return taken
"""


def main() -> None:
    with home() as place:
        rows = [*loading(place), *helping(), *typing(place), *idling(place), *recording(place)]
    table(f"The frontends (medians of {ROUNDS})", ["what", "measured", "reach"], rows)


def loading(place: Path) -> list[list[str]]:
    """`%load_ext` in fresh kernels, and what it adds to the process."""
    seconds, memory = [], []
    for _ in range(KERNELS):
        kernel = RunningKernel("python3", place)
        taken, more = ast.literal_eval(kernel.run(_LOAD).result)
        kernel.stop()
        seconds.append(taken)
        memory.append(more / 1e6)
    return [
        [f"`%load_ext envmagic` ({KERNELS} kernels)", _ms(seconds), "15 ms"],
        ["the same, resident", f"{statistics.median(memory):.2f} MB", "3 MB"],
    ]


def helping() -> list[list[str]]:
    """`envmagic --help` against an interpreter that does nothing."""
    nothing, ours = [], []
    for _ in range(ROUNDS):
        nothing.append(_ran("-c", "pass"))
        ours.append(_ran("-m", "envmagic", "--help"))
    more = [one - other for one, other in zip(ours, nothing, strict=True)]
    return [
        ["`python -c pass`", _ms(nothing), ""],
        ["`envmagic --help`", _ms(ours), ""],
        ["the difference", _ms(more), "60 ms"],
    ]


def typing(place: Path) -> list[list[str]]:
    """Tab after `%env cre`; the first one imports the grammar."""
    kernel = RunningKernel("python3", place)
    kernel.run("%load_ext envmagic")
    kernel.run(_TAB)
    kernel.run("_tab('imp', 3)")  # IPython's own first time
    taken = ast.literal_eval(kernel.run(f"_tab('%env cre', {ROUNDS + 1})").result)
    names = ast.literal_eval(kernel.run(f"_tab('%env use py', {ROUNDS + 1})").result)
    kernel.stop()
    return [
        ["Tab after `%env cre`, first time", _ms(taken[:1]), ""],
        ["Tab after `%env cre`", _ms(taken[1:]), "5 ms"],
        ["Tab after `%env use py`", _ms(names[1:]), ""],
    ]


def idling(place: Path) -> list[list[str]]:
    """`%%env` where everything is there already, in the kernel of that very environment."""
    _ran("-m", "envmagic", "create", "bench", "--with", "six", "--json")
    kernel = RunningKernel("bench", place)
    _answered(kernel, "%%env bench\nsix")  # compiles envmagic, which was just copied there
    first = []
    for _ in range(KERNELS):
        kernel.restart()
        _answered(kernel, "pass")
        first.append(_answered(kernel, "%%env bench\nsix"))
    nothing, ours = [], []
    for _ in range(ROUNDS):
        nothing.append(_answered(kernel, "pass"))
        ours.append(_answered(kernel, "%%env bench\nsix"))
    said = kernel.run("%%env bench\nsix").text
    kernel.stop()
    assert "bench has everything" in said, said
    return [
        ["a cell `pass`, there and back", _ms(nothing), ""],
        ["`%%env` with nothing to do, the first after a restart", _ms(first), ""],
        ["`%%env` with nothing to do", _ms(ours), "50 ms"],
    ]


def recording(place: Path) -> list[list[str]]:
    """Cells in two kernels that differ in whether the record is kept after each."""
    taken: dict[str, list[float]] = {}
    kernels = {}
    for state in ("off", "on"):
        notebook = write_notebook(place / state / "a.ipynb", ["import six"])
        kernels[state] = RunningKernel("bench", notebook.parent)
        # how VS Code tells a kernel its notebook
        kernels[state].run(f"__vsc_ipynb_file__ = {str(notebook)!r}")
        kernels[state].run(f"%env record {state}")
        kernels[state].run(_CELL)
    for _ in range(ROUNDS):
        for state, kernel in kernels.items():
            for code in ("x = 1", "import six"):
                more = ast.literal_eval(kernel.run(f"_cell({code!r}, 20)").result)
                taken.setdefault(f"{code}, {state}", []).extend(more)
    text = (place / "on" / "requirements.txt").read_text("utf-8")
    assert "recording on" in text and "six" in text, text
    for kernel in kernels.values():
        kernel.stop()
    rows = [[f"a cell `{name}`", _ms(times), ""] for name, times in sorted(taken.items())]
    for code in ("x = 1", "import six"):
        on, off = (statistics.median(taken[f"{code}, {state}"]) for state in ("on", "off"))
        rows.append([f"recording adds to `{code}`", f"{(on - off) * 1000:.2f} ms", "0.3 ms"])
    return rows


def _answered(kernel: RunningKernel, code: str) -> float:
    began = time.perf_counter()
    kernel.run(code)
    return time.perf_counter() - began


def _ran(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _ms(seconds: list[float]) -> str:
    middle = statistics.median(seconds) * 1000
    low, high = min(seconds) * 1000, max(seconds) * 1000
    return f"{middle:.2f} ms ({low:.2f}–{high:.2f})" if len(seconds) > 1 else f"{middle:.2f} ms"


if __name__ == "__main__":
    main()
