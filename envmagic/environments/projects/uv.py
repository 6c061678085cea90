"""uv's projects: `uv.lock` beside `pyproject.toml`, which may be a workspace of several."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from envmagic.core.model import Environment
from envmagic.environments.backends import commands, tool_errors
from envmagic.environments.projects import manifest
from envmagic.environments.projects.base import PYPROJECT, Project, Wanted, places
from envmagic.system import prefix_layout

__all__ = ["Uv"]

# Says no more than that it failed, in front of why, and behind it how to skip what we want.
_NOISE = re.compile(r"^error: Failed to add dependencies$|^hint: .*`--frozen`.*$", re.MULTILINE)


class Uv:
    name = title = "uv"
    lock = "uv.lock"
    reads_files = True

    def find(self, environment: Environment, directory: Path) -> Project | None:
        named = os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv"
        for root in places(environment, directory, self.lock, PYPROJECT):
            if not prefix_layout.same(root / named, environment.prefix):
                continue
            settings = manifest.table(manifest.read(root / PYPROJECT), "tool", "uv")
            if settings.get("managed", True):
                return Project(self, root, _member(root, settings, directory), environment)
        return None

    def program(self) -> Path | None:
        return commands.find_uv()

    def check(self, project: Project) -> None: ...

    def variables(self, project: Project) -> Mapping[str, str]:
        return commands.uv_variables()

    def options(self, project: Project, verb: str) -> list[str]:
        # Without the interpreter uv makes .venv anew where .python-version asks for another.
        words = ["--color", "never", "--python", str(project.environment.python)]
        # Its sync is exact here: it would take out what nobody named, pip among it.
        return [*words, "--no-sync"] if verb == "remove" else words

    def add(self, project: Project, wanted: Wanted) -> list[list[str]]:
        newer = [f"--upgrade-package={name}" for name in wanted.names] if wanted.upgrade else []
        files = [word for file in wanted.files for word in ("-r", str(file))]
        return [["add", *newer, *files, *wanted.plain]]

    def remove(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["remove", *names]]

    def upgrade(self, project: Project, names: list[str]) -> list[list[str]]:
        newer = [f"--upgrade-package={name}" for name in names] or ["--upgrade"]
        return [["sync", "--inexact", *newer]]

    def reason(self, said: str) -> str:
        return tool_errors.verdict(_NOISE.sub("", said))


def _member(root: Path, settings: Mapping[str, object], directory: Path) -> Path:
    """The `pyproject.toml` of the workspace at `root` that a notebook in `directory` belongs to."""
    workspace = manifest.table(settings, "workspace")
    for place in (directory, *directory.parents):
        if place == root or not place.is_relative_to(root):
            break
        if not (place / PYPROJECT).is_file():
            continue
        inside = place.relative_to(root)
        if _matches(inside, workspace.get("members")) and not _matches(
            inside, workspace.get("exclude")
        ):
            return place / PYPROJECT
    return root / PYPROJECT


def _matches(path: PurePath, patterns: object) -> bool:
    texts = patterns if isinstance(patterns, list) else []
    return any(_is_like(path.parts, PurePath(str(text)).parts) for text in texts)


def _is_like(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the glob `pattern` means the path of `parts`; `**` is any number of them."""
    if not pattern or not parts:
        return not parts and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _is_like(parts, pattern[1:]) or _is_like(parts[1:], pattern)
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _is_like(parts[1:], pattern[1:])
