"""Cells and files of Python, scanned for what they import and install, and what decides that."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envmagic.imports.calls import cell_of, imported_by, importers_in, matter, special_of
from envmagic.imports.effects import may_do
from envmagic.imports.found import Scan
from envmagic.imports.installs import installs_of
from envmagic.imports.made import Made, Run, filled
from envmagic.imports.magics import CellMagic, SpecialLine, cell_magic
from envmagic.imports.nodes import nodes_of
from envmagic.imports.parse import Parsed, parse, parse_python
from envmagic.imports.paths import extended
from envmagic.imports.quick import adds, can_tell, imports_of, makes, remembers, uses
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.special_lines import done_by, done_by_line, lines_of_shell, read_line
from envmagic.imports.uses import addresses, used
from envmagic.imports.walk import imports_in

__all__ = ["scan_cell", "scan_cells", "scan_source"]


class _At(NamedTuple):
    """Where a text stands, and what is known there."""

    where: Where
    names: dict[str, str] | None = None
    """String variables so far, where they count; code adds to them."""
    here: str = ""
    """The notebook's directory."""


class _Sought(NamedTuple):
    """What a text may have, told by its words: for that its nodes are gone through."""

    calls: bool
    strings: bool
    names_file: bool
    does: bool
    """A call may make, fetch or run a file."""
    source: str

    @classmethod
    def of(cls, source: str, names: dict[str, str] | None) -> _Sought:
        names_file = makes(source)
        return cls(
            matter(source) or bool(names and "import_module" in names.values()),
            uses(source),
            names_file,
            (names_file or names is not None) and may_do(source),
            source,
        )


def scan_cells(cells: Iterable[tuple[int, str]], here: str, *, thorough: bool = True) -> Scan:
    """What all cells of a notebook, each with its number, import and install.

    `here` is the notebook's directory. See `scan_cell` for `thorough`.
    """
    found = Scan()
    sources = list(cells)
    telling = [(number, source) for number, source in sources if can_tell(source)]
    names: dict[str, str] | None = {} if any(remembers(s) for _, s in telling) else None
    quick = not thorough and names is None
    for number, source in telling if quick else sources:
        _scan(source, _At(Where("", number, 1), names, here), found, quick=quick)
    return found


def scan_cell(
    source: str,
    where: Where,
    *,
    names: dict[str, str] | None = None,
    here: str = "",
    thorough: bool = True,
) -> Scan:
    """What the cell `source`, as it is typed, imports and installs.

    Not `thorough`: a cell is parsed only where that is needed to know its imports; one that is not
    is not reported as `unparsed` either.
    With `names` (string variables known so far) directories put on `sys.path` are found, relative
    ones from `here`.
    """
    quick = not thorough and names is None
    found = Scan()
    if not quick or can_tell(source):
        _scan(source, _At(where, names, here), found, quick=quick)
    return found


def scan_source(source: str, where: Where, *, here: str = "") -> Scan:
    """What the Python file `source` imports, as `scan_cell`; it has no magics."""
    names = {"__file__": f"{here}/{posixpath.basename(where.file)}"} if remembers(source) else None
    return _code(parse_python(source), source, _At(where, names, here))


def _scan(source: str, at: _At, result: Scan, *, quick: bool) -> None:
    while (magic := cell_magic(source) if "%" in source else None) is not None:
        at = at._replace(where=at.where.below(magic.line))
        if not magic.is_code:
            result.add(_below_magic(magic, at))
            return
        if "import" in magic.statement:
            above = at.where._replace(line=at.where.line - 1)
            result.add(scan_cell(magic.statement, above))
        source = magic.body
        if quick and not can_tell(source):
            return
    imports = imports_of(source, at.where) if quick else None
    if imports is None:
        result.add(_code(parse(source), source, at))
    else:
        result.imports += imports
        result.uses += addresses(source, at.where)


def _below_magic(magic: CellMagic, at: _At) -> Scan:
    result = Scan()
    if magic.is_requirements:
        result.requirements.append((at.where, magic.body))
    elif magic.is_shell:
        for line in lines_of_shell(magic.body):
            result.installs += installs_of(line, at.where)
        _take(done_by(filled(magic.body, at.names)), at.where, result)
    elif magic.writes:
        adds = not {"-a", "--append"}.isdisjoint(magic.rest.split())
        result.make(Made(filled(magic.writes, at.names), magic.body, adds=adds))
    return result


def _code(parsed: Parsed, source: str, at: _At) -> Scan:
    where = at.where
    unparsed = [where.below(number) for number in parsed.unparsed]
    result = Scan(unparsed=unparsed, uses=addresses(source, where))
    specials = list(parsed.specials)
    if at.names is not None or _needs_tree(source):
        sought = _Sought.of(source, at.names)
        installs = frozenset(
            line.line for line in parsed.specials if "install" in line.rest or "add" in line.rest
        )
        for tree in parsed.trees:
            guarded = bool(parsed.guarded) and any(s.lineno in parsed.guarded for s in tree.body)
            result.imports += imports_in(tree, where, optional=guarded, installs=installs)
            specials += _nodes(tree, sought, at, result)
    for line in specials:
        read_line(line, where, result, at.names)
        _take(done_by_line(line, at.names), where.below(line.line), result)
    return result


def _nodes(tree: ast.Module, sought: _Sought, at: _At, result: Scan) -> Iterator[SpecialLine]:
    """Take in what only the nodes of `tree` tell, apart from the lines that calls of it are."""
    if at.names is None and not (sought.calls or sought.strings or sought.does):
        return
    nodes = nodes_of(tree)
    if sought.calls:
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        importers = _importers(nodes if "import_" in sought.source else (), at.names)
        result.imports += imported_by(calls, at.where, importers)
        yield from filter(None, map(special_of, calls))
        for call in calls:
            cell = cell_of(call)
            if cell is not None:
                result.add(scan_cell(cell, at.where.below(call.lineno)))
    if sought.strings:
        result.uses += used(nodes, at.where)
    if at.names is not None:
        result.paths += extended(nodes, at.names, at.here)
    names = {} if at.names is None else at.names
    if sought.does and (sought.names_file or _name_file(names)):
        from envmagic.imports.written import done_in

        executes = "exec" in sought.source or "run_cell" in sought.source
        _take(done_in(nodes, names, at.here, executes=executes), at.where, result)


def _importers(nodes: Iterable[ast.AST], names: dict[str, str] | None) -> set[str]:
    """What `import_module` is called besides; `names` remembers it for the cells behind."""
    found = importers_in(nodes)
    if names is not None:
        names.update(dict.fromkeys(found, "import_module"))
        found |= {name for name, meant in names.items() if meant == "import_module"}
    return found


def _name_file(names: dict[str, str]) -> bool:
    return any(text.endswith(".py") for name, text in names.items() if name != "__file__")


def _take(found: Iterable[Made | Run], place: Where, result: Scan) -> None:
    """Take in what is made and run in `place`."""
    for one in found:
        if isinstance(one, Made):
            result.make(one)
        elif one.is_code:
            result.add(scan_source(one.what, place))
        elif one.is_module:
            result.imports.append(ImportSite(one.what, place, ("__main__",)))
        else:
            result.runs.append((place, one.what))


def _needs_tree(source: str) -> bool:
    return (
        "import" in source
        or "install" in source
        or "sys.path" in source
        or "chdir" in source
        or "get_ipython" in source
        or adds(source)
        or uses(source)
        or makes(source)
    )
