"""Which Python an environment is made from: what is said of it, and what this machine has."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envmagic.core.display import quoted
from envmagic.core.errors import EnvmagicError
from envmagic.environments import interpreters
from envmagic.imports.trees import up_from
from envmagic.planning.documents import bad_declaration, read, toml
from envmagic.planning.plan import ChosenPython, Kind, PassedOver, Source, WantedPython

__all__ = ["around", "beside", "choose"]

_PROJECT = "pyproject.toml"
_VERSION = re.compile(r"(?:python-?|cpython-?|cpython@)?(3(?:\.\d+){1,2})$", re.IGNORECASE)


def around(directory: Path) -> tuple[list[WantedPython], list[PassedOver]]:
    """What is said of the Python around `directory`, up to the repository's top: by `beside`, and
    by `requires-python` of the nearest `pyproject.toml`."""
    places = up_from(directory)
    nearest, over = beside(places)
    project = next((p / _PROJECT for p in places if (p / _PROJECT).is_file()), None)
    required = _required(project) if project is not None else None
    return [item for item in (nearest, required) if item is not None], over


def _required(file: Path) -> WantedPython | None:
    """What it requires; None also where it cannot be read, for then it says nothing."""
    source = Source(Kind.PROJECT, file)
    with contextlib.suppress(EnvmagicError):
        project = toml(read(file), source).get("project")
        text = project.get("requires-python") if isinstance(project, dict) else None
        if isinstance(text, str) and text:
            return WantedPython(text, source)
    return None


def beside(directories: Sequence[Path]) -> tuple[WantedPython | None, list[PassedOver]]:
    """What the nearest `.python-version` (as pyenv and uv read it) or `runtime.txt` (as Binder
    does) in `directories` asks for, the nearest one first; those that ask for none are named."""
    over: list[PassedOver] = []
    for directory in directories:
        for file in (directory / ".python-version", directory / "runtime.txt"):
            if not file.is_file():
                continue
            number, word = next(_words(file), (0, ""))
            match = _VERSION.match(word)
            if match:
                return WantedPython(match[1], Source(Kind.ENVIRONMENT, file, line=number)), over
            said = f"{quoted(word)} in it is no version of Python 3" if word else "it is empty"
            over.append(PassedOver(file, said))
    return None, over


def _words(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = read(file)
    except EnvmagicError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if word:
            yield number, word[:80]


def choose(
    wanted: Sequence[WantedPython], preferred: Sequence[tuple[str, str]] = ()
) -> tuple[ChosenPython, list[PassedOver]]:
    """The Python that all of `wanted` allow, the first counting where they disagree.

    Of several the first that is `preferred` (versions such as `3.12`, each with a clause that says
    why), else the newest. Raises `EnvmagicError`: `no-python`, `bad-declaration`.
    """
    counting, over = _counting(wanted)
    fitting = [p for p in interpreters.installed() if all(_fits(p, s) for _, s in counting)]
    if not fitting:
        raise _not_there(counting)
    pinned = next((item for item, s in counting if _pins(s)), None)
    if pinned is None:
        for version, why in preferred:
            for python in fitting:
                if f"{python.version}.".startswith(f"{_short(version)}."):
                    return ChosenPython(python.version, why, python.executable), over
    python = fitting[0]
    return ChosenPython(python.version, _why(pinned, counting), python.executable), over


def _counting(
    wanted: Sequence[WantedPython],
) -> tuple[list[tuple[WantedPython, SpecifierSet]], list[PassedOver]]:
    """Those that agree with the ones before them, and what does not."""
    counting: list[tuple[WantedPython, SpecifierSet]] = []
    over: list[PassedOver] = []
    for item in wanted:
        specifier = _specifier(item)
        if counting and not _agree(specifier, [s for _, s in counting]):
            first = counting[0][0]
            reason = f"it asks for Python {item.text}, and {first.source} for {first.text}"
            over.append(PassedOver(item.source.file or Path(), reason))
        else:
            counting.append((item, specifier))
    return counting, over


def _not_there(counting: Sequence[tuple[WantedPython, SpecifierSet]]) -> EnvmagicError:
    try:
        interpreters.find(",".join(str(specifier) for _, specifier in counting))
    except EnvmagicError as error:
        asks = " and ".join(dict.fromkeys(str(item.source) for item, _ in counting))
        return error.saying(f"{asks} asks for it.")
    return EnvmagicError("no-python", "No Python is on this machine to make an environment from.")


def _specifier(item: WantedPython) -> SpecifierSet:
    text = item.text.strip()
    if re.fullmatch(r"3(\.\d+){1,2}", text):
        # of a release that is not here another one of the same version will do
        is_here = any(python.version == text for python in interpreters.installed())
        text = f"=={text}" if is_here else f"=={'.'.join(text.split('.')[:2])}.*"
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise bad_declaration(item.source, f"{quoted(item.text)} is no Python version") from error


def _agree(one: SpecifierSet, others: Sequence[SpecifierSet]) -> bool:
    """Whether some Python 3 is allowed by all of them."""
    versions = [f"3.{minor}.{micro}" for minor in range(40) for micro in (0, 1, 9, 99)]
    exact = [s.version for every in (one, *others) for s in every if s.operator == "=="]
    candidates = [*versions, *(v.replace(".*", ".0") for v in exact)]
    return any(all(s.contains(v) for s in (one, *others)) for v in candidates)


def _fits(python: interpreters.Python, specifier: SpecifierSet) -> bool:
    version = python.version
    if version.count(".") < 2:  # the place tells no more; any of its releases will do
        return any(specifier.contains(f"{version}.{micro}") for micro in (0, 5, 20, 99))
    return specifier.contains(version)


def _pins(specifier: SpecifierSet) -> bool:
    return any(s.operator in ("==", "===") for s in specifier)


def _short(version: str) -> str:
    match = re.match(r"3\.\d+", version)
    return match[0] if match else ""


def _why(pinned: WantedPython | None, counting: Sequence[tuple[WantedPython, SpecifierSet]]) -> str:
    item = pinned or (counting[0][0] if counting else None)
    return f"{item.source} asks for {item.text}" if item else "it is the newest here"
