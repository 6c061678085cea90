"""What has to be installed for an import that failed; nothing where that is not certain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.distributions import Index, Resolver, is_provided, is_standard
from envmagic.imports import ImportSite
from envmagic.imports.trees import tree_of, up_from
from envmagic.record.job import read
from envmagic.record.name_overrides import supplied_for
from envmagic.record.needs import candidates
from envmagic.record.of_notebook import listed_in

__all__ = ["FailedImport", "is_users", "lacking"]

_GONE = frozenset({"pkg_resources"})  # what is called setuptools today has it no longer
_ROOTS = ("", "src", "lib")  # where a project has its packages, seen from its directory


@dataclass(frozen=True)
class FailedImport:
    """A module that was not found."""

    module: str
    """Dotted, as Python names it: of `import a.b` it is `a` where there is no `a`."""
    sites: tuple[ImportSite, ...] = ()
    """The imports in the line that failed, where that line is known."""
    importer: str = ""
    """The dotted module it stands in; empty: a cell, or a file of the user's."""


def lacking(failed: FailedImport, directories: Iterable[Path], index: Index) -> tuple[str, ...]:
    """The distributions that have `failed` and are not in the environment of `index`.

    `directories` are those that modules of the user's may lie in or above, the notebook's first.
    Empty where nothing is known for certain: for local modules, for names that are no known
    distribution's, and where another package imports what it does not say that it needs.
    """
    places = list(directories)
    top = failed.module.partition(".")[0]
    if is_standard(top) or is_provided(failed.module) or top in _GONE or _is_local(top, places):
        return ()
    taken = {dotted for site in failed.sites for dotted in site.dotted}
    resolver = Resolver(index, listed=_listed(places), names=_supplied(places), imported=taken)
    above = failed.module.rpartition(".")[0]
    if above and not resolver.is_namespace(above):
        return ()  # its package is there, in a version without that module
    found = [resolver.resolve(dotted) for dotted in _meant(failed, resolver)]
    names = dict.fromkeys(r.name for r in found if r is not None)
    known = [name for name in names if name not in index.distributions]
    if failed.importer:
        needed = set(_needed_by(failed.importer, index))
        known = [name for name in known if name in needed]
    return tuple(known)


def is_users(file: str, directories: Iterable[Path]) -> bool:
    """Whether the source `file` is the user's own: below the tree around one of `directories`,
    and not installed there."""
    parts = Path(file).parts
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    path = os.path.abspath(file)
    return any(Path(path).is_relative_to(tree_of(d)) for d in directories)


def _meant(failed: FailedImport, resolver: Resolver) -> Iterator[str]:
    """The dotted modules that the line asks for, as far as they are what is not there."""
    below = f"{failed.module}."
    sites = [s for s in failed.sites if f"{s.module}.".startswith(below) and not s.level]
    if not sites:
        yield failed.module
    for site in sites:
        yield from candidates(site, resolver)


def _is_local(top: str, directories: Iterable[Path]) -> bool:
    """Whether a module `top` of the user's lies in or above one of `directories`."""
    return any(
        (base / f"{top}.py").exists()
        or (base / f"{top}.ipynb").exists()
        or next((base / top).glob("**/*.py"), None) is not None
        for directory in directories
        for above in up_from(directory)
        for base in (above / root for root in _ROOTS)
    )


def _listed(directories: list[Path]) -> frozenset[str]:
    """What the requirements file beside the notebook names: it says which of several is meant."""
    try:
        return listed_in(read(directories[0] / REQUIREMENTS)) if directories else frozenset()
    except EnvmagicError:
        return frozenset()


def _supplied(directories: list[Path]) -> Mapping[str, str]:
    return supplied_for(directories[0]).names if directories else {}


def _needed_by(importer: str, index: Index) -> Iterator[str]:
    """What the distribution that holds the module `importer` says it needs, extras included."""
    for owner in index.owners(importer):
        try:
            texts = metadata.requires(owner) or []
        except metadata.PackageNotFoundError:
            continue
        for text in texts:
            try:
                yield normalized(Requirement(text).name)
            except InvalidRequirement:
                continue
