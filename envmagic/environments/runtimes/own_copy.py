"""envmagic itself, copied to where kernels import it from, and who makes runtimes.

Copied rather than installed, so that it is the same version from a checkout, from an editable
install and without a network.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from envmagic._version import __version__
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.jupyter import launcher
from envmagic.system import cache, directories, files, locks, prefix_layout, scratch

__all__ = ["BEHIND", "REQUIRES", "ensure", "is_ours", "is_there", "old", "origins", "remove"]

REQUIRES = (
    "ipykernel>=6.29",
    "ipython>=8.18",
    "jupyter-client>=8.6",
    "packaging>=26.1",
    "tomli>=2; python_version < '3.11'",
)
"""As in pyproject.toml; a test compares them."""
BEHIND = (
    "ipykernel>=6.9",
    "ipython>=7.23",
    "jupyter-client>=6.1.12",
    "packaging>=20; python_version < '3.12'",
    "packaging>=21; python_version >= '3.12'",  # before it wants the distutils of the library
    "tomli>=2; python_version < '3.11'",
)
"""What it makes do with in an environment that holds older parts itself."""
_DIGEST = "own-digest.json"
_LAUNCHER = "launcher.py"
_BUILDER = "builder.json"


def ensure() -> str:
    """Have a copy of this envmagic among the runtimes; returns the name of its directory.

    One that is newer, or is as new and whole, stays what kernels import. Raises `EnvmagicError`
    where nothing can be written.
    """
    place = directories.runtimes()
    known = _known(place)
    if known is not None and _runs_from_copy():
        return known["code"]
    name = f"envmagic-{__version__}-{_digest()}"
    if known is not None and (known["code"] == name or _is_newer(known["version"])):
        return known["code"]
    try:
        place.mkdir(parents=True, exist_ok=True)
        with locks.lock(place):
            if not (place / name).is_dir():
                with scratch.beside(place) as new:
                    _copy(new)
                    _put(new, place / name)
            copy = (directories.package() / "jupyter" / _LAUNCHER).read_bytes()
            files.write_atomic(place / _LAUNCHER, copy)
            files.write_atomic(place / _BUILDER, json.dumps(_builder(name), indent=1).encode())
    except OSError as error:
        raise EnvmagicError(
            "not-writable",
            f"{display.user_path(place)} cannot be written: {(error.strerror or '').lower()}.",
            "Set ENVMAGIC_HOME to a directory you can write to.",
            subject=str(place),
        ) from error
    return name


def is_there() -> bool:
    """Whether there is a copy that kernels can import, and a Python that makes runtimes."""
    return _known(directories.runtimes()) is not None


def origins() -> list[str]:
    """The directories that the copy was made from, and what reads its metadata; none where there is
    no copy."""
    known = _known(directories.runtimes())
    return list(known["path"]) if known is not None else []


def old() -> list[Path]:
    """The copies that no kernel is started with any more and none uses now."""
    known = _known(directories.runtimes())
    found = sorted(file.parent for file in directories.runtimes().glob("envmagic-*/used"))
    return [copy for copy in found if known and copy.name != known["code"] and _is_free(copy)]


def remove(copy: Path) -> None:
    """Remove a copy if it is an old one still; the caller holds the lock of the runtimes."""
    if copy in old():
        with scratch.beside(copy.parent) as aside:
            copy.rename(aside)


def _is_free(copy: Path) -> bool:
    try:
        with (copy / "used").open("r+b") as opened:
            return locks.try_lock(opened)
    except OSError:
        return False


def is_ours(info: Path) -> bool:
    """Whether the envmagic with metadata in `info` was put there by a version of us, not by an
    installer."""
    try:
        return (info / "INSTALLER").read_bytes().strip() == b"envmagic"
    except OSError:
        return False


def _builder(name: str) -> dict[str, object]:
    """Who makes runtimes: this Python, which imports envmagic and packaging from those places."""
    packaging = importlib.util.find_spec("packaging")
    origins = [directories.package().parent]
    if packaging is not None and packaging.origin:
        origins.append(Path(packaging.origin).parents[1])
    library = sysconfig.get_path("stdlib")
    return {
        "code": name,
        "version": __version__,
        "python": sys.executable,
        "path": list(dict.fromkeys(str(origin) for origin in origins)),
        "kind": launcher.kind_of_python(),
        "library": [library, os.path.join(library, "lib-dynload")],
    }


def _known(place: Path) -> dict[str, str] | None:
    """What `builder.json` says, where the Python and the copy that it names are there."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held: dict[str, str] = json.loads((place / _BUILDER).read_bytes())
        imported = [p.name for path in held["path"] for p in Path(path).iterdir()]
        whole = _is_whole(place / held["code"]) and {"envmagic", "packaging"} <= set(imported)
        if whole and os.access(held["python"], os.X_OK) and held["version"]:
            return held
    return None


def _is_whole(copy: Path) -> bool:
    return all((copy / file).is_file() for file in ("envmagic/__init__.py", "used"))


def _runs_from_copy() -> bool:
    """The envmagic that runs here is such a copy."""
    return prefix_layout.same(directories.package().parents[1], directories.runtimes())


def _is_newer(version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(__version__)
    except InvalidVersion:
        return False


@functools.cache
def _digest() -> str:
    """Of the files of this envmagic; kept as long as their times and lengths are the same."""
    source = directories.package()
    found = sorted(
        path
        for path in source.rglob("*")
        if path.suffix != ".pyc" and path.name != "__pycache__" and path.is_file()
    )
    facts = [(str(path), path.stat()) for path in found]
    stamp = hashlib.sha256(
        repr([(path, fact.st_mtime_ns, fact.st_size) for path, fact in facts]).encode()
    ).hexdigest()
    held = cache.load(_DIGEST, stamp)
    if isinstance(held, str):
        return held
    total = hashlib.sha256()
    for path in found:
        total.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes())
    digest = total.hexdigest()[:12]
    cache.save(_DIGEST, stamp, digest)
    return digest


def _put(new: Path, target: Path) -> None:
    try:
        new.rename(target)
    except OSError:
        if not target.is_dir():  # else somebody was faster, whose home is another
            raise


def _copy(new: Path) -> None:
    """The package with what is compiled of it, which counts while times stay, and its metadata."""
    shutil.copytree(directories.package(), new / "envmagic")
    info = new / "info" / f"envmagic-{__version__}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", "Name: envmagic", f"Version: {__version__}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in REQUIRES]
    (info / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
    (info / "INSTALLER").write_text("envmagic\n", "utf-8")
    (new / "used").touch()  # kernels lock it
