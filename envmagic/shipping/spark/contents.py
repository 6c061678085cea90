"""What lies in an archive: the files of the payload's distributions, and where each goes."""

from __future__ import annotations

import os
import posixpath
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments import inspection
from envmagic.shipping.local_modules import LocalModule
from envmagic.shipping.payload import Payload

__all__ = [
    "BROUGHT",
    "Files",
    "distributions",
    "in_the_archive",
    "left_out",
    "modules",
    "unpacked_wheel",
]

BROUGHT = frozenset({"pyspark", "py4j"})
"""Spark puts its own on the path of each Python that it starts, before all else."""

Files = dict[str, Path]
"""Where a file goes below the archive's top, with `/`; and where it is."""

_TEXTS = frozenset({".py", ".pyi", ".md", ".rst", ".typed", ".ipynb"})


def in_the_archive(module: LocalModule) -> bool:
    """Whether a local module cannot be imported whole from a zip file: it has data or compiled
    parts."""
    return any(file.suffix not in _TEXTS and file.name != "py.typed" for file in module.files())


def modules(payload: Payload, site: str) -> Files:
    """The local modules that no zip file can hold; `site` is where modules go."""
    return {
        f"{site}/{_below(file, module.root)}": file
        for module in filter(in_the_archive, payload.modules)
        for file in module.files()
    }


def distributions(payload: Payload, site: str) -> Files:
    """The files of the payload's distributions but those of which a wheel has to be built.

    Byte code is left out: it is made where it is used, and half of an archive. Raises
    `EnvmagicError` (`unlisted`) for a distribution that has no list of its files.
    """
    found = inspection.distributions(payload.environment)
    prefix = payload.environment.prefix
    files: Files = {}
    for pin in payload.pins:
        if pin.directory is None:
            files.update(_of_distribution(pin.name, found[pin.name][1], site, prefix))
    return files


def left_out(payload: Payload) -> list[str]:
    """Of a whole environment, as `Files` names them, the files that go otherwise or not at all."""
    found = inspection.distributions(payload.environment)
    names = BROUGHT | {pin.name for pin in payload.pins if pin.directory is not None}
    prefix = Path(os.path.abspath(payload.environment.prefix))
    listed = (
        Path(os.path.normpath(found[name][1].parent / path))
        for name in names & set(found)
        for path in Distribution.at(found[name][1]).files or ()
    )
    return [_below(file, prefix) for file in listed if file.is_relative_to(prefix)]


def unpacked_wheel(wheel: Path, into: Path, site: str) -> Files:
    """The files of `wheel`, which are unpacked in the directory `into`."""
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(into)
        names = [name for name in opened.namelist() if not name.endswith("/")]
    return {_place(name, site): into / name for name in names}


def _place(name: str, site: str) -> str:
    """Where a file of a wheel goes (https://packaging.python.org, binary distribution format)."""
    head, _, rest = name.partition("/")
    if not head.endswith(".data"):
        return f"{site}/{name}"
    kind, _, inside = rest.partition("/")
    return {"scripts": f"bin/{inside}", "data": inside}.get(kind, f"{site}/{inside}")


def _of_distribution(name: str, info: Path, site: str, prefix: Path) -> Iterator[tuple[str, Path]]:
    listed = Distribution.at(info).files
    if listed is None:
        raise EnvmagicError(
            "unlisted",
            f"{name} has no list of its files in this environment, so it cannot be packed.",
            "Install it anew",
            command=("install", "--upgrade", name),
            subject=name,
        )
    prefix = Path(os.path.abspath(prefix))
    for path in listed:
        source = Path(os.path.normpath(info.parent / path))
        if path.suffix == ".pyc" or not source.is_file():
            continue
        inside = posixpath.normpath(path.as_posix())
        if not inside.startswith("../"):
            yield f"{site}/{inside}", source
        elif source.is_relative_to(prefix):
            yield _below(source, prefix), source


def _below(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()
