"""What one notebook needs: its cells, followed and resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.distributions import (
    NAMESAKES,
    Index,
    Resolution,
    Resolver,
    is_provided,
    is_standard,
    known,
)
from envmagic.imports import Followed, ImportSite, Install, Scan, follow, scan_cells
from envmagic.imports.trees import tree_of
from envmagic.jupyter import notebook_file
from envmagic.jupyter.notebook_file import NotebookFile
from envmagic.record.declared import declared_in
from envmagic.record.install_lines import (
    installs_of,
    is_elsewhere,
    is_python,
    modules_of,
    take_install,
    taken_out,
    that_worked,
    told_by,
    url_of,
)
from envmagic.record.name_overrides import supplied_for
from envmagic.record.need import Need, Needs, Surroundings, Taken
from envmagic.record.used_as import Known, take_used

__all__ = ["candidates", "local_places", "needs_of"]

_NEVER = frozenset({"pip", "envmagic", "ipykernel"})


def needs_of(path: Path, sources: Surroundings) -> Needs:
    """What the notebook `path` needs. Raises `EnvmagicError` when it cannot be read."""
    notebook = notebook_file.read(path) if sources.saved else NotebookFile("python")
    if not notebook.is_python:
        return Needs(path, notebook.language, kernel=notebook.kernel)
    directory = path.parent
    saved = [(c.number, c.source) for c in notebook.cells]
    unsaved = [(0, source) for source in sources.cells]
    scan = scan_cells(saved, str(directory), thorough=sources.thorough)
    scan.add(scan_cells(unsaved, str(directory)))
    followed = _followed(scan, directory)
    removed = sources.removed | taken_out(source for _, source in (*saved, *unsaved))
    index = sources.index_for(path, notebook.kernel)
    scan.installs += followed.installs
    named: set[str] = set()  # in files, and by our own verbs
    installs = [i for i in installs_of(scan, directory, sources, named) if i.name not in removed]
    installs = that_worked(installs, notebook, sources, index)
    declared = [i for i in declared_in([*saved, *unsaved]) if i.name not in removed]
    told = told_by(sources.installed)
    installs = [*declared, *installs, *told]
    resolver = _resolver(installs, directory, sources, index, followed)
    taken = Taken(local=set(followed.local))
    for site in told_apart(followed.imports, [*(c.source for c in notebook.cells), *sources.cells]):
        _take(site, resolver, followed.unsure, taken, sources)
    for name, sites in taken.sites.items():
        taken.needs[name] = replace(taken.needs[name], sites=tuple(sites))
    named.update(i.name for i in (*declared, *told) if i.name is not None)
    for install in installs:
        take_install(install, taken, lambda name: name in named or _is_there(name, sources, index))
    take_used(followed, taken, Known(index, sources.listed, removed))
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
        any(m in taken.local or m not in followed.unsure for m in followed.absent),
        tuple(followed.imports),
    )


def local_places(path: Path, cells: Sequence[str] = ()) -> dict[str, str]:
    """Module -> the file or directory of each that the notebook `path` and `cells`, which are not
    in it yet, import or run from their own tree. Raises `EnvmagicError` as `needs_of`."""
    saved = [(c.number, c.source) for c in notebook_file.read(path).cells]
    scan = scan_cells([*saved, *((0, source) for source in cells)], str(path.parent))
    return _followed(scan, path.parent).places


def _is_there(name: str, sources: Surroundings, index: Index | None) -> bool:
    """Whether there is a distribution `name`, by more than a line that installs it."""
    return name in sources.listed or bool(index and name in index.distributions) or is_python(name)


def _followed(scan: Scan, directory: Path) -> Followed:
    if not scan.imports and not scan.runs:
        return Followed(unparsed=scan.unparsed, uses=scan.uses)
    tree = _tree(directory)

    def read(other: Path) -> Scan:
        try:
            notebook = notebook_file.read(other)
        except EnvmagicError:
            return Scan()
        return scan_cells(((c.number, c.source) for c in notebook.cells), str(other.parent))

    return follow(scan, directory, tree, read)


@lru_cache(maxsize=256)
def _tree(directory: Path) -> Path:
    return tree_of(directory)


def _resolver(
    installs: Sequence[Install],
    directory: Path,
    sources: Surroundings,
    index: Index | None,
    followed: Followed,
) -> Resolver:
    named = {i.name for i in installs if i.name is not None and not is_elsewhere(i)}
    urls = {i.name for i in installs if i.name and url_of(i)}
    projects = modules_of(installs, directory)
    imported = (dotted for site in followed.imports for dotted in site.dotted)
    return Resolver(
        index, [*named], [*urls], sources.listed, _supplied(directory), projects, imported
    )


def _supplied(directory: Path) -> Mapping[str, str]:
    """`[tool.envmagic.names]` of the nearest pyproject.toml that has it, up to the tree's top."""
    return supplied_for(directory).names


def told_apart(sites: Sequence[ImportSite], cells: Iterable[str]) -> Iterator[ImportSite]:
    """`sites` of namesakes with the names that the cells take from them: of `twitter.OAuth(…)`."""
    text = ""
    for site in sites:
        if site.module in NAMESAKES:
            names = site.names or _used_of(site.module, text := text or "\n".join(cells))
            site = site._replace(names=tuple(n for n in names if _tells(site.module, n)))
        yield site


def _tells(module: str, name: str) -> bool:
    return f"{module}.{name}" in known().table


def _used_of(module: str, text: str) -> list[str]:
    aliases = re.findall(rf"\bimport\s+{module}\s+as\s+(\w+)", text)
    called = "|".join({module, *aliases})
    return list(dict.fromkeys(re.findall(rf"(?<![\w.])(?:{called})\.(\w+)", text)))


def _take(
    site: ImportSite, resolver: Resolver, unsure: set[str], taken: Taken, sources: Surroundings
) -> None:
    if is_standard(site.top) or site.module in ("envmagic", "") or site.top == "envmagic":
        return
    for dotted in candidates(site, resolver):
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
        ran = not site.where.cell and not site.where.file  # and is in no file that others have
        if ran and sources.failed and not listed and _has_failed(dotted, sources.failed):
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


def candidates(site: ImportSite, resolver: Resolver) -> list[str]:
    """The dotted modules that an import may mean: in a namespace the names decide."""
    names = [name for name in site.names if name != "*"]
    if not names or not resolver.is_namespace(site.module):
        return [site.module]
    return [f"{site.module}.{name}" for name in names]


def _take_unknown(
    site: ImportSite, dotted: str, resolver: Resolver, unsure: set[str], taken: Taken
) -> None:
    if site.module in unsure:
        taken.local.add(site.module)
    elif not site.optional:
        name = dotted if resolver.is_namespace(site.top) else site.top
        taken.unresolved.setdefault(name, site.where)


def _add(taken: Taken, resolution: Resolution, site: ImportSite, dotted: str) -> None:
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
