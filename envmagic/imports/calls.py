"""Calls that import, install or are magics: `import_module("x")`, `os.system("pip install x")`."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Collection, Iterable, Iterator

from envmagic.imports.magics import SpecialLine
from envmagic.imports.quick import adds
from envmagic.imports.sites import ImportSite, Where

__all__ = [
    "cell_of",
    "imported_by",
    "importers_in",
    "keyword",
    "literal",
    "matter",
    "name_of",
    "special_of",
]

_IMPORTERS = ("import_module", "__import__")

_SHELL = ("system", "getoutput", "popen", "Popen", "run", "call", "check_call", "check_output")


def matter(source: str) -> bool:
    """Whether a call in `source` may import, install or be a magic; cheap."""
    return (
        "import_module" in source
        or "__import__" in source
        or "get_ipython" in source
        or ("install" in source and ("pip" in source or "pypi" in source.lower()))
        or adds(source)
        or "system(" in source
        or "subprocess" in source
    )


def importers_in(nodes: Iterable[ast.AST]) -> set[str]:
    """What else `import_module` and `__import__` are called: `im` of `import_module as im`."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "importlib":
            found |= {a.asname for a in node.names if a.asname and a.name in _IMPORTERS}
        elif isinstance(node, ast.Assign) and name_of(node.value) in _IMPORTERS:
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return found


def imported_by(
    calls: Iterable[ast.Call], where: Where, importers: Collection[str] = ()
) -> Iterator[ImportSite]:
    """`import_module("x")`, `import_module(".y", "x")` and `__import__("x")` with literals, also by
    a name in `importers`."""
    for call in calls:
        name = name_of(call.func)
        if name not in _IMPORTERS and not (name in importers and isinstance(call.func, ast.Name)):
            continue
        module = (literal(call.args[0]) if call.args else keyword(call, "name")) or ""
        dots = len(module) - len(module.lstrip("."))
        package = literal(call.args[1]) if len(call.args) > 1 else keyword(call, "package")
        if dots == 1 and package:
            module, dots = package + module, 0
        if all(part.isidentifier() for part in module[dots:].split(".")):
            yield ImportSite(module[dots:], where.below(call.lineno), level=dots)


def special_of(call: ast.Call) -> SpecialLine | None:
    """The line magic or shell command that a call of literals is: `get_ipython().system("…")`,
    `os.system("pip install x")`, `subprocess.run(["pip", "install", "x"])`,
    `pip.main(["install", "x"])`; and what installs on Spark clusters:
    `sc.install_pypi_package("x")` (EMR), `dbutils.library.installPyPI("x", "1.0")`; and in the
    browser: `micropip.install(["x", "y"])`.
    """
    name = name_of(call.func)
    if name == "install" and _is_of_browser(call.func):
        given = [*call.args, *(k.value for k in call.keywords if k.arg == "requirements")]
        return SpecialLine("pip", f"install {_quoted(given[0])}", call.lineno) if given else None
    words = [literal(a) for a in call.args]
    if not words or words[0] is None:
        return None
    if name in _SHELL:
        return SpecialLine("!", words[0], call.lineno)
    if name in ("main", "pipmain"):
        is_pip = name == "pipmain" or "pip" in ast.dump(call.func)
        return SpecialLine("pip", words[0], call.lineno) if is_pip else None
    if name in ("install_pypi_package", "installPyPI"):
        return SpecialLine("pip", f'install "{words[0]}{_version(call, name, words)}"', call.lineno)
    if name in ("run_line_magic", "magic"):
        text = " ".join(w for w in words if w is not None)
        magic, _, rest = text.lstrip("%").partition(" ")
        return SpecialLine(magic, rest, call.lineno)
    return None


def cell_of(call: ast.Call) -> str | None:
    """The cell that `get_ipython().run_cell_magic("time", "", "…")` runs, as it is typed."""
    words = [literal(a) for a in call.args]
    if name_of(call.func) != "run_cell_magic" or len(words) != 3 or None in words:
        return None
    return f"%%{words[0]} {words[1]}\n{words[2]}"


def name_of(node: ast.expr) -> str:
    """`run` of `subprocess.run`, and of `run`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_of_browser(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and name_of(function.value) in (
        "micropip",
        "piplite",
    )


def _quoted(node: ast.expr) -> str:
    """A requirement, or a list of some, as words of a command line."""
    nodes = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    words = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return " ".join(shlex.quote(word) for word in words)


def _version(call: ast.Call, name: str, words: list[str | None]) -> str:
    """Extras and version of Databricks' `installPyPI("x", version="1", extras="y")`."""
    if name != "installPyPI":
        return ""
    version = words[1] if len(words) > 1 else keyword(call, "version")
    extras = keyword(call, "extras")
    return (f"[{extras}]" if extras else "") + (f"=={version}" if version else "")


def keyword(call: ast.Call, name: str) -> str | None:
    """The string that the argument `name` is; None where it is none."""
    return next((literal(k.value) for k in call.keywords if k.arg == name), None)


def literal(node: ast.expr) -> str | None:
    """A string, or a list of strings as a command line (`sys.executable` is one too)."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, (ast.List, ast.Tuple)):
        words = ["python" if name_of(e) == "executable" else literal(e) or "{?}" for e in node.elts]
        return " ".join(f'"{w}"' if " " in w else w for w in words)
    return None
