"""Imports point down only, as the table in docs/design.md says; the table and the code agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "envmagic"
ORDER = ("ground", "leaves", "verbs", "faces")
# `server_api` is used by these leaves; it is the only leaf that others know.
SHARED_LEAF = "server_api"
SHARED_WITH = {"notebook", "switching", "server_extension"}
ROOT = ("__init__", "__main__")  # the doors: they know everything, and everything knows `envmagic`


def layers() -> dict[str, str]:
    """Module or package directly under `envmagic` to its layer, read from docs/design.md."""
    text = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
    table = re.search(r"^```\n(faces .*?)^```", text, re.DOTALL | re.MULTILINE)
    assert table, "docs/design.md has no table of layers"
    found: dict[str, str] = {}
    layer = ""
    for line in table[1].splitlines():
        first, *rest = re.split(r"\s{2,}", line)
        layer = first or layer
        found |= {n.rstrip("/"): layer for n in rest if re.fullmatch(r"[a-z_]+/?", n)}
    return found


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name, directly under `envmagic`, of all that a module imports, also in functions."""
    known = {top(p) for p in modules()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "envmagic" and rest.partition(".")[0] in known:
                yield node.lineno, rest.partition(".")[0]


def allowed(importer: str, name: str, table: dict[str, str]) -> bool:
    if importer in ROOT or importer == name:
        return True
    if importer not in table or name not in table:
        return True  # the test above says so
    above, below = ORDER.index(table[importer]), ORDER.index(table[name])
    if table[importer] == table[name] == "leaves":
        return name == SHARED_LEAF and importer in SHARED_WITH
    return below <= above


def test_every_module_has_its_layer_and_every_name_in_the_table_is_a_module() -> None:
    there = {top(path) for path in modules()} - set(ROOT)
    assert there == set(layers())


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    table = layers()
    wrong = [
        f"line {line}: {top(path)} imports {name}"
        for line, name in imported(path)
        if not allowed(top(path), name, table)
    ]
    assert not wrong


def test_the_rule_refuses_what_it_should() -> None:
    table = {"files": "ground", "probe": "leaves", "kernels": "leaves", "cli": "faces"}
    table |= {"notebook": "leaves", "server_api": "leaves", "operations": "verbs"}
    assert allowed("cli", "files", table)
    assert allowed("operations", "probe", table)
    assert allowed("notebook", "server_api", table)
    assert not allowed("files", "probe", table)
    assert not allowed("probe", "kernels", table)
    assert not allowed("kernels", "server_api", table)
    assert not allowed("operations", "cli", table)
