"""Notebook files as cells: nbformat 3 and 4, Jupytext scripts and Markdown.

Of the outputs only what says that an installation failed is looked at.
"""

from __future__ import annotations

import codecs
import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from envmagic.core.display import user_path
from envmagic.core.encoding import by_mark
from envmagic.core.errors import EnvmagicError
from envmagic.jupyter.notebook_language import is_python_cell, language_of, mapping
from envmagic.system import files

__all__ = ["LIMIT", "Cell", "NotebookFile", "parse", "read"]

LIMIT = 256 * 1024 * 1024
"""Bytes; a larger notebook is refused before it is loaded."""

_STRIP_FROM = 1024 * 1024  # bytes; below it, parsing the outputs is cheaper than skipping them
_DEPTH = 128  # levels of brackets; notebooks have about ten
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_OUTPUTS = re.compile(rb'(?<!\\)"(?:outputs|attachments|widgets)"\s*:\s*(?=[\[{])')
# What pip, uv and our own verbs say when they could not install.
_FAILURES = (
    "No matching distribution found for",
    "Could not find a version that satisfies",
    "not found in the package registry",
    "No solution found when resolving",
    "UsageError: ",
)
_FAILURE_BYTES = tuple(said.encode() for said in _FAILURES)
# The line that says so; uv gives its reasons on indented lines below.
_COMPLAINT = re.compile(rf"^.*(?:{'|'.join(_FAILURES)}).*(?:\n[ \t]+.*)*", re.MULTILINE)
# A string that is not closed goes to the end; else each quote in it would be tried.
_TRAILING = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"?)|,(?=\s*[\]}])', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKET = re.compile(rb'["\[\]{}]')
# Written by Jupytext, or by an editor that knows its cells.
_JUPYTEXT = re.compile(r"(?ms)\A# ---\n.*?# jupyter:|^# %%(?:[ \t]|$)")
# `# %pip install x`, `# !pip install x`, `# %%time`; `# %%` and `# %% title` begin a cell.
_COMMENTED_MAGIC = re.compile(r"(?m)^#[ \t]?(?=%{1,2}[^\W\d]|![ \t]*\w)")
# Databricks' own format: what is no Python stands behind `# MAGIC`.
_DATABRICKS = "# Databricks notebook source"
_COMMAND = re.compile(r"(?m)^# COMMAND -+[ \t]*$")
_SOURCE_MAGIC = re.compile(r"(?m)^# MAGIC(?:[ \t]|$)")
_OTHER_LANGUAGE = re.compile(r"\A((?:\s|#[^\n]*\n)*)%(?=(?:sql|md|md-sandbox|scala|r|fs)\b)")
# Python in Markdown: Jupytext's and Quarto's cells, and MyST's, whose language may be left out.
_CODE_CELL = r"\{code-cell\}[ \t]*(?:i?python\d?[ \t]*)?"
_IN_BRACES = r"\{i?python\d?\b.*"
_FENCE = re.compile(rf"(`{{3,}}|~{{3,}}) ?(?:{_CODE_CELL}|{_IN_BRACES}|i?python\d?\b.*)")
# Without braces it is shown and not run, in Quarto, R Markdown and MyST.
_FENCE_IN_BRACES = re.compile(rf"(`{{3,}}|~{{3,}}) ?(?:{_CODE_CELL}|{_IN_BRACES})")
_MYST = re.compile(r"(?m)^(?:`{3,}|~{3,}) ?\{code-cell\}|^[ \t]+format_name: myst$")
_MYST_OPTIONS = re.compile(r"\A(?:---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
_SCRIPTS = (".py", ".md", ".qmd", ".rmd")


class Cell(NamedTuple):
    """A code cell: its number among all cells, counting from 1, and its source as it is typed."""

    number: int
    source: str
    complaint: str = ""
    """What its saved output says of an installation that failed."""


@dataclass(frozen=True)
class NotebookFile:
    """The code cells of a notebook; none when it is not Python."""

    language: str
    cells: tuple[Cell, ...] = ()
    kernel: str | None = None
    """The kernel it names."""
    version: str = ""
    """That of its language, `3.12.4`; empty where it does not say."""

    @property
    def is_python(self) -> bool:
        return self.language == "python"


def read(path: Path) -> NotebookFile:
    """The cells of the notebook `path`.

    Raises `EnvmagicError`: `unreadable`, `too-large` (beyond `LIMIT`), `not-a-notebook`.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise files.unreadable(path, error) from error
    if stat.S_ISREG(facts.st_mode) and facts.st_size > LIMIT:
        raise EnvmagicError(
            "too-large",
            f"{user_path(path)} has {facts.st_size >> 20} MiB; at most {LIMIT >> 20} are read.",
            "Clear its outputs.",
            subject=str(path),
        )
    return parse(files.read(path, LIMIT), path)


def parse(raw: bytes, path: Path) -> NotebookFile:
    """The cells of a notebook with the bytes `raw`; `path` tells its format and is for messages.

    Raises `EnvmagicError` (`not-a-notebook`).
    """
    if path.suffix.lower() in _SCRIPTS:
        return _script(_decode(raw), path.suffix.lower())
    try:
        document = _load(raw)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "it is nested too deeply" if not isinstance(error, ValueError) else "no JSON"
        raise _not_a_notebook(path, reason) from error
    if not isinstance(document, dict):
        raise _not_a_notebook(path, "no JSON object")
    cells = list(_cells(document))
    if not cells and not any(k in document for k in ("cells", "worksheets", "nbformat")):
        raise _not_a_notebook(path, "it has no cells")
    language = language_of(document, cells)
    # lines of nbformat 2 carry no line ends
    joint = "\n" if document.get("nbformat") == 2 else ""
    code = tuple(_code(cells, joint)) if language == "python" else ()
    return NotebookFile(language, code, _kernel(document), _version(document))


def _load(raw: bytes) -> Any:
    if _is_deep(raw) and _is_deep(_STRING.sub(b"", raw)):
        raise RecursionError
    if len(raw) > _STRIP_FROM and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = _without_outputs(raw)
    try:
        return json.loads(raw.removeprefix(codecs.BOM_UTF8))
    except ValueError:
        # control characters inside strings, bytes that are no UTF-8, commas too many
        text = _TRAILING.sub(lambda m: m[1] or "", _decode(raw))
        return json.loads(text, strict=False)


def _is_deep(raw: bytes) -> bool:
    """Whether brackets are nested beyond `_DEPTH`: pairs are taken out from the inside.

    Brackets in strings may hide some; then Python's own limit on recursion stops the parser.
    """
    brackets = raw.translate(None, _NO_BRACKET)
    for _ in range(_DEPTH):
        fewer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(fewer) == len(brackets):
            return False
        brackets = fewer
    return True


def _decode(raw: bytes) -> str:
    name, mark = by_mark(raw)
    if name:
        return raw[len(mark) :].decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _without_outputs(raw: bytes) -> bytes:
    """`raw` with the values of "outputs" and the like empty: they are most of a large notebook.

    Such a key cannot occur inside a JSON string, where its quotes would carry a backslash. Outputs
    that say that an installation failed are kept.
    """
    kept: list[bytes] = []
    position = 0
    failures = [said for said in _FAILURE_BYTES if said in raw]
    while match := _OUTPUTS.search(raw, position):
        end = _value_end(raw, match.end())
        told = any(raw.find(said, match.end(), end) >= 0 for said in failures)
        empty = b"[]" if raw[match.end()] == ord("[") else b"{}"
        kept += raw[position : match.end()], raw[match.end() : end] if told else empty
        position = end
    return b"".join([*kept, raw[position:]])


def _value_end(raw: bytes, start: int) -> int:
    depth, position = 0, start
    while match := _BRACKET.search(raw, position):
        position = match.end()
        token = raw[match.start()]
        if token == ord('"'):
            position = _string_end(raw, position)
        elif token in b"[{":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return position
    raise ValueError("unterminated")


def _string_end(raw: bytes, position: int) -> int:
    while True:
        quote = raw.find(b'"', position)
        if quote < 0:
            raise ValueError("unterminated")
        slashes = quote
        while raw[slashes - 1] == ord("\\"):
            slashes -= 1
        position = quote + 1
        if (quote - slashes) % 2 == 0:
            return position


def _cells(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = document.get("cells")
    if not isinstance(found, list):
        sheets = document.get("worksheets")
        sheets = sheets if isinstance(sheets, list) else []
        found = [
            cell
            for sheet in sheets
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
            for cell in sheet["cells"]
        ]
    # what is no cell keeps its place, so that numbers stay right
    yield from (cell if isinstance(cell, dict) else {} for cell in found)


def _code(cells: list[dict[str, Any]], joint: str) -> Iterator[Cell]:
    for number, cell in enumerate(cells, 1):
        if cell.get("cell_type") != "code" or not is_python_cell(cell):
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            try:
                source = joint.join(source)
            except TypeError:
                source = joint.join(part for part in source if isinstance(part, str))
        if isinstance(source, str) and source and not source.isspace():
            yield Cell(number, source, _complaint(cell, source))


def _complaint(cell: Mapping[str, Any], source: str) -> str:
    outputs = cell.get("outputs")
    if not outputs or not ("install" in source or "%env" in source or " add " in source):
        return ""
    said = "".join(_texts(outputs))
    if not any(failure in said for failure in _FAILURES):
        return ""
    return "\n".join(match[0] for match in _COMPLAINT.finditer(said))


def _texts(outputs: Any) -> Iterator[str]:
    """What was printed in a cell; an exception's words are no installer's."""
    for output in outputs if isinstance(outputs, list) else ():
        text = output.get("text") if isinstance(output, dict) else None
        for part in text if isinstance(text, list) else [text]:
            if isinstance(part, str):
                yield part


def _kernel(document: Mapping[str, Any]) -> str | None:
    name = mapping(mapping(document, "metadata"), "kernelspec").get("name")
    return name if isinstance(name, str) else None


def _version(document: Mapping[str, Any]) -> str:
    version = mapping(mapping(document, "metadata"), "language_info").get("version")
    return version if isinstance(version, str) else ""


def _script(text: str, suffix: str) -> NotebookFile:
    """A notebook as text; magics are commented out in `.py` files."""
    if suffix != ".py":
        braces = suffix in (".qmd", ".rmd") or _MYST.search(text) is not None
        fences = (_MYST_OPTIONS.sub("", code) for code in _fenced(text, braces=braces))
        return NotebookFile("python", tuple(Cell(n, s) for n, s in enumerate(fences, 1)))
    if text.startswith(_DATABRICKS):
        commands = map(_databricks, _COMMAND.split(text.replace("\r\n", "\n")))
        return NotebookFile("python", tuple(Cell(n, s) for n, s in enumerate(commands, 1)))
    if _JUPYTEXT.search(text):
        text = _COMMENTED_MAGIC.sub("", text)
    parts = re.split(r"(?m)^(?=# %%(?:\s|$)|# \+(?:\s|$)|# In\[)|(?<=\n\n)(?=%%\w)", text)
    code = ((n, p) for n, p in enumerate(parts, 1) if not re.match(r"# %% *\[(markdown|raw)", p))
    return NotebookFile("python", tuple(Cell(n, p) for n, p in code if p.strip()))


def _databricks(command: str) -> str:
    """A cell as it is typed; those of other languages are that as a whole."""
    source = _SOURCE_MAGIC.sub("", command)
    return _OTHER_LANGUAGE.sub(r"\1%%", source, count=1) if source != command else source


def _fenced(text: str, *, braces: bool) -> Iterator[str]:
    """What stands in the fences of Python; one that is not closed goes to the end."""
    pattern = _FENCE_IN_BRACES if braces else _FENCE
    fence, inside = "", list[str]()
    for line in text.replace("\r\n", "\n").split("\n"):
        if not fence:
            opening = pattern.fullmatch(line)
            fence = opening[1] if opening is not None else ""
        elif line.startswith(fence):
            yield "".join(inside)
            fence, inside = "", []
        else:
            inside.append(f"{line}\n")
    if inside:
        yield "".join(inside)


def _not_a_notebook(path: Path, reason: str) -> EnvmagicError:
    return EnvmagicError(
        "not-a-notebook",
        f"{user_path(path)} is not a notebook: {reason}.",
        "Open and save it in Jupyter, or leave it out.",
        subject=str(path),
    )
