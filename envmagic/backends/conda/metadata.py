"""What a conda environment's `conda-meta` tells: packages, what was asked for, pins."""

from __future__ import annotations

import ast
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic import files, process
from envmagic.model import Environment

__all__ = [
    "Package",
    "broken",
    "by_conda",
    "channels",
    "distributions",
    "is_json",
    "is_whole",
    "normalized",
    "note",
    "owner",
    "packages",
    "pinned",
    "records",
    "requested",
]


@dataclass(frozen=True)
class Package:
    """An installed conda package."""

    name: str
    version: str
    build: str
    record: Path

    @property
    def dist(self) -> str:
        """`tiny-1.5-py_0`."""
        return f"{self.name}-{self.version}-{self.build}"


def packages(prefix: Path) -> dict[str, Package]:
    """Name -> package of all that conda installed in `prefix`, from file names alone: fast."""
    found: dict[str, Package] = {}
    try:
        names = sorted(os.listdir(prefix / "conda-meta"))
    except OSError:
        return found
    for file in names:
        parts = file.removesuffix(".json").rsplit("-", 2)
        if file.endswith(".json") and len(parts) == 3:
            name, version, build = parts
            found[name] = Package(name, version, build, prefix / "conda-meta" / file)
    return found


def records(prefix: Path) -> Iterator[tuple[Package, dict[str, Any]]]:
    """Every package with all that its record says; megabytes for a large environment."""
    for package in packages(prefix).values():
        try:
            content = json.loads(package.record.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            yield package, content


def broken(prefix: Path) -> list[str]:
    """Packages whose record cannot be read, or names files that are not on disk."""
    return [name for name, package in packages(prefix).items() if not is_whole(package)]


def is_whole(package: Package) -> bool:
    """Whether all files of the installed `package` are there; compiled ones do not count."""
    try:
        held = json.loads(package.record.read_bytes()).get("files", [])
    except (OSError, ValueError, AttributeError):
        return False
    prefix = str(package.record.parent.parent)
    kept = (str(path) for path in held if not str(path).endswith(".pyc"))
    return all(os.path.lexists(os.path.join(prefix, path)) for path in kept)


def is_json(file: Path) -> bool:
    """Whether `file` was written to its end."""
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def channels(prefix: Path) -> list[str]:
    """The channels of `prefix` in their order: those it was made with, as far as we noted them,
    then the URLs that its packages came from, most used first."""
    noted = [c for action, found in _history(prefix) if action == "channels" for c in found]
    if noted:
        return list(dict.fromkeys(noted))
    counted: dict[str, int] = {}
    for _, record in records(prefix):
        url = str(record.get("channel") or "").rstrip("/")
        url = re.sub(r"/(?:noarch|[a-z]+-\w+)$", "", url)
        if "://" in url:
            counted[url] = counted.get(url, 0) + 1
    return sorted(counted, key=lambda url: -counted[url])


def requested(prefix: Path) -> dict[str, str]:
    """Name -> spec of what the user asked for so far.

    From `conda-meta/history`, where conda and mamba keep it, else from the records, where pixi and
    rattler do. Empty when neither tells.
    """
    found: dict[str, str] = {}
    for action, specs in _history(prefix):
        for spec in specs if action != "channels" else []:
            name = _name_of(spec)
            if action in ("remove", "uninstall"):
                found.pop(name, None)
            else:
                found[name] = spec
    if found:
        return {name: spec for name, spec in found.items() if name in packages(prefix)}
    for package, record in records(prefix):
        specs = record.get("requested_specs") or [record.get("requested_spec")]
        known = [s for s in specs if s and s != "None"] if isinstance(specs, list) else []
        if known:
            found[package.name] = str(known[-1])
    return found


def pinned(prefix: Path) -> list[str]:
    """What `conda-meta/pinned` holds fast."""
    try:
        text = (prefix / "conda-meta" / "pinned").read_text("utf-8")
    except OSError:
        return []
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def distributions(environment: Environment) -> dict[str, tuple[str, Path]]:
    """Normalised name -> (version, dist-info) of the Python distributions that are there."""
    found: dict[str, tuple[str, Path]] = {}
    for site in environment.site_packages:
        try:
            names = sorted(os.listdir(site))
        except OSError:
            continue
        for entry in names:
            stem, _, kind = entry.rpartition(".")
            if kind in ("dist-info", "egg-info"):
                name, _, version = stem.partition("-")
                found.setdefault(normalized(name), (version.split("-py3")[0], site / entry))
    return found


def by_conda(info: Path) -> bool:
    """Whether conda installed the distribution with this dist-info."""
    try:
        return (info / "INSTALLER").read_text("utf-8").strip() == "conda"
    except (OSError, UnicodeDecodeError):
        return info.suffix == ".egg-info"


def owner(prefix: Path, file: Path) -> str | None:
    """The conda package that `file` below `prefix` came with."""
    wanted = file.relative_to(prefix).as_posix()
    for package, record in records(prefix):
        held = record.get("files")
        if isinstance(held, list) and any(str(p).startswith(wanted) for p in held):
            return package.name
    return None


def normalized(name: str) -> str:
    """A name as PEP 503 compares it; conda itself tells `_` from `-`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def note(
    prefix: Path,
    before: Iterable[str],
    *,
    update: Iterable[str] = (),
    remove: Iterable[str] = (),
    channels: Iterable[str] = (),
) -> None:
    """Write into `conda-meta/history` what changed since `before` (dists) and what was asked, as
    conda would, so that conda keeps it when it is used here later."""
    file = prefix / "conda-meta" / "history"
    after = {p.dist for p in packages(prefix).values()}
    known = set(before)
    lines = [f"==> {time.strftime('%Y-%m-%d %H:%M:%S')} <==", "# cmd: envmagic"]
    lines += [f"-{dist}" for dist in sorted(known - after)]
    lines += [f"+{dist}" for dist in sorted(after - known)]
    for action, specs in (("update", list(update)), ("remove", list(remove))):
        if specs:
            lines.append(f"# {action} specs: {[process.redact(s) for s in specs]!r}")
    if list(channels):
        lines.append(f"# channels specs: {[process.redact(c) for c in channels]!r}")
    earlier = file.read_bytes() if file.exists() else b""
    files.write_atomic(file, earlier + "".join(f"{line}\n" for line in lines).encode())


_SPECS = re.compile(
    r"# (?P<action>channels|update|install|create|remove|uninstall) specs: (?P<specs>\[.*\])"
)


def _history(prefix: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        text = (prefix / "conda-meta" / "history").read_text("utf-8", errors="replace")
    except OSError:
        return
    for match in _SPECS.finditer(text):
        try:
            specs = ast.literal_eval(match["specs"])
        except (ValueError, SyntaxError):
            continue
        yield match["action"], [str(spec) for spec in specs]


def _name_of(spec: str) -> str:
    bare = spec.rpartition("::")[2]
    match = re.match(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", bare)
    return match[0].lower() if match else bare
