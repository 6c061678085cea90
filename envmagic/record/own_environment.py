"""Whether the environment that a kernel runs in is the one that its notebook's record is of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from envmagic.environments.registry import environment_of
from envmagic.imports.trees import tree_of
from envmagic.record import recorded_with
from envmagic.record.environments import InstalledIndex, NotebookEnvironments, kernel_of
from envmagic.record.held import name_of
from envmagic.requirements import Block, Entry, Kind
from envmagic.system import prefix_layout

__all__ = ["is_here"]

_ANYBODYS = frozenset({"python3", "python", "envmagic"})  # kernels that are on every machine


def is_here(
    notebook: Path,
    block: Block,
    here: InstalledIndex,
    environments: NotebookEnvironments,
    kernel: str | None = None,
) -> bool:
    """Whether versions in `here`, where the `kernel` of `notebook` runs, may go into its record.

    They may where somebody chose that kernel, or saved the notebook with it, but for kernels that
    every machine has. Else what was remembered on this machine decides. Where nothing was, an
    environment of the notebook's project is its own, and any other only where it has all versions
    that are recorded.
    """
    if here.prefix is None:
        return True
    known = recorded_with.is_of(notebook, here.prefix)
    if known or any(_is_of(each, notebook, here.prefix) for each in (kernel, kernel_of(notebook))):
        return True
    if known is not None:
        return False
    if here.prefix.is_relative_to(tree_of(notebook.parent)):
        return True
    return all(_agrees(entry, here, notebook) for entry in _mine(notebook, block, environments))


def _is_of(kernel: str | None, notebook: Path, prefix: Path) -> bool:
    """Whether `kernel` is one that means the environment at `prefix` and no other."""
    if kernel is None or kernel in _ANYBODYS:
        return False
    return prefix_layout.same(environment_of(kernel, notebook.parent), prefix)


def _mine(notebook: Path, block: Block, environments: NotebookEnvironments) -> Iterator[Entry]:
    """The versions that were recorded where nobody knows, or with this notebook."""
    for entry in block.entries:
        if entry.kind is Kind.REQUIREMENT and entry.requirement is not None:
            others = {notebook.parent / mention.notebook for mention in entry.mentions}
            if notebook in others or any(environments.prefix_of(o) is None for o in others):
                yield entry


def _agrees(entry: Entry, here: InstalledIndex, notebook: Path) -> bool:
    requirement = entry.requirement
    if requirement is None or not requirement.specifier:
        return True
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    installed = here.index.distributions.get(name_of(entry, notebook.parent))
    return installed is not None and requirement.specifier.contains(
        installed.version, prereleases=True
    )
