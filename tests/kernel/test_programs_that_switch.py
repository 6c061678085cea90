"""A notebook that moves runs from top to bottom in the programs that execute notebooks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.console import Console
from support.lab import write_notebook
from support.processes import eventually

WHO = "import os, sys; print(os.environ.get('WHICH', 'first'))"
CELLS = [
    "%load_ext envmagic\nx = 5",
    "%env use alpha",
    WHO,
    "y = 1\n%env use beta\n" + WHO,
    "%env use python3",
    "print(x)",
    "import asyncio\nawait asyncio.sleep(0)\n%env use alpha\nprint(y)",
]
PRINTED = ["", "", "alpha", "beta", "", "5", "1"]


@pytest.mark.parametrize(
    "words",
    [
        ["execute", "--inplace", "n.ipynb"],
        ["nbconvert", "--execute", "--inplace", "--to", "notebook", "n.ipynb"],
        ["papermill", "n.ipynb", "n.ipynb", "--log-output"],
    ],
    ids=["execute", "nbconvert", "papermill"],
)
def test_executed_from_top_to_bottom(
    isolated: Any, specs: Any, short_tmp: Path, words: Sequence[str]
) -> None:
    for name in ("alpha", "beta"):
        specs(name, env={"WHICH": name})
    path = write_notebook(isolated.work / "n.ipynb", CELLS)
    module = [words[0], *words[1:]] if words[0] == "papermill" else ["jupyter", *words]
    subprocess.run([sys.executable, "-m", *module], check=True, timeout=120)
    cells = json.loads(path.read_text("utf-8"))["cells"]
    printed = [
        "".join("".join(o["text"]) for o in c["outputs"] if o["output_type"] == "stream").strip()
        for c in cells
    ]
    assert printed[: len(PRINTED)] == PRINTED
    counts = [cell["execution_count"] for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))


def test_a_console_goes_on_after_a_switch(isolated: Any, specs: Any, short_tmp: Path) -> None:
    specs("alpha", env={"WHICH": "alpha"})
    console = Console("-m", "jupyter_console", "--simple-prompt")
    try:
        console.read(r"In \[1\]: ")
        console.type("%load_ext envmagic")
        console.read(r"In \[2\]: ")
        console.type("x = 5")
        console.read(r"In \[3\]: ")
        console.type("%env use alpha")
        console.read(r"In \[4\]: ")
        console.type(WHO)
        assert "alpha" in console.read(r"In \[5\]: ").splitlines()
        console.type("%env use python3")
        console.read(r"In \[6\]: ")
        console.type("x * 1000")
        assert "5000" in console.read(r"In \[7\]: ")
    finally:
        console.close()
