"""In the Jupyter server: what a kernel restarts as when what it would start is not there any more.

The server would answer 500, and the page say "Restarting" for ever. So the notebook comes up in the
kernel that it first had, else in Jupyter's own, and its first cell says why.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["GONE", "can_start", "fall_back", "point", "watch"]

GONE = "ENVMAGIC_GONE"
"""The variable that tells the kernel, as JSON, which other one could not be started."""
_EXTENSION = "envmagic.frontends.notebook.gone_environment"
_OWN = "python3"
_first: MutableMapping[Any, tuple[str, Any]] = WeakKeyDictionary()
"""Kernel manager -> the name and the kernelspec that it first had."""
_told: MutableMapping[Any, tuple[Any, Any]] = WeakKeyDictionary()
"""Kernel manager -> a copy of a kernelspec that tells the kernel why it is started, and that."""


def point(manager: Any, name: str, spec: Any) -> None:
    """Have `manager` start `spec` from now on, as the kernel `name`.

    `kernel_name` and `provisioner.kernel_spec` are jupyter_client's public attributes; the spec
    kept by a manager is not, so that is looked at with care.
    """
    manager.kernel_name = name
    manager._kernel_spec = spec  # also where the name is the one it had
    if manager.provisioner is not None:
        manager.provisioner.kernel_spec = spec


def watch(manager: Any, specs: Any) -> None:
    """Have `manager` fall back at each restart, also where the server starts a kernel anew that
    has died; twice is once. What it has now is the kernel that it first had."""
    if manager in _first:
        return
    _first[manager] = manager.kernel_name, manager.kernel_spec
    restart: Callable[..., Any] = manager.restart_kernel

    def restart_kernel(*words: Any, **options: Any) -> Any:
        with contextlib.suppress(Exception):  # then it restarts as it would without us
            fall_back(manager, specs)
        return restart(*words, **options)

    manager.restart_kernel = restart_kernel


def fall_back(manager: Any, specs: Any) -> bool:
    """Point `manager` to a kernel that can start, where its own cannot; whether that was so."""
    copy, whole = _told.pop(manager, (None, None))
    if copy is not None and manager.kernel_spec is copy:  # it has told it
        point(manager, manager.kernel_name, whole)
    lost = manager.kernel_spec
    if can_start(lost):
        return False
    for name, spec in _others(manager, specs):
        if can_start(spec):
            copy = _telling(spec, manager.kernel_name, lost)
            _told[manager] = copy, spec
            point(manager, name, copy)
            return True
    return False


def can_start(spec: Any) -> bool:
    """Whether the program of `spec` is there, and the scripts that it is to run."""
    words = list(spec.argv)
    if not words or (os.path.isabs(words[0]) and not os.access(words[0], os.X_OK)):
        return False
    return all(os.path.exists(w) for w in words[1:] if os.path.isabs(w) and w.endswith(".py"))


def _others(manager: Any, specs: Any) -> Iterator[tuple[str, Any]]:
    from jupyter_client.kernelspec import NoSuchKernel

    if manager in _first:
        yield _first[manager]
    try:
        yield _OWN, specs.get_kernel_spec(_OWN)
    except NoSuchKernel:
        return


def _telling(spec: Any, name: str, lost: Any) -> Any:
    """A copy of `spec` whose kernel says that `lost`, called `name`, could not be started."""
    held = {**spec.to_dict(), "argv": list(spec.argv), "env": dict(spec.env)}
    words = held["argv"]
    ours = os.path.basename(words[0]) == words[0] or os.path.dirname(words[0]) == _scripts()
    if "ipykernel_launcher" in words and ours:
        words += ["--ext", _EXTENSION]
        prefix = (lost.metadata.get("envmagic") or {}).get("prefix", "")
        said = {"kernel": name, "prefix": prefix, "program": lost.argv[0] if lost.argv else ""}
        held["env"][GONE] = json.dumps(said).replace("$", "$$")
    return type(spec)(resource_dir=spec.resource_dir, **held)


def _scripts() -> str:
    return os.path.dirname(sys.executable)
