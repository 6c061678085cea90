"""Environments that are there without being registered: around the notebook, and of other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.environments import backends
from envmagic.environments.other_tools import Found, below, made
from envmagic.system import prefix_layout

__all__ = ["MANY", "around", "found"]

_TOPS = (".git", ".hg", ".jj")
_USUAL = (".venv", "venv", "env", ".conda")
MANY = 300
"""Beyond so many directories in one, only those called as environments usually are looked at."""
_KEPT_BY = {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm", "Pipfile": "pipenv"}
"""Whose a `.venv` beside such a file is, whatever made it."""


def found(directory: Path) -> dict[str, Found]:
    """Every environment with an interpreter that is found from `directory`, by its identity.

    Those of the project there come first, the nearest before the others. Nothing is run, and no
    environment read.
    """
    projects = around(directory)
    known: dict[str, Found] = {}
    for each in (*_in(projects), *made(projects)):
        if backends.is_environment(each.prefix) and prefix_layout.interpreter(each.prefix).exists():
            known.setdefault(prefix_layout.identity(each.prefix), each)
    return dict(sorted(known.items(), key=lambda item: not item[1].here))


def around(directory: Path) -> list[Path]:
    """`directory` and those above it that belong to its project, the nearest first.

    That is up to the top of the repository; without one, what is below the home directory, and
    elsewhere itself alone. Nothing above the home directory is of any project.
    """
    home = Path.home()
    project: list[Path] = []
    for here in (directory, *directory.parents):
        project.append(here)
        if any(os.path.exists(here / top) for top in _TOPS):
            return project
        if here == home:
            break
    if directory.is_relative_to(home):
        return [directory, *(here for here in project[1:] if here != home)]
    return [directory]


def _in(projects: list[Path]) -> Iterator[Found]:
    for project in projects:
        inside = below(project)
        if len(inside) > MANY:
            inside = [prefix for prefix in inside if prefix.name in _USUAL]
        yield from (Found(prefix, _tool(prefix), True) for prefix in inside)
        yield from (Found(prefix, "pixi", True) for prefix in below(project / ".pixi" / "envs"))


def _tool(prefix: Path) -> str:
    if prefix.name != ".venv":
        return ""
    kept = (tool for file, tool in _KEPT_BY.items() if (prefix.parent / file).is_file())
    return next(kept, "")
