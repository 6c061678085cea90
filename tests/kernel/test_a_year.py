"""A notebook goes through the year that docs/how-to/a-year.md tells of, by the page's own words."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.kernels import RunningKernel
from support.notebooks import execute
from support.pages import blocks
from support.second_machine import moved_to
from support.simple_index import serving
from support.terminal import Said
from support.wheels import build

from envmagic.environments.backends import commands

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"
PAGE = "docs/how-to/a-year.md"
BROKEN = "def naturalsize(value):\n    raise TypeError('a Size is wanted')\n"
_FIGURES = ("print(sys.prefix)", "print(tabulate(")


@pytest.fixture
def index(isolated: Any, wheelhouse: Path) -> Iterator[Path]:
    """The directory of all packages, which uv has from an index with hashes."""
    wheels = isolated.home / "index"
    wheels.mkdir()
    for wheel in wheelhouse.glob("*.whl"):
        (wheels / wheel.name).symlink_to(wheel)
    with serving(wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        settings.write_text(f'[[index]]\nurl = "{address}"\ndefault = true\n')
        yield wheels


def sources() -> list[str]:
    """The notebook's code cells."""
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def figures(session: RunningKernel) -> str:
    """What the notebook's cells that show something say now, without where they run."""
    cells = [cell for cell in sources() if any(word in cell for word in _FIGURES)]
    ran = [session.run(cell, check=False) for cell in cells]
    lines = [line for each in ran for line in f"{each.stdout}{each.error}".splitlines()]
    return "\n".join(line for line in lines if not line.startswith(os.sep))


def test_a_year(
    isolated: Any,
    index: Path,
    kernel: Callable[..., RunningKernel],
    terminal: Callable[..., Said],
    pythons: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    runtimes_directory: Path,
    tmp_path: Path,
) -> None:
    """Created, recorded, locked, upgraded, broken by that, undone, moved to another Python, cloned,
    and restored on a second machine, which has another file under the name of one of them first."""
    here = "{}.{}".format(*sys.version_info[:2])
    other = next((version for version in reversed(pythons) if version != here), None)
    if other is None:
        pytest.skip("there is no other Python on this machine")
    notebook = Path(shutil.copy(NOTEBOOK, isolated.work))
    record, lock = (isolated.work / name for name in ("requirements.txt", "pylock.toml"))
    said = iter(blocks(PAGE, "python"))
    session = kernel(notebook=notebook)
    session.run("%load_ext envmagic")
    words: list[str] = []

    def say() -> str:
        words.append(next(said).replace("3.13", other))
        return session.run(words[-1]).text

    def begin_anew() -> None:
        session.restart()
        for cell in sources()[:2]:
            session.run(cell)

    say()
    figures(session)
    say()
    assert all(block in sources() for block in words)
    right = figures(session)
    assert "one-cell-one-environment\n123.5 MB" in right and "python-slugify" in right
    say()
    january = record.read_text(), lock.read_text()

    build(index, "humanize", "99.0", files={"humanize/__init__.py": BROKEN})
    assert "99.0" in say() and record.read_text() == january[0]
    assert "99.0" in say()
    begin_anew()
    assert figures(session) == right.replace("123.5 MB", "TypeError: a Size is wanted")
    assert "humanize==99.0" in record.read_text() and "99.0" in lock.read_text()
    say()
    say()
    begin_anew()
    assert figures(session) == right
    assert (record.read_text(), lock.read_text()) == january

    assert f"Python {other}" in say()
    assert figures(session) == right
    assert session.run("'{}.{}'.format(*sys.version_info[:2])").result == repr(other)
    say()
    assert "trial" in session.run("import sys; sys.prefix").result and figures(session) == right
    say()
    say()
    assert figures(session) == right
    rows = [re.split(r"\s{2,}", line.strip()) for line in say().splitlines()[2:]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5"], rows
    what = [row[2] for row in rows]
    assert what[1:] == ["install tabulate", "upgrade", "undo", f"upgrade --python {other}"], rows
    say()
    assert next(said, None) is None
    session.stop()

    restored, executed = blocks(PAGE, "console")[0].splitlines()
    assert executed == f"jupyter execute {notebook.name}"
    machine = tmp_path / "second"
    there = moved_to(machine, runtimes_directory, monkeypatch)
    monkeypatch.setenv("UV_CACHE_DIR", str(machine / "cache"))
    for file in (notebook, record, lock):
        shutil.copy(file, there)
    (version,) = re.findall(r"humanize==([\d.]+)", record.read_text())
    wheel = index / f"humanize-{version}-py3-none-any.whl"
    genuine = wheel.resolve()
    wheel.unlink()
    build(index, "humanize", version, files={"humanize/__init__.py": BROKEN})
    again = restored.split()[1:]
    refused = terminal(*again, cwd=there, code=1)
    assert "humanize that the index has is not the one" in refused.err
    assert not (machine / "envmagic" / "envs" / "quickstart").exists()
    wheel.unlink()
    wheel.symlink_to(genuine)
    told = terminal(*again, cwd=there)
    assert "instead" not in told.out
    cells = execute(there / notebook.name)
    lines = [line for cell in cells for line in cell.splitlines() if line in right.splitlines()]
    assert lines == right.splitlines()
    assert lock.read_bytes() == (there / lock.name).read_bytes()
