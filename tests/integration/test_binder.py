"""What Binder does with the repository, replayed in a fresh environment: what users install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.notebooks import execute

REPOSITORY = Path(__file__).parents[2]
PARTS = ("binder", "envmagic", "notebooks", "pyproject.toml", "README.md", "LICENSE")


def listed(python: Path, *command: str) -> str:
    """The server's or the page's extensions, as Jupyter lists them, without colours."""
    environment = {**os.environ, "PATH": str(python.parent)}
    asked = subprocess.run(
        [str(python), "-m", "jupyter", *command, "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r"\x1b\[\d*m", "", asked.stdout + asked.stderr)


def test_the_quickstart_runs_in_the_environment_that_binder_builds(
    isolated: Any, bare_venv: Callable[..., Path], uv_command: list[str]
) -> None:
    clone = isolated.work / "clone"
    clone.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, clone / part)
    python = bare_venv(isolated.work / "image", "jupyterlab", "notebook")
    install = [*uv_command, "pip", "install", "-q", "-p", str(python)]
    # Binder has a network here; the wheelhouse is ours, so hatchling comes from there, too.
    subprocess.run([*install, "-r", "binder/requirements.txt"], cwd=clone, check=True)
    os.environ.pop("PYTHONPATH", None)
    assert "envmagic.jupyter.server_extension  OK" in listed(python, "server", "extension")
    assert re.search(r"envmagic v\S+ enabled OK", listed(python, "labextension"))
    cells = execute(clone / "notebooks" / "quickstart.ipynb", python=python)
    assert str(isolated.envmagic / "envs" / "quickstart") in cells[2]
    assert "python-slugify==" in (clone / "notebooks" / "requirements.txt").read_text()
