"""Whether modules and names are there, told from files without running any of them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from enum import Enum

from envmagic.planning.guessing.guess import Asked
from envmagic.planning.guessing.trees import Tree

__all__ = ["Presence", "missing_of", "presence"]

_BUILT = (".so", ".pyd")
_DEPTH = 5  # star imports that are followed


class Presence(Enum):
    """What files say of a module or a name."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"
    """It is made when the module runs, or what has it cannot be read: counts as there."""


def missing_of(asked: Iterable[Asked], tree: Tree) -> list[str]:
    """What of the imports `asked` is not in `tree`, dotted: modules, and names of those there."""
    found: list[str] = []
    for item in asked:
        if presence(tree, item.module) is Presence.MISSING:
            found.append(item.module)
            continue
        for name in item.names:
            if presence(tree, item.module, name) is Presence.MISSING:
                found.append(f"{item.module}.{name}")
    return found


def presence(tree: Tree, module: str, name: str | None = None) -> Presence:
    """Whether the dotted `module` is in `tree`; with `name`, whether it can be imported from it."""
    path = ""
    for number, part in enumerate(module.split(".")):
        kind = _kind(tree, path, part)
        inside = f"{path}/{part}".lstrip("/")
        if kind == "built" or (kind == "file" and number < module.count(".")):
            # what is below a file, or inside a built module, is put there when it runs
            return Presence.UNKNOWN
        if kind == "":
            above = f"{path}/__init__.py".lstrip("/")
            return _or_made(tree, above, module) if number else _or_finder(tree)
        path = inside
    if name is None:
        return Presence.THERE
    if _kind(tree, path, name):
        return Presence.THERE
    file = f"{path}/__init__.py" if "__init__.py" in tree.listing(path) else f"{path}.py"
    if tree.listing(path) and not file.endswith("/__init__.py"):
        return Presence.MISSING  # a namespace holds nothing but what is below it
    return _bound(tree, file, name, _DEPTH)


def _kind(tree: Tree, path: str, name: str) -> str:
    """What `name` in the directory `path` is: `package`, `file`, `built`, or nothing: ""."""
    below = tree.listing(path)
    inside = f"{path}/{name}".lstrip("/")
    if name in below and tree.listing(inside):
        return "package"
    if f"{name}.py" in below:
        return "file"
    built = any(n.startswith(f"{name}.") and n.endswith(_BUILT) for n in below)
    return "built" if built else ""


def _or_finder(tree: Tree) -> Presence:
    """An editable installation, or a `.pth` file, has modules lie elsewhere."""
    names = tree.listing("")
    elsewhere = any(n.endswith(".pth") and not _is_harmless(n) for n in names)
    return Presence.UNKNOWN if elsewhere else Presence.MISSING


def _is_harmless(name: str) -> bool:
    return name.startswith(("_virtualenv", "distutils-precedence", "a1_coverage", "envmagic"))


def _or_made(tree: Tree, init: str, module: str) -> Presence:
    """A package may put its submodules into `sys.modules`, as six.moves does, or look elsewhere."""
    text = tree.text(init)
    if text is None:
        return Presence.MISSING
    last = module.rpartition(".")[2]
    made = "sys.modules[" in text or "__path__" in text or "sys.meta_path" in text
    return Presence.UNKNOWN if made and (last in text or "__path__" in text) else Presence.MISSING


def _bound(tree: Tree, file: str, name: str, depth: int) -> Presence:
    """Whether the module in `file` binds `name` at its top level."""
    text = tree.text(file)
    if text is None or depth == 0:
        return Presence.UNKNOWN
    if name not in text and "*" not in text and "__getattr__" not in text and "lazy" not in text:
        return _by_hand(text)
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Presence.UNKNOWN
    statements = list(_flat(body))
    if any(name in set(_names_of(s)) for s in statements):
        return Presence.THERE
    if _is_lazy(text) or any(_may_make(s, name, text) for s in statements):
        return Presence.UNKNOWN
    starred = [_starred(tree, file, s, name, depth) for s in statements]
    for answer in (Presence.THERE, Presence.UNKNOWN):
        if answer in starred:
            return answer
    return _by_hand(text)


def _by_hand(text: str) -> Presence:
    """Names that are put there by other means than binding them."""
    makes = ("globals()", "sys.modules[__name__]", "vars()", "exec(", "setattr(", "__dict__")
    return Presence.UNKNOWN if any(word in text for word in makes) else Presence.MISSING


def _may_make(statement: ast.stmt, name: str, text: str) -> bool:
    """Whether it is a `__getattr__` that could answer for `name`: one that imports, or names it."""
    if "__getattr__" not in set(_names_of(statement)):
        return False
    if not isinstance(statement, ast.FunctionDef):
        return True
    return name in text or any(map(_imports, ast.walk(statement)))


def _imports(node: ast.AST) -> bool:
    words = getattr(node, "id", ""), getattr(node, "attr", "")
    return isinstance(node, (ast.Import, ast.ImportFrom)) or any("import" in w for w in words)


def _is_lazy(text: str) -> bool:
    return "lazy_loader" in text or "LazyModule" in text or "LazyLoader" in text


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module does, also those inside `if`, `try`, `with`."""
    for statement in body:
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for block in ("body", "orelse", "finalbody"):
            yield from _flat(getattr(statement, block, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _flat(handler.body)
        for case in getattr(statement, "cases", ()):
            yield from _flat(case.body)


def _names_of(statement: ast.stmt) -> Iterator[str]:
    """The names that one statement binds; those in `__all__` count, whatever binds them."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
        return
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
        return
    targets = [
        *getattr(statement, "targets", ()),
        *filter(None, [getattr(statement, "target", None)]),
        *(i.optional_vars for i in getattr(statement, "items", ()) if i.optional_vars),
    ]
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                yield node.id
                if node.id == "__all__" and getattr(statement, "value", None) is not None:
                    yield from _strings(statement.value)  # type: ignore[attr-defined]


def _strings(node: ast.expr) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _starred(tree: Tree, file: str, statement: ast.stmt, name: str, depth: int) -> Presence:
    """Whether `name` comes with the star import `statement` in `file`, if it is one."""
    if not isinstance(statement, ast.ImportFrom) or statement.names[0].name != "*":
        return Presence.MISSING
    directory = file.rpartition("/")[0]
    if statement.level:
        for _ in range(statement.level - 1):
            directory = directory.rpartition("/")[0]
        path = "/".join(p for p in (directory, *(statement.module or "").split(".")) if p)
    else:
        path = (statement.module or "").replace(".", "/")
    above, _, last = path.rpartition("/")
    kind = _kind(tree, above, last)
    if kind == "package" and "__init__.py" in tree.listing(path):
        return _bound(tree, f"{path}/__init__.py", name, depth - 1)
    if kind == "file":
        return _bound(tree, f"{path}.py", name, depth - 1)
    return Presence.UNKNOWN  # a built module, or another distribution's
