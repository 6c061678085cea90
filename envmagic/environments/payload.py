"""envmagic itself in another environment: the very files that run here, as a distribution there.

Copied rather than installed, so that it is the same version from a checkout, from an editable
install and without a network.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import shutil
import sys
from importlib.util import cache_from_source
from pathlib import Path

from envmagic._version import REQUIRES_PYTHON, __version__
from envmagic.core.model import Environment
from envmagic.environments.contents import Written
from envmagic.system import directories, prefix_layout, scratch

__all__ = ["REQUIRES", "ensure", "fits", "info_in", "is_stale", "requirements_for"]

REQUIRES = (
    "ipykernel>=6.29",
    "ipython>=8.18",
    "jupyter-client>=8.6",
    "packaging>=23.2",
    "tomli>=2; python_version < '3.11'",
)
"""As in pyproject.toml; a test compares them."""
_SCRIPTS = ("envmagic", "jupyter-env")
_SCRIPT = """#!/bin/sh
'''exec' '{python}' "$0" "$@"
' '''
from envmagic.frontends.terminal.cli import run
run()
"""


def fits(environment: Environment) -> bool:
    """Whether the environment's Python is new enough for envmagic."""
    return tuple(int(p) for p in environment.version.split(".")[:2]) >= REQUIRES_PYTHON


def requirements_for(environment: Environment) -> tuple[str, ...]:
    """What must be installed there besides ipykernel's own closure, for `pip check` to be clean."""
    return REQUIRES if fits(environment) else ()


def ensure(environment: Environment) -> bool:
    """Have this version of envmagic in `environment`; returns whether anything was written.

    A newer one and an editable install are left alone. Raises `OSError` when it cannot be written.
    """
    site = environment.site_packages[0]
    if _is_here(site) or _is_current(site):
        return False
    with scratch.beside(site) as staging:
        staging.mkdir()
        contents = _contents(environment)
        for name, data in contents.items():
            if name.startswith(".."):
                continue
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, data in contents.items():
            if name.startswith(".."):
                script = Path(os.path.normpath(site / name))
                script.write_bytes(data)
                script.chmod(0o755)
        if environment.short_version == ".".join(map(str, sys.version_info[:2])):
            _copy_compiled(staging)
        _swap(environment, staging)
    return True


def info_in(environment: Environment) -> Path:
    """Where the dist-info of this version is, when `ensure` has put it there."""
    return environment.site_packages[0] / _info_name()


def is_stale(environment: Environment) -> bool:
    """Whether `environment` has no envmagic or an older one than this."""
    site = environment.site_packages[0]
    return not _is_here(site) and not _is_current(site)


def _info_name() -> str:
    return f"envmagic-{__version__}.dist-info"


def _is_here(site: Path) -> bool:
    """The copy that runs is the one in `site`."""
    return os.path.realpath(site / "envmagic") == os.path.realpath(_source())


def _source() -> Path:
    return directories.package()


def _is_current(site: Path) -> bool:
    from packaging.version import InvalidVersion, Version

    for info in site.glob("envmagic-*.dist-info"):
        try:
            installed = Version(info.name[len("envmagic-") : -len(".dist-info")])
        except InvalidVersion:
            continue
        editable = (info / "direct_url.json").exists() and not (site / "envmagic").is_dir()
        if editable or installed > Version(__version__):
            return True
        ours = (info / "INSTALLER").read_bytes().strip() == b"envmagic"
        if installed == Version(__version__):
            whole = (site / "envmagic" / "__init__.py").exists()
            return whole and (not ours or (info / "FILES").read_text() == _digest())
    return False


@functools.cache
def _files() -> dict[str, bytes]:
    source = _source()
    return {
        f"envmagic/{path.relative_to(source).as_posix()}": path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


@functools.cache
def _digest() -> str:
    total = hashlib.sha256()
    for name, data in _files().items():
        total.update(name.encode() + b"\0" + data)
    return total.hexdigest()


def _contents(environment: Environment) -> dict[str, bytes]:
    """Path below site-packages -> bytes of the whole distribution, RECORD last."""
    info = _info_name()
    contents = dict(_files())
    contents[f"{info}/METADATA"] = _metadata().encode()
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: envmagic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    contents[f"{info}/INSTALLER"] = b"envmagic\n"
    contents[f"{info}/FILES"] = _digest().encode()
    contents[f"{info}/entry_points.txt"] = (
        "[console_scripts]\n"
        + "".join(f"{s} = envmagic.frontends.terminal.cli:run\n" for s in _SCRIPTS)
    ).encode()
    contents |= _scripts(environment)
    rows = [f"{name},sha256={_hash(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{info}/RECORD"] = "".join(f"{row}\n" for row in [*rows, f"{info}/RECORD,,"]).encode()
    return contents


def _scripts(environment: Environment) -> dict[str, bytes]:
    if sys.platform == "win32":  # needs an .exe; `python -m envmagic` works there
        return {}
    site = environment.site_packages[0]
    python = str(environment.python).replace("'", "'\"'\"'")
    directory = prefix_layout.scripts_directory(environment.prefix)
    return {
        Path(os.path.relpath(directory / name, site)).as_posix(): _SCRIPT.format(
            python=python
        ).encode()
        for name in _SCRIPTS
    }


def _metadata() -> str:
    lines = [
        "Metadata-Version: 2.1",
        "Name: envmagic",
        f"Version: {__version__}",
        "Summary: One cell gives the open notebook its own environment, kernel and record",
        "License: BSD-3-Clause",
        f"Requires-Python: >={'.'.join(map(str, REQUIRES_PYTHON))}",
        *(f"Requires-Dist: {requirement}" for requirement in REQUIRES),
    ]
    return "\n".join(lines) + "\n"


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _copy_compiled(staging: Path) -> None:
    """What this very Python has compiled of us already, so that the other need not.

    A compiled file counts while it names the time and size of its source (PEP 3147, PEP 552),
    so the copies get the times of their sources.
    """
    for source in _source().rglob("*.py"):
        compiled = Path(cache_from_source(source))
        copy = staging / "envmagic" / source.relative_to(_source())
        if not compiled.is_file() or not copy.is_file():
            continue
        modified = source.stat().st_mtime
        os.utime(copy, (modified, modified))
        target = Path(cache_from_source(copy))
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(compiled.read_bytes())


def _swap(environment: Environment, staging: Path) -> None:
    """Put the staged package and dist-info in place of what is there.

    What a person has put into them stays where it is.
    """
    site, written = environment.site_packages[0], None
    for old in [site / "envmagic", *site.glob("envmagic-*.dist-info")]:
        if old.is_dir() and not old.is_symlink():
            written = written or Written(environment.prefix)
            _carry_over(old, staging, written)
            old.rename(staging / f"old-{old.name}")
    # the RECORD first: it explains whatever else is there when this is cut off
    for new in (_info_name(), "envmagic"):
        (staging / new).rename(site / new)


def _carry_over(old: Path, staging: Path, written: Written) -> None:
    """Copy the files below `old` that no tool wrote to where they are to be again."""
    for path in written.foreign(old):
        copy = staging / path.relative_to(old.parent)
        if "__pycache__" not in path.parts and not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy, follow_symlinks=False)
