"""A virtual environment that holds nothing but its Python, for a packer to begin with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.shipping.spark.contents import Files
from envmagic.system import reading

__all__ = ["base_python", "make", "site"]


def site(environment: Environment) -> str:
    """Where its modules are, below its prefix, with `/`."""
    inside = [s for s in environment.site_packages if s.is_relative_to(environment.prefix)]
    if inside:
        return inside[0].relative_to(environment.prefix).as_posix()
    return f"lib/python{environment.short_version}/site-packages"


def base_python(environment: Environment) -> Path:
    """The interpreter that a virtual environment leads to, outside of it."""
    real = Path(os.path.realpath(environment.python))
    if not real.is_relative_to(os.path.realpath(environment.prefix)):
        return real
    lines = reading.content(environment.prefix / "pyvenv.cfg").decode("utf-8", "replace")
    pairs = (line.partition("=") for line in lines.splitlines())
    home = {key.strip().lower(): value.strip() for key, _, value in pairs}.get("home", "")
    return Path(home, f"python{environment.short_version}")


def make(place: Path, environment: Environment, files: Files) -> Files:
    """Make one in the directory `place`, which is not there yet, that runs as `environment` does.

    Returns `files` with scripts in it that name the Python of `place`, which a packer replaces. A
    `pyvenv.cfg` is written anew: venv-pack cannot read each that there is.
    """
    base = base_python(environment)
    (place / "bin").mkdir(parents=True)
    (place / site(environment)).mkdir(parents=True)
    (place / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n"
        f"version = {environment.version}\n",
        encoding="utf-8",
    )
    (place / "bin" / "python").symlink_to(base)
    for name in ("python3", f"python{environment.short_version}"):
        (place / "bin" / name).symlink_to("python")
    return {target: _runs_there(target, path, place, environment) for target, path in files.items()}


def _runs_there(target: str, path: Path, place: Path, environment: Environment) -> Path:
    if not target.startswith("bin/"):
        return path
    content = path.read_bytes()
    here = os.fsencode(environment.prefix)
    if not content.startswith(b"#!" + here):
        return path
    script = place.with_name("scripts") / target
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes(content.replace(here, os.fsencode(place), 1))
    shutil.copymode(path, script)
    return script
