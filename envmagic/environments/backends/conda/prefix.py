"""What a conda environment is, read from its files."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment
from envmagic.environments import inspection
from envmagic.system.prefix_layout import interpreter

__all__ = ["inspect"]

_PYTHON_RECORD = re.compile(r"python-3[\d.]*-[^-]+\.json$")


def inspect(prefix: Path, *, owned: bool) -> Environment:
    """The conda environment at `prefix`, as its files describe it.

    Raises `EnvmagicError` when it has no Python that runs here.
    """
    python = interpreter(prefix)
    if not python.exists():
        _refuse_other_platform(prefix)
        raise EnvmagicError(
            "no-interpreter",
            f"{display.user_path(prefix)} is a conda environment without Python.",
            "Only environments with Python can run Python notebooks.",
            subject=str(prefix),
        )
    records = sorted(n for n in os.listdir(prefix / "conda-meta") if _PYTHON_RECORD.match(n))
    version = inspection.plain_version(records[-1][len("python-") :]) if records else ""
    version = version or inspection.version_of_directories(prefix)
    short = ".".join(version.split(".")[:2])
    # a Python that conda replaced leaves what pip had installed for it behind
    own = tuple(
        s for s in inspection.site_packages(prefix) if s.parent.name in (f"python{short}", "Lib")
    )
    return Environment(
        prefix=prefix,
        python=python,
        version=version,
        backend=BackendName.CONDA,
        owned=owned,
        site_packages=own or inspection.site_packages(prefix),
    )


_SUBDIR = re.compile(rb'"subdir"\s*:\s*"(linux|osx|win)-(\w+)"')


def _refuse_other_platform(prefix: Path) -> None:
    """Say so where the packages of a conda environment are for another operating system."""
    ours = {"win32": "win", "darwin": "osx"}.get(sys.platform, "linux")
    for record in sorted((prefix / "conda-meta").glob("python-3*.json")):
        match = _SUBDIR.search(record.read_bytes())
        if match is not None and match[1].decode() != ours:
            raise EnvmagicError(
                "other-platform",
                f"{display.user_path(prefix)} was made for {b'-'.join(match.groups()).decode()}"
                " and cannot run here.",
                "Make one for this machine",
                subject=str(prefix),
                command=("create", names.kernel_name_of(prefix), "--backend", "conda"),
            )
