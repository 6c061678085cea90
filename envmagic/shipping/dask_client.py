"""The Dask cluster that is meant: the notebook's own client, or one of an address."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Frontend
from envmagic.shipping.engine import Asked

__all__ = ["answers", "connected", "of_notebook"]

_CONNECT = 10  # seconds that a scheduler has to answer
_RECONNECT = 3.0  # seconds that a client has which has lost its scheduler
_START = "Run it in a cell: from distributed import Client; client = Client(ADDRESS)"


@contextlib.contextmanager
def connected(asked: Asked) -> Iterator[Any]:
    """The `distributed.Client` that `asked` means, alive; one of an address is closed afterwards.

    Raises `EnvmagicError` where there is none (`no-cluster`), several (`several-clusters`), or it
    does not answer (`cluster-gone`).
    """
    values, target = asked.place.values, asked.target
    named = target if target is not None and target.isidentifier() else None
    with contextlib.ExitStack() as opened:
        if asked.place.frontend is Frontend.TERMINAL and (target is None or named is not None):
            raise _none("In a terminal there is no client that is connected already.", "")
        if target is None or named is not None:
            client = of_notebook(values, named)
        else:
            client = opened.enter_context(_at(target))
        address = str(client.scheduler.address) if client.scheduler is not None else ""
        _check(client, address)
        yield client


@contextlib.contextmanager
def answers(client: Any) -> Iterator[None]:
    """Within the `with` block `client` asks its cluster something.

    Raises `EnvmagicError` where that is gone (`cluster-gone`), or does not take what it is sent
    (`cluster-refuses`).
    """
    try:
        yield
    except Exception as error:  # a cluster sends back whatever its own code raises
        address = str(client.scheduler.address)
        if client.status != "running" or isinstance(error, OSError | asyncio.TimeoutError):
            raise _gone(address, error) from error
        raise EnvmagicError(
            "cluster-refuses",
            f"The cluster at {address} does not take it: {display.shortened(str(error))}.",
            "Its scheduler's log tells more; what it has",
            subject=address,
            detail=str(error),
            command=("ship", "dask", address, "--check"),
        ) from error


def of_notebook(values: Mapping[str, Any], named: str | None = None) -> Any:
    """The client that the notebook works with: the one called `named`, that of a `with` block, the
    only one among its `values`, or the current one. Raises `WordsError`."""
    distributed = sys.modules.get("distributed")
    if distributed is None or not hasattr(distributed, "Client"):
        raise _none()
    kind = distributed.Client
    mine = {n: v for n, v in values.items() if isinstance(v, kind) and not n.startswith("_")}
    if named is not None:
        if named not in mine:
            raise _none(f"{named} is no Client of this notebook.")
        return mine[named]
    with contextlib.suppress(ValueError):
        return kind.current(allow_global=False)
    alive = {name: client for name, client in mine.items() if client.status != "closed"} or mine
    if len({id(client) for client in alive.values()}) > 1:
        names = sorted(alive)
        raise WordsError(
            "several-clusters",
            f"There are several clients here: {display.joined(names)}.",
            "To name the one that is meant",
            subject=names[0],
            command=("ship", "dask", names[0]),
        )
    if alive:
        return next(iter(alive.values()))
    with contextlib.suppress(ValueError):
        return kind.current()
    raise _none()


@contextlib.contextmanager
def _at(address: str) -> Iterator[Any]:
    try:
        import dask
        from dask.utils import parse_timedelta
        from distributed import Client
    except ImportError as error:
        raise EnvmagicError(
            "no-engine",
            "distributed, which talks to Dask clusters, is not installed in this environment.",
            "To install it",
            command=("install", "distributed"),
            subject="distributed",
            detail=str(error),
        ) from error
    theirs = parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    try:
        client = Client(address, timeout=min(_CONNECT, theirs), set_as_default=False)
    except ValueError as error:
        raise WordsError(
            "no-cluster",
            f"{display.quoted(address)} is no address of a scheduler: {error}.",
            "One is tcp://HOST:8786, as client.scheduler.address says it.",
            subject=address,
        ) from error
    except (OSError, TimeoutError) as error:
        raise _gone(address, error) from error
    with client:
        yield client


def _check(client: Any, address: str) -> None:
    if not hasattr(client, "register_plugin"):
        raise EnvmagicError(
            "no-engine",
            "The distributed of this environment is older than 2023.9.2, which takes plug-ins of"
            " all kinds.",
            "To take a newer one",
            command=("install", "-U", "distributed"),
            subject="distributed",
        )
    if client.asynchronous:
        raise WordsError(
            "no-cluster",
            "The client is asynchronous; a cell's line cannot wait for it.",
            "To connect another way",
            subject=address,
            command=("ship", "dask", address or "ADDRESS"),
        )
    until = time.monotonic() + _RECONNECT
    while client.status == "connecting" and time.monotonic() < until:
        time.sleep(0.05)
    if client.status != "running":
        raise _gone(address or "the client", None)


def _none(
    why: str = "This notebook has no Dask client.", start: str = f"{_START}. Or name"
) -> WordsError:
    words = ("ship", "dask", "tcp://HOST:8786")
    return WordsError("no-cluster", why, f"{start or 'Name'} a scheduler", command=words)


def _gone(address: str, error: BaseException | None) -> EnvmagicError:
    return EnvmagicError(
        "cluster-gone",
        f"The cluster at {address} does not answer: nothing was changed there.",
        _START,
        subject=address,
        detail=str(error or ""),
    )
