"""The words that ask for conda packages, told from those that only pip understands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from envmagic.core.display import quoted, shortened
from envmagic.core.errors import EnvmagicError

__all__ = [
    "CONDA_NAMES",
    "CondaSpec",
    "conda_name",
    "for_pip",
    "lines_of",
    "parse",
    "python_name",
    "python_spec",
    "renamed",
]

CONDA_NAMES = {
    "faiss-cpu": "faiss",
    "graphviz": "python-graphviz",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "msgpack": "msgpack-python",
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "prompt-toolkit": "prompt_toolkit",
    "psycopg2-binary": "psycopg2",
    "tables": "pytables",
    "torch": "pytorch",
    "torch-geometric": "pytorch_geometric",
    "typing-extensions": "typing_extensions",
}
"""Distributions that conda calls differently: name on the package index -> name in conda-forge."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_CONDA = re.compile(
    rf"(?:(?P<channel>[^\s:]+)::)?(?P<name>{_NAME})"
    r"(?P<rest>\s*[=<>!~].*|\s+[\d*][^\s]*(?:\s+\S+)?|\s*\[\w+\s*=.*\])?"
)
_COMMENT = re.compile(r"(^|\s)#.*$")
_BEFORE_SIGN = re.compile(r"(?<!\s)\s+(?=[,=<>!~])")


@dataclass(frozen=True)
class CondaSpec:
    """A package asked of conda: `numpy`, `gdal>=3`, `tiny=1.2`, `conda-forge::tiny 1.2 py_0`."""

    name: str
    """As conda writes names: lower case."""
    text: str
    """As conda, mamba and rattler take it, without spaces that they read differently."""
    version: str = ""
    """What follows the name: `>=3`, `=1.2`, empty."""

    def accepts(self, installed: str) -> bool | None:
        """Whether version `installed` satisfies it; None when only the solver can tell."""
        if not self.version:
            return True
        if "::" in self.text or "[" in self.text or re.search(r"\s|\|", self.version):
            return None
        return _all(self.version.split(","), installed)


def parse(text: str) -> CondaSpec | None:
    """`text` as a request to conda; None where it is one that only pip understands (a URL, a path,
    an option, extras, a marker)."""
    match = _CONDA.fullmatch(text.strip())
    if match is None or ";" in text or " @ " in text or text.startswith("-"):
        return None
    name, rest = match["name"].lower(), (match["rest"] or "").strip()
    version = re.sub(r"(,|[=<>!~]=?)\s*", r"\1", _BEFORE_SIGN.sub("", rest))
    prefix = f"{match['channel']}::" if match["channel"] else ""
    glue = " " if version[:1].isdigit() or version.startswith("*") else ""
    return CondaSpec(name, f"{prefix}{name}{glue}{version}", version)


def lines_of(text: str, source: str) -> tuple[str, ...]:
    """The lines of a `%%env` body for a conda environment, comments cut.

    Raises `EnvmagicError` (`bad-requirement`) with the number of one that neither conda nor pip
    understands.
    """
    found = []
    for number, physical in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", physical).strip()
        if not line:
            continue
        if parse(line) is None and not _is_pip(line):
            raise EnvmagicError(
                "bad-requirement",
                f"Line {number} of {source} is no conda package and no requirement:"
                f" {quoted(line)}.",
                "Write a name with an optional version, such as gdal>=3 or gdal=3.9.",
                subject=shortened(line),
            )
        found.append(line)
    return tuple(found)


def python_spec(wanted: str | None) -> CondaSpec:
    """The request for Python: None, `3.12`, `3.12.4` or `>=3.11`."""
    if not wanted:
        return CondaSpec("python", "python")
    plain = wanted.removeprefix("python").strip()
    version = f"={plain}" if plain[:1].isdigit() else plain
    spec = parse(f"python{version}")
    if spec is None:
        raise EnvmagicError(
            "bad-python",
            f"{quoted(wanted)} is no version of Python that conda understands.",
            "Write it like 3.12 or '>=3.11'.",
            subject=wanted,
        )
    return spec


def conda_name(requirement: str) -> str:
    """The name that `requirement` begins with, as conda would write it."""
    match = re.match(_NAME, requirement)
    return match[0].lower() if match else requirement


def renamed(text: str) -> str:
    """`text` with the name that conda has for it, where that is known or likely to be another."""
    name = conda_name(text)
    other = CONDA_NAMES.get(name) or name.replace("-", "_")
    return other + text[len(name) :]


def python_name(text: str) -> str:
    """The opposite of `renamed`, for what conda does not have after all."""
    name = conda_name(text)
    back = {conda: python for python, conda in CONDA_NAMES.items()}
    return back.get(name, name.replace("_", "-")) + text[len(name) :]


def for_pip(text: str) -> str:
    """A request in conda's words as pip takes it: `tiny=1.2` is `tiny==1.2.*`."""
    spec = parse(text)
    if spec is None or not spec.version:
        return text
    version = spec.version.split()[0]
    if re.match(r"=[^=]", version) or version[0].isdigit():
        version = f"=={version.lstrip('=').rstrip('*').rstrip('.')}.*"
    return f"{spec.name}{version}"


def _is_pip(line: str) -> bool:
    if re.match(r"-|\.{0,2}/|~/|(?:git|hg|svn|bzr)\+|[a-z]+://", line) or line.endswith(".whl"):
        return True
    try:
        Requirement(line)
    except InvalidRequirement:
        return False
    return True


_CLAUSE = re.compile(r"(===|==|>=|<=|!=|~=|>|<|=|)(.+)")


def _all(clauses: list[str], installed: str) -> bool | None:
    answers = [_one(clause.strip(), installed) for clause in clauses]
    if False in answers:
        return False
    return None if None in answers else True


def _one(clause: str, installed: str) -> bool | None:
    """One comparison, where conda's and Python's order of versions surely agree."""
    match = _CLAUSE.fullmatch(clause)
    if match is None or not re.fullmatch(r"[\d.]+", installed):
        return None
    operator, wanted = match[1], match[2].removesuffix("*").rstrip(".")
    if not wanted:
        return True
    if not re.fullmatch(r"[\d.]+", wanted):
        return None
    if operator in ("=", "") or match[2].endswith("*"):
        starts = f"{installed}.".startswith(f"{wanted}.")
        return starts if operator in ("=", "", "==") else None
    try:
        have, want = Version(installed), Version(wanted)
    except InvalidVersion:
        return None
    table = {
        "==": have == want,
        ">=": have >= want,
        "<=": have <= want,
        "!=": have != want,
        ">": have > want,
        "<": have < want,
    }
    return table.get(operator)
