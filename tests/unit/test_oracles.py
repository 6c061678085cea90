"""Our answers beside what the wheels of pigar, pipreqs and marimo say (`nox -s oracles`).

ENVMAGIC_ORACLES names the directory with the wheels. They are oracles and no sources: where one
differs from us a person looks, mends the table, or lists the module in `oracles.txt` with a reason.
"""

from __future__ import annotations

import ast
import os
import sqlite3
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

from envmagic.core.names import normalized
from envmagic.distributions import Resolver, known

WHEELS = os.environ.get("ENVMAGIC_ORACLES", "")
MARIMO = "marimo/_runtime/packages/module_name_to_pypi_name.py"
pytestmark = pytest.mark.skipif(not WHEELS, reason="ENVMAGIC_ORACLES is not set")


def inside(wheel: str, member: str) -> bytes:
    (path,) = Path(WHEELS).glob(f"{wheel}-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def pipreqs() -> dict[str, str]:
    lines = inside("pipreqs", "pipreqs/mapping").decode().splitlines()
    return {module: name for module, _, name in (line.strip().partition(":") for line in lines)}


def marimo() -> dict[str, str]:
    tree = ast.parse(inside("marimo", MARIMO))
    (table,) = (n.value for n in ast.walk(tree) if isinstance(n, ast.Return) and n.value)
    return dict(ast.literal_eval(table))


def accepted(oracle: str) -> set[str]:
    lines = Path(__file__).with_name("oracles.txt").read_text(encoding="utf-8").splitlines()
    words = (line.split() for line in lines if line and line[0] != "#")
    return {module for name, module, *_ in words if name == oracle}


def differing(oracle: str, said: dict[str, set[str]]) -> set[str]:
    """Modules that our table names otherwise."""
    resolver, differ = Resolver(None), set()
    for module, names in said.items():
        found = resolver.resolve(module)
        if found and module in known().table and not names & {found.name, *found.alternatives}:
            differ.add(module)
    return differ


@pytest.mark.parametrize("oracle", [pipreqs, marimo], ids=["pipreqs", "marimo"])
def test_every_difference_from_a_kept_table_was_looked_at(oracle: object) -> None:
    table: dict[str, str] = oracle()  # type: ignore[operator]
    name = oracle.__name__  # type: ignore[attr-defined]
    assert len(table) > 700
    assert differing(
        name, {m: {normalized(d.partition("[")[0])} for m, d in table.items()}
    ) == accepted(name)


def test_every_difference_from_what_pigar_found_in_archives_was_looked_at(tmp_path: Path) -> None:
    """It counts where pigar found modules in our distribution, and this one in others only."""
    database = tmp_path / "pigar.sqlite3"
    database.write_bytes(inside("pigar", "pigar/.db.sqlite3"))
    holders, held = defaultdict(set), defaultdict(set)
    query = "SELECT d.name, m.name FROM top_level_module_names m JOIN distributions d"
    for name, module in sqlite3.connect(database).execute(f"{query} ON d.id = m.distribution_id"):
        holders[module].add(normalized(name))
        held[normalized(name)].add(normalized(module))
    assert len(holders) > 500_000
    resolver, differ = Resolver(None), set()
    ours = {*known().table, *known().evidence, *(n.replace("-", "_") for n in known().names)}
    for module in ours & holders.keys():
        found = resolver.resolve(module)
        if found is None or module[0] == "_" or not held[found.name]:
            continue
        if normalized(module) not in held[found.name] and not holders[module] & {
            found.name,
            *found.alternatives,
        }:
            differ.add(module)
    assert differ == accepted("pigar")
