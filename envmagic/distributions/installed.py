"""The distributions in a directory, from their `dist-info`, `egg-info`, `.pth` and conda files."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from envmagic.distributions.known import normalized

__all__ = ["Found", "conda_packages", "found_in"]

_MODULE = re.compile(r"([^\W\d]\w*)\.(?:py|pyd|so|(?:cpython|cp|abi|pypy|cython)[^/]*\.(?:so|pyd))")
_IMPORT_NAME = re.compile(r"^Import-(?:Name|Namespace): *([\w.]+)", re.MULTILINE)
_HEAD = 16384  # bytes of METADATA in which its fields are looked for
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass
class Found:
    """An installed distribution and the list of its files, which is read when it is asked for."""

    name: str
    version: str
    directory: str
    """Where its files are listed from."""
    record: str = ""
    """RECORD or the like: one path a line, `/` between parts."""
    modules: frozenset[str] = frozenset()
    """Its top-level modules."""
    declared: tuple[str, ...] = ()
    url: str | None = None
    editable: str | None = None
    roots: tuple[str, ...] = field(default=())
    """Directories outside site-packages that an editable installation adds."""

    @cached_property
    def files(self) -> frozenset[str]:
        """Its files, for the rare look below a shared module."""
        import csv

        lines = self.record.splitlines()
        paths = (
            next(csv.reader([x]), [""])[0] if x[:1] == '"' else x.partition(",")[0] for x in lines
        )
        return frozenset(p.replace("\\", "/") for p in paths)

    def is_namespace(self, module: str) -> bool:
        """Whether the directory of `module` has no `__init__.py` of its own."""
        path = module.replace(".", "/")
        if f"\n{path}/__init__.py" in f"\n{self.record}" or not self.record:
            return False
        return f"\n{path}/" in f"\n{self.record}"

    def children(self, module: str) -> set[str]:
        """The modules directly below `module`."""
        path = module.replace(".", "/") + "/"
        found = set()
        for file in self.files:
            if not file.startswith(path):
                continue
            head, slash, _ = file[len(path) :].partition("/")
            match = _MODULE.fullmatch(head)
            if slash and head.isidentifier() and head != "__pycache__":
                found.add(f"{module}.{head}")
            elif not slash and match and match[1] != "__init__":
                found.add(f"{module}.{match[1]}")
        return found


def found_in(directory: str) -> Iterator[Found]:
    """Every distribution whose metadata lies in `directory`."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    listing = set(names)
    for name in sorted(names):
        if name.endswith(".dist-info"):
            project, _, version = name[:-10].rpartition("-")
            yield _dist_info(directory, name, normalized(project), version, listing)
        elif name.endswith(".egg-info"):
            yield _egg_info(directory, name)
        elif name.endswith(".egg-link"):
            yield from _egg_link(directory, name)


def conda_packages(meta: str, known: set[str]) -> Iterator[Found]:
    """Python packages that only `conda-meta` knows, not those with a `dist-info`."""
    try:
        names = os.listdir(meta) if meta else []
    except OSError:
        return
    for name in names:
        if not name.endswith(".json"):
            continue
        raw = _read(os.path.join(meta, name))
        if "site-packages/" not in raw:
            continue
        try:
            package = json.loads(raw)
            files = [f.partition("site-packages/")[2] for f in package["files"]]
            found = Found(normalized(package["name"]), str(package["version"]), "")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        files = [f for f in files if f]
        if not any(".dist-info/" in f or ".egg-info" in f for f in files):
            found.record = "\n".join(files)
            found.modules = frozenset(_tops(found.record))
            if found.modules and found.name not in known:
                yield found


def _dist_info(directory: str, info: str, name: str, version: str, listing: set[str]) -> Found:
    path = os.path.join(directory, info)
    found = Found(name, version, directory, _read(os.path.join(path, "RECORD")))
    head = _read(os.path.join(path, "METADATA"), _HEAD)
    if "\nImport-Name" in head:
        found.declared = tuple(_IMPORT_NAME.findall(head.partition("\n\n")[0]))
    tops = set(_tops(found.record))
    # direct_url.json is listed in RECORD whenever there is one
    if "direct_url.json" in found.record or not found.record:
        _direct_url(found, os.path.join(path, "direct_url.json"))
    if ".pth" in found.record or found.editable:
        tops |= _of_editable(found)
    if not tops:
        tops = set(_read(os.path.join(path, "top_level.txt")).split())
    if not tops and normalized(name).replace("-", "_") in listing:
        tops = {name.replace("-", "_")}
    found.modules = frozenset(t for t in tops if not re.match(r"__editable__|_?_virtualenv", t))
    return found


def _tops(record: str) -> Iterator[str]:
    """The top-level modules among the files of `record`."""
    firsts = {line.partition("/")[0] for line in record.splitlines()}
    for top in {first.partition(",")[0].strip('"') for first in firsts}:
        if top.isidentifier():
            if top != "__pycache__" and f"\n{top}/" in f"\n{record}" and _holds_code(record, top):
                yield top
        elif match := _MODULE.fullmatch(top):
            yield match[1]


def _holds_code(record: str, top: str) -> bool:
    if f"\n{top}/__init__.py" in f"\n{record}":
        return True
    return re.search(rf"(?m)^{re.escape(top)}/[^,\n]*\.(?:py|so|pyd|pyi)\b", record) is not None


def _egg_info(directory: str, info: str) -> Found:
    path = os.path.join(directory, info)
    stem = re.sub(r"-py[23](?:\.\d+)?.*$", "", info[:-9])
    project, _, version = stem.partition("-")
    if not version:  # a source tree's own: the version is in its PKG-INFO
        match = re.search(r"(?m)^Version: *(\S+)", _read(os.path.join(path, "PKG-INFO"), _HEAD))
        version = match[1] if match else "0"
    found = Found(normalized(project), version, directory)
    if os.path.isdir(path):
        listed = _read(os.path.join(path, "installed-files.txt"))
        found.record = re.sub(r"(?m)^\.\./", "", listed)
        tops = _read(os.path.join(path, "top_level.txt")).split()
        found.modules = frozenset(t.replace("/", ".") for t in tops) or frozenset(
            _tops(found.record)
        )
    else:
        found.modules = frozenset({found.name.replace("-", "_")})
    return found


def _egg_link(directory: str, link: str) -> Iterator[Found]:
    source = _read(os.path.join(directory, link)).splitlines()
    if not source:
        return
    for found in found_in(source[0].strip()):
        found.editable = source[0].strip()
        yield found


def _direct_url(found: Found, path: str) -> None:
    """PEP 610: where it came from, when that was no index."""
    try:
        raw = json.loads(_read(path) or "{}")
        url = str(raw["url"])
    except (ValueError, KeyError, TypeError):
        return
    vcs = raw.get("vcs_info")
    if isinstance(vcs, dict) and vcs.get("vcs"):
        commit = vcs.get("commit_id") or vcs.get("requested_revision")
        found.url = f"{vcs['vcs']}+{_CREDENTIALS.sub('', url)}" + (f"@{commit}" if commit else "")
        if raw.get("subdirectory"):
            found.url += f"#subdirectory={raw['subdirectory']}"
    info = raw.get("dir_info")
    if isinstance(info, dict) and info.get("editable") and url.startswith("file:"):
        import urllib.parse
        import urllib.request

        found.editable = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)


def _of_editable(found: Found) -> set[str]:
    """What `.pth` files and setuptools' finders make importable."""
    modules: set[str] = set()
    for name in re.findall(r'(?m)^"?([^/,\n"]+\.pth)\b', found.record):
        text = _read(os.path.join(found.directory, name))
        for line in text.splitlines():
            if line.startswith(("import ", "import\t")):
                finder = re.search(r"(__editable__\w+_finder)", line)
                modules |= _of_finder(found.directory, finder[1]) if finder else set()
            elif line.strip() and not line.startswith("#"):
                root = os.path.join(found.directory, line.strip())
                modules |= set(_in_directory(root)) if os.path.isdir(root) else set()
    if not modules and found.editable:
        for root in (found.editable, os.path.join(found.editable, "src")):
            modules |= set(_in_directory(root))
    return modules


def _of_finder(directory: str, name: str) -> set[str]:
    text = _read(os.path.join(directory, f"{name}.py"))
    match = re.search(r"(?m)^MAPPING[^=]*= *(\{.*?\})\s*$", text)
    try:
        mapping = ast.literal_eval(match[1]) if match else {}
    except (ValueError, SyntaxError):
        return set()
    return {str(key) for key in mapping}


def _in_directory(root: str) -> Iterator[str]:
    try:
        names = os.listdir(root)
    except OSError:
        return
    for name in names:
        match = _MODULE.fullmatch(name)
        if match and match[1] not in ("setup", "conftest"):
            yield match[1]
        elif name.isidentifier() and os.path.isfile(os.path.join(root, name, "__init__.py")):
            yield name


def _read(path: str, size: int = -1) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(size).decode("utf-8", "replace")
    except OSError:
        return ""
