"""pixi's projects: `pixi.lock` beside `pixi.toml` or `pyproject.toml`, environments in `.pixi`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.environments.backends import tool_errors
from envmagic.environments.backends.conda import specs
from envmagic.environments.projects import manifest, programs
from envmagic.environments.projects.base import PYPROJECT, Project, Wanted, places
from envmagic.system import prefix_layout

__all__ = ["Pixi"]

_PIXI = "pixi.toml"
_DEFAULT = "default"


class Pixi:
    """Plain names are conda's for pixi, as in its own `add`; what only pip reads is the index's."""

    name = title = "pixi"
    lock = "pixi.lock"
    reads_files = False

    def find(self, environment: Environment, directory: Path) -> Project | None:
        name = environment.prefix.name
        for root in places(environment, directory, self.lock):
            inside = root / ".pixi" / "envs" / name
            file = next((root / f for f in (_PIXI, PYPROJECT) if (root / f).is_file()), None)
            if file is not None and prefix_layout.same(inside, environment.prefix):
                return Project(self, root, file, environment)
        return None

    def program(self) -> Path | None:
        return programs.find(self.name)

    def check(self, project: Project) -> None: ...

    def variables(self, project: Project) -> Mapping[str, str]:
        return {}

    def options(self, project: Project, verb: str) -> list[str]:
        return ["--manifest-path", str(project.file), "--color", "never", "--no-progress"]

    def add(self, project: Project, wanted: Wanted) -> list[list[str]]:
        where = _feature(project)
        lines = [line for line in wanted.lines if not line.is_editable]
        index = [line.text for line in lines if specs.parse(line.text) is None]
        conda = [line.text for line in lines if specs.parse(line.text) is not None]
        commands = [["add", *where, *conda]] if conda else []
        commands += [["add", "--pypi", *where, *index]] if index else []
        if wanted.editable:
            commands.append(["add", "--pypi", "--editable", *where, *wanted.editable])
        bare = [line.text for line in lines if re.fullmatch(r"[\w.-]+", line.text)]
        if wanted.upgrade and bare:
            commands.append(["upgrade", *where, *bare])
        return commands + _filled(project)

    def remove(self, project: Project, names: list[str]) -> list[list[str]]:
        where = _feature(project)
        known = _of_index(manifest.read(project.file))
        index = [name for name in names if name in known]
        conda = [name for name in names if name not in known]
        commands = [["remove", *where, *conda]] if conda else []
        commands += [["remove", "--pypi", *where, *index]] if index else []
        return commands + _filled(project)

    def upgrade(self, project: Project, names: list[str]) -> list[list[str]]:
        return [["update", *names], *_filled(project)]

    def reason(self, said: str) -> str:
        return tool_errors.verdict(said)


def _of_index(document: Mapping[str, Any]) -> frozenset[str]:
    """What the manifest has from the package index."""
    tables = manifest.table(document, "tool", "pixi") or document
    parts = [tables, *manifest.table(tables, "feature").values()]
    texts = manifest.table(document, "project").get("dependencies")
    found = [texts, *(manifest.table(part, "pypi-dependencies") for part in parts)]
    return frozenset(n for value in found for n in manifest.declared({"dependencies": value}))


def _feature(project: Project) -> list[str]:
    """The words that say which feature is meant: that of all environments where ours has it, else
    its only one. Raises `EnvmagicError` where there are several to choose from."""
    document = manifest.read(project.file)
    tables = manifest.table(document, "tool", "pixi") or document
    name = project.environment.prefix.name
    ours = manifest.table(tables, "environments").get(name)
    if not isinstance(ours, Mapping) or not ours.get("no-default-feature"):
        return []
    features = ours.get("features")
    if isinstance(features, list) and len(features) == 1:
        return ["--feature", str(features[0])]
    raise EnvmagicError(
        "no-feature",
        f"{user_path(project.file)} has several features in the environment {name}, and not the"
        " default one, so nothing says which of them is meant.",
        "Say it to pixi: pixi add --feature FEATURE NAME",
        subject=str(project.file),
    )


def _filled(project: Project) -> list[list[str]]:
    """pixi's `add` and `remove` fill the default environment; another one is asked for."""
    name = project.environment.prefix.name
    return [] if name == _DEFAULT else [["install", "--environment", name]]
