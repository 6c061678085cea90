"""What is registered with a Dask cluster, made of a payload."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from envmagic.shipping.local_modules import LocalModule
from envmagic.shipping.payload import Payload

__all__ = [
    "LEAVES",
    "by_value",
    "for_scripts",
    "is_for_scheduler",
    "modules",
    "name_of_packages",
    "names_of_modules",
    "packages",
    "variables",
]

LEAVES = frozenset({"dask", "distributed"})
"""The cluster has its own, and runs."""
_PREFIX = "envmagic:"


def by_value() -> Any:
    """The modules of what runs in Dask's processes: `on_dask_state`, and what that imports.

    Where one of their functions or objects is pickled, its code goes along. Raises `ImportError`
    where distributed is not there.
    """
    import cloudpickle

    from envmagic.shipping import on_dask, on_dask_packages, on_dask_state

    for module in (on_dask, on_dask_packages, on_dask_state):
        cloudpickle.register_pickle_by_value(module)
    return on_dask_state


def name_of_packages(payload: Payload) -> str:
    """Under which the distributions of `payload` are registered; another one for others."""
    return f"{_PREFIX}packages:{replace(payload, modules=(), variables={}).digest[:16]}"


def names_of_modules(payload: Payload) -> dict[str, LocalModule]:
    """The local modules of `payload` by the name under which each is registered as it is now."""
    return {f"{_PREFIX}module:{m.name}:{m.digest[:16]}": m for m in payload.modules}


def packages(payload: Payload, wheels: Mapping[str, Path], index: str | None) -> Any:
    """The plug-in for all distributions of `payload`; `wheels` are of those in no index."""
    from envmagic.shipping.on_dask_packages import Packages

    lines = {pin.name: (pin.version, pin.line) for pin in payload.pins}
    built = {name: (wheel.name, wheel.read_bytes()) for name, wheel in wheels.items()}
    return Packages(name_of_packages(payload), _home(), lines, built, index or "")


def modules(payload: Payload) -> list[Any]:
    """A plug-in for each local module of `payload`."""
    from envmagic.shipping.on_dask import Modules

    return [
        Modules(
            name,
            _home(),
            module.name,
            {f.relative_to(module.root).as_posix(): f.read_bytes() for f in module.files()},
        )
        for name, module in names_of_modules(payload).items()
    ]


def variables(payload: Payload) -> list[Any]:
    """A plug-in for each variable of `payload`."""
    from envmagic.shipping.on_dask import Variables

    return [
        Variables(f"{_PREFIX}variable:{key}", _home(), {key: value})
        for key, value in payload.variables.items()
    ]


def is_for_scheduler(part: Any) -> bool:
    """Whether the scheduler is to have `part`, too: it reads what is sent to workers, no more."""
    from envmagic.shipping.on_dask import Variables

    return not isinstance(part, Variables)


def for_scripts(parts: Sequence[Any]) -> list[Any]:
    """`parts` as plug-ins that are registered by somebody else, and raise where they fail."""
    there = by_value()
    for part in parts:
        part.raises = True
    return [*(there.OnScheduler(part) for part in parts if is_for_scheduler(part)), *parts]


def _home() -> tuple[str, int]:
    """The process of the notebook, as others on its network can tell it."""
    return socket.gethostname(), os.getpid()
