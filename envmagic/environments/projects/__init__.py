"""The tools that manage projects: one protocol (`base.Tool`) and this table of them."""

from __future__ import annotations

from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments.projects import manifest
from envmagic.environments.projects.base import PYPROJECT, Project, Tool
from envmagic.environments.projects.pdm import Pdm
from envmagic.environments.projects.pixi import Pixi
from envmagic.environments.projects.poetry import Poetry
from envmagic.environments.projects.uv import Uv

__all__ = ["Project", "of"]

_TABLE: tuple[Tool, ...] = (Uv(), Poetry(), Pdm(), Pixi())


def of(environment: Environment, directory: Path) -> Project | None:
    """The project whose tool keeps `environment`, for a notebook in `directory`; None where that
    is not certain.

    Raises `EnvmagicError` where several tools have a lock there and nothing says which one counts.
    """
    found = [p for tool in _TABLE if (p := tool.find(environment, directory)) is not None]
    if len(found) > 1:
        found = [p for p in found if _is_named(p)] or found
    if len(found) > 1:
        locks = " and ".join(p.tool.lock for p in found)
        raise EnvmagicError(
            "two-tools",
            f"{locks} lie beside {user_path(found[0].root / PYPROJECT)}, so nothing says which tool"
            " this project is managed by.",
            "Take away the lock that is not used any more.",
            subject=str(found[0].root),
        )
    return found[0] if found else None


def _is_named(project: Project) -> bool:
    """Whether the project's file says that it is of this tool."""
    document = manifest.read(project.root / PYPROJECT)
    backend = str(manifest.table(document, "build-system").get("build-backend", ""))
    return project.tool.name in manifest.table(document, "tool") or backend.startswith(
        project.tool.name
    )
