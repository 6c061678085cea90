"""A dependency group (PEP 735) in the text of a `pyproject.toml`, of which all else stays.

The text is edited in as few places as will do; then the result is read, and compared with what was
there before.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from envmagic.core.names import normalized
from envmagic.record.export.toml_statements import Item, Statement, items_of, statements
from envmagic.system import toml_files

__all__ = ["GROUPS", "NoPlace", "alone", "merged", "quoted"]

GROUPS = "dependency-groups"
_COMMA = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*,")
_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?")
_Edit = tuple[int, int, str]
"""What stands between two places is to be this text."""


class NoPlace(ValueError):
    """The group cannot be written there; says why, as a clause."""


def alone(group: str, requirements: Sequence[str]) -> str:
    """The group as a text of its own."""
    return f"[{GROUPS}]\n{_key(group)} = {_array(requirements, chr(10))}\n"


def merged(text: str, group: str, requirements: Sequence[str]) -> str:
    """`text` in which `group` asks for `requirements`, and for what it asked for besides.

    A line of it that names the same distribution is replaced. Raises `NoPlace`, and `ValueError`
    where `text` is no TOML.
    """
    before = toml_files.parsed(text)
    wanted = _wanted(before, group, requirements)
    if wanted is None:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    parts = statements(text)
    place = next((part for part in parts if _is_group(part, group)), None)
    if place is not None:
        edits = _into_array(text, place, requirements, newline)
    elif _held(before, group) is not None:
        raise NoPlace(f"the group {group} is not written as `{group} = […]`")
    else:
        edits = [_new_key(text, parts, group, requirements, newline)]
    after = text
    for start, end, new in sorted(edits, reverse=True):
        after = after[:start] + new + after[end:]
    _verify(before, after, group, wanted)
    return after


def _held(document: Mapping[str, Any], group: str) -> tuple[str, Any] | None:
    """The group as it is called, and what it asks for; None where it is not there."""
    groups = document.get(GROUPS, {})
    if not isinstance(groups, dict):
        raise NoPlace(f"{GROUPS} is no table")
    return next(((k, v) for k, v in groups.items() if normalized(k) == normalized(group)), None)


def _wanted(
    document: Mapping[str, Any], group: str, requirements: Sequence[str]
) -> list[Any] | None:
    """What the group is to ask for; None where that is what it asks for."""
    held = _held(document, group)
    if held is None:
        return list(requirements)
    if not isinstance(held[1], list):
        raise NoPlace(f"the group {group} is no list")
    replaced = _replaced(held[1], requirements)
    now = [replaced.get(index, item) for index, item in enumerate(held[1])]
    now += [each for each in requirements if each not in replaced.values()]
    return now if now != held[1] else None


def _replaced(items: Sequence[Any], requirements: Sequence[str]) -> dict[int, str]:
    """By the number of an item, the requirement that is for the same distribution."""
    left = list(requirements)
    found: dict[int, str] = {}
    for exact in (True, False):  # the same line, or else one of the same name and marker
        for index, item in enumerate(items):
            if index in found or not isinstance(item, str):
                continue
            same = [r for r in left if r == item or (not exact and _same(r, item))]
            if same:
                found[index] = same[0]
                left.remove(same[0])
    return found


def _same(one: str, other: str) -> bool:
    try:
        first, second = Requirement(one), Requirement(other)
    except InvalidRequirement:
        return False
    same_marker = str(first.marker or "") == str(second.marker or "")
    return normalized(first.name) == normalized(second.name) and same_marker


def _is_group(part: Statement, group: str) -> bool:
    path = (*part.table, *part.key)
    return (
        bool(part.key)
        and len(path) == 2
        and path[0] == GROUPS
        and normalized(path[1]) == normalized(group)
    )


def _into_array(
    text: str, place: Statement, requirements: Sequence[str], newline: str
) -> list[_Edit]:
    items = items_of(text, place)
    if items is None:
        raise NoPlace("the group is no list")
    replaced = _replaced([item.value for item in items], requirements)
    edits = [
        (items[index].start, items[index].end, quoted(new))
        for index, new in replaced.items()
        if items[index].value != new
    ]
    new = [each for each in requirements if each not in replaced.values()]
    return [*edits, *(_appended(text, place, items, new, newline) if new else [])]


def _appended(
    text: str, place: Statement, items: Sequence[Item], new: Sequence[str], newline: str
) -> list[_Edit]:
    """Edits that put `new` behind the last of `items`."""
    if not items:
        if "#" in text[place.value : place.end]:  # a comment stands in it alone
            at = place.value + 1
            return [(at, at, "".join(f"{newline}    {quoted(each)}," for each in new))]
        return [(place.value, place.end, _array(new, newline))]
    last = items[-1]
    start = text.rfind("\n", 0, last.start) + 1
    indent = text[start : last.start]
    if "\n" not in text[place.value : place.end] or indent.strip():
        return [(last.end, last.end, "".join(f", {quoted(each)}" for each in new))]
    comma = _COMMA.match(text, last.end)
    at = _line_end(text, comma.end() if comma is not None else last.end)
    between = text[last.end : at] if comma is not None else f",{text[last.end : at]}"
    lines = "".join(f"{newline}{indent}{quoted(each)}," for each in new)
    return [(last.end, at, between + lines)]


def _new_key(
    text: str,
    parts: Sequence[Statement],
    group: str,
    requirements: Sequence[str],
    newline: str,
) -> _Edit:
    """The edit that puts the group into its table, or the table behind all."""
    said = f"{_key(group)} = {_array(requirements, newline)}"
    own = [part for part in parts if part.table == (GROUPS,)]
    if own:
        at = _line_end(text, own[-1].end)
        return (at, at, f"{newline}{said}")
    if any((*part.table, *part.key)[:1] == (GROUPS,) for part in parts):
        raise NoPlace(f"{GROUPS} is not written as a table [{GROUPS}]")
    gap = "" if not text.strip("\ufeff") else newline if text.endswith("\n") else newline * 2
    return (len(text), len(text), f"{gap}[{GROUPS}]{newline}{said}{newline}")


def _line_end(text: str, at: int) -> int:
    """Behind the comment that follows on the line, if any."""
    found = _REST.match(text, at)
    return found.end() if found is not None else at


def _verify(before: dict[str, Any], after: str, group: str, wanted: list[Any]) -> None:
    """Raise `NoPlace` unless `after` says `wanted` of the group, and all else as `before` did."""
    try:
        now = toml_files.parsed(after)
        held = _held(now, group)
    except ValueError as error:
        raise NoPlace(f"with the group it could not be read ({error})") from error
    if (
        held is None
        or held[1] != wanted
        or repr(_without(now, group)) != repr(_without(before, group))
    ):
        raise NoPlace("with the group it would say something else besides")


def _without(document: dict[str, Any], group: str) -> dict[str, Any]:
    rest = copy.deepcopy(document)
    held = _held(rest, group)
    if held is not None:
        del rest[GROUPS][held[0]]
    if not rest.get(GROUPS, True):
        del rest[GROUPS]
    return rest


def _array(requirements: Sequence[str], newline: str) -> str:
    if not requirements:
        return "[]"
    return f"[{newline}" + "".join(f"    {quoted(r)},{newline}" for r in requirements) + "]"


def _key(group: str) -> str:
    return group if re.fullmatch(r"[A-Za-z0-9_-]+", group) else f'"{group}"'


def quoted(text: str) -> str:
    """`text` as a string of TOML: in single quotes where it holds double ones."""
    if '"' in text and not re.search(r"['\x00-\x08\x0a-\x1f\x7f]", text):
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda c: f"\\u{ord(c[0]):04x}", escaped) + '"'
