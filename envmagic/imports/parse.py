"""A cell as syntax trees, whatever it holds: what cannot be parsed costs its own lines only."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import warnings
from dataclasses import dataclass, field

from envmagic.imports.lines import Statement, statements
from envmagic.imports.magics import SpecialLine, plain

__all__ = ["Parsed", "parse", "parse_python"]

_TRIES = 40  # broken lines taken out of a cell before each import is read on its own
_IMPORT = re.compile(r"\s*(?:import\s+[\w.]|from\s+[.\w]+\s+import\b)")
# One behind something else on its line: `if x: import a`.
_INNER_IMPORT = re.compile(r"[:;]\s*((?:import\s+[\w.]|from\s+[.\w]+\s+import\b)[^;]*)")
# What Pythons newer than the one that scans may have: `lazy import a` (PEP 810), template strings
# (PEP 750), which are read as strings.
_LAZY = re.compile(r"(?m)^([ \t]*(?:\S[^\n]*[:;][ \t]*)?)lazy[ \t]+(?=import\b|from\b)")
_TEMPLATE = re.compile(r"(?<![\w\"'])(?:[tT][rR]?|[rR][tT])(?=[\"'])")
_ESCAPED = re.compile(r"\n[ \t]*[%!]")  # behind `\n`, since `^` is tried at every character
_PYTHON_2 = re.compile(
    r"(?P<indent>\s*)(?:print\s+(?![=(,.)]|in\b|is\b)\S|print\s*>>|print\s*$"
    r"|exec\s+[\"'\w]|raise\s+\w+\s*,)"
)
# What comes along from web pages: spaces that are none to Python, and characters of no width.
_PASTED = {0: None, **dict.fromkeys((0xA0, 0x202F, 0x3000), " ")}
_PASTED |= dict.fromkeys((0xFEFF, *range(0x200B, 0x200E), 0x2060))
_EXCEPT = re.compile(r"^(\s*)except\s+(\S(?:.*?\S)??)\s*,\s*\w+\s*:")
# Python 2's `except A, e:` too; a name that is none of an error changes nothing.
_EXCEPT_MANY = re.compile(r"^(\s*except\*?\s+)([\w.]+(?:\s*,\s*[\w.]+)+)\s*:")


@dataclass
class Parsed:
    """The trees of a cell (one, unless single imports had to be rescued), and what was lost."""

    trees: list[ast.Module] = field(default_factory=list)
    specials: list[SpecialLine] = field(default_factory=list)
    unparsed: list[int] = field(default_factory=list)
    """Lines, counting from 1."""
    guarded: set[int] = field(default_factory=set)
    """Where imports had to be read one by one: the lines of those that stand below a `try:`."""


def parse(source: str) -> Parsed:
    """The trees of a cell, IPython's syntax understood."""
    escaped = _ESCAPED.search("\n" + source) is not None  # a parse that fails takes twice as long
    tree = None if escaped else _tree(source)
    if tree is not None:
        return Parsed([tree])
    made = plain(source)
    result = _parse_lines(made.lines)
    tree = _tree(source) if escaped and result.unparsed else None
    if tree is not None:  # what looked like a magic was part of a string
        return Parsed([tree])
    result.specials = made.specials
    if made.cut is not None:
        result.unparsed.append(made.cut)
    return result


def parse_python(source: str) -> Parsed:
    """The trees of a Python file, in which `%` and `!` mean nothing special."""
    tree = _tree(source)
    return Parsed([tree]) if tree is not None else _parse_lines(source.splitlines())


def _tree(source: str) -> ast.Module | None:
    tree = _attempt(source)
    return tree if isinstance(tree, ast.Module) else None


def _attempt(source: str) -> ast.Module | SyntaxError | None:
    """The tree, the error that tells its line, or None where no line is to blame."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return None


def _parse_lines(lines: list[str]) -> Parsed:
    text = textwrap.dedent("\n".join(lines)).translate(_PASTED)
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    tree = _attempt(text)
    if isinstance(tree, ast.Module):
        return Parsed([tree])
    text = _as_older(text)
    lines = text.expandtabs(8).split("\n")
    spans = statements(lines)
    unparsed = _take_out_python_2(lines, spans)
    repaired = _repaired(lines, spans, unparsed)
    if repaired is not None:
        return Parsed([repaired], unparsed=sorted(unparsed))
    return _rescued(text.expandtabs(8).split("\n"))


def _as_older(text: str) -> str:
    """`text` without what this Python may be too old for and that older ones say otherwise."""
    text = _LAZY.sub(r"\1", text)
    return text if sys.version_info >= (3, 14) else _TEMPLATE.sub("", text)


def _take_out_python_2(lines: list[str], spans: list[Statement]) -> set[int]:
    taken: set[int] = set()
    for span in spans:
        line = lines[span.start]
        match = _PYTHON_2.match(line)
        if match and _tree("\n".join(lines[span.start : span.end]).strip()) is None:
            _blank(lines, span, match["indent"] + "pass")
            taken.add(span.start + 1)
        else:
            line = _EXCEPT_MANY.sub(r"\1(\2):", line)
            lines[span.start] = _EXCEPT.sub(r"\1except \2:", line)
    return taken


def _repaired(lines: list[str], spans: list[Statement], unparsed: set[int]) -> ast.Module | None:
    """The tree once the lines that the parser names are out, or None; adds them to `unparsed`."""
    tries = _TRIES if len(lines) < 2000 else 5
    for _ in range(tries):
        tree = _attempt("\n".join(lines))
        if isinstance(tree, ast.Module):
            return tree
        if tree is None or not tree.lineno:
            return None
        number = tree.lineno - 1
        header = re.search(r"after .* on line (\d+)", tree.msg or "")
        if header and isinstance(tree, IndentationError):
            number = int(header[1]) - 1
        span = _span_of(spans, number)
        if span is None:
            return None
        if _is_misplaced(tree) and span.start + 1 not in unparsed:
            _indent_as_above(lines, span)
            unparsed.add(span.start + 1)
        elif not _take_out(lines, span, unparsed):
            return None
    return None


def _is_misplaced(error: SyntaxError) -> bool:
    """Whether a line is indented otherwise than any block is."""
    return (isinstance(error, IndentationError) and "unindent" in (error.msg or "")) or (
        error.msg == "unexpected indent"
    )


def _indent_as_above(lines: list[str], span: Statement) -> None:
    """One line that is indented by mistake must not cost the cell."""
    above = next((line for line in reversed(lines[: span.start]) if line.strip()), "")
    indent = above[: len(above) - len(above.lstrip())]
    lines[span.start] = indent + lines[span.start].lstrip()


def _span_of(spans: list[Statement], number: int) -> Statement | None:
    return next((s for s in spans if s.start <= number < s.end), spans[-1] if spans else None)


def _take_out(lines: list[str], span: Statement, unparsed: set[int]) -> bool:
    """Replace the statement by one that parses; False when that was done before."""
    line = lines[span.start]
    indent = line[: len(line) - len(line.lstrip())]
    if span.start + 1 in unparsed:
        if line.strip() in ("", "pass"):
            return False
        _blank(lines, span, indent + "pass" if line.strip().endswith(":") else "")
        return True
    unparsed.add(span.start + 1)
    text = "\n".join(lines[span.start : span.end])
    good = _good_parts(text)
    if good:
        _blank(lines, span, indent + "; ".join(good))
    elif line.lstrip().startswith(("except", "else", "elif", "finally")):
        _blank(lines, span, indent + "pass")
    else:
        _blank(lines, span, indent + ("if 1:" if text.rstrip().endswith(":") else "pass"))
    return True


def _good_parts(text: str) -> list[str]:
    """What of a statement that does not parse is one by itself: between `;`, or an import."""
    parts = [part.strip() for part in text.split(";")] if ";" in text else []
    good = [part for part in parts if part and _tree(part) is not None]
    inner = (match[1].strip() for match in _INNER_IMPORT.finditer(text))
    return good + [part for part in inner if part not in good and _tree(part) is not None]


def _blank(lines: list[str], span: Statement, replacement: str) -> None:
    lines[span.start : span.end] = [replacement, *[""] * (span.end - span.start - 1)]


def _rescued(lines: list[str]) -> Parsed:
    """Every statement on its own: the imports that parse are kept, what does not parse is told."""
    result = Parsed()
    for span in statements(lines):
        text = "\n".join(lines[span.start : span.end])
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if not _IMPORT.match(text):
            continue
        tree = _tree(textwrap.dedent(text))
        if tree is None:
            good = "; ".join(_good_parts(text))
            tree = _tree(good) if good else None
            result.unparsed.append(span.start + 1)
        if tree is not None:
            ast.increment_lineno(tree, span.start)
            result.trees.append(tree)
            if _below_try(lines, span.start):
                result.guarded.add(span.start + 1)
    result.unparsed = result.unparsed or [1]
    return result


def _below_try(lines: list[str], number: int) -> bool:
    width = len(lines[number]) - len(lines[number].lstrip())
    for line in reversed(lines[:number]):
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent < width:
            return line.lstrip().startswith("try")
    return False
