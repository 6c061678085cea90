"""Files for an image in which JupyterLab starts with what is recorded."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from envmagic.record.export.wanted import Line

__all__ = [
    "START",
    "base",
    "conda_dockerfile",
    "dockerfile",
    "ignored",
    "is_ignored",
    "local",
    "words",
]

_IGNORED = """\
# what the image does not get
**/.git
**/.venv
**/venv
**/.pixi
**/.ipynb_checkpoints
**/__pycache__
**/.env
**/.env.*
**/.netrc
**/*.pem
**/id_rsa*
**/id_dsa*
**/id_ecdsa*
**/id_ed25519*
"""
_NAMES = [line.removeprefix("**/") for line in _IGNORED.splitlines() if line.startswith("**")]
START = ("jupyter", "lab", "--ip=0.0.0.0", "--no-browser")
"""What an image runs."""


def dockerfile(lines: Iterable[Line], python: str | None, folder: str, context: Path) -> str:
    """A Dockerfile that installs `folder`/requirements.txt with pip; it is built in `context`."""
    lines = list(lines)
    copied = [path for line in lines if (path := local(line, context, context))]
    return _text(
        folder,
        f"FROM {base(lines, python)}",
        "RUN useradd --create-home jovyan",
        "WORKDIR /home/jovyan/work",
        *(f"COPY {words(path, f'./{path}')}" for path in dict.fromkeys(copied)),
        f"COPY {words(f'{folder}/requirements.txt', '/tmp/requirements.txt')}",
        "RUN pip install --no-cache-dir -r /tmp/requirements.txt",
        "RUN pip install --no-cache-dir jupyterlab",
        "RUN chown jovyan /home/jovyan/work",
        "COPY --chown=jovyan . .",
        "USER jovyan",
    )


def base(lines: Iterable[Line], python: str | None) -> str:
    """The image that `lines` are installed in; one that has git where they need it."""
    slim = not any(re.search(r"\b(?:git|hg|svn|bzr)\+", line.text) for line in lines)
    return f"python:{python or '3'}{'-slim' if slim else ''}"


def conda_dockerfile(folder: str) -> str:
    """A Dockerfile that makes what `folder`/environment.yml asks for."""
    return _text(
        folder,
        "FROM condaforge/miniforge3",
        "RUN useradd --create-home jovyan",
        "WORKDIR /home/jovyan/work",
        f"COPY {words(f'{folder}/environment.yml', '/tmp/environment.yml')}",
        "RUN conda env create --yes --name notebook --file /tmp/environment.yml",
        "RUN conda install --yes --name notebook --channel conda-forge jupyterlab",
        "RUN chown jovyan /home/jovyan/work",
        "COPY --chown=jovyan . .",
        "USER jovyan",
        start=("conda", "run", "--no-capture-output", "--name", "notebook", *START),
    )


def ignored(context: Path, secret: Iterable[Path]) -> str:
    """What the image, built in `context`, does not get: above all what holds secrets."""
    below = [Path(os.path.relpath(path, context)).as_posix() for path in secret]
    return _IGNORED + "".join(f"{path}\n" for path in below if not path.startswith(".."))


def is_ignored(path: PurePosixPath) -> bool:
    """Whether the image does not get the file `path`, or a directory that it is in."""
    return any(fnmatch(part, name) for part in path.parts for name in _NAMES)


def local(line: Line, directory: Path, context: Path) -> str | None:
    """What of `context` the line installs, with `/`; None for what is no path, or outside.

    Relative paths count from `directory`.
    """
    path = line.path
    if path is None or path.startswith("file:"):
        return None
    below = PurePosixPath(Path(os.path.relpath(directory / path, context)).as_posix())
    return None if below.is_absolute() or below.parts[:1] == ("..",) else str(below)


def words(*paths: str) -> str:
    """Paths as an instruction takes them: a list in brackets where one holds a blank."""
    if not any(re.search(r"\s", path) for path in paths):
        return " ".join(paths)
    return json.dumps(paths)


def _text(folder: str, *steps: str, start: Sequence[str] = START) -> str:
    build = f"# docker build -t NAME -f {folder}/Dockerfile ."
    run = "# docker run --rm -p 8888:8888 NAME"
    return "\n".join((build, run, *steps, f"CMD {json.dumps(start)}")) + "\n"
