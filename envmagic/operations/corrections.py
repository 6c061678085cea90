"""What a line that is no requirement was meant to be: people write commands, imports and lists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.distributions import known

__all__ = ["meant"]

_INSTALLS = re.compile(
    r"[!%]{0,2}\s*(?:\S*python[\d.]*\s+-m\s+|py\s+-m\s+|uv\s+)?"
    r"(?P<tool>pip3?|conda|mamba|micromamba|add)\s+(?:install\s+)?(?P<words>\S.*)"
)
_IMPORTS = re.compile(r"import\s+(?P<modules>\S.*)|from\s+(?P<module>[\w.]+)\s+import\b.*")
_OPTIONS = frozenset("-U --upgrade -q --quiet -y --yes --user -qq -v --no-cache-dir".split())
"""Of installation commands: they say nothing about what is wanted."""
_TAKING = frozenset("-e -r -c -i -f --index-url --extra-index-url --find-links".split())
_VERSION = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[\w,.-]*\])?)(?:\s*=\s*|\s+)(\d[\w.*+!-]*)")
_LONGEST = 2000  # characters; what is longer is no slip of the pen


def meant(line: str) -> tuple[str, ...]:
    """The requirements that `line` was meant to be, a line each; empty where that is not certain.

    Nothing that is returned is refused as a line.
    """
    if len(line) > _LONGEST:
        return ()
    found = tuple(dict.fromkeys(_read(line.strip())))
    return found if found and found != (line,) and all(map(_is_requirement, found)) else ()


def _read(text: str) -> Iterator[str]:
    command, imported = _INSTALLS.fullmatch(text), _IMPORTS.fullmatch(text)
    if command is not None:
        yield from _words(command["words"], conda="pip" not in command["tool"])
    elif imported is not None:
        for module in (imported["module"] or imported["modules"]).split(","):
            yield _distribution(module.split(" as ")[0].strip())
    else:
        yield from _listed(re.sub(r"^[-*+]\s+", "", text))


def _words(text: str, *, conda: bool) -> Iterator[str]:
    """The requirements among the words of an installation command."""
    try:
        words = shlex.split(text)
    except ValueError:
        return
    while words:
        word = words.pop(0)
        if conda and word in ("-c", "--channel"):
            words[:1] = []
        elif word in _TAKING and words:
            yield f"{word} {shlex.quote(words.pop(0))}"
        elif word not in _OPTIONS:
            yield re.sub(r"(?<=[\w.*])=(?=[\d*])", "==", word) if conda else word


def _distribution(module: str) -> str:
    held = known().distribution_of(module)
    return (held[0].distribution if held is not None else None) or module.partition(".")[0]


def _listed(text: str) -> Iterator[str]:
    """The items of a list, whatever quotes and commas are around them."""
    pinned = _VERSION.fullmatch(text)
    if pinned is not None:
        yield f"{pinned[1]}=={pinned[2]}"
    elif _is_requirement(text):
        yield text
    else:
        items = [item.strip(" \"'`,") for item in _items(text.strip("[](),; "))]
        if "," in text or all(map(_is_known, items)):  # else it may be prose
            yield from items


def _items(text: str) -> list[str]:
    """`text` at its commas, and at its spaces: a specifier may hold both."""
    items: list[str] = []
    for part in filter(None, re.split(r"\s*,\s*|\s+", text)):
        if items and (re.match(r"[<>=!~;]", part) or re.search(r"[<>=!~]=?$", items[-1])):
            glue = "," if items[-1][-1].isalnum() and re.search(r"[<>=!~]", items[-1]) else ""
            items[-1] += glue + part
        else:
            items.append(part)
    return items


def _is_known(text: str) -> bool:
    name = re.match(r"[A-Za-z0-9][\w.-]*", text)
    return name is not None and normalized(name[0]) in known().distributions


def _is_requirement(text: str) -> bool:
    try:
        lines = requirements.parse_lines(text, "")
    except EnvmagicError:
        return False
    return len(lines) == 1 and not lines[0].fault and not text.endswith(",")
