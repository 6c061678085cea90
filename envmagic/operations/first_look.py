"""What `doctor` would say of an environment that can be seen at a glance: each verb looks first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Environment
from envmagic.environments import relocation

__all__ = ["moved", "of_environment", "shadowed"]

_MANY = 5


def of_environment(environment: Environment) -> tuple[Problem, ...]:
    """What is wrong with `environment` as far as that can be seen at once, as warnings."""
    made = relocation.made_at(environment)
    where = (moved(environment, made),) if made is not None else ()
    return (*where, *shadowed(environment))


def moved(environment: Environment, made: Path) -> Problem:
    """That `environment` lies elsewhere than where it was `made`: its commands hold the path."""
    prefix = environment.prefix
    ours = relocation.is_of_ours(environment, made)
    return Problem(
        "moved",
        f"{display.user_path(prefix)} was moved or copied from {display.user_path(made)};"
        " its commands still point there.",
        "To mend it" if ours else "Make it anew with the tool that made it.",
        Severity.WARNING,
        str(prefix),
        command=("doctor", "--fix") if ours else (),
    )


def shadowed(environment: Environment) -> Iterator[Problem]:
    """The modules of an environment in whose place Python takes others, which lie in a directory
    that `PYTHONPATH` names."""
    sites = [os.path.realpath(site) for site in environment.site_packages]
    held = {module for site in sites for module in _modules(site)}
    for word in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        place = os.path.realpath(word) if word else ""
        names = sorted(held & set(_modules(place))) if place and place not in sites else []
        if not names:
            continue
        more = [f"{len(names) - _MANY} more"] if len(names) > _MANY else []
        shown = display.user_path(word)
        yield Problem(
            "shadowed",
            f"{display.joined([*names[:_MANY], *more])} {'is' if len(names) == 1 else 'are'} taken"
            f" from {shown}, which PYTHONPATH names, and not from"
            f" {display.user_path(environment.prefix)}.",
            f"Take {shown} out of PYTHONPATH and start Jupyter again.",
            Severity.WARNING,
            word,
        )


def _modules(directory: str) -> Iterator[str]:
    """The top-level modules in `directory`; namespaces are shared and hide nothing."""
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return
    for entry in entries:
        stem = entry.name.partition(".")[0]
        if not stem.isidentifier() or stem.startswith("_"):
            continue
        if entry.name.endswith((".py", ".so", ".pyd")) or (
            entry.name == stem and os.path.isfile(os.path.join(entry.path, "__init__.py"))
        ):
            yield stem
