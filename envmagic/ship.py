"""What `%env ship` gives to workers, for scripts that start and connect an engine themselves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envmagic.core.model import Silent
from envmagic.environments import backends, registry
from envmagic.shipping.payload import Payload

__all__ = ["dask_plugins"]


def dask_plugins(
    notebook: str | Path | None = None, *, variables: Sequence[str] = (), index: str | None = None
) -> list[Any]:
    """Plug-ins for `distributed.Client.register_plugin`, each of them to be registered.

    They give a cluster what the record beside `notebook` (else in the working directory) needs, in
    the versions that are installed here, the local modules that `notebook` imports, and those
    environment `variables`. `index`: where workers install from, else as is set there. Registering
    one raises where a worker cannot install it. Raises `EnvmagicError` where there is no record, or
    something in it is not installed.
    """
    from envmagic.shipping import dask_cluster

    return dask_cluster.plugins(_payload(notebook, variables), index, Silent())


def _payload(notebook: str | Path | None, variables: Sequence[str]) -> Payload:
    """What is there to send from the environment that this runs in."""
    path = Path(notebook).absolute() if notebook is not None else None
    there = backends.look(registry.environment_at(Path(sys.prefix)))
    directory = path.parent if path is not None else Path.cwd()
    return Payload.of(there, directory, path, variables=variables)
