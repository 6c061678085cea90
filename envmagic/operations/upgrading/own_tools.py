"""Whose solver or tool does it itself: conda's environments, and those of projects."""

from __future__ import annotations

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.core.names import normalized
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments import backends
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects import Project
from envmagic.operations.upgrading.asking import check

__all__ = ["refuse_conda", "refuse_project", "refuse_undeclared"]


def refuse_conda(environment: Environment, request: UpgradeRequest) -> None:
    """Raise `EnvmagicError` where the environment is conda's."""
    if backends.of(environment).of_distributions:
        return
    prefix = environment.prefix
    command: tuple[str, ...] = ("install", "-U", *request.packages)
    if request.python is not None:
        command = ("install", f"python={request.python}")
    ours = bool(request.packages) or request.python is not None
    raise EnvmagicError(
        "own-tool",
        f"{display.user_path(prefix)} is conda's, whose solver upgrades it.",
        "To have that done",
        command=command if ours else (),
        tool_command=() if ours else ("conda", "update", "--all", "--prefix", str(prefix)),
        subject=str(prefix),
    )


def refuse_project(project: Project, request: UpgradeRequest) -> None:
    """Raise `EnvmagicError` for what the project's own tool has no way to do through us."""
    if request.python is None and not request.dry_run:
        return
    environment, tool = project.environment, project.tool
    names = [normalized(word) for word in request.packages]
    words = (*tool.upgrade(project, names)[0], "--dry-run")
    hint = f"To see what it would take, in {display.user_path(project.directory)}"
    if request.python is not None:
        words, hint = (), f"Say it in {display.user_path(project.file)}, and have it synced."
    raise EnvmagicError(
        "own-tool",
        f"{display.user_path(environment.prefix)} belongs to a project that {tool.title} manages.",
        hint,
        tool_command=(tool.name, *words) if words else (),
        subject=str(project.root),
    )


def refuse_undeclared(project: Project, request: UpgradeRequest, there: Inventory) -> None:
    """Raise `EnvmagicError` where the project's tool does not keep what is asked for."""
    held = project.locked() | project.declared()
    for word in request.packages:
        if normalized(word) not in held:
            check(word, there, "")
            raise EnvmagicError(
                "not-declared",
                f"{word} is not in what {project.tool.title} keeps.",
                "To take a newer version",
                command=("install", "-U", word),
                subject=word,
            )
