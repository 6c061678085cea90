"""What the locks of other tools say: `uv.lock`, `poetry.lock`, `pdm.lock` and `Pipfile.lock`.

Beside a project's file they say the versions of what that asks for; those that hold everything,
each with its marker, are read by themselves, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker

from envmagic.planning.documents import bad_declaration, read, toml
from envmagic.planning.plan import Kind, Source

__all__ = ["NAMES", "beside", "lines"]

_PROJECTS = ("uv.lock", "poetry.lock", "pdm.lock")
"""That lie beside a `pyproject.toml`."""
NAMES = (*_PROJECTS, "Pipfile.lock", "conda-lock.yml")
_GROUPS = frozenset(("main", "default", "dev", "notebook"))
_WRITES = {
    "uv.lock": "what it is the lock of says nothing; uv export --format pylock.toml writes what is"
    " read here",
    "poetry.lock": "it does not say what is for which machine; poetry export, a plugin, writes a"
    " requirements.txt that is read here",
    "pdm.lock": "it does not say what is for which machine; pdm export --format pylock writes what"
    " is read here",
    "conda-lock.yml": "it is conda-lock's: conda-lock install --prefix .venv makes an environment"
    " of it, which is taken",
}


def beside(directory: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The lock beside the `pyproject.toml` in `directory`, and its versions as constraints.

    Raises `EnvmagicError` where it is malformed.
    """
    for name in _PROJECTS:
        file = directory / name
        if file.is_file():
            return file, tuple(dict.fromkeys(_pins(_packages(file))))
    return None, ()


def lines(file: Path) -> tuple[str, ...] | str:
    """Everything that the lock `file` holds, as requirements with their hashes; or why that is not
    known: a clause. Raises `EnvmagicError` where it is malformed."""
    if file.name == "Pipfile.lock":
        return tuple(_of_pipfile(file))
    said = _WRITES[file.name]
    if file.name not in ("poetry.lock", "pdm.lock"):
        return said
    packages = list(_packages(file))
    tells = any("groups" in package for package in packages)  # from poetry 2 and pdm 2.8 on
    found = [_line(p) for p in packages if not p.get("optional") and _is_usual(p)]
    return tuple(found) if tells and found and all(found) else said


def _packages(file: Path) -> list[dict[str, Any]]:
    source = Source(Kind.LOCK, file)
    packages = toml(read(file), source).get("package", [])
    if not isinstance(packages, list) or not all(isinstance(p, dict) for p in packages):
        raise bad_declaration(source, "package is no list of tables")
    for package in packages:
        if not isinstance(package.get("name"), str):
            raise bad_declaration(source, "a package has no name")
    return packages


def _pins(packages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for package in packages:
        version = package.get("version")
        if isinstance(version, str) and _is_from_index(package):
            marker = _marker(package)
            yield f"{package['name']}=={version}" + (f" ; {marker}" if marker else "")


def _is_from_index(package: Mapping[str, Any]) -> bool:
    """uv and Poetry have a table for where it is from, PDM keys of the package's. Poetry's says it
    in `type`: `legacy` is an index that is not the usual one, and `url` its address."""
    source = package.get("source", {})
    kinds = {"git", "url", "directory", "file", "path", "editable", "virtual"}
    if isinstance(source, dict):
        said = {source["type"]} if "type" in source else source.keys()
        if kinds & said:
            return False
    return not kinds & package.keys()


def _marker(package: Mapping[str, Any]) -> str:
    """Where that version counts; empty where it does everywhere."""
    said = package.get("resolution-markers")  # uv's, of a package that has several versions
    texts = said if isinstance(said, list) else [package.get("marker") or package.get("markers")]
    found = [text for text in texts if isinstance(text, str) and _is_marker(text)]
    return " or ".join(f"({text})" for text in found) if len(found) > 1 else "".join(found)


def _is_marker(text: str) -> bool:
    try:
        Marker(text)
    except InvalidMarker:
        return False
    return True


def _is_usual(package: Mapping[str, Any]) -> bool:
    groups = package.get("groups", ["main"])
    return isinstance(groups, list) and bool(_GROUPS.intersection(map(str, groups)))


def _line(package: Mapping[str, Any]) -> str:
    """What installs it; empty where that cannot be said in a line."""
    markers = package.get("markers")
    if not _is_from_index(package) or isinstance(markers, dict):
        return ""
    files = package.get("files", [])
    hashes = (
        [f.get("hash") for f in files if isinstance(f, dict)] if isinstance(files, list) else []
    )
    marker = _marker(package)
    line = f"{package['name']}=={package.get('version')}" + (f" ; {marker}" if marker else "")
    return line + "".join(f" --hash={value}" for value in hashes if isinstance(value, str))


def _of_pipfile(file: Path) -> Iterator[str]:
    source = Source(Kind.LOCK, file)
    try:
        said = json.loads(read(file))
    except ValueError as error:
        raise bad_declaration(source, f"no JSON: {error}") from error
    sections: list[dict[str, Any]] = []
    for name in ("default", "develop"):
        section = said.get(name, {}) if isinstance(said, dict) else None
        if not isinstance(section, dict):
            raise bad_declaration(source, f"{name} is no table of packages")
        sections.append(section)
    seen: set[str] = set()
    for section in sections:
        for name, entry in section.items():
            if isinstance(entry, dict) and name not in seen:
                seen.add(name)
                yield _of_pipfile_entry(name, entry)


def _of_pipfile_entry(name: str, entry: Mapping[str, Any]) -> str:
    marker = entry.get("markers")
    behind = f" ; {marker}" if isinstance(marker, str) and _is_marker(marker) else ""
    if isinstance(entry.get("git"), str):
        return f"{name} @ git+{entry['git']}@{entry.get('ref', 'HEAD')}{behind}"
    where = entry.get("path") or entry.get("file")
    if isinstance(where, str):
        return f"-e {where}" if entry.get("editable") else where
    found = entry.get("hashes", [])
    hashes = [value for value in found if isinstance(value, str)] if isinstance(found, list) else []
    version = entry.get("version", "")
    line = f"{name}{version if isinstance(version, str) else ''}{behind}"
    return line + "".join(f" --hash={value}" for value in hashes)
