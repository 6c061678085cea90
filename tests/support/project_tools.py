"""Poetry and PDM as programs, installed once by name beside the wheels of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import wheelhouse

PROGRAMS = {"uv": ["uv"], "poetry": ["poetry", "--no-interaction"], "pdm": ["pdm", "-n"]}
"""What each is called as, once they are on PATH."""
PROJECT = """\
[project]
name = "analysis"
version = "1"
requires-python = ">=3.10"
dependencies = ["six"]

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "local"
url = "{index}"
priority = "primary"

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
type = "find_links"
url = "{wheels}"
"""
"""A `pyproject.toml` that each of them can lock, from an index and a directory with wheels."""
TOOLS = ("poetry", "pdm", "hishel<2")  # PDM does not know the newer hishel that it allows


def ensure() -> Path:
    """The directory with their commands. Needs a network the first time only."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    place = wheelhouse.directory() / f"project-tools-{version}"
    scripts = place / ("Scripts" if sys.platform == "win32" else "bin")
    if not (place / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS]
        subprocess.run([scripts / "python", *words], check=True)
        (place / "complete").touch()
    return scripts
