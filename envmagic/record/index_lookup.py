"""Asking a package index about names that nothing here knows; only when the user says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.distributions import Evidence, meant_by
from envmagic.environments.backends import commands, settings
from envmagic.record.need import Need, Needs
from envmagic.system import process

__all__ = ["resolve_online"]

_MOST = 50  # names; each is a request
_SECONDS = 60.0


def resolve_online(found: Sequence[Needs]) -> tuple[list[Needs], list[Problem]]:
    """`found` with unresolved imports answered by distributions that the index has, and a warning
    for each: that a name exists does not say that it is what the notebook means.

    The index is the one that uv is configured for, or pip where uv is not. Raises `EnvmagicError`
    without uv.
    """
    uv = commands.find_uv()
    if uv is None:
        raise EnvmagicError(
            "no-uv", "--online asks the index through uv, which is not there.", "pip install uv"
        )
    unresolved = (module for needs in found for module, _ in needs.unresolved)
    names = dict.fromkeys(module for module in unresolved if meant_by(module) is None)
    there = {m for m in list(names)[:_MOST] if _exists(str(uv), _distribution(m))}
    problems = [_guessed(module) for module in names if module in there]
    return [_answered(needs, there) for needs in found], problems


def _exists(uv: str, name: str) -> bool:
    words = [uv, "pip", "compile", "-", "--no-deps", "--no-header", "--color", "never", "-q"]
    try:
        with settings.told(Path.cwd()) as said:
            process.run(words, env=said, input=f"{name}\n", timeout=_SECONDS)
    except process.CommandFailed:
        return False
    return True


def _answered(needs: Needs, there: set[str]) -> Needs:
    new = [
        Need(_distribution(module), Evidence.IDENTITY.value, sites=((module, where),))
        for module, where in needs.unresolved
        if module in there
    ]
    left = tuple((m, w) for m, w in needs.unresolved if m not in there)
    merged = tuple(sorted([*needs.needs, *new], key=lambda need: need.name))
    return replace(needs, needs=merged, unresolved=left)


def _distribution(module: str) -> str:
    return module.replace("_", "-").replace(".", "-").lower()


def _guessed(module: str) -> Problem:
    return Problem(
        "guessed",
        f"The index has a distribution called {_distribution(module)}; nothing says that it holds"
        f" the module {module}.",
        "Look at it before you install it.",
        Severity.WARNING,
        module,
    )
