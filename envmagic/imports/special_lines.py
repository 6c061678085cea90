"""What line magics and shell commands say: imports, installs, paths, and what they make and run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from envmagic.imports.found import Scan
from envmagic.imports.installs import Install, installs_of, words_of
from envmagic.imports.made import Made, Run, filled
from envmagic.imports.magics import SpecialLine
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import told_by_line

__all__ = ["done_by", "done_by_line", "lines_of_shell", "read_line"]

# Options of `%run` that take the next word.
_RUN_VALUES = ("-N", "-b", "-s", "-l", "-T", "-D")
# Extensions that come with IPython, and ours.
_SHIPPED = frozenset({"autoreload", "storemagic", "deduperreload", "envmagic"})
# One command that makes and runs nothing, the most frequent ones.
_IDLE = re.compile(
    r"\s*(?:pip3?|conda|mamba|apt(?:-get)?|ls|cat|head|tail|wc|nvidia-smi|pwd|du|df|which)"
    r"(?:\s[^|&;<>()$`\n]*)?"
)
# Names of lines whose rest is a command, and IPython's names for commands themselves.
_SHELLS = ("!", "sx", "system", "shell", "sh")
_COMMANDS = (*_SHELLS, "cp", "mv", "ln", "wget", "curl", "git")


def read_line(
    line: SpecialLine, where: Where, result: Scan, names: dict[str, str] | None = None
) -> None:
    """Put into `result` what `line` of the cell at `where` says, but for what commands do;
    variables that it holds are filled in from `names`."""
    place = where.below(line.line)
    result.uses += told_by_line(line, place)
    first = line.rest.split(None, 1)[0].strip("\"'") if line.rest.strip() else ""
    if line.name in ("load_ext", "reload_ext", "aimport"):
        for name in re.split(r"[\s,]+", line.rest.partition("#")[0]):
            if re.fullmatch(r"[^\W\d]\w*(\.\w+)*", name) and name not in _SHIPPED:
                result.imports.append(ImportSite(name, place, extension=True))
    elif line.name == "pylab":
        result.imports += [
            ImportSite(name, place, extension=True) for name in ("numpy", "matplotlib")
        ]
    elif line.name == "matplotlib":
        # boilerplate in many notebooks that plot nothing: needed only if it is there
        result.imports.append(ImportSite("matplotlib", place, optional=True, extension=True))
    elif line.name == "run":
        _run(filled(line.rest, names), place, result)
    elif line.name in ("env", "envmagic"):
        result.installs += _ours(line.rest, line, where)
    elif line.name in ("cd", "pushd") and first:
        if not filled(first, names).startswith(("-", "$", "{")):
            result.paths.append(filled(first, names))
    elif line.name == "save":  # cells, into a file
        file = next((w for w in line.rest.split() if not w.startswith("-")), "")
        result.made.append(Made(file if file.endswith((".py", ".ipy")) else f"{file}.py"))
    else:
        result.installs += installs_of(line, where)


def done_by_line(line: SpecialLine, names: dict[str, str] | None = None) -> Iterable[Made | Run]:
    """What `line` makes and runs where it is a command."""
    if line.name not in _COMMANDS:
        return ()
    name = "" if line.name in _SHELLS else f"{line.name} "
    return done_by(filled(name + line.rest, names))


def done_by(text: str) -> Iterable[Made | Run]:
    """What the commands in `text` make and run."""
    if _IDLE.fullmatch(text):
        return ()
    from envmagic.imports import commands

    return commands.done_by(text)


def lines_of_shell(body: str) -> Iterator[SpecialLine]:
    """The commands of a shell cell, one a line, continuations joined."""
    number = 1
    for text in re.split(r"(?<!\\)\n", body):
        yield SpecialLine("!", re.sub(r"\\[ \t]*\n", " ", text), number)
        number += text.count("\n") + 1


def _run(rest: str, place: Where, result: Scan) -> None:
    """`%run [options] file.py args`; IPython adds the suffix when it is left out."""
    words = iter(words_of(rest))
    for word in words:
        if word == "-m":
            module = next(words, "")
            if re.fullmatch(r"\w+(\.\w+)*", module):
                result.imports.append(ImportSite(module, place))
            return
        if word in _RUN_VALUES:
            next(words, "")
        elif word.startswith("#"):
            return
        elif not word.startswith("-"):
            result.runs.append((place, word))
            return


def _ours(rest: str, line: SpecialLine, where: Where) -> Iterable[Install]:
    """`%env install x` and `%env create name --with x y`."""
    words = rest.split()
    if words[:1] == ["install"]:
        return installs_of(replace(line, name="pip", rest=rest), where)
    if words[:1] == ["create"] and "--with" in words:
        named = re.split(r"\s--(?!with\b)[\w-]+|\s-[a-zA-Z]\b", rest.partition("--with")[2])[0]
        return installs_of(replace(line, name="pip", rest=f"install {named}"), where)
    return ()
