"""Cells whose imports all stand on lines of their own at the top level, read without a parser.

Most cells that import anything are of this kind; parsing the rest of the cell is what costs.
"""

from __future__ import annotations

import re

from envmagic.imports.sites import ImportSite, Where

__all__ = ["can_tell", "imports_of"]

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_NAME = r"[^\W\d]\w*(?: as [^\W\d]\w*)?"
_LINE = re.compile(
    rf"(?:import (?P<modules>{_DOTTED}(?: as \w+)?(?:, *{_DOTTED}(?: as \w+)?)*)"
    rf"|from (?P<module>{_DOTTED}) import (?P<names>\*|{_NAME}(?:, *{_NAME})*))[ \t]*(?:#.*)?"
)
_ADDS = re.compile(r"\b(?:uv|poetry)[ \t]+add\b")
# Lines that IPython reads as magics, with or without the sign.
_MAGIC = re.compile(r"^[ \t]*(?:%|(?:run|load_ext|pylab|cd)\b)", re.MULTILINE)


def can_tell(source: str) -> bool:
    """Whether a cell could say anything about what is needed."""
    # one regular expression for all of it takes four times as long
    return "import" in source or "install" in source or _adds(source) or _does_more(source)


def imports_of(source: str, where: Where) -> list[ImportSite] | None:
    """The imports of a cell that has no magic on it, in order.

    None where only a parser can tell: strings over several lines, blocks, other ways to import.
    """
    if (
        '"""' in source
        or "'''" in source
        or "\\\n" in source
        or "\r" in source
        or "install" in source
        or _adds(source)
        or "__import__" in source
        or "import_module" in source
        or _does_more(source)
    ):
        return None
    found: list[ImportSite] = []
    for number, line in enumerate(source.split("\n"), where.line):
        if "import" not in line or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        place = Where(where.file, where.cell, number)
        if match["modules"]:
            modules = match["modules"].split(",")
            found += [ImportSite(module.split()[0], place) for module in modules]
        else:
            names = tuple(name.split()[0] for name in match["names"].split(","))
            found.append(ImportSite(match["module"], place, names))
    return found


def _adds(source: str) -> bool:
    """Whether it has `uv add`, which installs without that word."""
    return " add " in source and _ADDS.search(source) is not None


def _does_more(source: str) -> bool:
    """Whether it has a line magic, calls IPython or changes where modules are looked for."""
    if "sys.path" in source or "chdir" in source or "get_ipython" in source:
        return True
    words = ("%" in source, "run" in source, "cd" in source, "load_ext" in source)
    return (any(words) or "pylab" in source) and _MAGIC.search(source) is not None
