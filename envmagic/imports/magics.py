"""IPython's special syntax, taken out of a cell so that what is left is Python.

Written from IPython's documented syntax and checked against its own `TransformerManager` in the
tests; IPython itself is not imported, which costs 0.2 s and 40 MB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from envmagic.imports.lines import is_escaped, statements

__all__ = ["CellMagic", "Plain", "SpecialLine", "cell_magic", "plain"]

# Cell magics whose body runs as Python in this notebook's environment. IPython's own come first,
# then those of ipyparallel, ipytest, profilers, HoloViews, manim, jdc, sparkmagic and others.
CODE_MAGICS = frozenset(
    """
    time timeit capture prun debug px autopx ipytest run_pytest memit mprun lprun snakeviz
    pyinstrument scalene heat heatmap filprofile execution_time timer local opts output manim
    add_to wandb notify black mypy flake8 pycodestyle matplotlib stop_if
    skip_if skip conditional scorep interact cprofile zipline
    """.split()
)
_BODY_IS_REQUIREMENTS = ("env", "envmagic")
# Line magics whose argument runs as Python.
_STATEMENT_MAGICS = frozenset("time timeit prun memit mprun lprun debug snakeviz px".split())
_NESTED = 8  # `%time %timeit …`
# Options of them that take a value: in the same word, or the next one.
_VALUED = {"timeit": "nrp", "prun": "lsTD", "memit": "rti", "mprun": "fT", "lprun": "fmDTu"}
_VALUED |= {"px": "tgo", "debug": "b"}
_FLAG = re.compile(r"(?:-([a-zA-Z])(\S*)|--[\w-]+(?:=\S+)?)\s+")
_MAGIC = re.compile(
    r"(?P<indent>\s*)%{1,2}[ \t]*(?P<name>[^\W\d][\w.]*)[ \t]*(?P<rest>.*)", re.DOTALL
)
_SHELL = re.compile(r"(?P<indent>\s*)!{1,2}(?P<rest>.*)", re.DOTALL)
_TARGET = re.compile(r"[\w.,*\s\[\]'\"]+")
_HELP = re.compile(
    r"\s*(?:\?{1,2}\s*%{0,2}[\w.*\[\]'\"]+|%{0,2}[\w.*\[\]'\"()]+?\s*\?{1,2});?\s*(?:#.*)?$"
)
_AUTOCALL = re.compile(r"\s*[/,;][^\W\d]\w*")
# Words that IPython takes as magics or commands without a sign when nothing of that name is there.
_AUTOMAGIC = re.compile(
    r"(?P<indent>\s*)(?P<name>pip3?|uv|conda|mamba|micromamba|apt|apt-get|load_ext|reload_ext|"
    r"matplotlib|pylab|run|cd|ls|ll|pwd|cat|cp|mv|rm|mkdir|rmdir|time|timeit|who|whos|env|reset|"
    r"history|config|who_ls|less|more|man|precision|pinfo|store|bash|git|wget|curl)\b"
    r"(?:[ \t]+(?P<rest>(?:[^=\s(\[.,]|\.{1,2}(?:/|$)).*)|(?P<bare>[ \t]*))$",
    re.DOTALL,
)
_SHELL_WORDS = frozenset(
    "pip pip3 uv conda mamba micromamba apt apt-get git wget curl bash".split()
)
_PROMPT = re.compile(r"(?m)^[ \t]*(?:>>> ?|\.{3,}: ?|\.\.\. ?|In ?\[\d*\]: ?)")


@dataclass(frozen=True)
class SpecialLine:
    """A line magic or a shell command: `%name rest`, and `name` is `!` for the shell."""

    name: str
    rest: str
    line: int
    """Counting from 1."""


@dataclass(frozen=True)
class CellMagic:
    """`%%name rest` with its body, whose first line has the number `line`."""

    name: str
    rest: str
    body: str
    line: int

    @property
    def is_code(self) -> bool:
        return self.name in CODE_MAGICS

    @property
    def statement(self) -> str:
        """The Python in its first line: `%%timeit SETUP`, `%%prun STATEMENT`."""
        if self.name not in ("timeit", "prun", "memit"):
            return ""
        return _without_flags(self.name, self.rest)

    @property
    def is_requirements(self) -> bool:
        return self.name in _BODY_IS_REQUIREMENTS

    @property
    def is_shell(self) -> bool:
        words = self.rest.split()
        script = self.name == "script" and words and words[0].rpartition("/")[2] in ("bash", "sh")
        return self.name in ("bash", "sh", "!", "system", "sx", "shell") or bool(script)

    @property
    def writes(self) -> str | None:
        """The file that `%%writefile` writes."""
        words = [w for w in self.rest.split() if not w.startswith("-")]
        return words[-1].strip("\"'") if self.name in ("writefile", "file") and words else None


@dataclass
class Plain:
    """A cell as plain Python, line for line, and what was taken out of it."""

    lines: list[str]
    specials: list[SpecialLine] = field(default_factory=list)
    cut: int | None = None
    """The line (from 1) of a `%%magic` in the middle, behind which stands no Python."""


def cell_magic(source: str) -> CellMagic | None:
    """The cell magic that `source` begins with; comments before it are passed over."""
    lines = source.split("\n")
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        body = "\n".join(lines[number + 1 :])
        match = re.match(r"%%(!|[^\s\[]+)(.*)", stripped)
        if match:
            return CellMagic(match[1], match[2].strip(), body, number + 2)
        return _databricks(stripped, body, number + 2)
    return None


def plain(source: str) -> Plain:
    """`source` with every special line replaced by Python that imports the same."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    source = _without_first_indent(source)
    # IPython takes prompts off where the first line or the second has one
    if any(map(_PROMPT.match, source.lstrip("\n").split("\n", 2)[:2])):
        source = _PROMPT.sub("", source)
    result = Plain(source.split("\n"))
    for statement in statements(result.lines):
        text = "\n".join(result.lines[statement.start : statement.end])
        magic = re.match(r"(\s*)%%(\w+)", text)
        # IPython stops at it; inside a block (`try: %%time …`) the code behind it still runs
        if magic and not (magic[1] and magic[2] in CODE_MAGICS):
            result.cut = statement.start + 1
            result.lines[statement.start :] = [""] * (len(result.lines) - statement.start)
            break
        replaced = _replace(text, statement.start + 1, result.specials, escaped=statement.escaped)
        if replaced is not None:
            rest = [""] * (statement.end - statement.start - 1)
            result.lines[statement.start : statement.end] = [replaced, *rest]
    return result


def _without_first_indent(source: str) -> str:
    """IPython takes the first line's indentation off each line that has it, and no more."""
    first = re.match(r"\n*([ \t]+)(?=\S)", source)
    if first is None:
        return source
    return "\n".join(line.removeprefix(first[1]) for line in source.split("\n"))


def _databricks(line: str, body: str, number: int) -> CellMagic | None:
    """Databricks and Datalab have cells of another kind with one `%` on the first line."""
    match = re.fullmatch(
        r"%(?:(sql|md|scala|r|sh|fs|md-sandbox|python)\s*|(writefile|bash|bq)\b(.*))", line
    )
    if match is None or not body.strip():
        return None
    name = match[1] or match[2]
    return CellMagic("time" if name == "python" else name, (match[3] or "").strip(), body, number)


def _replace(text: str, line: int, specials: list[SpecialLine], *, escaped: bool) -> str | None:
    """The Python in the place of the logical line `text`; None: it is Python already."""
    if escaped:
        return _escaped(text, line, specials)
    if text.rstrip().rstrip(";").endswith("?") or text.lstrip().startswith("?"):
        return _indent(text) + "pass" if _HELP.match(text) else None
    if _AUTOCALL.match(text):
        return _indent(text) + "pass"
    match = _AUTOMAGIC.match(text)
    if match and (match["rest"] or match["name"] in ("ls", "ll", "pwd", "who", "whos")):
        return _automagic(match, line, specials)
    return None


def _automagic(match: re.Match[str], line: int, specials: list[SpecialLine]) -> str | None:
    rest = match["rest"] or ""
    # `run in x`, `time - start`: an operator makes it an expression
    if re.match(r"(?:in|is|and|or|not|if|else|for)\b|[-+*/%<>|&^@]=?\s", rest):
        return None
    if match["name"] in _SHELL_WORDS:
        specials.append(SpecialLine("!", f"{match['name']} {rest}", line))
        return match["indent"] + "pass"
    return str(match["indent"]) + _magic(match["name"], rest, line, specials)


def _escaped(text: str, line: int, specials: list[SpecialLine]) -> str | None:
    if _HELP.match(text) and text.rstrip().rstrip(";").endswith("?"):
        return _indent(text) + "pass"
    target, equals, value = text.partition("=")
    if equals and value.lstrip()[:1] in ("%", "!") and _TARGET.fullmatch(target):
        inner = _escaped(value.lstrip(), line, specials)
        return None if inner is None else _indent(text) + "pass"
    shell = _SHELL.fullmatch(text)
    if shell:
        specials.append(SpecialLine("!", _joined(shell["rest"]), line))
        return shell["indent"] + "pass"
    magic = _MAGIC.fullmatch(text)
    if magic:
        return str(magic["indent"]) + _magic(magic["name"], _joined(magic["rest"]), line, specials)
    return _indent(text) + "pass" if text.lstrip().startswith("?") else None


def _magic(name: str, rest: str, line: int, specials: list[SpecialLine]) -> str:
    if name in _STATEMENT_MAGICS:
        return _statement(_without_flags(name, rest), line, specials)
    specials.append(SpecialLine(name, rest, line))
    return "pass"


def _statement(text: str, line: int, specials: list[SpecialLine]) -> str:
    """The Python of `%time STATEMENT`, which may be a special line itself, or none at all."""
    for _ in range(_NESTED):
        text = text.strip()
        if not text or text.startswith("#"):
            return "pass"
        magic = _MAGIC.fullmatch(text)
        if magic is None or magic["name"] not in _STATEMENT_MAGICS:
            replaced = _replace(text, line, specials, escaped=is_escaped(text))
            return text if replaced is None else replaced
        text = _without_flags(magic["name"], magic["rest"])
    return "pass"


def _without_flags(magic: str, rest: str) -> str:
    while flag := _FLAG.match(rest):
        rest = rest[flag.end() :]
        if flag[1] and flag[1] in _VALUED.get(magic, "") and not flag[2]:
            rest = rest.partition(" ")[2].lstrip()
    return rest


def _joined(text: str) -> str:
    return re.sub(r"\\[ \t]*\n", " ", text).strip()


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]
