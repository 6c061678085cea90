"""PDM's projects: `pdm.lock` beside `pyproject.toml`; `.pdm-python` says which environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments.backends import tool_errors
from envmagic.environments.projects import manifest, programs
from envmagic.environments.projects.base import PYPROJECT, Project, Wanted, places
from envmagic.system import prefix_layout, reading

__all__ = ["Pdm"]

_NOISE = re.compile(r"^(?:See \S+ for detailed|WARNING:|STATUS:|INFO:).*$", re.MULTILINE)
_KIND = re.compile(r"^(?:\[\w+\]|ERROR): ", re.MULTILINE)


class Pdm:
    name, title = "pdm", "PDM"
    lock = "pdm.lock"
    reads_files = False

    def find(self, environment: Environment, directory: Path) -> Project | None:
        for root in places(environment, directory, self.lock, PYPROJECT):
            if prefix_layout.same(_chosen(root), environment.prefix):
                return Project(self, root, root / PYPROJECT, environment)
        return None

    def program(self) -> Path | None:
        return programs.find(self.name)

    def check(self, project: Project) -> None:
        """PDM makes `.venv` anew where its Python is none that the project allows."""
        wanted = manifest.table(manifest.read(project.file), "project").get("requires-python", "")
        try:
            allowed = SpecifierSet(str(wanted))
        except InvalidSpecifier:
            return  # PDM says so
        version = project.environment.version
        if version and not allowed.contains(version, prereleases=True):
            raise EnvmagicError(
                "other-python",
                f"{user_path(project.file)} asks for Python {wanted}, and this notebook runs"
                f" in {version}.",
                "Make the environment again with another one, or change requires-python there.",
                subject=str(project.file),
            )

    def variables(self, project: Project) -> Mapping[str, str]:
        return {
            "PDM_PYTHON": str(project.environment.python),
            "PDM_IGNORE_SAVED_PYTHON": "0",
            "PDM_NON_INTERACTIVE": "1",
            "PDM_CHECK_UPDATE": "0",
            "NO_COLOR": "1",
        }

    def options(self, project: Project, verb: str) -> list[str]:
        # Its sync would take out what nobody named.
        return ["--no-sync"] if verb == "remove" else []

    def add(self, project: Project, wanted: Wanted) -> list[list[str]]:
        newer = ["--update-eager"] if wanted.upgrade else []
        editable = [word for path in wanted.editable for word in ("-e", path)]
        return [["add", *newer, *editable, *wanted.plain]]

    def remove(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["remove", *names]]

    def upgrade(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["update", *names]]

    def reason(self, said: str) -> str:
        text = " ".join(_KIND.sub("", _NOISE.sub("", said)).split())
        return tool_errors.verdict(f"error: {text}") if text else ""


def _chosen(root: Path) -> Path:
    """The environment of the project at `root`: that of the interpreter it notes, else `.venv`."""
    try:
        noted = reading.beginning(root / ".pdm-python", 4096).decode().strip()
    except (OSError, UnicodeDecodeError):
        noted = ""
    return Path(noted).parent.parent if noted else root / ".venv"
