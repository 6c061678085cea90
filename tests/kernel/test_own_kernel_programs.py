"""The kernel `envmagic` in the programs that execute notebooks, and in a console: what it is to run
runs in the notebook's own environment."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.console import Console
from support.lab import write_notebook

PREFIX = "import sys; print(sys.prefix)"
# The relay is in front of a kernel that the notebook has moved to, and of no other.
WHERE = "import os, sys; print(sys.prefix, slugify.__file__, 'ENVMAGIC_RELAY' in os.environ, alpha)"
CELLS = ["alpha = 1", "%%time\nimport slugify", WHERE]

EXECUTE = ("jupyter", "execute", "--kernel_name=envmagic", "--inplace", "n.ipynb")
NBCONVERT = ("jupyter", "nbconvert", "--execute", "--to", "notebook", "--inplace", "n.ipynb")
NAMED = (*NBCONVERT, "--ExecutePreprocessor.kernel_name=envmagic")
PAPERMILL = ("papermill", "n.ipynb", "out.ipynb", "-k", "envmagic", "-p", "alpha", "5")


@pytest.mark.parametrize(
    ("first", "again", "declared"),
    [
        pytest.param(EXECUTE, EXECUTE, "", id="execute", marks=pytest.mark.every_python),
        pytest.param(NBCONVERT, NAMED, "python-slugify\n", id="nbconvert"),
        pytest.param(PAPERMILL, PAPERMILL, "", id="papermill"),
    ],
)
def test_the_environment_is_made_and_then_it_is_there(
    isolated: Any, first: Sequence[str], again: Sequence[str], declared: str
) -> None:
    """From what a requirements file says, else from what is imported; no file is written."""
    work, at_home = isolated.work, _at_home()
    prefix = work / ".venv" if declared else isolated.envmagic / "envs" / "n"
    if declared:
        (work / "requirements.txt").write_text(declared)
    alpha = "5" if first is PAPERMILL else "1"

    told, where = _executed(work, first)
    assert "Created " in told and "Wall time" in told
    assert where == [str(prefix), str(_slugify(prefix)), "True", alpha]
    told, where = _executed(work, again)
    assert "Wall time" in told and "(Python" not in told
    assert where == [str(prefix), str(_slugify(prefix)), "False", alpha]

    texts = {path.name: path.read_text() for path in work.glob("*.txt")}
    assert texts == ({"requirements.txt": declared} if declared else {})
    assert _at_home() == at_home


def _executed(work: Path, words: Sequence[str]) -> tuple[str, list[str]]:
    """Run the program; what all cells but the last show, and the words that the last prints."""
    saved = "envmagic" if words is NBCONVERT else "python3"
    _write(work / "n.ipynb", saved)
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=work, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = work / ("out.ipynb" if words is PAPERMILL else "n.ipynb")
    held = json.loads(out.read_text("utf-8"))
    cells = held["cells"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert held["metadata"]["kernelspec"]["name"] == saved
    shown = ["".join(map(_text, cell["outputs"])) for cell in cells]
    return "".join(shown[:-1]), shown[-1].split()


def _write(path: Path, kernel: str) -> None:
    """The notebook with `CELLS`, as papermill wants it."""
    held = json.loads(write_notebook(path, CELLS, kernel).read_text("utf-8"))
    held["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(held, indent=1), encoding="utf-8")


def _text(output: dict[str, Any]) -> str:
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))


def _slugify(prefix: Path) -> Path:
    site = sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)})
    return Path(site, "slugify", "__init__.py")


def _at_home() -> set[str]:
    """What is installed in the environment of the tests."""
    return {path.name for path in Path(sysconfig.get_path("purelib")).iterdir()}


@contextmanager
def console(*words: str) -> Iterator[Callable[[str], str]]:
    """`jupyter console` with the kernel `envmagic`, in the working directory; what is typed there
    is answered."""
    program = Console("-m", "jupyter_console", "--simple-prompt", "--kernel", "envmagic")
    program.read(r"In \[1\]: ")
    count = 1

    def say(line: str) -> str:
        nonlocal count
        count += 1
        program.type(line)
        return program.read(rf"In \[{count}\]: ").partition(line)[2]

    try:
        yield say
    finally:
        program.close()


def test_a_console_runs_in_the_environment_beside(isolated: Any, bare_venv: Any) -> None:
    prefix = isolated.work / ".venv"
    bare_venv(prefix)
    subprocess.run([sys.executable, "-m", "envmagic", "attach", prefix], check=True)
    with console() as say:
        assert str(prefix) in say(PREFIX).splitlines()
        assert "This session runs in work" in say("%env status")


def test_a_console_where_nothing_is_declared_is_an_ordinary_one(
    isolated: Any, kernel: Callable[..., Any]
) -> None:
    """Also for a program that asks which Python it talks to."""
    told = kernel("envmagic").client.kernel_info(reply=True, timeout=60)["content"]
    assert told["language_info"]["version"] == platform.python_version()
    with console() as say:
        assert sys.prefix in say(PREFIX).splitlines()
        assert "nothing" in say("%env sync")
        assert sys.prefix in say(PREFIX).splitlines()
    assert not (isolated.envmagic / "envs").exists()
