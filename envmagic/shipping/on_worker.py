"""What a worker is asked, where envmagic is not: its text goes along, so it stands alone.

Only the standard library of Python 3.8 and later.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import socket
import sys
import zipfile

__all__ = ["digest_of", "look"]

_ARCHIVE = re.compile(r"(.+?\.(?:zip|egg|pyz))[/\\](.+)")
_LEFT_OUT = ("__pycache__",)


def look(names: list[str], modules: list[str]) -> dict[str, object]:
    """What this Python has: of the distributions `names` their versions, of the top-level `modules`
    the digests of their files; those that are not there are left out."""
    importlib.invalidate_caches()
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": f"{platform.system()} {platform.machine()}",
        "has_pip": importlib.util.find_spec("pip") is not None,
        "versions": {n: v for n, v in ((n, _version(n)) for n in names) if v is not None},
        "modules": {m: d for m, d in ((m, _module(m)) for m in modules) if d is not None},
    }


def digest_of(path: str) -> str:
    """SHA-256 of a file, or of all files below a directory with their names, in hexadecimal.

    A path within an archive is understood; byte code does not count.
    """
    found = _ARCHIVE.fullmatch(path)
    files = _in_archive(found[1], found[2]) if found and os.path.isfile(found[1]) else _files(path)
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return total.hexdigest()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _module(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    place = places[0] if places else spec.origin
    try:
        return digest_of(place) if place else None
    except (OSError, zipfile.BadZipFile):
        return None


def _files(path: str) -> dict[str, bytes]:
    if not os.path.isdir(path):
        return {os.path.basename(path): _content(path)}
    found = {}
    for above, directories, names in os.walk(path):
        directories[:] = [each for each in directories if each not in _LEFT_OUT]
        for name in names:
            if not name.endswith((".pyc", ".pyo")):
                file = os.path.join(above, name)
                found[os.path.relpath(file, path).replace(os.sep, "/")] = _content(file)
    return found


def _in_archive(archive: str, inside: str) -> dict[str, bytes]:
    inside = inside.replace(os.sep, "/")
    with zipfile.ZipFile(archive) as opened:
        names = [n for n in opened.namelist() if not n.endswith(("/", ".pyc", ".pyo"))]
        if inside in names:
            return {inside.rpartition("/")[2]: opened.read(inside)}
        return {
            n[len(inside) + 1 :]: opened.read(n)
            for n in names
            if n.startswith(inside + "/") and not set(_LEFT_OUT) & set(n.split("/"))
        }


def _content(path: str) -> bytes:
    with open(path, "rb") as opened:
        return opened.read()
