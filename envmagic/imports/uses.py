"""Strings that load a distribution which nothing imports: backends, engines, addresses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envmagic.imports.calls import keyword, literal, name_of
from envmagic.imports.magics import SpecialLine
from envmagic.imports.sites import Where

__all__ = ["Use", "addresses", "told_by_line", "used"]

# Functions of pandas, xarray, Dask and GeoPandas that take an `engine`.
_READERS = frozenset(
    """
    read_excel ExcelFile ExcelWriter to_excel read_parquet to_parquet read_feather to_feather
    read_csv read_json read_hdf read_file to_file read_xml to_xml eval query
    open_dataset open_mfdataset open_dataarray load_dataset load_dataarray open_datatree
    to_netcdf to_zarr
    """.split()
)
_PYPLOT = ("matplotlib", "mpl", "plt", "pyplot")
_QUOTED = re.compile(r"[\"']([a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?)://")
# Addresses that no distribution is loaded for.
_WEB = frozenset("http https ftp file git ssh hdfs dbfs ws wss tcp grpc redis mongodb".split())
_ADDRESS = re.compile(r"([a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?)://")
_DIALECT = re.compile(r"[a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?")
_KERAS = "KERAS_BACKEND"
# What comes with matplotlib and the kernel, and stands in most notebooks.
_USUAL = frozenset("inline notebook nbagg agg auto".split())


class Use(NamedTuple):
    """A string that says what is to be loaded."""

    kind: str
    """`matplotlib`, `plotting`, `engine`, `parser`, `keras` or `address`."""
    value: str
    """`widget`, `openpyxl`, the scheme of an address: `s3`, `postgresql+psycopg2`."""
    where: Where


def used(nodes: Iterable[ast.AST], where: Where) -> Iterator[Use]:
    """The uses in the `nodes` of a tree."""
    for node in nodes:
        if isinstance(node, ast.Call):
            found = _of_call(node)
        elif isinstance(node, ast.Assign):
            found = _of_assignment(node)
        else:
            continue
        if found is not None and found[1]:
            yield Use(found[0], found[1], where.below(node.lineno))


def addresses(source: str, where: Where) -> list[Use]:
    """The addresses at the beginning of strings in `source`, which need not be parsed for that."""
    if "://" not in source:
        return []
    found: list[Use] = []
    for match in _QUOTED.finditer(source):
        start = source.rfind("\n", 0, match.start()) + 1
        if match[1] not in _WEB and not source[start : match.start()].lstrip().startswith("#"):
            line = source.count("\n", 0, start) + 1
            found.append(Use("address", match[1], where.below(line)))
    return found


def told_by_line(line: SpecialLine, where: Where) -> Iterator[Use]:
    """What `%matplotlib widget`, `%env KERAS_BACKEND=jax` and `%sql postgresql://…` use."""
    if line.name not in ("matplotlib", "pylab", "gui", "env", "set_env", "sql"):
        return
    words = line.rest.partition("#")[0].split()
    first = words[0].strip("\"'") if words else ""
    if line.name in ("matplotlib", "pylab", "gui"):
        if first and first not in _USUAL and not first.startswith("-"):
            yield Use("matplotlib", first.lower(), where)
    elif line.name in ("env", "set_env") and first.partition("=")[0] == _KERAS:
        yield Use("keras", (first.partition("=")[2] or words[-1]).strip("\"'"), where)
    elif line.name == "sql" and (match := _ADDRESS.match(first)):
        yield Use("address", match[1], where)


def _of_call(call: ast.Call) -> tuple[str, str | None] | None:
    name = name_of(call.func)
    words = [literal(a) for a in call.args]
    first, second = (*words, None, None)[:2]
    if name in _READERS and (engine := keyword(call, "engine")):
        return "engine", engine
    if name in ("use", "switch_backend") and _owner(call.func) in _PYPLOT:
        return "matplotlib", (first or "").lower()
    if name in ("set_option", "option_context") and (first or "").endswith("plotting.backend"):
        return "plotting", second
    if "plot" in (name, _owner(call.func)) and keyword(call, "backend"):
        return "plotting", keyword(call, "backend")
    if name == "BeautifulSoup":
        return "parser", keyword(call, "features") or second
    if name in ("setdefault", "putenv") and first == _KERAS:
        return "keras", second
    if name == "filesystem" and first and _owner(call.func) == "fsspec":
        return "address", first
    if name == "create" and _owner(call.func) == "URL" and first and _DIALECT.fullmatch(first):
        return "address", first
    return None


def _of_assignment(node: ast.Assign) -> tuple[str, str | None] | None:
    target = node.targets[0]
    if isinstance(target, ast.Attribute) and target.attr == "backend":
        return ("plotting", literal(node.value)) if _owner(target) == "plotting" else None
    if isinstance(target, ast.Subscript) and literal(target.slice) == _KERAS:
        return "keras", literal(node.value)
    return None


def _owner(node: ast.expr) -> str:
    """`plt` of `plt.use`, `plotting` of `pd.options.plotting.backend`."""
    return name_of(node.value) if isinstance(node, ast.Attribute) else ""
