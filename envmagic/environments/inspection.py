"""What an environment is and holds, read from its files without running its interpreter."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Environment
from envmagic.system.prefix_layout import interpreter

__all__ = ["distributions", "inspect", "is_environment", "normalize", "size", "size_text"]

_PYTHON_DIRECTORY = re.compile(r"(?:python|pypy)3\.\d+t?$")

_PYTHON_RECORD = re.compile(r"python-3[\d.]*-[^-]+\.json$")


def is_environment(prefix: Path) -> bool:
    """Whether `prefix` claims to be one: it holds `pyvenv.cfg` or `conda-meta/history`."""
    return (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta" / "history").is_file()


def inspect(prefix: Path, *, owned: bool = False) -> Environment:
    """The environment at `prefix`, as its files describe it.

    Raises `WordsError` when there is none, `EnvmagicError` when there is one that cannot run (its
    interpreter or the Python it was made from is gone), each with the reason.
    """
    prefix = Path(os.path.abspath(prefix))
    shown = display.user_path(prefix)
    if not prefix.exists():
        raise WordsError("no-environment", f"{shown} does not exist.", subject=str(prefix))
    if not prefix.is_dir():
        raise WordsError(
            "not-an-environment", f"{shown} is a file, not an environment.", subject=str(prefix)
        )
    if (prefix / "conda-meta" / "history").is_file():
        return _inspect_conda(prefix, owned=owned)
    config = _read_config(prefix)
    python = interpreter(prefix)
    if not python.exists():
        raise _gone(prefix, python, config.get("home", ""))
    version = config.get("version") or config.get("version_info") or ""
    return Environment(
        prefix=prefix,
        python=python,
        version=_plain_version(version) or _version_of_directories(prefix),
        backend=_backend(config),
        owned=owned,
        site_packages=(*_site_packages(prefix), *_system_site_packages(config)),
    )


def distributions(environment: Environment) -> dict[str, tuple[str, Path]]:
    """Normalised name -> (version, its `dist-info` or `egg-info`) of what is installed there."""
    found: dict[str, tuple[str, Path]] = {}
    for directory in environment.site_packages:
        for name, version, info in _infos(directory):
            found.setdefault(normalize(name), (version, info))
    return found


def size(prefix: Path) -> int:
    """Bytes the files below `prefix` take; links are not followed."""
    total = 0
    for directory, _, files in os.walk(prefix):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def size_text(count: int) -> str:
    """`count` bytes for a person: `74 MB`."""
    for unit, digits in (("B", 0), ("kB", 0), ("MB", 0), ("GB", 1)):
        if count < 1000 or unit == "GB":
            return f"{count:.{digits}f} {unit}"
        count /= 1000  # type: ignore[assignment]
    raise AssertionError


def normalize(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read_config(prefix: Path) -> dict[str, str]:
    file = prefix / "pyvenv.cfg"
    try:
        text = file.read_text("utf-8", errors="replace")
    except OSError:
        empty = not any(prefix.iterdir())
        reason = "is empty" if empty else "is no environment: it has no pyvenv.cfg"
        raise WordsError(
            "not-an-environment",
            f"{display.user_path(prefix)} {reason}.",
            "Make one there" if empty else "",
            subject=str(prefix),
            command=("create", str(prefix)) if empty else (),
        ) from None
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _gone(prefix: Path, python: Path, base: str) -> EnvmagicError:
    if python.is_symlink() and base:
        why = f"the Python it was made from is gone ({display.user_path(base)})"
    else:
        why = f"{display.user_path(python)} is missing"
    return EnvmagicError(
        "no-interpreter",
        f"{display.user_path(prefix)} cannot run: {why}.",
        "Make it again with another one",
        subject=str(prefix),
        command=("create", "NAME", "--python", "VERSION"),
    )


def _backend(config: dict[str, str]) -> BackendName:
    if "uv" in config:
        return BackendName.UV
    return BackendName.VIRTUALENV if "virtualenv" in config else BackendName.VENV


def _plain_version(text: str) -> str:
    match = re.match(r"\d+\.\d+(?:\.\d+)?", text)
    return match[0] if match else ""


def _version_of_directories(prefix: Path) -> str:
    for directory in _site_packages(prefix):
        match = re.search(r"3\.\d+", directory.parent.name)
        if match:
            return match[0]
    return ""


def _site_packages(prefix: Path) -> tuple[Path, ...]:
    if sys.platform == "win32":
        return (prefix / "Lib" / "site-packages",)
    found = []
    for lib in ("lib", "lib64"):
        directory = prefix / lib
        if directory.is_symlink() or not directory.is_dir():
            continue
        for python in sorted(directory.iterdir()):
            site = python / "site-packages"
            if _PYTHON_DIRECTORY.match(python.name) and site.is_dir():
                found.append(site)
    return tuple(found)


def _system_site_packages(config: dict[str, str]) -> tuple[Path, ...]:
    if config.get("include-system-site-packages", "").lower() != "true" or "home" not in config:
        return ()
    base = Path(config["home"])
    return _site_packages(base.parent if base.name in {"bin", "Scripts"} else base)


def _inspect_conda(prefix: Path, *, owned: bool) -> Environment:
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
    version = _plain_version(records[-1][len("python-") :]) if records else ""
    version = version or _version_of_directories(prefix)
    short = ".".join(version.split(".")[:2])
    # a Python that conda replaced leaves what pip had installed for it behind
    own = tuple(s for s in _site_packages(prefix) if s.parent.name in (f"python{short}", "Lib"))
    return Environment(
        prefix=prefix,
        python=python,
        version=version,
        backend=BackendName.CONDA,
        owned=owned,
        site_packages=own or _site_packages(prefix),
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
                command=("create", "NAME", "--backend", "conda"),
            )


def _infos(directory: Path) -> Iterator[tuple[str, str, Path]]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in sorted(names):
        stem, dot, kind = name.rpartition(".")
        if dot and kind in {"dist-info", "egg-info"} and not name.startswith("~"):
            distribution, _, version = stem.partition("-")
            yield distribution, version.split("-py3")[0], directory / name
