"""What Python calls make, fetch and run: `open("x.py", "w")`, `urlretrieve`, `exec(…)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from envmagic.imports.calls import name_of
from envmagic.imports.effects import COPIES, FETCHING, RUNS, TREES
from envmagic.imports.made import Made, Run, last_of
from envmagic.imports.paths import bound, value_of

__all__ = ["done_in"]


def done_in(
    nodes: Iterable[ast.AST], names: dict[str, str], here: str, *, executes: bool
) -> Iterator[Made | Run]:
    """What a tree with these `nodes` makes and runs, as far as literals tell; `names` are the
    string variables known so far, and are added to, `here` is the notebook's directory. Where it
    `executes` text, what is read is run."""
    handles: dict[str, str] = {}  # of what is open, by the variable
    for node, known in bound(nodes, names, here):

        def text(value: ast.expr | None, known: dict[str, str] = known) -> str | None:
            return None if value is None else _text(value, known, here)

        if isinstance(node, ast.With):
            for item in node.items:
                _open_as(item.optional_vars, item.context_expr, handles, text)
        elif isinstance(node, ast.Assign):
            _open_as(node.targets[0], node.value, handles, text)
        elif isinstance(node, ast.Call):
            yield from _made(node, handles, text)
            yield from _run(node, text, executes=executes)


_Text = Callable[["ast.expr | None"], "str | None"]


def _made(call: ast.Call, handles: dict[str, str], text: _Text) -> Iterator[Made]:
    name, owner = name_of(call.func), _owner(call)
    if name == "open":
        path, mode = _opened(call, text)
        if path and any(letter in mode for letter in "wax+"):
            yield Made(path, adds="a" in mode)
    elif name in ("write_text", "write_bytes") and owner is not None:
        path = text(owner)
        if path:
            yield Made(path, text(_argument(call, 0, "data")))
    elif name in ("write", "writelines", "print"):
        yield from _written(call, name, handles, text)
    elif name in TREES:
        yield from _tree(call, name, text)
    elif name in COPIES and (owner is None or name_of(owner) in ("shutil", "os")):
        source, target = text(_argument(call, 0, "src")), text(_argument(call, 1, "dst"))
        if source and target:
            into = target if _is_file(target) or name == "copytree" else _inside(target, source)
            yield Made(into, source=source, is_tree=not _is_file(into))
    elif FETCHING.search(name):
        given = [text(value) for value in (*call.args, *(k.value for k in call.keywords))]
        files = [t for t in given if t is not None and last_of(t).endswith((".py", ".ipynb"))]
        named = [file for file in files if "://" not in file]
        yield from (Made(file) for file in named or map(last_of, files))


def _tree(call: ast.Call, name: str, text: _Text) -> Iterator[Made]:
    path = text(_argument(call, *TREES[name]))
    owner = _owner(call)
    if path:
        yield Made(path, is_tree=True)
    elif name == "upload" and owner is not None and name_of(owner) == "files":
        yield Made(".", is_tree=True)  # Colab asks the person for files
    elif name in ("unpack_archive", "extractall"):
        archive = text(_argument(call, 0, "filename") if name == "unpack_archive" else owner)
        if archive:
            yield Made(last_of(archive).partition(".")[0], is_tree=True)


def _written(call: ast.Call, name: str, handles: dict[str, str], text: _Text) -> Iterator[Made]:
    """`f.write("…")`, `open("x.py", "w").write("…")` and `print("…", file=f)`."""
    if name == "print":
        file = next((k.value for k in call.keywords if k.arg == "file"), None)
    else:
        file = _owner(call)
    path = handles.get(file.id) if isinstance(file, ast.Name) else None
    if isinstance(file, ast.Call):
        opened, mode = _opened(file, text)
        path = opened if any(letter in mode for letter in "wax+") else None
    said: str | None = None
    if path and call.args:
        value = call.args[0]
        lines = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
        texts = [text(line) for line in lines]
        said = None if None in texts else "".join(t for t in texts if t is not None)
    if path and said is not None:
        yield Made(path, said + ("\n" if name == "print" else ""), adds=True)


def _run(call: ast.Call, text: _Text, *, executes: bool) -> Iterator[Run]:
    name = name_of(call.func)
    if name in RUNS:
        path = text(_argument(call, *RUNS[name]))
        if path and path.endswith((".py", ".ipy", ".ipynb")):
            yield Run(path)
    elif name == "run_module":
        module = text(_argument(call, 0, "mod_name"))
        if module:
            yield Run(module, is_module=True)
    elif executes and name in ("open", "read_text"):  # `exec(open("x.py").read())`
        path, mode = _opened(call, text) if name == "open" else (text(_owner(call)), "r")
        if path and path.endswith((".py", ".ipy")) and mode.strip("tbU") in ("", "r"):
            yield Run(path)
    elif name == "exec" and call.args:
        code = text(call.args[0])
        if code and "import" in code:
            yield Run(code, is_code=True)


def _open_as(
    target: ast.expr | None, value: ast.expr, handles: dict[str, str], text: _Text
) -> None:
    if (
        isinstance(target, ast.Name)
        and isinstance(value, ast.Call)
        and name_of(value.func) == "open"
    ):
        path, mode = _opened(value, text)
        if path and any(letter in mode for letter in "wax+"):
            handles[target.id] = path


def _opened(call: ast.Call, text: _Text) -> tuple[str | None, str]:
    """Path and mode of `open(path, mode)`, `Path(path).open(mode)` and `io.open(…)`."""
    if name_of(call.func) != "open":
        return None, ""
    owner = _owner(call)
    module = owner is None or name_of(owner) in ("io", "codecs", "builtins", "os")
    path = text(_argument(call, 0, "file") if module else owner)
    return path, text(_argument(call, 1 if module else 0, "mode")) or "r"


def _owner(call: ast.Call) -> ast.expr | None:
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def _argument(call: ast.Call, place: int, keyword: str) -> ast.expr | None:
    if len(call.args) > place:
        return call.args[place]
    return next((k.value for k in call.keywords if k.arg == keyword), None)


def _text(node: ast.expr, names: dict[str, str], here: str) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
        return node.value.decode("utf-8", "replace")
    if isinstance(node, ast.Call) and name_of(node.func) in ("dedent", "encode", "strip", "lstrip"):
        inner = _owner(node) if not node.args else node.args[0]
        return None if inner is None else _text(inner, names, here)
    return value_of(node, names, here)


def _is_file(path: str) -> bool:
    return "." in path.rpartition("/")[2].strip(".")


def _inside(directory: str, source: str) -> str:
    name = source.rstrip("/").rpartition("/")[2]
    return f"{directory.rstrip('/')}/{name}" if _is_file(name) else directory
