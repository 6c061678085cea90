"""Executing a notebook file without a person, and reading what its cells show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def execute(
    notebook: Path,
    *,
    kernel: str = "",
    python: Path | str = sys.executable,
    seconds: float = 240,
) -> list[str]:
    """`jupyter execute --inplace`; returns the text of each code cell's outputs.

    A cell that fails is an AssertionError that shows it. `python`: the environment whose `jupyter`
    it is. `seconds` are what it may take.
    """
    named = [f"--kernel_name={kernel}"] if kernel else []
    command = [str(python), "-m", "jupyter", "execute", "--inplace", *named, notebook.name]
    ran = subprocess.run(
        command, cwd=notebook.parent, capture_output=True, text=True, timeout=seconds
    )
    assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}{ran.stderr}"
    return shown(notebook)


def shown(notebook: Path) -> list[str]:
    """The text of each code cell's outputs."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        "\n".join(_text(output) for output in cell["outputs"])
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def _text(output: dict[str, Any]) -> str:
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
