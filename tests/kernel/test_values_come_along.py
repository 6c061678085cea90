"""Plain values and variables of the environment come along to a kernel that just started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from support.lab import write_notebook

SECRET = "k3y-of-somebody"
VALUES = """
import datetime as d, decimal, fractions, enum, collections
whole = [None, True, 10**5000, -0.5, float('inf'), 2j, 'ü\\ud800', b'\\x00']
whole += [decimal.Decimal('1.10')]
dates = (d.date(2024, 2, 29), d.datetime(2024, 1, 1, 1, tzinfo=d.timezone.utc), d.timedelta(1))
nested = {(1, 'a'): {frozenset({fractions.Fraction(1, 3)})}, None: [[], {}, (), set()]}
ring = [1]; ring.append(ring); same = ring
"""
STAY = """
class Own(str): pass
class Color(enum.IntEnum): RED = 1
own, red, counted = Own('x'), Color.RED, collections.Counter('ab')
hidden_inside = [[{'a': (1, own)}]]
deep = []
for _ in range(100_000): deep = [deep]
large = b'x' * 2_000_000
many = [0] * 5_000_000
_mine = 1
def f(): pass
"""
LOOK = """
print(whole == [None, True, 10**5000, -0.5, float('inf'), 2j, 'ü\\ud800', b'\\x00', whole[-1]])
print(whole[-1], *dates, nested, ring[1] is ring, same is ring, sep='|')
print(sorted(k for k in globals() if k in said or k == '_mine'))
"""
NAMES = "said = 'own red counted hidden_inside deep large many f Own Color'.split()"


def test_every_plain_value_and_nothing_else(switching: Any, specs: Any) -> None:
    """What they share and rings among them are kept; what is not plain, too deep, too much, or
    called with a `_` stays where it is."""
    kernel = switching()
    kernel.run(f"{VALUES}{STAY}{NAMES}")
    moved = kernel.run("%env use alpha")
    assert "6 variables came along. 10 variables stay in python3" in moved.text
    kernel.run("import collections")
    same, values, others = kernel.run(LOOK).stdout.splitlines()
    assert (same, others) == ("True", "[]")
    assert values == (
        "1.10|2024-02-29|2024-01-01 01:00:00+00:00|1 day, 0:00:00|"
        "{(1, 'a'): {frozenset({Fraction(1, 3)})}, None: [[], {}, (), set()]}|True|True"
    )
    kernel.run("whole = 'mine'\n%env use python3\nwhole = 'first'")
    assert kernel.run("%env use alpha\nprint(whole)").stdout == "mine\n", "only to a fresh kernel"
    specs("other", language="r")
    assert "came along" not in kernel.run("%env use other").text


def test_variables_of_the_environment(switching: Any, isolated: Any) -> None:
    """What was set, deleted and added to PATH; what is the kernel's own stays its own. It is said
    without what it is, and lies on no command line, in no file and in no start of a process."""
    kernel = switching("python3", env={"GONE": "1", "KEPT": "2"})
    kernel.run(
        f"import os; os.environ['API_KEY'] = {SECRET!r}\n"
        "%env PLAIN=with a space\n"
        "del os.environ['GONE']; os.environ['VIRTUAL_ENV'] = '/nowhere'\n"
        "os.environ['PATH'] = os.pathsep.join(['/first', os.environ['PATH'], '/last'])"
    )
    moved = kernel.run("%env use alpha")
    assert "4 environment variables came along." in moved.text
    assert SECRET not in moved.text
    ask = "[os.environ.get(n) for n in ('API_KEY', 'PLAIN', 'GONE', 'KEPT', 'VIRTUAL_ENV')]"
    told = kernel.run(f"import os; print({ask})\nos.environ['PATH'].split(os.pathsep)")
    assert told.stdout == f"{[SECRET, 'with a space', None, '2', os.environ.get('VIRTUAL_ENV')]}\n"
    assert {"/first", "/last"} <= set(eval(told.result))
    for process in psutil.Process(kernel.pid).children(recursive=True):
        assert SECRET not in f"{process.cmdline()}{process.environ()}"
    for place in (isolated.runtime, isolated.envmagic, Path(os.environ["TMPDIR"])):
        files = [path for path in place.rglob("*") if path.is_file()]
        assert not [path for path in files if SECRET.encode() in path.read_bytes()]
    kernel.run("%env use beta")
    assert kernel.run("import os; os.environ['API_KEY']").result == repr(SECRET), "and on"
    kernel.run("%env use python3\n%env use beta --drop")


def test_parameters_of_papermill(isolated: Any, specs: Callable[..., Any], short_tmp: Path) -> None:
    """They are put above the cell that makes the notebook move."""
    specs("alpha")
    cells = ["%load_ext envmagic", "%env use alpha", "import os; print(alpha, names)"]
    held = json.loads(write_notebook(isolated.work / "in.ipynb", cells).read_text("utf-8"))
    for cell in held["cells"]:
        cell["metadata"]["tags"] = []
    (isolated.work / "in.ipynb").write_text(json.dumps(held))
    words = ["-p", "alpha", "3", "-y", "names: [a, b]"]
    subprocess.run([sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", *words], check=True)
    *_, last = json.loads((isolated.work / "out.ipynb").read_text("utf-8"))["cells"]
    assert last["outputs"][0]["text"] == ["3 ['a', 'b']\n"]
