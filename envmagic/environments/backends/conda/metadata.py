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

from envmagic.core.model import Environment
from envmagic.core.names import normalized
from envmagic.system import files, process

__all__ = [
    "Package",
    "broken",
    "by_conda",
    "channels",
    "distributions",
    "is_json",
    "is_whole",
    "note",
    "owner",
    "packages",
    "pinned",
    "rattler_cache",
    "records",
    "requested",
    "written",
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


def written(prefix: Path, *, cut_off: bool = False) -> dict[str, str | None]:
    """Path from `prefix` -> SHA-256 of each file that conda wrote there, in hexadecimal.

    None where conda changed a file as it linked it and did not note down what it is now. With
    `cut_off` also the files of packages that it may have been at work on, which its caches know.
    """
    found: dict[str, str | None] = {"conda-meta/history": None}
    for record in sorted((prefix / "conda-meta").glob("*.json")):
        found[f"conda-meta/{record.name}"] = None
        content = _mapping(record)
        found |= dict.fromkeys(map(str, content.get("files") or ()))
        found |= _digests(content.get("paths_data"))
    if cut_off:
        sites = [f"lib/{site.parent.name}/" for site in prefix.glob("lib/python*/site-packages")]
        for info in (info for cache in _caches() for info in sorted(cache.glob("*/info"))):
            found = {**_linked(info, sites or ["Lib/"], prefix), **found}
        for record in prefix.glob("conda-meta/prefix_record_*"):  # rattler's, before the rename
            found[f"conda-meta/{record.name}"] = None
    return found


def _linked(info: Path, sites: Iterable[str], prefix: Path) -> dict[str, str | None]:
    """The files of the unpacked package with this `info`, where they are linked to.

    Those of packages for every Python move to one of `sites`, and their commands are made there
    (https://docs.conda.io/projects/conda/en/stable/dev-guide/deep-dives/install.html).
    """
    found: dict[str, str | None] = {}
    for path, digest in _digests(_mapping(info / "paths.json")).items():
        moved = [re.sub("^python-scripts/", "bin/", path)]
        if path.startswith("site-packages/"):
            moved = [site + path for site in sites]
        for target in moved:
            # of several versions of a package the one that is there counts
            if _is_copy(prefix / target, info.parent / path) or (
                digest is None and _is_made_for(prefix, prefix / target)
            ):
                found[target] = None
    noarch = _mapping(info / "link.json").get("noarch")
    points = noarch.get("entry_points") if isinstance(noarch, dict) else None
    for point in points or ():
        command = f"bin/{str(point).partition('=')[0].strip()}"
        if _is_made_for(prefix, prefix / command):
            found[command] = None
    return found


def _is_copy(target: Path, source: Path) -> bool:
    """Whether `target` is a copy of `source`, or the beginning of one."""
    try:
        return target.is_file() and source.read_bytes().startswith(target.read_bytes())
    except OSError:
        return False


def _is_made_for(prefix: Path, target: Path) -> bool:
    """Whether `target` is a link, or holds the path of its environment, as conda writes it in."""
    try:
        return target.is_symlink() or os.fsencode(prefix) in target.read_bytes()
    except OSError:
        return False


def _digests(data: object) -> dict[str, str | None]:
    """What a `paths.json`, or the part of a record that is like it, says of the files."""
    rows = data.get("paths") if isinstance(data, dict) else None
    found: dict[str, str | None] = {}
    for row in rows if isinstance(rows, list) else ():
        changed = row.get("prefix_placeholder") or row.get("path_type") != "hardlink"
        digest = row.get("sha256_in_prefix") or (None if changed else row.get("sha256"))
        found[str(row.get("_path"))] = digest
    return found


def _mapping(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _caches() -> list[Path]:
    """Where conda and rattler keep the packages that they link, as far as that is usual."""
    named = [os.environ.get("CONDA_PKGS_DIRS", ""), os.environ.get("MAMBA_PKGS_DIRS", "")]
    places = [Path(p) for text in named for p in text.split(os.pathsep) if p]
    return [*places, rattler_cache() / "pkgs", Path.home() / ".conda" / "pkgs"]


def rattler_cache() -> Path:
    """Where rattler and pixi keep packages too, so that they are downloaded once."""
    named = os.environ.get("RATTLER_CACHE_DIR")
    if named:
        return Path(named)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return base / "rattler" / "cache"


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
            lines.append(f"# {action} specs: {[_without_secrets(s) for s in specs]!r}")
    if list(channels):
        lines.append(f"# channels specs: {[_without_secrets(c) for c in channels]!r}")
    earlier = file.read_bytes() if file.exists() else b""
    files.write_atomic(file, earlier + "".join(f"{line}\n" for line in lines).encode())


_SPECS = re.compile(
    r"# (?P<action>channels|update|install|create|remove|uninstall) specs: (?P<specs>\[.*\])"
)


def _without_secrets(text: str) -> str:
    """`text` as conda can read it again."""
    return process.redact(text).replace("://***@", "://")


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
