"""Imports point down only, as the floors in docs/design.md say, and never in a circle."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "envmagic"
FLOORS = re.compile(r"^```floors\n(.*?)^```", re.DOTALL | re.MULTILINE)
DEFERRED = re.compile(r"^```deferred\n(.*?)^```", re.DOTALL | re.MULTILINE)
DOOR = "__init__"

Imports = Mapping[str, set[tuple[str, int]]]
"""Module -> what it imports of ours and on which line; deferred and type-checking imports too."""


def floors() -> dict[str, dict[str, int]]:
    """Folder -> its members -> the floor of each, 0 at the top."""
    table = FLOORS.search((REPOSITORY / "docs" / "design.md").read_text("utf-8"))
    assert table, "docs/design.md has no table of floors"
    found: dict[str, dict[str, int]] = {}
    for line in table[1].splitlines():
        folder, _, stories = line.partition(":")
        members = [(name, n) for n, s in enumerate(stories.split("|")) for name in s.split()]
        assert len(members) == len(dict(members)), f"{folder} has a member twice"
        found[folder] = dict(members)
    return found


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of ours; a package is called as itself."""
    named: dict[str, Path] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        named[".".join(part for part in parts if part != DOOR)] = path
    return named


def imports() -> dict[str, set[tuple[str, int]]]:
    known = modules()
    return {name: set(_imported(path, known)) for name, path in known.items()}


def _imported(path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            for module in (name, name.rpartition(".")[0]):
                if module in known:
                    yield module, node.lineno
                    break


def upward(found: Imports, table: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The imports that do not lead to a lower floor of the folder that both sides are in."""
    wrong = []
    for importer, imported in sorted(found.items()):
        for name, line in sorted(imported):
            folder, above, below = _seen_from_common_folder(importer, name)
            floor = table.get(folder, {})
            if above != below and not floor.get(above, 0) < floor.get(below, 0):
                wrong.append(f"{importer}, line {line}: {above} imports {below} in {folder}")
    return wrong


def _seen_from_common_folder(one: str, other: str) -> tuple[str, str, str]:
    """The innermost folder that holds both modules, and the member of it that each is or is in."""
    parts, others = [*one.split("."), DOOR], [*other.split("."), DOOR]
    shared = 0
    while shared < min(len(parts), len(others)) and parts[shared] == others[shared]:
        shared += 1
    shared = min(shared, len(parts) - 1, len(others) - 1)
    folder = "/".join(parts[1:shared]) or "envmagic"
    return folder, parts[shared], others[shared]


def circle(found: Imports) -> list[str]:
    """Modules of which each waits for the next; empty where there are none."""
    graph = {name: {i for i, _ in imported} - {name} for name, imported in found.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle: Iterable[str] = error.args[1]
        return list(cycle)
    return []


def test_every_folder_and_module_has_its_floor_and_the_table_names_no_other() -> None:
    there: dict[str, set[str]] = {}
    for name, path in modules().items():
        parts = name.split(".")
        inside = parts[1:] if path.name == f"{DOOR}.py" else parts[1:-1]
        for depth in range(len(inside) + 1):
            member = (*inside, parts[-1] if path.name != f"{DOOR}.py" else DOOR)[depth]
            there.setdefault("/".join(inside[:depth]) or "envmagic", set()).add(member)
    assert {folder: set(members) for folder, members in floors().items()} == there


def test_imports_point_down() -> None:
    assert not upward(imports(), floors())


def test_what_is_imported_inside_functions_is_listed_with_the_reason() -> None:
    table = DEFERRED.search((REPOSITORY / "docs" / "design.md").read_text("utf-8"))
    assert table, "docs/design.md has no table of deferred imports"
    rows = [line.rpartition(":") for line in table[1].splitlines()]
    assert all(reason for reason, _, _ in rows)
    listed = [f"{name}.py" for _, _, names in rows for name in names.split()]
    there = [path for path in PACKAGE.rglob("*.py") if _defers(path)]
    assert sorted(listed) == sorted(path.relative_to(PACKAGE).as_posix() for path in there)


def _defers(path: Path) -> bool:
    """Whether a function of the module at `path` imports a module of ours."""
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return any(
        isinstance(inner, ast.ImportFrom) and (inner.module or "").split(".")[0] == "envmagic"
        for function in functions
        for inner in ast.walk(function)
    )


def test_no_module_waits_for_itself() -> None:
    assert not circle(imports())


TABLE = {
    "envmagic": {"frontends": 0, "environments": 1, "switching": 1, "core": 2, DOOR: 2},
    "environments": {"registry": 0, "backends": 1, DOOR: 1},
    "environments/backends": {"uv": 0, "conda": 0, DOOR: 1, "base": 2},
}


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("envmagic.frontends.terminal.cli", "envmagic.core", True),
        ("envmagic.core", "envmagic.frontends.terminal.cli", False),
        ("envmagic.switching", "envmagic.environments.registry", False),  # beside it
        ("envmagic.environments.registry", "envmagic.environments.backends", True),
        ("envmagic.environments.registry", "envmagic.environments.backends.uv", True),
        ("envmagic.environments.backends.uv", "envmagic.environments.registry", False),
        ("envmagic.environments.backends.uv", "envmagic.environments.backends.conda", False),
        ("envmagic.environments.backends.uv", "envmagic.environments.backends.base", True),
        ("envmagic.environments.backends", "envmagic.environments.backends.base", True),
        ("envmagic.environments.backends", "envmagic.environments.backends.uv", False),
        ("envmagic.environments.backends.conda.specs", "envmagic.environments.backends", True),
        ("envmagic.frontends.terminal.cli", "envmagic", True),
    ],
)
def test_the_rule_refuses_what_it_should(importer: str, imported: str, allowed: bool) -> None:
    assert (not upward({importer: {(imported, 1)}}, TABLE)) is allowed


def test_a_circle_is_found_though_each_of_its_imports_points_nowhere_in_particular() -> None:
    assert circle({"a": {("b", 1)}, "b": {("c", 1)}, "c": {("a", 1)}, "d": set()})
    assert not circle({"a": {("b", 1)}, "b": {("c", 1)}, "c": set()})


LOADED = """
core core.display core.errors core.record_files core.verb_names frontends frontends.notebook
frontends.notebook.magic frontends.notebook.recorder frontends.notebook.session
jupyter jupyter.spare_parts system system.directories system.import_path
"""


def test_loading_the_extension_loads_little_of_ours() -> None:
    """`%load_ext envmagic` is to take no more than 15 ms: what it loads is counted, not timed."""
    ask = (
        "import sys, envmagic.frontends.notebook.magic\n"
        "print(*sorted(name for name in sys.modules if name.startswith('envmagic.')))"
    )
    ran = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    ours = {f"envmagic.{name}" for name in LOADED.split()}
    assert set(ran.stdout.split()) == {"envmagic._version", *ours}


def test_recording_loads_nothing_of_what_changes_environments(tmp_path: Path) -> None:
    """A hook records on each commit: what it loads is most of what that takes."""
    cell = {"cell_type": "code", "source": "import six", "metadata": {}, "outputs": []}
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_text(json.dumps(document))
    ask = (
        "import sys\nfrom envmagic.frontends.terminal.cli import run\n"
        "sys.argv[1:] = 'record --env none --to - a.ipynb'.split()\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\nprint(*sys.modules)"
    )
    command = [sys.executable, "-c", ask]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = ran.stdout.splitlines()
    loaded = set(lines[-1].split())
    assert "six" in lines and "envmagic.record.needs" in loaded
    assert not loaded & {"packaging", "configparser", "envmagic.environments.history"}
