"""Cells whose imports all stand on lines of their own at the top level, read without a parser.

Most cells that import anything are of this kind; parsing the rest of the cell is what costs.
"""

from __future__ import annotations

import re

from envmagic.imports.effects import may_do
from envmagic.imports.sites import ImportSite, Where

__all__ = ["adds", "can_tell", "imports_of", "makes", "remembers", "uses"]

# What begins a line is looked for behind `\n`, where a search starts fast; `^` is tried at every
# character.
_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_NAME = r"[^\W\d]\w*(?: as [^\W\d]\w*)?"
_LINE = re.compile(
    rf"(?:import (?P<modules>{_DOTTED}(?: as \w+)?(?:, *{_DOTTED}(?: as \w+)?)*)"
    rf"|from (?P<module>{_DOTTED}) import (?P<names>\*|{_NAME}(?:, *{_NAME})*))[ \t]*(?:#.*)?"
)
# In one line: `!uv -q add x`, `subprocess.run(["pdm", "add", "x"])`.
_ADDING = ("uv", "pdm", "pixi", "poetry", "rye")
_ADDS = re.compile(r"\b(?:uv|poetry|pdm|pixi|rye)\b[^\n]{1,80}?\badd\b")
_ENGINE = re.compile(r"\bengine\s*=\s*[\"']")
_BACKEND = re.compile(r"\bbackend\s*=|plotting\.backend|_backend\(|KERAS_BACKEND")
# A file of Python's; `.py` alone is in every `matplotlib.pyplot`.
_FILE = re.compile(r"\.py\b")
# Where a command may name it that begins with no `%`: `!python x.py`, `x = %sx …`, `cp x.py y.py`.
_COMMANDS = re.compile(r"!(?!=)|=[ \t]*%|\n[ \t]*(?:bash|cp|curl|git|mv|wget)[ \t]")
_COMMAND = re.compile(
    r"\n[ \t]*!.*\b(?:cp|mv|ln|tar|7z|unrar|rsync|scp|touch|svn|hg|aws|gsutil|gcloud|gdown|kaggle"
    r"|f2py|unzip|nbconvert|jupytext)\b"
)
_MODULE = re.compile(r"-m['\" ]")
_WRITES = re.compile(r"\b(?:open|write_text|write_bytes|urlretrieve)\(")
_WRITTEN = re.compile(r"%%(?:write)?file\s.*[{$]")
_NAMED = re.compile(
    r"^\w+[ \t]*=[ \t]*"
    r"(?:f?[\"'][^\"'\n]*\.py[\"']|[\w.]*(?:import_module|__import__)[ \t]*$)"
    r"|import_module[ \t]+as",
    re.MULTILINE,
)
# Lines that IPython reads as magics, with or without the sign.
_MAGIC = re.compile(r"\n[ \t]*(?:%|(?:run|(?:re)?load_ext|pylab|matplotlib|env|cd)\b)")


def can_tell(source: str) -> bool:
    """Whether a cell could say anything about what is needed."""
    # one regular expression for all of it takes four times as long
    return (
        "import" in source
        or "install" in source
        or "://" in source
        or "addsitedir" in source
        or _names_file(source)
        or adds(source)
        or uses(source)
        or _does_more(source)
        or _makes_others(source)
    )


def adds(source: str) -> bool:
    """Whether it has `uv add` or the like, which installs without that word."""
    if "add" not in source or not any(tool in source for tool in _ADDING):
        return False
    return _ADDS.search(source) is not None


def uses(source: str) -> bool:
    """Whether a string in it may load a distribution that nothing imports; cheap."""
    if "engine" in source and _ENGINE.search(source) is not None:
        return True
    if "ackend" in source or "BACKEND" in source:
        return _BACKEND.search(source) is not None
    return ".use(" in source or "filesystem(" in source or "fulSoup(" in source


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
        or adds(source)
        or uses(source)
        or "__import__" in source
        or "import_module" in source
        or _does_more(source)
        or makes(source)
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


def makes(source: str) -> bool:
    """Whether a cell may make, fetch or run files of Python's."""
    return (_names_file(source) and _does_something(source)) or _makes_others(source)


def _names_file(source: str) -> bool:
    return ".py" in source and _FILE.search(source) is not None


def _does_something(source: str) -> bool:
    """Whether a file that it names may be made, fetched or run there."""
    return (
        "subprocess" in source
        or "system(" in source
        or may_do(source)
        or _COMMANDS.search("\n" + source) is not None
    )


def _makes_others(source: str) -> bool:
    """Whether it makes, fetches or runs what it need not name with `.py`."""
    return (
        "clone" in source
        or "unpack_" in source
        or "extractall" in source
        or "copytree" in source
        or "files.upload" in source
        or "run_module" in source
        or ("-m" in source and _MODULE.search(source) is not None)
        or ("!" in source and _COMMAND.search("\n" + source) is not None)
    )


def remembers(source: str) -> bool:
    """Whether a cell that can tell something may say what counts in those after it: where modules
    are looked for, or what a file or `import_module` is called there."""
    if ("sys" in source and "path" in source) or "chdir" in source or "addsitedir" in source:
        return True
    if "import_" in source and _NAMED.search(source) is not None:
        return True
    if source.startswith("%%"):
        return _WRITTEN.match(source) is not None
    return ('.py"' in source or ".py'" in source) and (
        _NAMED.search(source) is not None or _WRITES.search(source) is not None
    )


def _does_more(source: str) -> bool:
    """Whether it has a line magic, calls IPython or changes where modules are looked for."""
    if "sys.path" in source or "chdir" in source or "get_ipython" in source:
        return True
    return (
        "%" in source
        or "run" in source
        or "cd" in source
        or "load_ext" in source
        or "pylab" in source
        or "matplotlib" in source
        or "--with" in source
    ) and _MAGIC.search("\n" + source) is not None
