"""Poetry's projects: `poetry.lock` beside `pyproject.toml`, the environment in it or elsewhere."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.environments.backends import tool_errors
from envmagic.environments.projects import programs
from envmagic.environments.projects.base import PYPROJECT, Project, Wanted, places
from envmagic.system import prefix_layout, process

__all__ = ["Poetry"]

_OPTIONS = ["--no-interaction", "--no-ansi"]
_NOISE = re.compile(r"^You can also run your poetry command with -v.*$", re.MULTILINE)


class Poetry:
    name, title = "poetry", "Poetry"
    lock = "poetry.lock"
    reads_files = False

    def find(self, environment: Environment, directory: Path) -> Project | None:
        for root in places(environment, directory, self.lock, PYPROJECT):
            if _may_be_of(environment.prefix, root) and self._uses(environment.prefix, root):
                return Project(self, root, root / PYPROJECT, environment)
        return None

    def _uses(self, prefix: Path, root: Path) -> bool:
        """Whether Poetry would install into `prefix`; its settings may say otherwise.

        Where it is not there to be asked, what the files look like has to do. Raises
        `EnvmagicError` where it cannot read the project.
        """
        program = self.program()
        if program is None:
            return True
        try:
            said = process.run([program, "env", "info", "--path", *_OPTIONS], cwd=root).stdout
        except process.CommandFailed as error:
            if error.stderr.strip():
                why = self.reason(error.stderr)
                raise tool_errors.explain(error, "what is asked for", why=why) from error
            return False  # there is no environment yet
        return prefix_layout.same(said.strip(), prefix)

    def program(self) -> Path | None:
        return programs.find(self.name)

    def check(self, project: Project) -> None: ...

    def variables(self, project: Project) -> Mapping[str, str]:
        return {}

    def options(self, project: Project, verb: str) -> list[str]:
        return _OPTIONS

    def add(self, project: Project, wanted: Wanted) -> list[list[str]]:
        commands = []
        if wanted.plain:
            commands.append(["add", *(self._newest(t, wanted) for t in wanted.plain)])
        if wanted.editable:
            commands.append(["add", "--editable", *wanted.editable])
        # It passes over what the file names already, whether or not that is installed.
        if project.declared().intersection(wanted.names):
            commands.append(["install", "--no-root"])
        return commands

    def _newest(self, text: str, wanted: Wanted) -> str:
        bare = wanted.upgrade and re.fullmatch(r"[\w.-]+(?:\[[^\]]*\])?", text)
        return f"{text}@latest" if bare else text

    def remove(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["remove", *names]]

    def upgrade(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["update", *names]]

    def reason(self, said: str) -> str:
        text = " ".join(_NOISE.sub("", said).split())
        return tool_errors.verdict(f"error: {text}") if text else ""


def _may_be_of(prefix: Path, root: Path) -> bool:
    """Whether `prefix` is where Poetry has the environments of the project at `root`: `.venv`, or a
    directory whose name holds a digest of `root` (`EnvManager.generate_env_name`)."""
    if prefix_layout.same(prefix, root / ".venv"):
        return True
    path = os.path.normcase(os.path.realpath(root))
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.encode()).digest()).decode()[:8]
    return re.search(rf"-{re.escape(digest)}-py3\.\d+t?$", prefix.name) is not None
