"""Which Python interpreters this machine has, for environments that ask for a version."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envmagic._version import REQUIRES_PYTHON
from envmagic.core.display import quoted
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.system import process

__all__ = [
    "Python",
    "base_of",
    "find",
    "installed",
    "lacking",
    "pyenv",
    "running",
    "search",
    "suits",
]

_VERSION = re.compile(r"\d+(?:\.\d+){0,2}$")
_EXECUTABLE = re.compile(r"python3\.(\d+)(?:\.exe)?$")
_OTHER = re.compile(r"(?:pypy|graalpy|pyodide)\S*|(?:c?python)?[-@]?\d[\d.]*(?:t|\+\S+)", re.I)
"""What other tools call Pythons that are not the usual CPython: `pypy3.10`, `3.14t`."""
_ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


@dataclass(frozen=True)
class Python:
    """An interpreter that environments can be made from."""

    executable: Path
    version: str
    """As far as its place tells: `3.12.4` or `3.12`."""

    @property
    def parts(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))


def running() -> Python:
    """The interpreter this process runs on, outside any virtual environment it may be in."""
    base: str = getattr(sys, "_base_executable", None) or sys.executable
    return Python(Path(base), ".".join(str(part) for part in sys.version_info[:3]))


def installed() -> list[Python]:
    """Every CPython 3 found on PATH, among pyenv's and among uv's, newest first, none run."""
    found: dict[str, Python] = {}
    for python in (running(), *_on_path(), *_of_pyenv(), *_of_uv()):
        found.setdefault(os.path.realpath(python.executable), python)
    return sorted(found.values(), key=lambda p: p.parts, reverse=True)


def base_of(python: Path) -> Path:
    """The interpreter outside of it that the virtual environment with `python` was made from."""
    with contextlib.suppress(OSError):
        for line in (python.parents[1] / "pyvenv.cfg").read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition("=")
            name = os.path.basename(os.path.realpath(python))
            if key.strip() == "home" and (base := Path(value.strip(), name)).is_file():
                return base
    return Path(os.path.realpath(python))


def find(wanted: str | None) -> Python:
    """The interpreter for `wanted`: a version, a specifier (`>=3.11`), a path, or None: ours.

    Raises as `search` does, and `lacking` when there is no such Python.
    """
    python = search(wanted)
    if python is None:
        raise lacking(str(wanted))
    return python


def search(wanted: str | None) -> Python | None:
    """The interpreter for `wanted`, as in `find`; None when a version is not on this machine.

    Raises `WordsError` when the words are wrong and `EnvmagicError` when a path is no Python.
    """
    if wanted is None:
        return running()
    if "/" in wanted or os.sep in wanted:
        return _at_path(Path(wanted).expanduser())
    candidates = sorted(installed(), key=lambda p: p.version != running().version)
    accepts = _Matcher(wanted)
    for python in candidates:
        if accepts(python.version) and (exact := _exact(python)) and accepts(exact.version):
            return exact
    return None


def lacking(wanted: str, hint: str = "", tool_command: tuple[str, ...] = ()) -> EnvmagicError:
    """That `wanted` is not on this machine; says which are that an environment can be made from.

    `hint` and `tool_command` say what gets it.
    """
    usable = [p for p in installed() if p.parts >= REQUIRES_PYTHON]
    versions = sorted({p.parts[:2] for p in usable}, reverse=True)
    there = ", ".join(".".join(str(n) for n in v) for v in versions)
    return EnvmagicError(
        "no-python",
        f"Python {wanted} is not on this machine; there are {there}.",
        hint or "Choose one of these.",
        tool_command=tool_command,
        subject=wanted,
    )


def suits(version: str, wanted: str) -> bool:
    """Whether the full `version` is what `wanted` asks for, and one to make environments from."""
    parts = tuple(int(part) for part in version.split("."))
    return parts >= REQUIRES_PYTHON and _Matcher(wanted)(version)


class _Matcher:
    """Whether a version, perhaps only `3.12`, can be the wanted one."""

    def __init__(self, wanted: str) -> None:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        plain = wanted.removeprefix("python").removeprefix("==").strip()
        self.parts = tuple(int(p) for p in plain.split(".")) if _VERSION.match(plain) else None
        self.specifier = None
        if self.parts is None:
            try:
                self.specifier = SpecifierSet(wanted)
            except InvalidSpecifier:
                raise _not_understood(wanted) from None

    def __call__(self, version: str) -> bool:
        have = tuple(int(p) for p in version.split("."))
        if self.parts is not None:
            both = min(len(have), len(self.parts))
            return have[:both] == self.parts[:both]
        if len(have) < 3:  # its micro version decides later, when it has been asked
            return True
        return self.specifier is not None and self.specifier.contains(version)


def _not_understood(wanted: str) -> WordsError:
    if _OTHER.fullmatch(wanted):
        message = (
            f"{quoted(wanted)} is not the usual CPython, the only one that is found by its version."
        )
        hint = "Name another one by its path: --python /path/to/python."
    else:
        message = f"{quoted(wanted)} is no Python version."
        hint = "Write it like 3.12, 3.12.4, '>=3.11' or /path/to/python."
    return WordsError("bad-python", message, hint, subject=wanted)


def _exact(python: Python) -> Python | None:
    """`python` with its full version, asked if need be; None when it does not run."""
    if len(python.parts) == 3:
        return python
    try:
        said = process.run([python.executable, "-I", "-c", _ASK], timeout=20).stdout.strip()
    except process.CommandFailed:
        return None
    return Python(python.executable, said) if re.fullmatch(r"\d+\.\d+\.\d+", said) else None


def _at_path(path: Path) -> Python:
    if path.is_dir():
        inside = path / ("python.exe" if sys.platform == "win32" else "bin/python3")
        path = inside
    python = _exact(Python(path, "3")) if path.is_file() else None
    if python is None:
        raise EnvmagicError("no-python", f"{path} is no Python interpreter.", subject=str(path))
    return python


def _on_path() -> Iterator[Python]:
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if (
            not entry
            or Path(entry).name == "shims"
            or os.path.exists(Path(entry).parent / "pyvenv.cfg")
        ):
            continue  # shims answer for versions that are not there; venvs are not bases
        try:
            names = os.listdir(entry)
        except OSError:
            continue
        for name in names:
            match = _EXECUTABLE.match(name)
            if match and os.access(Path(entry, name), os.X_OK):
                yield Python(Path(entry, name), f"3.{match[1]}")


def pyenv() -> Path:
    """Where pyenv and its Pythons are, if they are anywhere."""
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def _of_pyenv() -> Iterator[Python]:
    yield from _versions_below(pyenv() / "versions", re.compile(r"(3\.\d+\.\d+)$"))


def _of_uv() -> Iterator[Python]:
    """Those that `uv python install` brings; see https://docs.astral.sh/uv/reference/storage/."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        default = base / "uv" / "data" / "python"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        default = base / "uv" / "python"
    root = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or default)
    yield from _versions_below(root, re.compile(r"cpython-(3\.\d+\.\d+)-"))


def _versions_below(directory: Path, pattern: re.Pattern[str]) -> Iterator[Python]:
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return
    for entry in entries:
        match = pattern.match(entry.name)
        python = entry / ("python.exe" if sys.platform == "win32" else "bin/python3")
        if match and not entry.is_symlink() and python.exists():
            yield Python(python, match[1])
