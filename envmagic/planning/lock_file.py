"""What a `pylock.toml` asks for (PEP 751), as requirements that any installer takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic.environments.backends.base import InstallPlan
from envmagic.planning.documents import bad_declaration, read, standard, toml
from envmagic.planning.plan import Declaration, Kind, Source, WantedPython

if TYPE_CHECKING:
    from packaging.pylock import Package, Pylock

__all__ = ["declaration", "line_of", "parsed"]


def declaration(file: Path) -> Declaration | str:
    """What `file` says, or why it says nothing.

    Each package becomes `NAME==VERSION` with the hashes of its files, so that it comes from the
    user's own index and is the very file that was locked. Raises `EnvmagicError`.
    """
    source = Source(Kind.LOCK, file)
    lock = parsed(file)
    if isinstance(lock, str):
        return lock
    lines = tuple(line_of(package, file.parent) for package in lock.packages)
    if not lines:
        return "it asks for nothing"
    python = str(lock.requires_python or "")
    pythons = (WantedPython(python, source),) if python else ()
    wanted = InstallPlan(lines, directory=file.parent)
    return Declaration(source, file.parent / ".venv", wanted=wanted, pythons=pythons)


def parsed(file: Path) -> Pylock | str:
    """The lock in `file`, or why it is none that counts. Raises as `declaration`."""
    source = Source(Kind.LOCK, file)
    text = read(file)
    said = toml(text, source)
    if "lock-version" not in said:
        return "it has no lock-version"
    if _is_beside_conda(said):
        return "it holds what pip installed beside conda's packages, and nothing of those"
    reader = standard("pylock", file)
    try:
        lock: Pylock = reader.Pylock.from_dict(said)
    except reader.PylockUnsupportedVersionError as error:
        return f"it is of a version that is not known here ({error})"
    except reader.PylockValidationError as error:
        raise bad_declaration(source, str(error), _line(text, str(error))) from error
    return lock


def line_of(package: Package, directory: Path) -> str:
    """What installs `package` of a lock in `directory`, the hashes of its files included."""
    marker = f" ; {package.marker}" if package.marker else ""
    where = _elsewhere(package, directory)
    if where:
        return f"{package.name} @ {where}{marker}"
    held = [wheel.hashes for wheel in package.wheels or ()]
    held += [package.sdist.hashes] if package.sdist is not None else []
    hashes = sorted({value for found in held for value in _hashes(found)})
    pinned = f"{package.name}=={package.version}" if package.version else str(package.name)
    return f"{pinned}{marker}" + "".join(f" --hash={value}" for value in hashes)


def _is_beside_conda(said: Mapping[str, Any]) -> bool:
    tool = said.get("tool")
    ours = tool.get("envmagic") if isinstance(tool, dict) else None
    return isinstance(ours, dict) and ours.get("conda") is True


def _hashes(found: Mapping[str, str]) -> list[str]:
    """Those that installers take."""
    return [f"{kind}:{found[kind]}" for kind in ("sha256", "sha384", "sha512") if kind in found]


def _elsewhere(package: Package, directory: Path) -> str:
    """The URL of what comes from no index; empty for what does."""
    if package.vcs is not None:
        at = package.vcs
        where = at.url or (directory / str(at.path)).as_uri()
        below = f"#subdirectory={at.subdirectory}" if at.subdirectory else ""
        return f"{at.type}+{where}@{at.commit_id}{below}"
    if package.directory is not None:
        return (directory / package.directory.path).absolute().as_uri()
    if package.archive is not None:
        archive = package.archive
        return archive.url or (directory / str(archive.path)).absolute().as_uri()
    return ""


def _line(text: str, said: str) -> int:
    """The line of the package that `said` is about, as far as that can be told."""
    match = re.search(r"packages\[(\d+)\]", said)
    if match is None:
        return 0
    heads = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == "[[packages]]"]
    number = int(match[1])
    return heads[number] if number < len(heads) else 0
