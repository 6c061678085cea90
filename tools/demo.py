"""Execute the quickstart in a throw-away home and show what it left behind (`nox -s demo`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

QUICKSTART = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"
INDENT = " " * 4


def main() -> int:
    """Show everything on standard output; the exit code is that of `jupyter execute`."""
    started = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="envmagic-demo-"))
    try:
        code = _show(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"\nAll together {time.monotonic() - started:.1f} s; {home} is deleted again.")
    return code


def _show(home: Path) -> int:
    print(f"In a throw-away home, {home}:")
    work = home / "work"
    work.mkdir()
    notebook = Path(shutil.copy(QUICKSTART, work))
    env = _environment(home)
    ran = _step(["execute", "--inplace", notebook.name], work, env)
    if ran.returncode:
        print(ran.stdout + ran.stderr)
        return ran.returncode
    _cells(json.loads(notebook.read_text(encoding="utf-8")), home)
    listed = _step(["kernelspec", "list"], work, env)
    print(_indented(listed.stdout, home))
    print("\nrequirements.txt beside the notebook")
    print(_indented((work / "requirements.txt").read_text(encoding="utf-8"), home))
    return listed.returncode


def _environment(home: Path) -> dict[str, str]:
    """A home of its own for all that is written; what pip and uv are set to holds, and caches."""
    person = Path.home()
    kept = {
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(person / ".config")),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(person / ".cache")),
    }
    own = {
        "HOME": home,
        "USERPROFILE": home,
        "ENVMAGIC_HOME": home / "envmagic",
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "jupyter-config",
        "JUPYTER_DATA_DIR": home / "jupyter",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    return {**os.environ, **kept, **{name: str(value) for name, value in own.items()}}


def _step(words: list[str], work: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    started = time.monotonic()
    command = [sys.executable, "-m", "jupyter", *words]
    ran = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True)
    print(f"\njupyter {' '.join(words)}  ({time.monotonic() - started:.1f} s)")
    return ran


def _cells(notebook: dict[str, Any], home: Path) -> None:
    """Each code cell with its time and what it shows."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        first, *rest = "".join(cell["source"]).splitlines()
        print(f"\n{INDENT}[{_seconds(cell):5.2f} s]  {first}")
        for line in rest:
            print(f"{INDENT}{' ' * 11}{line}")
        shown = "\n".join(_text(output) for output in cell["outputs"]).strip("\n")
        if shown:
            print(_indented(shown, home, "  | "))


def _seconds(cell: dict[str, Any]) -> float:
    """How long the kernel was busy with the cell, as nbclient noted it."""
    times = cell["metadata"].get("execution", {})
    begin, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not begin or not end:
        return 0.0
    return (_time(end) - _time(begin)).total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _text(output: dict[str, Any]) -> str:
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _indented(text: str, home: Path, mark: str = "") -> str:
    lines = text.strip("\n").replace(str(home), "~").splitlines()
    return "\n".join(f"{INDENT}{mark}{line}" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
