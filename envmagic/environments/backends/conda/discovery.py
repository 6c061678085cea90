"""Which conda environments this machine has, found without conda.

`~/.conda/environments.txt` is kept by conda, mamba and micromamba alike; the other places are
their defaults. An environment is real when it has `conda-meta/history`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import condarc, yaml_text
from envmagic.system import cache, files, prefix_layout, reading

__all__ = ["announce", "is_root", "name_of", "named", "prefixes", "roots"]

_REMEMBERED = "envs-dirs.json"
_HOMES = (
    "miniforge3",
    "mambaforge",
    "miniconda3",
    "anaconda3",
    "micromamba",
    "miniconda",
    "anaconda",
    ".local/share/mamba",
)


def prefixes() -> list[Path]:
    """The prefix of every conda environment that is found, installations of conda included."""
    found: dict[str, Path] = {}
    for prefix in _candidates():
        if os.path.isfile(os.path.join(prefix, "conda-meta", "history")):
            found.setdefault(prefix_layout.identity(prefix), Path(prefix))
    return list(found.values())


def named(name: str) -> list[Path]:
    """The environments that conda would call `name`; case does not count."""
    wanted = name.casefold()
    return [prefix for prefix in prefixes() if name_of(prefix).casefold() == wanted]


def name_of(prefix: Path) -> str:
    """What conda calls the environment at `prefix`: `base`, the name in an `envs` directory, or
    the last part of its path where conda would show the path only."""
    return "base" if is_root(prefix) else prefix.name


def announce(prefix: Path) -> None:
    """Add `prefix` to `~/.conda/environments.txt`, so that conda lists it; conda itself takes out
    what is gone. A home that cannot be written to is left alone."""
    file = Path.home() / ".conda" / "environments.txt"
    if str(prefix) in _listed(file):
        return
    with contextlib.suppress(OSError, EnvmagicError):
        file.parent.mkdir(exist_ok=True)
        earlier = file.read_bytes() if file.exists() else b""
        gap = b"" if not earlier or earlier.endswith(b"\n") else b"\n"
        files.write_atomic(file, earlier + gap + os.fsencode(str(prefix)) + b"\n")


def is_root(prefix: Path) -> bool:
    """Whether `prefix` is an installation of conda rather than an environment made by one."""
    return (prefix / "condabin").is_dir() or (prefix / "bin" / "conda").is_file()


def roots() -> Iterator[Path]:
    """Where an installation of conda, or micromamba's root, is or would be."""
    for variable in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    for variable in ("CONDA_EXE", "CONDA_PYTHON_EXE"):
        if os.environ.get(variable):
            yield Path(os.environ[variable]).parent.parent
    bases = [Path.home(), Path("C:/ProgramData") if sys.platform == "win32" else Path("/opt")]
    for base in bases:
        yield from (base / name for name in _HOMES)
    yield Path("/opt/conda")


def _candidates() -> Iterator[str]:
    user = Path.home()
    yield from _listed(user / ".conda" / "environments.txt")
    for variable in ("CONDA_PREFIX", "CONDA_PREFIX_1", "CONDA_PREFIX_2"):
        if os.environ.get(variable):
            yield os.environ[variable]
    places = [user / ".conda" / "envs", *_envs_dirs()]
    for root in roots():
        yield str(root)
        places.append(root / "envs")
    for directory in dict.fromkeys(places):
        yield from _below(directory)


def _listed(file: Path) -> Iterator[str]:
    try:
        text = reading.content(file).decode("utf-8", "replace")
    except OSError:
        return
    yield from (line.strip() for line in text.splitlines() if line.strip())


def _envs_dirs() -> tuple[Path, ...]:
    """`envs_dirs` of the variables and of every `.condarc`; what was read is remembered, since
    reading YAML costs many times what all the rest of this module does."""
    written = [file for file in condarc.files() if _mentions(file)]
    told = [os.environ.get(name) for name in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH")]
    key = repr([yaml_text.has_reader(), *told])
    key += repr([(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in written])
    if not written and not (os.environ.get("CONDA_ENVS_DIRS") or os.environ.get("CONDA_ENVS_PATH")):
        return ()
    known = cache.load(_REMEMBERED, key)
    if isinstance(known, list):
        return tuple(map(Path, known))
    try:
        places = condarc.load().envs_dirs
    except EnvmagicError:  # said by `doctor` and by what needs the settings
        return ()
    cache.save(_REMEMBERED, key, [str(directory) for directory in places])
    return places


def _mentions(file: Path) -> bool:
    try:
        return b"envs_" in reading.content(file)
    except OSError:
        return False


def _below(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            yield from sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return
