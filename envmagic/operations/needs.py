"""What one notebook needs: its cells, followed and resolved."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.distributions import (
    Evidence,
    Index,
    Resolution,
    Resolver,
    is_provided,
    is_standard,
    known,
)
from envmagic.imports import Followed, ImportSite, Install, Scan, Where, follow, scan_cell
from envmagic.imports.follow import tree_of
from envmagic.jupyter import notebook_file
from envmagic.jupyter.notebook_file import NotebookFile
from envmagic.operations import evidence
from envmagic.operations.supplied import supplied_for

__all__ = ["Need", "Needs", "Sources", "needs_of"]

# What a notebook installs only to install with.
_INSTALLERS = frozenset(
    """
    pip pip3 install envmagic ipykernel setuptools wheel uv virtualenv pipenv poetry conda mamba
    pip-tools condacolab build
    """.split()
)
_NEVER = frozenset({"pip", "envmagic", "ipykernel"})
_HTTP_USER = re.compile(r"(?<=https://)[^/@\s]+@|(?<=http://)[^/@\s]+@")


@dataclass(frozen=True)
class Need:
    """A distribution that a notebook needs, and why."""

    name: str
    """Normalised."""
    evidence: str
    optional: bool = False
    imported: bool = True
    """False: the notebook only installs it."""
    alternatives: tuple[str, ...] = ()
    sites: tuple[tuple[str, Where], ...] = ()
    """Module and place of each import."""
    extras: frozenset[str] = frozenset()
    specifier: str = ""
    """As the notebook's install line has it."""
    url: str = ""
    named: bool = True
    """False: the name is the last part of `url`, a guess that only an import can confirm."""
    marker: str = ""


@dataclass(frozen=True)
class Needs:
    """All that one notebook needs."""

    path: Path
    language: str
    needs: tuple[Need, ...] = ()
    local: tuple[str, ...] = ()
    provided: tuple[str, ...] = ()
    unresolved: tuple[tuple[str, Where], ...] = ()
    unparsed: tuple[Where, ...] = ()
    kernel: str | None = None
    removed: frozenset[str] = frozenset()
    """Distributions that were taken out again; only an import brings them back."""
    unconfirmed: tuple[tuple[str, Where], ...] = ()
    """Names that it installs and of which nothing says that there are such distributions."""


@dataclass(frozen=True)
class Sources:
    """What is known besides the notebook file."""

    index_for: Callable[[str | None], Index | None] = lambda kernel: None
    """The index of the environment it runs in, given its kernel's name."""
    cells: tuple[str, ...] = ()
    """Cells run in this session after it was last saved."""
    failed: frozenset[str] = frozenset()
    """Dotted modules and names whose import failed in this session."""
    saved: bool = True
    """Whether the saved file counts; not when there is none."""
    installed: tuple[str, ...] = ()
    """Requirements that `install` and `create --with` were given."""
    removed: frozenset[str] = frozenset()
    """Distributions that `uninstall` was given."""
    listed: frozenset[str] = frozenset()
    """Distributions that the requirements file names; they can answer where nothing else can."""
    unknown: frozenset[str] = frozenset()
    """Modules that the requirements file lists as unresolved."""
    thorough: bool = True
    """Every cell is parsed, so that each that cannot be is reported."""
    target: Path | None = None
    """The requirements file that is written: `-r` of it is no evidence."""
    live: Path | None = None
    """The environment of the kernel that asks for its own notebook: what its lines installed is
    there. None: the notebook's file is all there is to tell."""


_COMMAND_END = re.compile(r"\n|;|&&|\|\|")
_INSTALLING = re.compile(r"\s*(?:[%!]|pip|python|uv|conda|mamba).*?\b(un)?install\s")


@dataclass
class _Taken:
    """What was found so far, while a notebook is gone through."""

    needs: dict[str, Need] = field(default_factory=dict)
    sites: dict[str, list[tuple[str, Where]]] = field(default_factory=dict)
    """Of the needs, by name, until all imports were seen."""
    provided: set[str] = field(default_factory=set)
    unresolved: dict[str, Where] = field(default_factory=dict)
    local: set[str] = field(default_factory=set)
    unconfirmed: dict[str, Where] = field(default_factory=dict)


def needs_of(path: Path, sources: Sources) -> Needs:
    """What the notebook `path` needs. Raises `EnvmagicError` when it cannot be read."""
    notebook = notebook_file.read(path) if sources.saved else NotebookFile("python")
    if not notebook.is_python:
        return Needs(path, notebook.language, kernel=notebook.kernel)
    directory = path.parent
    cells = ((c.number, c.source) for c in notebook.cells)
    scan = _scan(cells, str(directory), thorough=sources.thorough)
    scan.add(_scan(((0, source) for source in sources.cells), str(directory)))
    followed = _followed(scan, directory)
    removed = sources.removed | _taken_out([*(c.source for c in notebook.cells), *sources.cells])
    index = sources.index_for(notebook.kernel)
    scan.installs += followed.installs
    named: set[str] = set()  # in files, and by our own verbs
    installs = [i for i in _installs(scan, directory, sources, named) if i.name not in removed]
    installs = _that_worked(installs, notebook, sources, index)
    told = _told(sources.installed)
    installs += told
    resolver = _resolver(installs, directory, sources, index)
    taken = _Taken(local=set(followed.local))
    for site in followed.imports:
        _take(site, resolver, followed.unsure, taken, sources)
    for name, sites in taken.sites.items():
        taken.needs[name] = replace(taken.needs[name], sites=tuple(sites))
    named.update(i.name for i in told if i.name is not None)
    for install in installs:
        _take_install(install, taken, lambda name: name in named or _is_there(name, sources, index))
    return Needs(
        path,
        notebook.language,
        tuple(sorted(taken.needs.values(), key=lambda n: n.name)),
        tuple(sorted(taken.local)),
        tuple(sorted(taken.provided)),
        tuple(sorted(taken.unresolved.items())),
        tuple(sorted(set(followed.unparsed))),
        notebook.kernel,
        removed,
        tuple(sorted(taken.unconfirmed.items())),
    )


def _that_worked(
    installs: Iterable[Install], notebook: NotebookFile, sources: Sources, index: Index | None
) -> list[Install]:
    """Those that nothing says of that they failed."""
    if index is not None and sources.live is not None:
        return evidence.there(installs, index, sources.live)
    complaints = {c.number: c.complaint for c in notebook.cells if c.complaint}
    return evidence.unfailed(list(installs), complaints)


def _is_there(name: str, sources: Sources, index: Index | None) -> bool:
    """Whether there is a distribution `name`, by more than a line that installs it."""
    return name in sources.listed or bool(index and name in index.distributions) or _is_python(name)


def _taken_out(cells: Iterable[str]) -> frozenset[str]:
    """Distributions that an uninstall command takes out and no later one installs again."""
    out: set[str] = set()
    for source in cells:
        if "uninstall" not in source and not (out and "install" in source):
            continue
        for command in _COMMAND_END.split(source):
            told = _INSTALLING.match(command)
            if told is not None:
                words = {_normalized(word) for word in command[told.end() :].split()}
                out = out | words if told[1] == "un" else out - words
    return frozenset(out)


def _normalized(word: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~;@]", word.strip("\"'"))[0]).lower()


def _scan(cells: Iterable[tuple[int, str]], here: str, *, thorough: bool = True) -> Scan:
    scan = Scan()
    sources = list(cells)
    moves = any(("sys" in s and "path" in s) or "chdir" in s for _, s in sources)
    names: dict[str, str] | None = {} if moves else None
    for number, source in sources:
        where = Where("", number, 1)
        scan.add(scan_cell(source, where, names=names, here=here, thorough=thorough))
    return scan


def _followed(scan: Scan, directory: Path) -> Followed:
    if not scan.imports and not scan.runs:
        return Followed(unparsed=scan.unparsed)
    tree = _tree(directory)

    def read(other: Path) -> Scan:
        try:
            notebook = notebook_file.read(other)
        except EnvmagicError:
            return Scan()
        return _scan(((c.number, c.source) for c in notebook.cells), str(other.parent))

    return follow(scan, directory, tree, read)


@lru_cache(maxsize=256)
def _tree(directory: Path) -> Path:
    return tree_of(directory)


def _installs(scan: Scan, directory: Path, sources: Sources, files: set[str]) -> list[Install]:
    """Install lines, files they name and `%%env` bodies, as one list.

    What is named in files that somebody wrote is added to `files`.
    """
    found: list[Install] = []
    for install in scan.installs:
        if install.file is None:
            found.append(install)
        elif install.file in scan.written:
            found += _of_text(scan.written[install.file], install.where)
        else:
            listed = _of_file(directory / install.file, install.where, sources.target)
            files.update(i.name for i in listed if i.name is not None)
            found += listed
    for where, body in scan.requirements:
        found += _of_text(body, where)
    return found


def _told(installed: Sequence[str]) -> list[Install]:
    return [i for text in installed for i in _of_text(text, Where())]


def _of_file(path: Path, where: Where, target: Path | None) -> list[Install]:
    try:
        if target is not None and path.resolve() == target.resolve():
            return []
        return _of_text(requirements.decode(path.read_bytes())[0], where)
    except (OSError, ValueError):
        return []


def _of_text(text: str, where: Where) -> list[Install]:
    try:
        lines = requirements.parse_lines(text, "")
    except EnvmagicError:
        lines = _as_conda(text)
    return [
        Install(line.text, where, line.requirement)
        for line in lines
        if not line.is_option and not line.is_editable
    ]


def _as_conda(text: str) -> tuple[requirements.RequirementLine, ...]:
    """The lines of a body that is written as conda does, as pip would write them."""
    from envmagic.environments.backends.conda import specs

    try:
        meant = [specs.for_pip(line) for line in specs.lines_of(text, "")]
        return requirements.parse_lines("\n".join(meant), "")
    except EnvmagicError:
        return ()


def _resolver(
    installs: Iterable[Install], directory: Path, sources: Sources, index: Index | None
) -> Resolver:
    named = {i.name for i in installs if i.name is not None and not _is_elsewhere(i)}
    urls = {i.name for i in installs if i.name and _url(i)}
    return Resolver(index, [*named], [*urls], sources.listed, _supplied(directory))


def _supplied(directory: Path) -> Mapping[str, str]:
    """`[tool.envmagic.names]` of the nearest pyproject.toml that has it, up to the tree's top."""
    return supplied_for(directory).names


def _take(
    site: ImportSite, resolver: Resolver, unsure: set[str], taken: _Taken, sources: Sources
) -> None:
    if is_standard(site.top) or site.module in ("envmagic", "") or site.top == "envmagic":
        return
    for dotted in _candidates(site, resolver):
        if is_provided(dotted):
            parts = dotted.split(".")
            heads = (".".join(parts[: n + 1]) for n in range(len(parts)))
            taken.provided.add(next(filter(is_provided, heads)))
            continue
        resolution = resolver.resolve(dotted)
        # what failed is no new need; what the record has stays, it may be installed again
        if resolution is not None:
            listed = resolution.name in sources.listed
        else:
            listed = not sources.unknown.isdisjoint((dotted, site.top))
        if sources.failed and not listed and _has_failed(dotted, sources.failed):
            continue
        if resolution is None:
            _take_unknown(site, dotted, resolver, unsure, taken)
        elif resolution.name not in _NEVER:
            _add(taken, resolution, site, dotted)


def _has_failed(dotted: str, failed: frozenset[str]) -> bool:
    """Whether an import of `dotted` failed, or one of what is above it."""
    while dotted:
        if dotted in failed:
            return True
        dotted = dotted.rpartition(".")[0]
    return False


def _candidates(site: ImportSite, resolver: Resolver) -> list[str]:
    """The dotted modules that an import may mean: in a namespace the names decide."""
    names = [name for name in site.names if name != "*"]
    if not names or not resolver.is_namespace(site.module):
        return [site.module]
    return [f"{site.module}.{name}" for name in names]


def _take_unknown(
    site: ImportSite, dotted: str, resolver: Resolver, unsure: set[str], taken: _Taken
) -> None:
    if site.module in unsure:
        taken.local.add(site.module)
    elif not site.optional:
        name = dotted if resolver.is_namespace(site.top) else site.top
        taken.unresolved.setdefault(name, site.where)


def _add(taken: _Taken, resolution: Resolution, site: ImportSite, dotted: str) -> None:
    name = resolution.name
    held = taken.needs.get(name)
    if held is None:
        taken.needs[name] = Need(
            name,
            resolution.evidence.value,
            site.optional,
            alternatives=resolution.alternatives,
        )
    elif held.optional and not site.optional:
        taken.needs[name] = replace(held, optional=False)
    module = dotted if dotted.startswith(f"{site.module}.") and site.names else site.module
    taken.sites.setdefault(name, []).append((module, site.where))


def _take_install(install: Install, taken: _Taken, confirmed: Callable[[str], bool]) -> None:
    """An install line says extras and versions of what is imported, and names more, where it is
    `confirmed` that there is such a distribution."""
    name = install.name
    if name is None:
        return
    if _is_path(install):
        _take_path(name, install, taken)
        return
    url = _url(install)
    held = taken.needs.get(name) or (_of_module(name, taken) if url else None)
    if held is None:
        # `pip install sklearn`: the name of a module that another distribution holds
        mistaken = any(
            m.partition(".")[0] == name for n in taken.needs.values() for m, _ in n.sites
        )
        if mistaken or name in _INSTALLERS or (install.conda and not _is_python(name)):
            return
        if name in sys.stdlib_module_names:  # `pip install json`
            return
        if not url and not confirmed(name):
            taken.unconfirmed.setdefault(name, install.where)
            return
        held = Need(name, Evidence.INSTALL_LINE.value, imported=False)
    if install.requirement is not None and not install.conda:
        held = replace(
            held,
            extras=held.extras | install.requirement.extras,
            specifier=str(install.requirement.specifier) or held.specifier,
            marker=str(install.requirement.marker or ""),
        )
    sites = held.sites if held.imported else (*held.sites, ("", install.where))
    named = held.named and (not url or _says_name(install) or _known(held))
    # a module that may be missing is there when the notebook itself installs it
    taken.needs[held.name] = replace(
        held, url=url or held.url, named=named, sites=sites, optional=False
    )


def _take_path(name: str, install: Install, taken: _Taken) -> None:
    """`pip install -e ./mine` says where a module comes from that is imported, if it does so for
    every machine. What the index has is rather a copy of that (`git clone`, then a path)."""
    held = taken.needs.get(name)
    if held is None or held.evidence != Evidence.INSTALL_LINE.value or _is_elsewhere(install):
        return
    if _known(held):
        return
    line = f"-e {install.text}" if install.editable else install.text
    taken.needs[name] = replace(held, url=line, named=False, optional=False)


def _is_elsewhere(install: Install) -> bool:
    """A path that means something on this machine only."""
    return _is_path(install) and not re.match(r"\.{1,2}(?:[/\\]|$)", install.text)


def _is_python(name: str) -> bool:
    """Whether what conda calls `name` is a distribution that pip calls so too."""
    return name in known().distributions


def _of_module(name: str, taken: _Taken) -> Need | None:
    """The need for the module that a repository is called after: `acme`, which dm-acme holds."""
    for need in taken.needs.values():
        if any(_normalized(module.partition(".")[0]) == name for module, _ in need.sites):
            return need
    return None


def _says_name(install: Install) -> bool:
    return install.requirement is not None or "egg=" in install.text


def _known(need: Need) -> bool:
    """Whether the module that is imported is known to be in the distribution of that name."""
    found = (known().distribution_of(module) for module, _ in need.sites)
    return any(held is not None and held[0].distribution == need.name for held in found)


def _url(install: Install) -> str:
    text = install.text
    if install.requirement is not None:
        text = install.requirement.url or ""
    elif _is_path(install):
        return ""
    return _HTTP_USER.sub("", text) if "://" in text else ""


def _is_path(install: Install) -> bool:
    return install.requirement is None and "://" not in install.text
