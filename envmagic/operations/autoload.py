"""`autoload`: whether IPython loads envmagic at its start, everywhere."""

from __future__ import annotations

from dataclasses import replace

from envmagic.core.errors import Problem
from envmagic.core.model import Place, Progress, Report
from envmagic.core.schema import AutoloadData
from envmagic.core.verbs import AutoloadRequest
from envmagic.jupyter import startup_file
from envmagic.jupyter.startup_file import Standing

__all__ = ["autoload", "state"]


def autoload(request: AutoloadRequest, place: Place, progress: Progress) -> Report[AutoloadData]:
    """Turn it on or off, or say how it stands; it counts from the next start on.

    Raises `EnvmagicError` where the file cannot be written, or is edited and in the way.
    """
    changed = False
    problems: tuple[Problem, ...] = ()
    if request.state == "on":
        changed = _on()
    elif request.state == "off":
        changed, problems = _off()
    files = startup_file.every()
    data = AutoloadData(
        state=state(),
        file=str(startup_file.of_default_profile().path),
        profiles=[file.profile for file in files if file.is_ours],
    )
    return Report("autoload", data, changed=changed, problems=problems)


def state() -> str:
    """`on`, `off` or `edited`, for the profile that IPython takes unless it is told another."""
    file = startup_file.of_default_profile()
    if file.standing is Standing.EDITED:
        return "edited"
    return "on" if file.is_ours else "off"


def _on() -> bool:
    file = startup_file.of_default_profile()
    if file.standing is Standing.OURS:
        return False
    startup_file.write(file)
    return True


def _off() -> tuple[bool, tuple[Problem, ...]]:
    """Take every file of ours away; whether there was one, and what had to stay."""
    there = startup_file.every()
    for file in there:
        if file.is_ours:
            startup_file.remove(file)
    kept = [startup_file.edited(f.path).problem for f in there if not f.is_ours]
    hint = "Take it away yourself if it is not wanted."
    problems = tuple(replace(problem, hint=hint, command=()) for problem in kept)
    return any(file.is_ours for file in there), problems
