"""`environment.yml` without a YAML reader: the lines that can be read in one way only.

Keys at the left margin, each with one value or with items below each other, and one `- pip:`
section. All other YAML is refused, however harmless.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["NotPlain", "Untyped", "read"]


class NotPlain(ValueError):
    """A line is none of those; `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line} is not plain")
        self.line = line


class Untyped(str):
    """A scalar that YAML may take for a number, a date or the like: equal to no text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Untyped) and str(self) == str(other)

    def __repr__(self) -> str:
        return f"<{self}>"


Row = tuple[int, str]

_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*):(?: +(.*))?")
_ITEM = re.compile(r"( *)-( +)(.*)")
_COMMENT = re.compile(r"(?:^|(?<! ) +)#.*")
_QUOTED = re.compile(r"(?:'([^']*)'|\"([^\"\\]*)\")(?: +#.*)?")
# Nothing that means more than itself where it begins, and no key inside.
_PLAIN = re.compile(r"(?:[^\s?:,\[\]{}#&*!|>'\"%@`-]|-(?=[^ ]))(?:(?!: |:$).)*")
_TYPED = re.compile(
    r"~|null|true|false|yes|no|on|off|y|n|[-+]?\.(?:inf|nan)|[-+._]*\d[\d_.:a-foxtz +-]*",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\{\{|\{%")


def read(text: str) -> dict[str, Any]:
    """The content of `text`. Raises `NotPlain` naming the first line that could mean more."""
    rows = _rows(text)
    found: dict[str, Any] = {}
    while rows:
        number, line = rows.pop()
        key = _KEY.fullmatch(line)
        if key is None or key[1] in found or _TYPED.fullmatch(key[1]):
            raise NotPlain(number)
        value = _COMMENT.sub("", key[2]) if (key[2] or "").startswith("#") else key[2]
        if value:
            found[key[1]] = _scalar(value, number)
        else:
            found[key[1]] = _items(rows, 0, sections=key[1] == "dependencies")
    return found


def _rows(text: str) -> list[Row]:
    """The lines that say something, the first one last."""
    rows: list[Row] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.isprintable() or _TEMPLATE.search(line):  # a tab, a lone CR, …
            raise NotPlain(number)
        bare = line.rstrip(" ")
        if bare.lstrip(" ") and not bare.lstrip(" ").startswith("#"):
            rows.append((number, bare))
    if rows and rows[0][1] == "---":
        del rows[0]
    return rows[::-1]


def _items(rows: list[Row], least: int, *, sections: bool) -> list[Any] | None:
    """The items at the top of `rows`, indented alike and by `least` or more; None: there are none.

    With `sections` one of them may be `- pip:`.
    """
    found: list[Any] = []
    indent = -1
    while rows:
        number, line = rows[-1]
        item = _ITEM.fullmatch(line)
        if item is None or len(item[1]) < max(least, indent):
            break
        if 0 <= indent < len(item[1]):
            raise NotPlain(number)
        rows.pop()
        indent = len(item[1])
        if sections and _COMMENT.sub("", item[3]) == "pip:":
            if any(isinstance(other, dict) for other in found):
                raise NotPlain(number)
            below = indent + 1 + len(item[2])  # where `pip` stands
            found.append({"pip": _items(rows, below, sections=False)})
        else:
            found.append(_scalar(item[3], number))
    return found or None


def _scalar(text: str, number: int) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        return quoted[1] if quoted[1] is not None else quoted[2]
    bare = _COMMENT.sub("", text)
    if not _PLAIN.fullmatch(bare) or bare in ("=", "<<"):
        raise NotPlain(number)
    return Untyped(bare) if _TYPED.fullmatch(bare) else bare
