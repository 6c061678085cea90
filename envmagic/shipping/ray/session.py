"""The notebook's connection to Ray."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.shipping.ray import failures

__all__ = ["address_of", "begun", "identity", "imported", "reach", "running", "same"]

_ANSWERS_WITHIN = 5.0  # seconds; Ray itself tries for minutes, and then ends the process
_IGNORE = "RAY_RUNTIME_ENV_IGNORE_GITIGNORE"
_SOMEWHERE = ("auto", "local")
_begun: list[tuple[str, str]] = []
"""The session that was begun here last, and the address, as it was given."""


def running() -> Any | None:
    """Ray, where this process is connected to it."""
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "is_initialized"):
        return None
    return ray if ray.is_initialized() else None


def imported() -> Any:
    """Ray, of the environment that the verb is said in. Raises `EnvmagicError` (`no-engine`)."""
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise EnvmagicError(
            "no-engine",
            "Ray is not in this environment.",
            "To install it",
            command=("install", "ray[default]"),
            subject="ray",
            detail=str(error),
        ) from error
    return ray


def reach(address: str) -> None:
    """Raise `EnvmagicError` (`no-cluster`) where nothing answers at `address`; one that Ray finds
    itself is left to it."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address  # as Ray does
    if address in _SOMEWHERE:
        return
    host, port = _endpoint(address)
    try:
        socket.create_connection((host, port), timeout=_ANSWERS_WITHIN).close()
    except OSError as error:
        raise failures.nobody_there(address) from error


@contextlib.contextmanager
def begun(
    ray: Any, address: str, runtime_env: Mapping[str, Any] | None, *, stays: bool
) -> Iterator[None]:
    """Within this the process is connected to `address`; afterwards too, where it `stays` and
    nothing was raised: `EnvmagicError` for what Ray cannot do."""
    with failures.explained(address):
        try:
            with _all_files():
                ray.init(
                    address,
                    runtime_env=None if runtime_env is None else dict(runtime_env),
                    logging_level=logging.WARNING,
                )
            yield
        except BaseException:
            ray.shutdown()
            raise
    _begun[:] = [(identity(ray), address)]
    if not stays:
        ray.shutdown()


def address_of(ray: Any) -> str:
    """Where the cluster is that this process is connected to."""
    return str(ray.get_runtime_context().gcs_address)


def identity(ray: Any) -> str:
    """What tells this session from the next one."""
    return f"{address_of(ray)} {ray.get_runtime_context().get_job_id()}"


def same(ray: Any, address: str | None) -> None:
    """Raise `WordsError` (`connected-elsewhere`) where this process is connected to another cluster
    than `address`."""
    there, now = address_of(ray), identity(ray)
    begun = [given for session, given in _begun if session == now]
    if address in (None, there, *begun, *_SOMEWHERE):
        return
    raise WordsError(
        "connected-elsewhere",
        f"This notebook is connected to Ray at {there} already.",
        "End that with ray.shutdown() in a cell first, or give it to that one",
        subject=there,
        command=("ship", "ray"),
    )


@contextlib.contextmanager
def _all_files() -> Iterator[None]:
    """Within this Ray sends a package whole, whatever a `.gitignore` in it says."""
    before = os.environ.get(_IGNORE)
    os.environ[_IGNORE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_IGNORE]
        else:
            os.environ[_IGNORE] = before


def _endpoint(address: str) -> tuple[str, int]:
    is_client = address.startswith("ray://")
    try:
        parts = urlsplit(address if is_client else f"//{address}")
        port = parts.port or (10001 if is_client else None)
    except ValueError:
        port = None
    if not port or not parts.hostname:
        raise WordsError(
            "no-address",
            f"{address} is no address of Ray.",
            "Write HOST:PORT, ray://HOST:PORT, auto or local, such as",
            command=("ship", "ray", "auto"),
            subject=address,
        )
    return parts.hostname, port
