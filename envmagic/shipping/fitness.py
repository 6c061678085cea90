"""Whether workers can take at all what a notebook has: said before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen, minor

__all__ = ["check_platform", "check_python"]


def check_python(payload: Payload, pythons: Mapping[str, str]) -> None:
    """Raise `EnvmagicError` (`another-python`) where a worker runs another minor version of Python.

    `pythons`: the version of each worker.
    """
    ours = minor(payload.python)
    for worker, python in pythons.items():
        theirs = minor(python)
        if theirs != ours:
            raise EnvmagicError(
                "another-python",
                f"{_called(worker)} runs Python {theirs} and this notebook {ours}; what one of them"
                " pickles the other cannot read. Nothing was sent.",
                f"Start the workers with Python {ours}, or move the notebook to {theirs}",
                subject=worker,
                command=("create", f"py{theirs.replace('.', '')}", "--python", theirs),
            )


def check_platform(payload: Payload, workers: Iterable[Seen]) -> None:
    """Raise `EnvmagicError` (`another-platform`) where a module of `payload` has a part that is
    compiled for another platform than that of a worker."""
    compiled = [module for module in payload.modules if module.compiled]
    for worker in workers:
        if worker.platform != payload.platform and compiled:
            module = compiled[0]
            raise EnvmagicError(
                "another-platform",
                f"{display.user_path(module.compiled[0])} is compiled for {payload.platform}; "
                f" {_called(worker.worker, 'the')} is {worker.platform}. Nothing was sent.",
                f"Make a distribution of {module.name}, with a wheel for {worker.platform}, and"
                " install that",
                subject=str(module.compiled[0]),
                command=("install", module.name),
            )


def _called(worker: str, article: str = "The") -> str:
    """Some engines have a member that is no worker and has to have what workers have."""
    return f"{article} {worker}" if worker.isalpha() else f"{article} worker {worker}"
