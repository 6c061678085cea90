"""Which files in a virtual environment its tools wrote, told by what they wrote down themselves.

What made the environment leaves a few files that are always called the same; an installer leaves a
RECORD of each distribution with every file and its SHA-256
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/). Everything
else is somebody's: a file that was changed since, too.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

__all__ = ["DIRECTORIES", "MARK", "NOBODYS", "Written", "is_own_gitignore"]

MARK = "envmagic.json"
"""In each environment that we make or made: what tells that it is ours."""
DIRECTORIES = frozenset("bin lib lib64 include share Scripts Lib Include conda-meta".split())
"""At the top of an environment."""
NOBODYS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that a file manager leaves wherever one was looked at."""

_TOP = re.compile(r"pyvenv\.cfg|\.gitignore|CACHEDIR\.TAG|\.lock|envmagic\.json")
_SCRIPTS = re.compile(
    r"(?:bin|Scripts)/(?:activate(?:\.(?:bat|csh|fish|nu|ps1|xsh))?|Activate\.ps1|activate_this\.py"
    r"|deactivate\.(?:bat|csh|nu)|pydoc\.bat|python(?:w?\.exe|\d(?:\.\d+)?t?)?)"
)
_SITE = re.compile(r"(?:lib(?:64)?/[^/]+|Lib)/site-packages")
_PACKAGE = re.compile(_SITE.pattern + r"/[^/]+(?=/)")
_HELPERS = re.compile(_SITE.pattern + r"/_virtualenv\.(?:py|pth)")
_COMPILED = re.compile(
    r"(?P<directory>.*/)?__pycache__/(?P<stem>[^/]+?)\.[^./]+(?:\.opt-\d)?\.pyc(?:\.\d+)?"
)
# What is in them, whoever made the environment; a file of that name without it is somebody's, but
# for an empty one: the tool was cut off, and nobody loses anything.
_SAYS = {
    "activate": b"VIRTUAL_ENV",
    "Activate": b"VIRTUAL_ENV",
    "CACHEDIR.TAG": b"Signature: 8a477f597d28d172789f06886806bc55",
    "pyvenv.cfg": b"home",
}
_OUR_COMMANDS = re.compile(r"(?:bin|Scripts)/(?:envmagic|jupyter-env)")
_OUR_WORDS = re.compile(rb"from envmagic(?:\.frontends\.terminal)?\.cli import run")


class Written:
    """The files below one prefix that its tools wrote.

    `more` are files that are known from elsewhere: path from the prefix, with `/`, to the SHA-256
    in hexadecimal, or to None where it must not be the same.
    """

    def __init__(self, prefix: Path, more: Mapping[str, str | None] | None = None) -> None:
        self._prefix = prefix
        self._recorded: dict[str, set[str | None]] = {p: {d} for p, d in (more or {}).items()}
        for path, digest in _recorded(prefix):
            # distributions of a namespace share files, and the last to be installed has them
            self._recorded.setdefault(path, set()).add(digest)

    def __contains__(self, relative: str) -> bool:
        """Whether the file `relative` (from the prefix, with `/`) is as a tool wrote it."""
        path = self._prefix / relative
        if _is_skeleton(relative):
            return _is_as_made(path)
        if relative in self._recorded:
            digests = self._recorded[relative]
            return None in digests or _digest(path) in digests
        compiled = _COMPILED.fullmatch(relative)
        if compiled is not None:
            source = f"{compiled['directory'] or ''}{compiled['stem']}.py"
            return source in self._recorded or _is_skeleton(source)
        return bool(_OUR_COMMANDS.fullmatch(relative) and _OUR_WORDS.search(_read(path)))

    def foreign(self, below: Path | None = None) -> Iterator[Path]:
        """Every file (of those `below` a directory in it) that no tool wrote; a link is a file."""
        for relative in _files(self._prefix, below or self._prefix):
            if relative not in self:
                yield self._prefix / relative

    def own(self) -> Iterator[Path]:
        """Every file that a tool wrote."""
        for relative in _files(self._prefix, self._prefix):
            if relative in self:
                yield self._prefix / relative

    def added(self) -> Iterator[Path]:
        """What no tool put where people put things: at the top, among the commands and among the
        modules. That a recorded file was changed is not looked at."""
        firsts = {path.partition("/")[0] for path in self._recorded} | DIRECTORIES
        for entry in _entries(self._prefix):
            if entry not in firsts and entry not in NOBODYS and not _TOP.fullmatch(entry):
                yield self._prefix / entry
        for directory in ("bin", "Scripts", *_site_packages(self._prefix)):
            for entry in _entries(self._prefix / directory):
                if self._is_added(f"{directory}/{entry}"):
                    yield self._prefix / directory / entry

    @cached_property
    def _directories(self) -> frozenset[str]:
        """Those among the modules in which a tool put something."""
        sites = (m for path in self._recorded if (m := _PACKAGE.match(path)) is not None)
        return frozenset(match[0] for match in sites)

    def _is_added(self, relative: str) -> bool:
        path = self._prefix / relative
        if path.is_symlink() or path.name in NOBODYS:
            return False
        if path.is_dir():  # a package that is in no RECORD
            tools = path.suffix or path.name == "__pycache__" or relative in self._directories
            return not tools and _SITE.match(relative) is not None and _has_modules(path)
        if not path.is_file():
            return False
        if relative in self._recorded or _is_skeleton(relative):
            return False
        if _SITE.match(relative):
            return path.suffix not in {".pth", ".egg", ".egg-link", ".pyc", ".so", ".pyd"}
        # the commands of an installation without RECORD start the environment's Python
        return os.fsencode(self._prefix) not in _read(path)[:1000]


def _has_modules(directory: Path) -> bool:
    return any(name.endswith(".py") for name in _entries(directory))


def _is_skeleton(relative: str) -> bool:
    known = _TOP, _SCRIPTS, _HELPERS
    return relative == "lib64" or any(names.fullmatch(relative) for names in known)


def _is_as_made(path: Path) -> bool:
    """Whether a file that environments always have can be what made it wrote, as far as its
    content tells."""
    if path.name == ".lock":
        return _read(path) == b""
    if path.name == ".gitignore":
        return is_own_gitignore(path)
    told = next((words for name, words in _SAYS.items() if path.name.startswith(name)), b"")
    return path.is_symlink() or (content := _read(path)) == b"" or told in content


def is_own_gitignore(file: Path) -> bool:
    """Whether `file` ignores everything and says no more, as tools write it."""
    lines = [x for x in _read(file).splitlines() if x.strip() and not x.startswith(b"#")]
    return lines in ([], [b"*"])


def _site_packages(prefix: Path) -> list[str]:
    found = ["Lib/site-packages"]
    for lib in ("lib", "lib64"):
        if not (prefix / lib).is_symlink():
            found += [f"{lib}/{python}/site-packages" for python in _entries(prefix / lib)]
    return [site for site in found if (prefix / site).is_dir()]


def _recorded(prefix: Path) -> Iterator[tuple[str, str | None]]:
    for site in _site_packages(prefix):
        for info in _entries(prefix / site):
            if not info.endswith(".dist-info"):
                continue
            yield f"{site}/{info}/RECORD", None
            for path, digest in _rows(prefix / site / info / "RECORD"):
                inside = posixpath.normpath(posixpath.join(site, path))
                if not inside.startswith(("..", "/")):
                    yield inside, digest


def _rows(record: Path) -> Iterator[tuple[str, str | None]]:
    for row in csv.reader(_read(record).decode("utf-8", "surrogateescape").splitlines()):
        if row and row[0]:
            kind, _, digest = (row[1] if len(row) > 1 else "").partition("=")
            yield row[0], _hexadecimal(digest) if kind == "sha256" else None


def _hexadecimal(digest: str) -> str:
    try:
        return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    except ValueError:
        return digest  # nothing is equal to it


def _digest(path: Path) -> str:
    if path.is_symlink():
        return ""
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _files(prefix: Path, below: Path) -> Iterator[str]:
    """The files in `below`, links too, from `prefix` and with `/`."""
    for directory, names, files in os.walk(below):
        base = Path(directory).relative_to(prefix).as_posix()
        links = [name for name in names if os.path.islink(os.path.join(directory, name))]
        for name in (*files, *links):
            yield name if base == "." else f"{base}/{name}"
