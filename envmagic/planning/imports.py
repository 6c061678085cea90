"""What a notebook imports, as a declaration: for those that declare nothing else."""

from __future__ import annotations

from pathlib import Path

from envmagic.environments.backends.base import InstallPlan
from envmagic.planning.guessing.guess import guess_of
from envmagic.planning.plan import Declaration, Kind, Source
from envmagic.record.need import Surroundings

__all__ = ["of_imports"]


def of_imports(notebook: Path, cells: tuple[str, ...]) -> Declaration:
    """What is guessed that `notebook`, and `cells` which are run and not saved, need.

    Of a notebook that is empty or not there, only the cells count. Raises `EnvmagicError` for one
    that cannot be read.
    """
    saved = notebook.is_file() and notebook.stat().st_size > 0
    guess = guess_of(notebook, Surroundings(cells=cells, saved=saved, thorough=False))
    lines = tuple(wish.requirement for wish in guess.wishes)
    wanted = InstallPlan(lines, directory=notebook.parent)
    source = Source(Kind.IMPORTS, notebook)
    return Declaration(source, wanted=wanted, unresolved=guess.unresolved)
