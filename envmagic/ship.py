"""What `%env ship` gives to workers, for scripts that start and connect an engine themselves.

Each function gives what the record beside `notebook` (else in the working directory) needs, in the
versions that are installed here, the local modules that `notebook` imports or runs, and those
environment `variables` that are named. Each raises `envmagic.core.errors.EnvmagicError` where there
is no record, or something in it is not installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envmagic.core.model import Frontend, Place, Silent
from envmagic.environments import backends, registry
from envmagic.shipping.engine import Asked
from envmagic.shipping.payload import Payload

__all__ = ["dask_plugins", "runtime_env", "spark_conf"]

_Path = str | os.PathLike[str]


def dask_plugins(
    notebook: _Path | None = None, *, variables: Sequence[str] = (), index: str | None = None
) -> list[Any]:
    """Plug-ins for `distributed.Client.register_plugin`, each of them to be registered.

    `index`: where workers install from, else as is set there. Registering one raises where a worker
    cannot install it.
    """
    from envmagic.shipping import dask_cluster

    return dask_cluster.plugins(_asked(notebook, variables).payload, index, Silent())


def runtime_env(
    notebook: _Path | None = None,
    *,
    variables: Sequence[str] = (),
    index: str | None = None,
    conda: _Path | None = None,
) -> dict[str, Any]:
    """A `runtime_env` for `ray.init` and for job submission; what JSON can hold.

    `index`: where workers install from, else as is set there. `conda`: the name of a conda
    environment that workers have, or an `environment.yml` for one; nothing else is installed then.
    """
    from envmagic.shipping import ray_cluster

    chosen = None if conda is None else os.fspath(conda)
    payload = _asked(notebook, variables).payload
    return ray_cluster.told(payload, Silent(), index=index, conda=chosen)


def spark_conf(
    notebook: _Path | None = None,
    *,
    master: str | None = None,
    to: _Path | None = None,
    variables: Sequence[str] = (),
) -> dict[str, str]:
    """The settings of a Spark session whose executors have this environment, for
    `SparkSession.builder.config(map=…)`, `SparkConf` or spark-submit.

    `to` is the archive's file, `master` the cluster's address. `PYSPARK_PYTHON` is set for this
    process as well, since a session reads it from nowhere else.
    """
    from envmagic.shipping import spark_cluster

    archive = None if to is None else os.fspath(to)
    asked = _asked(notebook, variables, target=master, to=archive)
    found = spark_cluster.conf(asked, Silent())
    os.environ["PYSPARK_PYTHON"] = found["spark.pyspark.python"]
    return found


def _asked(
    notebook: _Path | None,
    variables: Sequence[str],
    *,
    target: str | None = None,
    to: str | None = None,
) -> Asked:
    """What an engine is asked for in the environment that runs this."""
    path = Path(os.path.abspath(notebook)) if notebook is not None else None
    directory = path.parent if path is not None else Path.cwd()
    prefix = Path(sys.prefix)
    there = backends.look(registry.environment_at(prefix))
    payload = Payload.of(there, directory, path, variables=tuple(variables))
    return Asked(payload, Place(Frontend.TERMINAL, directory, path, prefix), target, to)
