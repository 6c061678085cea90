"""Parts as HTML that takes its colours from JupyterLab's theme, and from its reader without one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from envmagic.frontends.render.parts import Code, Fact, Facts, Line, Part, Row, Table, Tone
from envmagic.frontends.render.plain import MARKS
from envmagic.frontends.render.remedy import command_line

__all__ = ["progress", "write"]

# Where a frontend has no --jp-* variables (VS Code, nbconvert) the fallbacks inherit. Where it
# takes <style> out (GitHub, an untrusted notebook) what is left is a plain table. Outputs are saved
# in notebooks, so each carries the rules of its own parts only.
_ALL = """\
.envmagic{font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;\
line-height:1.55;color:var(--jp-ui-font-color1,inherit);padding:2px 0 4px}
.envmagic .em-hint{color:var(--jp-ui-font-color2,inherit);font-weight:400}
.envmagic code,.envmagic pre,.envmagic .em-code{font-family:var(--jp-code-font-family,monospace);\
font-size:12px;background:none!important;color:inherit;padding:0;white-space:pre-wrap}
"""
_LINES = """\
.envmagic .em-line{padding-left:1.35em;text-indent:-1.35em}
.envmagic .em-mark{display:inline-block;width:1.05em;text-indent:0;font-weight:700}
.envmagic .em-good .em-mark{color:var(--jp-success-color1,#2e7d32)}
.envmagic .em-bad .em-mark{color:var(--jp-error-color1,#c62828)}
.envmagic .em-warn .em-mark{color:var(--jp-warn-color1,#b26a00)}
.envmagic .em-info .em-mark{color:var(--jp-info-color1,#0277bd)}
.envmagic .em-good.em-first{font-weight:600}
"""
_BOTH_TABLES = """\
.envmagic table{border-collapse:collapse;border:0;font-size:13px;table-layout:auto}
.envmagic tr,.envmagic tbody tr:nth-child(odd),.envmagic tbody tr:nth-child(even),\
.envmagic tbody tr:hover{background:none!important}
.envmagic th,.envmagic td{text-align:left!important;vertical-align:top;border:0;max-width:none;\
padding:2px 22px 2px 0!important;white-space:normal;color:inherit}
"""
_FACTS = """\
.envmagic .em-facts{margin:2px 0 2px 1.35em!important}
.envmagic .em-facts th{font-weight:400;white-space:nowrap;color:var(--jp-ui-font-color2,inherit)}
.envmagic .em-facts small{font-size:12px;color:var(--jp-ui-font-color2,inherit);display:block}
.envmagic summary{cursor:pointer}
"""
_TABLES = """\
.envmagic .em-table{margin:8px 0 4px!important}
.envmagic caption{caption-side:top;text-align:left;font-weight:600;padding:0 0 2px;\
color:var(--jp-ui-font-color1,inherit)}
.envmagic .em-table th{font-weight:500;color:var(--jp-ui-font-color2,inherit);\
border-bottom:1px solid var(--jp-border-color2,#8886)}
.envmagic .em-table td{border-bottom:1px solid var(--jp-border-color3,#8883)}
.envmagic .em-right{text-align:right!important;font-variant-numeric:tabular-nums}
.envmagic .em-current td:first-child{font-weight:600}
.envmagic .em-dot{display:inline-block;width:7px;height:7px;border-radius:50%;margin-right:8px;\
vertical-align:1px}
.envmagic .em-current .em-dot{background:var(--jp-brand-color1,#1976d2)}
.envmagic .em-dim td{color:var(--jp-ui-font-color2,inherit)}
"""
_CODE = """\
.envmagic pre{margin:6px 0 4px!important;padding:6px 10px!important;overflow-x:auto;\
border-left:2px solid var(--jp-border-color2,#8886)!important}
"""
_RULES: dict[type, tuple[str, ...]] = {
    Line: (_LINES,),
    Facts: (_BOTH_TABLES, _FACTS),
    Table: (_BOTH_TABLES, _TABLES),
    Code: (_CODE,),
}
_SPIN = """\
.envmagic .em-spin{display:inline-block;width:9px;height:9px;margin-right:9px;border-radius:50%;\
border:2px solid var(--jp-border-color2,#8886);border-top-color:var(--jp-brand-color1,#1976d2);\
animation:em-turn .9s linear infinite;vertical-align:-1px}
@keyframes em-turn{to{transform:rotate(360deg)}}
@media (prefers-reduced-motion:reduce){.envmagic .em-spin{animation:none}}
"""


def write(parts: Sequence[Part]) -> str:
    """`parts` as one `<div>` with its own style."""
    pieces = [_piece(part, first=i == 0) for i, part in enumerate(parts)]
    rules = dict.fromkeys(rule for part in parts for rule in _RULES[type(part)])
    return f'{_style(_ALL, *rules)}<div class="envmagic">{"".join(pieces)}</div>'


def progress(step: str, detail: str, seconds: int) -> str:
    """A verb at work: a spinner, the step, the seconds so far and the tool's own last words."""
    time = f' <span class="em-hint">{seconds} s</span>' if seconds else ""
    said = f'<div class="em-line"><code class="em-hint">{escape(detail)}</code></div>'
    return (
        f'{_style(_ALL, _LINES, _SPIN)}<div class="envmagic"><div><span class="em-spin"></span>'
        f"{escape(step)}…{time}</div>{said if detail else ''}</div>"
    )


def _style(*rules: str) -> str:
    return f"<style>\n{''.join(rules)}</style>\n"


def _piece(part: Part, *, first: bool) -> str:
    if isinstance(part, Line):
        return _line(part, first=first)
    if isinstance(part, Facts):
        rows = "".join(f"<tr><th>{escape(f.name)}</th><td>{_value(f)}</td></tr>" for f in part.rows)
        return f'<table class="em-facts"><tbody>{rows}</tbody></table>'
    if isinstance(part, Code):
        return f"<pre>{escape(part.text)}</pre>"
    return _table(part)


def _line(line: Line, *, first: bool) -> str:
    # the space is for readers without the style
    marked = line.tone is not Tone.PLAIN
    mark = f'<span class="em-mark">{MARKS[line.tone]}</span> ' if marked else ""
    classes = (
        f"em-{line.tone.value}" + (" em-line" if mark else "") + (" em-first" if first else "")
    )
    return f'<div class="{classes}">{mark}{escape(line.text)}{_remedy(line)}</div>'


def _value(fact: Fact) -> str:
    value = escape(fact.value)
    if fact.folded:
        value = f"<details><summary>{value}</summary>{escape(fact.folded)}</details>"
    return value + (f"<small>{escape(fact.below)}</small>" if fact.below else "")


def _remedy(line: Line) -> str:
    """What to do; the command is set as code, so that it can be told from the words."""
    if not (line.hint or line.command):
        return ""
    words = f"{line.hint}: " if line.hint and line.command else line.hint
    command = command_line(line.command, None)
    code = f"<code>{escape(command)}</code>" if command else ""
    return f' <span class="em-hint">{escape(words)}{code}</span>'


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    head = "".join(
        f"<th{_classes(table, i, head=True)}>{escape(h)}</th>" for i, h in enumerate(table.head)
    )
    marked = any(row.current for row in table.rows)
    rows = "".join(_row(table, row, marked=marked) for row in table.rows)
    return (
        f'<table class="em-table">{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _row(table: Table, row: Row, *, marked: bool) -> str:
    dot = '<span class="em-dot"></span>' if marked else ""
    cells = "".join(
        f"<td{_classes(table, i)}>{dot if i == 0 else ''}{escape(cell)}</td>"
        for i, cell in enumerate(row.cells)
    )
    tone = " em-current" if row.current else " em-dim" if row.dim else ""
    return f'<tr class="{tone.strip()}">{cells}</tr>' if tone else f"<tr>{cells}</tr>"


def _classes(table: Table, column: int, *, head: bool = False) -> str:
    names = [
        *(["em-right"] if column in table.right else []),
        *(["em-code"] if column in table.code and not head else []),
    ]
    return f' class="{" ".join(names)}"' if names else ""
