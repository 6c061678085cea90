"""Modules that are in a cluster already, or are put there, for tasks and actors.

Ray itself uploads those that a session begins with, and has no public way for others.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from envmagic.core.errors import EnvmagicError

__all__ = ["EXCLUDED", "addresses", "uploaded"]

EXCLUDED = ("__pycache__",)
"""What of a package is not sent: it changes when the package is imported."""
_DAY = 24 * 3600  # seconds


def addresses(modules: Sequence[Path]) -> list[str]:
    """What Ray calls each of `modules` by what is in it; nothing is sent."""
    from ray._private.runtime_env import packaging

    return [
        _called(
            packaging.get_uri_for_directory,
            directory=str(module),
            include_gitignore=False,
            excludes=list(EXCLUDED),
        )
        if module.is_dir()
        else packaging.get_uri_for_file(str(module))
        for module in modules
    ]


def uploaded(
    ray: Any, runtime_env: Mapping[str, Any], modules: Sequence[Path], there: Collection[str]
) -> dict[str, Any]:
    """`runtime_env` as tasks and actors take it: its modules by their addresses. Those that are
    `there` are not sent; the others are kept for a day, and as long as something runs with them.

    Raises `EnvmagicError` (`session-began`) over ray://, where only a new session takes modules.
    """
    told = {key: value for key, value in runtime_env.items() if key != "excludes"}
    if not modules:
        return told
    told["py_modules"] = addresses(modules)
    if set(told["py_modules"]) <= set(there):
        return told
    if ray.util.client.ray.is_connected():
        raise EnvmagicError(
            "session-began",
            "Over ray:// Ray takes local modules only when a session begins.",
            "Run ray.shutdown() in a cell, and ship it with the address again",
            command=("ship", "ray", "ADDRESS"),
        )
    _upload(runtime_env)
    return told


def _upload(runtime_env: Mapping[str, Any]) -> None:
    from ray._private.runtime_env import packaging, py_modules

    with TemporaryDirectory() as scratch, _quiet("ray._private.runtime_env"):
        found = _called(
            py_modules.upload_py_modules_if_needed,
            runtime_env=dict(runtime_env),
            include_gitignore=False,
            scratch_dir=scratch,
        )
    for uri in found["py_modules"]:
        packaging.pin_runtime_env_uri(uri, expiration_s=_DAY)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _called(function: Callable[..., Any], **words: Any) -> Any:
    """What `function` returns for those of `words` that it takes in this version of Ray."""
    taken = inspect.signature(function).parameters
    return function(**{name: value for name, value in words.items() if name in taken})
