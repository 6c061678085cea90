"""What people and their tools do to a requirements file, as functions of its lines."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Sequence

from pre_commit_hooks.requirements_txt_fixer import fix_requirements

__all__ = ["TOOLS", "USERS", "Tool", "ended", "lines_of"]

Tool = Callable[[Sequence[str], int, int], Sequence[str]]
"""Of lines with their ends and two numbers that say where, or how."""

USERS = (
    "numpy<2  # mine",
    "zope.interface>=5",
    "Scikit_Learn>=1.4",
    "pandas[excel]>=1",
    "numpy>=1 ; python_version < '3.6'",
    "pyyaml; sys_platform == 'win32'",
    "six==1.16.0",
    "-r more.txt",
    "-c limits.txt",
    "--extra-index-url https://h/simple",
    "# a word of mine",
    "    # an indented word",
    "    # see notes.ipynb",
    "    # via pandas",
    "  six==1.16.0",
    "git+https://h/o/mod.git@v1#egg=mod",
    "mod @ git+https://h/o/mod.git@v2",
    "# unresolved: nothing of yours",
    "# optional: ujson",
    "pyyaml==6.0 #12",
    "ujson ; extra == 'x'",
    "aaa>=1 \\",
    "--no-binary :all:",
)


def lines_of(text: str) -> list[str]:
    """The lines with their ends; the last may have none."""
    return [line for line in re.findall(r"[^\r\n]*(?:\r\n|\r|\n|$)", text) if line]


def _newline(lines: Sequence[str]) -> str:
    return "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"


def ended(lines: Sequence[str]) -> list[str]:
    """All with an end: the last gets one when something stands below it then."""
    newline = _newline(lines)
    return [line if line.endswith(("\n", "\r")) else line + newline for line in lines]


def put(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """A person writes a line somewhere."""
    place = at % (len(lines) + 1)
    new = USERS[which % len(USERS)] + _newline(lines)
    return [*ended(lines[:place]), new, *lines[place:]]


def sort(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`sort`, an editor's, or the pre-commit hook's; that one takes no line that begins blank."""
    how = which % 3
    if how < 2:
        return sorted(ended(lines), key=str.lower if how else None)
    content = io.BytesIO("".join(lines).encode())
    with contextlib.suppress(AssertionError):
        fix_requirements(content)
        return lines_of(content.getvalue().decode())
    return lines


def bump(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """Dependabot and Renovate: one version, the rest of the line as it was."""
    found = list(lines)
    pinned = [i for i, line in enumerate(found) if re.match(r"[\w-]+[=~>]=\d", line)]
    if pinned:
        index = pinned[at % len(pinned)]
        found[index] = re.sub(r"(?<==)\d[\w.]*", f"9.{which}", found[index], count=1)
    return found


def set_one(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`sed -i 's/^pandas==.*/pandas==2.9/'`."""
    name = ("pandas", "numpy", "six", "pyyaml")[which % 4]
    return [re.sub(rf"^{name}\b[^\r\n]*", f"{name}==2.{at}", line) for line in lines]


def strip(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """Trailing blanks, and the one line end at the end of the file."""
    newline = _newline(lines)
    found = [line.rstrip() + newline for line in lines]
    while found and not found[-1].strip():
        found.pop()
    return found


def line_ends(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`dos2unix`, `unix2dos`, or git's `autocrlf`."""
    newline = ("\n", "\r\n")[which % 2]
    return [line.rstrip("\r\n") + newline for line in lines]


def no_last_end(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """An editor that ends no file with a line end."""
    return [*lines[:-1], *(line.rstrip("\r\n") for line in lines[-1:])]


def shift(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """Somebody moves a piece of the file elsewhere."""
    lines = ended(lines)
    size = len(lines) + 1
    start, end, place = sorted((at % size, which % size, (at + which) % size))
    return [*lines[:start], *lines[end:place], *lines[start:end], *lines[place:]]


def double(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """A piece of the file is pasted once more."""
    lines = ended(lines)
    start, end = sorted((at % (len(lines) + 1), which % (len(lines) + 1)))
    return [*lines, *lines[start:end]]


def take(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """A line is deleted."""
    return [*lines[: at % max(len(lines), 1)], *lines[at % max(len(lines), 1) + 1 :]]


def comment_out(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """Ctrl+/ in an editor."""
    here = at % max(len(lines), 1)
    return [f"# {line}" if i == here else line for i, line in enumerate(lines)]


def indent(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """Tab on a line, or on everything."""
    here = at % max(len(lines), 1)
    return [f"  {line}" if i == here or which % 4 == 0 else line for i, line in enumerate(lines)]


def without_blank_lines(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`sed '/^$/d'`."""
    return [line for line in lines if line.strip()]


def without_comments(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`sed 's/ *#.*//'`, or only the lines that are comments."""
    if which % 2:
        return [line for line in lines if not line.lstrip().startswith("#")]
    return [re.sub(r"(^|[ \t]+)#[^\r\n]*", "", line) for line in lines]


def unique(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`awk '!seen[$0]++'`, or `sort -u`."""
    once = list(dict.fromkeys(ended(lines)))
    return sorted(once) if which % 2 else once


def freeze(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """`pip freeze >>`, or `>` in its place."""
    newline = _newline(lines)
    frozen = ("certifi==2024.7.4", "numpy==1.26.4", f"pandas==2.2.{at}", "six==1.17.0")
    return [*(ended(lines) if which % 3 else ()), *(line + newline for line in frozen)]


def compiled(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """pip-compile's output: its own comments, every line pinned."""
    names = [m[0] for line in lines if (m := re.match(r"[A-Za-z][\w.-]*", line))]
    found = ["#\n", "# This file is autogenerated by pip-compile with Python 3.12\n", "#\n"]
    for name in sorted(dict.fromkeys(name.lower() for name in names)):
        found += [f"{name}==1.{at}\n", "    # via -r requirements.in\n"]
    return found


def spaced(lines: Sequence[str], at: int, which: int) -> Sequence[str]:
    """A formatter that wants two blanks before a comment, or blanks around operators."""
    if which % 2:
        return [re.sub(r"(\S) #", r"\1  #", line) for line in lines]
    return [re.sub(r"^([\w.-]+)([=<>~]=)", r"\1 \2 ", line) for line in lines]


TOOLS: tuple[Tool, ...] = (
    put, put, put, sort, bump, set_one, strip, line_ends, no_last_end, shift, double, take,
    comment_out, indent, without_blank_lines, without_comments, unique, freeze, compiled, spaced,
)  # fmt: skip
