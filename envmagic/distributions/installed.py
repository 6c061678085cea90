"""The distributions in a directory, from their `dist-info`, `egg-info`, `.pth` and conda files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from envmagic.core.names import normalized
from envmagic.distributions.editables import Sources
from envmagic.distributions.origin import origin_of
from envmagic.distributions.reading import MODULE, declares_namespace, is_empty, read

__all__ = ["FoundDistribution", "conda_packages", "found_in"]

_IMPORT = re.compile(r"^Import-(Name|Namespace):[ \t]*([\w.]*)", re.MULTILINE)
_TOP = re.compile(r'\n"?([^/,\r\n"]+)')
_HEAD = 16384  # bytes of METADATA in which its fields are looked for
_NO_MODULE = re.compile(r"__editable__|_?_virtualenv")


@dataclass
class FoundDistribution:
    """An installed distribution and the list of its files, which is read when it is asked for."""

    name: str
    version: str
    directory: str
    """Where its files are listed from."""
    record: str = ""
    """RECORD or the like: one path a line, `/` between parts, and a line break before each."""
    modules: frozenset[str] = frozenset()
    """Its top-level modules."""
    declared: tuple[str, ...] = ()
    """Dotted modules that its metadata says it alone provides."""
    namespaces: frozenset[str] = frozenset()
    """Dotted modules that its metadata or its source says it shares."""
    url: str | None = None
    editable: str | None = None
    watched: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Directories outside of RECORD that it makes importable, each with how it stood."""

    @cached_property
    def files(self) -> frozenset[str]:
        """Its files, for the rare look below a shared module."""
        import csv

        lines = self.record.splitlines()
        return frozenset(
            next(csv.reader([x]), [""])[0] if x[:1] == '"' else x.partition(",")[0] for x in lines
        )

    def is_namespace(self, module: str, *, shared: bool = False) -> bool:
        """Whether nothing in the directory of `module` is its own.

        It has no `__init__.py`, or one that declares a namespace, or, when others have the module
        too (`shared`), an empty one.
        """
        if module in self.namespaces:
            return True
        path = module.replace(".", "/")
        init = self._init(path)
        if init is None:
            return f"\n{path}/" in self.record and f"\n{path}.py" not in self.record
        return declares_namespace(*init) or (shared and is_empty(*init))

    def _init(self, path: str) -> tuple[str, int | None] | None:
        """Where the `__init__` of a directory lies, and its size if that is known."""
        start = self.record.find(f"\n{path}/__init__.")
        while start >= 0:
            end = self.record.find("\n", start + 1)
            file, _, more = self.record[start + 1 : end if end > 0 else None].partition(",")
            size = more.rpartition(",")[2].strip()
            if not file.endswith(".pyi"):
                place = os.path.join(self.directory, file)
                return place, int(size) if size.isdecimal() else None
            start = self.record.find(f"\n{path}/__init__.", start + 1)
        return None

    def children(self, module: str) -> set[str]:
        """The modules directly below `module`."""
        path = module.replace(".", "/") + "/"
        found = set()
        for file in self.files:
            if not file.startswith(path):
                continue
            head, slash, _ = file[len(path) :].partition("/")
            match = MODULE.fullmatch(head)
            if slash and head.isidentifier() and head != "__pycache__":
                found.add(f"{module}.{head}")
            elif not slash and match and match[1] != "__init__":
                found.add(f"{module}.{match[1]}")
        return found

    def take(self, sources: Sources) -> None:
        """Adds modules that its own list of files does not have."""
        self.record += "".join(f"\n{line}" for line in sources.lines)
        self.namespaces |= sources.namespaces
        self.watched.update(sources.watched)


def found_in(directory: str) -> Iterator[FoundDistribution]:
    """Every distribution whose metadata lies in `directory`.

    Of several of one name the first is the one that `importlib.metadata` finds there: that which
    the system lists first.
    """
    try:
        names = os.listdir(directory)
    except OSError:
        return
    listing = set(names)
    for name in sorted(names, key=lambda name: name.endswith(".egg-link")):
        if not name[0].isalnum():  # `~umpy-1.0.dist-info`: what pip could not remove
            continue
        if name.endswith(".dist-info"):
            project, _, version = name[:-10].rpartition("-")
            yield from _dist_info(directory, name, normalized(project), version, listing)
        elif name.endswith(".egg-info"):
            yield _egg_info(directory, name)
        elif name.endswith(".egg-link"):
            yield from _egg_link(directory, name)


def conda_packages(meta: str, known: set[str]) -> Iterator[FoundDistribution]:
    """Python packages that only `conda-meta` knows, not those with a `dist-info`."""
    try:
        names = os.listdir(meta) if meta else []
    except OSError:
        return
    for name in names:
        if not name.endswith(".json"):
            continue
        raw = read(os.path.join(meta, name))
        if "site-packages/" not in raw:
            continue
        try:
            package = json.loads(raw)
            files = [f.partition("site-packages/") for f in package["files"]]
            found = FoundDistribution(normalized(package["name"]), str(package["version"]), "")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        files = [f for f in files if f[2]]
        if files and not any(".dist-info/" in f[2] or ".egg-info" in f[2] for f in files):
            found.directory = os.path.join(os.path.dirname(meta), files[0][0], "site-packages")
            found.record = "".join(f"\n{f[2]}" for f in files)
            found.modules = frozenset(_tops(found.record))
            if found.modules and found.name not in known:
                yield found


def _dist_info(
    directory: str, info: str, name: str, version: str, listing: set[str]
) -> Iterator[FoundDistribution]:
    path = os.path.join(directory, info)
    found = FoundDistribution(name, version, directory, _listed(read(os.path.join(path, "RECORD"))))
    head = read(os.path.join(path, "METADATA"), _HEAD)
    if not head and not found.record:  # an uninstallation that was cut short
        return
    claims = _claimed(found, head) if "\nImport-Name" in head else None
    # direct_url.json is listed in RECORD whenever there is one
    if "direct_url.json" in found.record or not found.record:
        found.url, found.editable = origin_of(os.path.join(path, "direct_url.json"))
    sources = Sources()
    if ".pth" in found.record or found.editable:
        sources.add_startup(directory, found.record, found.editable)
    if found.editable and not sources.lines:
        sources.add_root(os.path.join(found.editable, "src"))
        if not sources.lines:
            sources.add_root(found.editable)
    found.take(sources)
    tops = set(_tops(found.record)) - sources.finders
    if not tops:
        tops = set(read(os.path.join(path, "top_level.txt")).split())
        if not tops and claims is None and name.replace("-", "_") in listing:
            tops = {name.replace("-", "_")}
        _take_from_disk(found, tops)
    found.modules = frozenset(t for t in tops if not _NO_MODULE.match(t))
    yield found


def _listed(record: str) -> str:
    if "\\" in record:
        record = record.replace("\\", "/")
    return f"\n{record}" if record else ""


def _claimed(found: FoundDistribution, head: str) -> list[tuple[str, str]]:
    """Takes PEP 794's fields. An empty `Import-Name` says that it has no modules."""
    fields = _IMPORT.findall(head.replace("\r\n", "\n").partition("\n\n")[0])
    names, spaces = ({v for k, v in fields if k == kind and v} for kind in ("Name", "Namespace"))
    # a name in both says nothing, the PEP has tools refuse it
    found.declared = tuple(sorted(names - spaces))
    found.namespaces = frozenset(spaces - names)
    return fields


def _take_from_disk(found: FoundDistribution, tops: set[str]) -> None:
    """The modules `tops`, which no list of files has.

    Where there is a list, a namespace is none of them: what is in it are others' files.
    """
    for top in tuple(tops):
        sources = Sources()
        sources.add(top.replace("/", "."), os.path.join(found.directory, top))
        if not found.record or not sources.watched:
            found.take(sources)
        else:
            tops.remove(top)


def _tops(record: str) -> Iterator[str]:
    """The top-level modules among the files of `record`."""
    for top in set(_TOP.findall(record)):
        if top.isidentifier():
            if top != "__pycache__" and f"\n{top}/" in record and _holds_code(record, top):
                yield top
        elif match := MODULE.fullmatch(top):
            yield match[1]


def _holds_code(record: str, top: str) -> bool:
    if f"\n{top}/__init__.py" in record:
        return True
    return re.search(rf"\n{re.escape(top)}/[^,\n]*\.(?:py|so|pyd|pyi)\b", record) is not None


def _egg_info(directory: str, info: str) -> FoundDistribution:
    path = os.path.join(directory, info)
    stem = re.sub(r"-py[23](?:\.\d+)?.*$", "", info[:-9])
    project, _, version = stem.partition("-")
    if not version:  # a source tree's own: the version is in its PKG-INFO
        match = re.search(r"(?m)^Version: *(\S+)", read(os.path.join(path, "PKG-INFO"), _HEAD))
        version = match[1] if match else "0"
    found = FoundDistribution(normalized(project), version, directory)
    if os.path.isdir(path):
        listed = read(os.path.join(path, "installed-files.txt"))
        found.record = _listed(re.sub(r"(?m)^\.\./", "", listed))
        tops = {
            t.replace("/", ".") for t in read(os.path.join(path, "top_level.txt")).split()
        } or set(_tops(found.record))
    else:
        tops = {found.name.replace("-", "_")}
    if not found.record:
        _take_from_disk(found, tops)
    found.modules = frozenset(tops)
    return found


def _egg_link(directory: str, link: str) -> Iterator[FoundDistribution]:
    source = read(os.path.join(directory, link)).splitlines()
    if not source:
        return
    for found in found_in(source[0].strip()):
        found.editable = source[0].strip()
        yield found
