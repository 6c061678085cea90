"""Cells as import sites, install commands, and what else decides what an import means."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from envmagic.imports.calls import cell_of, imported_by, importers_in, matter, special_of
from envmagic.imports.installs import Install, installs_of, words_of
from envmagic.imports.made import Made, Run, filled
from envmagic.imports.magics import SpecialLine, cell_magic
from envmagic.imports.parse import Parsed, parse, parse_python
from envmagic.imports.paths import extended
from envmagic.imports.quick import adds, can_tell, imports_of, makes, remembers, uses
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import Use, addresses, told_by_line, used
from envmagic.imports.walk import walk

__all__ = ["Scan", "scan_cell", "scan_source"]

# Options of `%run` that take the next word.
_RUN_VALUES = ("-N", "-b", "-s", "-l", "-T", "-D")
# Extensions that come with IPython, and ours.
_SHIPPED = frozenset({"autoreload", "storemagic", "deduperreload", "envmagic"})
# Names of lines whose rest is a command, and IPython's names for commands themselves.
# One command that makes and runs nothing, the most frequent ones.
_IDLE = re.compile(
    r"\s*(?:pip3?|conda|mamba|apt(?:-get)?|ls|cat|head|tail|wc|nvidia-smi|pwd|du|df|which)"
    r"(?:\s[^|&;<>()$`\n]*)?"
)
_SHELLS = ("!", "sx", "system", "shell", "sh")
_COMMANDS = (*_SHELLS, "cp", "mv", "ln", "wget", "curl", "git")
# What can be imported or run.
_PYTHON = (".py", ".ipy", ".ipynb", ".so", ".pyd", ".pyx")


@dataclass
class Scan:
    """What was found, in the order of the cells."""

    imports: list[ImportSite] = field(default_factory=list)
    installs: list[Install] = field(default_factory=list)
    requirements: list[tuple[Where, str]] = field(default_factory=list)
    """Bodies of `%%env` cells."""
    unparsed: list[Where] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    """Files that the notebook writes, and what it writes, where that is known."""
    made: list[Made] = field(default_factory=list)
    """Those, and all others that it makes or fetches."""
    paths: list[str] = field(default_factory=list)
    """Directories that it puts on `sys.path`."""
    runs: list[tuple[Where, str]] = field(default_factory=list)
    """Files that it runs: `%run`, `!python`, `runpy`, `exec(open(…))`."""
    uses: list[Use] = field(default_factory=list)
    """Strings that load what nothing imports."""

    def add(self, other: Scan) -> None:
        """Take everything of `other` in."""
        if other is _NOTHING:
            return
        self.imports += other.imports
        self.installs += other.installs
        self.requirements += other.requirements
        self.unparsed += other.unparsed
        self.written |= other.written
        self.made += other.made
        self.paths += other.paths
        self.runs += other.runs
        self.uses += other.uses


_NOTHING = Scan()


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
    if quick and not can_tell(source):
        found = list(addresses(source, where))
        return Scan(uses=found) if found else _NOTHING
    magic = cell_magic(source) if "%" in source else None
    if magic is None:
        imports = imports_of(source, where) if quick else None
        if imports is not None:
            return Scan(imports, uses=list(addresses(source, where)))
        return _code(parse(source), source, where, names, here)
    result = Scan()
    body = where.below(magic.line)
    if magic.is_code:
        if "import" in magic.statement:
            result.add(scan_cell(magic.statement, replace(body, line=body.line - 1)))
        result.add(scan_cell(magic.body, body, names=names, here=here, thorough=thorough))
    elif magic.is_requirements:
        result.requirements.append((body, magic.body))
    elif magic.is_shell:
        for line in _shell_lines(magic.body):
            result.installs += installs_of(line, body)
        _take(_done_by(filled(magic.body, names)), body, result)
    elif magic.writes:
        adds = not {"-a", "--append"}.isdisjoint(magic.rest.split())
        _take([Made(filled(magic.writes, names), magic.body, adds=adds)], body, result)
    return result


def scan_source(source: str, where: Where, *, here: str = "") -> Scan:
    """What the Python file `source` imports; it has no magics."""
    names = {"__file__": f"{here}/{posixpath.basename(where.file)}"} if remembers(source) else None
    return _code(parse_python(source), source, where, names, here)


def _shell_lines(body: str) -> Iterable[SpecialLine]:
    """The commands of a shell cell, one a line, continuations joined."""
    number = 1
    for text in re.split(r"(?<!\\)\n", body):
        yield SpecialLine("!", re.sub(r"\\[ \t]*\n", " ", text), number)
        number += text.count("\n") + 1


def _code(
    parsed: Parsed, source: str, where: Where, names: dict[str, str] | None, here: str
) -> Scan:
    result = Scan()
    result.unparsed = [where.below(n) for n in parsed.unparsed]
    result.uses += addresses(source, where)
    specials = list(parsed.specials)
    if names is not None or _needs_tree(source):
        calls = matter(source) or bool(names and "import_module" in names.values())
        strings = uses(source)
        installs = frozenset(
            line.line for line in parsed.specials if "install" in line.rest or "add" in line.rest
        )
        for tree in parsed.trees:
            guarded = bool(parsed.guarded) and any(s.lineno in parsed.guarded for s in tree.body)
            found = walk(tree, where, calls=calls, optional=guarded, installs=installs)
            result.imports += found.imports
            if calls:
                importers = _importers(tree if "import_" in source else None, names)
                result.imports += imported_by(found.calls, where, importers)
            specials += filter(None, map(special_of, found.calls))
            for call in found.calls:
                cell = cell_of(call)
                if cell is not None:
                    result.add(scan_cell(cell, where.below(call.lineno)))
            if strings:
                result.uses += used(tree, where)
            if names is not None:
                result.paths += extended(tree, names, here)
            if makes(source) or (names and _names_file(names)):
                known = {} if names is None else names
                _take(_done_in(tree, source, known, here), where, result)
    for line in specials:
        _special(line, where, result, names)
    return result


def _importers(tree: ast.Module | None, names: dict[str, str] | None) -> set[str]:
    """What `import_module` is called besides; `names` remembers it for the cells behind."""
    found = importers_in(tree) if tree is not None else set()
    if names is not None:
        names.update(dict.fromkeys(found, "import_module"))
        found |= {name for name, meant in names.items() if meant == "import_module"}
    return found


def _names_file(names: dict[str, str]) -> bool:
    return any(text.endswith(".py") for name, text in names.items() if name != "__file__")


def _take(found: Iterable[Made | Run], place: Where, result: Scan) -> None:
    """Take in what is made and run in `place`."""
    for one in found:
        if isinstance(one, Made):
            if one.text is not None:
                before = result.written.get(one.path) if one.adds else None
                result.written[one.path] = f"{before}\n{one.text}" if before else one.text
            if one.is_tree or one.path.endswith(_PYTHON):
                result.made.append(one)
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


def _special(line: SpecialLine, where: Where, result: Scan, names: dict[str, str] | None) -> None:
    place = where.below(line.line)
    result.uses += told_by_line(line, place)
    first = line.rest.split(None, 1)[0].strip("\"'") if line.rest.strip() else ""
    if line.name in ("load_ext", "reload_ext", "aimport"):
        for name in re.split(r"[\s,]+", line.rest.partition("#")[0]):
            if re.fullmatch(r"[^\W\d]\w*(\.\w+)*", name) and name not in _SHIPPED:
                result.imports.append(ImportSite(name, place, extension=True))
    elif line.name == "pylab":
        result.imports += [
            ImportSite(name, place, extension=True) for name in ("numpy", "matplotlib")
        ]
    elif line.name == "matplotlib":
        # boilerplate in many notebooks that plot nothing: needed only if it is there
        result.imports.append(ImportSite("matplotlib", place, optional=True, extension=True))
    elif line.name == "run":
        _run(filled(line.rest, names), place, result)
    elif line.name in ("env", "envmagic"):
        result.installs += _ours(line.rest, line, where)
    elif line.name in ("cd", "pushd") and first:
        if not filled(first, names).startswith(("-", "$", "{")):
            result.paths.append(filled(first, names))
    elif line.name == "save":  # cells, into a file
        file = next((w for w in line.rest.split() if not w.startswith("-")), "")
        result.made.append(Made(file if file.endswith((".py", ".ipy")) else f"{file}.py"))
    else:
        result.installs += installs_of(line, where)
        if line.name in _COMMANDS:
            name = "" if line.name in _SHELLS else f"{line.name} "
            _take(_done_by(filled(name + line.rest, names)), place, result)


def _done_by(text: str) -> Iterator[Made | Run]:
    """What the commands in `text` make and run."""
    if _IDLE.fullmatch(text):
        return iter(())
    from envmagic.imports.commands import done_by

    return done_by(text)


def _done_in(
    tree: ast.Module, source: str, names: dict[str, str], here: str
) -> Iterator[Made | Run]:
    """What Python's own calls in `tree` make and run."""
    from envmagic.imports.written import done_in, may_do

    if may_do(source):
        executes = "exec" in source or "run_cell" in source
        yield from done_in(tree, names, here, executes=executes)


def _run(rest: str, place: Where, result: Scan) -> None:
    """`%run [options] file.py args`; IPython adds the suffix when it is left out."""
    words = iter(words_of(rest))
    for word in words:
        if word == "-m":
            module = next(words, "")
            if re.fullmatch(r"\w+(\.\w+)*", module):
                result.imports.append(ImportSite(module, place))
            return
        if word in _RUN_VALUES:
            next(words, "")
        elif word.startswith("#"):
            return
        elif not word.startswith("-"):
            result.runs.append((place, word))
            return


def _ours(rest: str, line: SpecialLine, where: Where) -> Iterable[Install]:
    """`%env install x` and `%env create name --with x y`."""
    words = rest.split()
    if words[:1] == ["install"]:
        return installs_of(replace(line, name="pip", rest=rest), where)
    if words[:1] == ["create"] and "--with" in words:
        named = re.split(r"\s--(?!with\b)[\w-]+|\s-[a-zA-Z]\b", rest.partition("--with")[2])[0]
        return installs_of(replace(line, name="pip", rest=f"install {named}"), where)
    return ()
