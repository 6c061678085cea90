"""pip for an environment that we make: linked from its runtime, not installed anew."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import shutil
import sys
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.environments.backends import staged
from envmagic.environments.runtimes import building
from envmagic.environments.runtimes.host import Host
from envmagic.environments.runtimes.store import Runtime
from envmagic.system import locks, prefix_layout, scratch

__all__ = ["put"]

_SCRIPT = """#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


def put(environment: Environment, runtime: Runtime, *, fetched_by: Progress | None = None) -> bool:
    """Have the pip of `runtime` in `environment`; False where it has one, or there is none to link.

    With `fetched_by`, which is told, it is fetched where the runtime was made without.
    Files are hard links where the file system allows. Raises `EnvmagicError`.
    """
    site = environment.site_packages[0]
    if (site / "pip").exists() or any(site.glob("pip-*.dist-info")):
        return False
    if not _infos(runtime) and fetched_by is not None:
        with locks.lock(runtime.place.parent):
            if not _infos(runtime):
                building.fetch_pip(Host.of(environment), runtime, fetched_by)
    if not (infos := _infos(runtime)):
        return False
    scripts = _scripts(environment)
    try:
        with scratch.beside(environment.prefix) as staging:
            there = staging / site.relative_to(environment.prefix)
            record = _record(infos[0], scripts, site)
            _link_tree(infos[0], there / infos[0].name, record)
            _link_tree(runtime.place / "pip" / "pip", there / "pip")
            for script, content in scripts.items():
                copy = staging / script.relative_to(environment.prefix)
                copy.parent.mkdir(exist_ok=True)
                copy.write_bytes(content)
                copy.chmod(0o755)
            staged.move_in(staging, environment.prefix)
    except OSError as error:
        raise EnvmagicError(
            "no-space" if error.errno == errno.ENOSPC else "not-writable",
            f"pip cannot be put into {display.user_path(environment.prefix)}:"
            f" {error.strerror or error}.",
            subject=str(environment.prefix),
        ) from error
    return True


def _infos(runtime: Runtime) -> list[Path]:
    return sorted((runtime.place / "pip-info").glob("pip-*.dist-info"))


def _scripts(environment: Environment) -> dict[Path, bytes]:
    """The commands, which name the environment's own Python."""
    if sys.platform == "win32":  # needs an .exe; `python -m pip` works there
        return {}
    quoted = "'" + str(environment.python).replace("'", "'\"'\"'") + "'"
    directory = prefix_layout.scripts_directory(environment.prefix)
    names = ("pip", "pip3", f"pip{environment.short_version}")
    return {directory / name: _SCRIPT.format(python=quoted).encode() for name in names}


def _record(info: Path, scripts: dict[Path, bytes], site: Path) -> str:
    """The RECORD with `scripts` in place of those that the installer has made."""
    rows = (info / "RECORD").read_text("utf-8").splitlines()
    kept = [row for row in rows if not row.startswith(("../", "bin/"))]
    for script, content in scripts.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        path = Path(os.path.relpath(script, site)).as_posix()
        kept.append(f"{path},sha256={digest},{len(content)}")
    return "".join(f"{row}\n" for row in kept)


def _link_tree(source: Path, target: Path, record: str | None = None) -> None:
    """Link everything below `source` to `target`, with another `record` for its RECORD."""
    for directory, below, names in os.walk(source):
        below[:] = [name for name in below if name != "__pycache__"]
        place = target / Path(directory).relative_to(source)
        place.mkdir(parents=True)
        if record is not None and "RECORD" in names:
            (place / "RECORD").write_text(record, "utf-8")
            names.remove("RECORD")
        for name in names:
            try:
                os.link(Path(directory, name), place / name)
            except OSError:  # on another file system
                shutil.copy2(Path(directory, name), place / name)
