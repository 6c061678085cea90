"""Parts as plain text: aligned columns, no lines drawn."""

from __future__ import annotations

from collections.abc import Sequence

from envmagic.core.model import Frontend
from envmagic.frontends.render.parts import Code, Facts, Line, Part, Table, Tone
from envmagic.frontends.render.remedy import remedy

__all__ = ["MARKS", "write"]

MARKS = {Tone.GOOD: "✓", Tone.BAD: "✗", Tone.WARN: "!", Tone.INFO: "·", Tone.PLAIN: ""}


def write(parts: Sequence[Part], frontend: Frontend | None = None) -> str:
    """`parts` as text, commands as `frontend` has them typed.

    A blank line stands before and after each table and block of code.
    """
    lines: list[str] = []
    apart = False
    for part in parts:
        block = isinstance(part, Table | Code)
        if lines and (block or apart):
            lines.append("")
        lines += _lines(part, frontend)
        apart = block
    return "\n".join(line.rstrip() for line in lines)


def _lines(part: Part, frontend: Frontend | None) -> list[str]:
    if isinstance(part, Line):
        what = remedy(part.hint, part.command, frontend)
        return [" ".join(filter(None, (MARKS[part.tone], part.text, what)))]
    if isinstance(part, Facts):
        return _facts(part)
    if isinstance(part, Code):
        return part.text.splitlines()
    return _table(part)


def _facts(facts: Facts) -> list[str]:
    width = max((len(fact.name) for fact in facts.rows), default=0)
    lines = []
    for fact in facts.rows:
        lines.append(f"  {fact.name:<{width}}  {fact.value}")
        if fact.below:
            lines.append(f"  {'':<{width}}  {fact.below}")
    return lines


def _table(table: Table) -> list[str]:
    rows = [table.head, *(row.cells for row in table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.head))]
    current = [False, *(row.current for row in table.rows)]
    lines = [table.title] if table.title else []
    for row, here in zip(rows, current, strict=True):
        cells = (_fit(row[i], widths[i], right=i in table.right) for i in range(len(row)))
        lines.append(f"{'*' if here else ' '} " + "  ".join(cells))
    return lines


def _fit(cell: str, width: int, *, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)
