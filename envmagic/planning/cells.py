"""What a notebook's own cells declare: `%%env` and its like, and inline script metadata."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from envmagic.core import names
from envmagic.core.display import quoted
from envmagic.core.errors import WordsError
from envmagic.core.model import Frontend, Place
from envmagic.environments import registry
from envmagic.environments.backends.base import InstallPlan
from envmagic.imports.script_block import blocks
from envmagic.jupyter.notebook_file import Cell
from envmagic.planning.documents import bad_declaration, toml
from envmagic.planning.plan import Declaration, Kind, PassedOver, Source, WantedPython

__all__ = ["of_magic", "of_script_block"]

_MAGIC = re.compile(
    r"^(?P<kind>%%env(?:magic)?(?=\s|$)|%env(?:magic)?[ \t]+(?P<verb>create|use|attach)(?=\s|$))"
    r"(?P<rest>[^\n]*)",
    re.M,
)
_VALUED = frozenset({"-r", "--requirement", "--python", "--backend"})
_MANY = frozenset({"--with", "--channel"})


def of_magic(path: Path | None, cells: Iterable[Cell], directory: Path) -> Declaration | None:
    """What the first cell that makes or names an environment says; None when none does.

    Raises `EnvmagicError` where its words mean no environment.
    """
    place = Place(Frontend.NOTEBOOK, directory, path)
    for cell in cells:
        match = _MAGIC.search(cell.source)
        if match is None or (match["kind"].startswith("%%") and not _is_first(cell.source, match)):
            continue
        source = Source(Kind.CELL, path, cell.number)
        target, python = _words(match["rest"], source)
        pythons = (WantedPython(python, source),) if python else ()
        makes = match["verb"] in (None, "create")
        if target is None and not makes:
            continue
        if not makes:
            at = _existing(str(target), place)
            if at is None:
                continue
            return Declaration(source, at.prefix, at.name, as_it_is=True)
        at = registry.declared(target, place)
        return Declaration(source, at.prefix, at.name, pythons=pythons, by_cell=True)
    return None


def _is_first(source: str, match: re.Match[str]) -> bool:
    """A cell magic below other code is none."""
    above = source[: match.start()].splitlines()
    return all(not line.strip() or line.lstrip().startswith("#") for line in above)


def _words(text: str, source: Source) -> tuple[str | None, str]:
    """The NAME or PATH among the words of `create`, and what `--python` says."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise bad_declaration(source, f"{text.strip()!r} cannot be read: {error}") from error
    target, python, takes = None, "", ""
    for word in words:
        option, equals, value = word.partition("=")
        if word.startswith("-"):
            takes = "" if equals else option
            python = value if option == "--python" and equals else python
        elif takes in _VALUED:
            python = word if takes == "--python" else python
            takes = ""
        elif takes not in _MANY:
            target = target or word
    return target, python


def _existing(word: str, place: Place) -> registry.Target | None:
    """The environment that `word` means; None for another kernel, or where there is none yet."""
    try:
        at = registry.existing(word, place)
    except WordsError:
        return None
    return at if names.is_path(word) or at.prefix.exists() else None


def of_script_block(
    path: Path | None, cells: Iterable[Cell]
) -> tuple[Declaration | None, list[PassedOver]]:
    """What the block of inline script metadata says, and its tables that are not followed.

    Raises `EnvmagicError` (`bad-declaration`) naming cell and line.
    """
    found: Declaration | None = None
    over: list[PassedOver] = []
    for cell in cells:
        if "# ///" not in cell.source:
            continue
        for line, kind, lines in blocks(cell.source):
            if kind != "script":
                continue
            source = Source(Kind.SCRIPT, path, cell.number, line)
            if found is not None:
                raise bad_declaration(source, "a second block of script metadata begins")
            found, more = _of_block(lines, source)
            over += more
    return found, over


def _of_block(lines: Sequence[str], source: Source) -> tuple[Declaration, list[PassedOver]]:
    said = toml("\n".join(lines), Source(source.kind, source.file, source.cell, source.line + 1))
    wanted = said.get("dependencies", [])
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise bad_declaration(source, "dependencies is no list of requirements")
    for item in wanted:
        try:
            Requirement(item)
        except InvalidRequirement as error:
            line = next((n for n, text in enumerate(lines, 2) if item in text), 1)
            raise bad_declaration(source, f"{quoted(item)} is no requirement", line) from error
    python = said.get("requires-python", "")
    if not isinstance(python, str):
        raise bad_declaration(source, "requires-python is no text")
    pythons = (WantedPython(python, source),) if python else ()
    over = []
    for table in _tables(said.get("tool")):
        over.append(
            PassedOver(source.file or Path(), f"{table} in its script metadata is not used")
        )
    return Declaration(source, wanted=InstallPlan(tuple(wanted)), pythons=pythons), over


def _tables(tool: object) -> list[str]:
    return [f"[tool.{name}]" for name in tool] if isinstance(tool, dict) else []
