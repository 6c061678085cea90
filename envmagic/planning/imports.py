"""What a notebook imports, as a declaration: for those that declare nothing else."""

from __future__ import annotations

from pathlib import Path

from envmagic.environments.backends.base import InstallPlan
from envmagic.planning.plan import Declaration, Kind, Source
from envmagic.record.need import Need, Surroundings
from envmagic.record.needs import needs_of

__all__ = ["of_imports"]


def of_imports(notebook: Path, cells: tuple[str, ...]) -> Declaration:
    """The distributions that `notebook`, and `cells` which are run and not saved, need.

    Of a notebook that cannot be read, only the cells count.
    """
    saved = notebook.is_file() and notebook.stat().st_size > 0
    needs = needs_of(notebook, Surroundings(cells=cells, saved=saved, thorough=False))
    lines = tuple(_requirement(need) for need in needs.needs if not need.optional)
    unresolved = tuple(module for module, _ in needs.unresolved)
    source = Source(Kind.IMPORTS, notebook)
    wanted = InstallPlan(lines, directory=notebook.parent)
    return Declaration(source, wanted=wanted, unresolved=unresolved)


def _requirement(need: Need) -> str:
    if need.url:
        return f"{need.name} @ {need.url}"
    extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
    marker = f" ; {need.marker}" if need.marker else ""
    return f"{need.name}{extras}{need.specifier}{marker}"
