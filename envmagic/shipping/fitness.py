"""Whether workers can take at all what a notebook has: said before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.shipping.payload import Payload
from envmagic.shipping.workers import Seen, minor

__all__ = ["check"]


def check(payload: Payload, workers: Iterable[Seen]) -> None:
    """Raise `EnvmagicError` where a worker runs another minor version of Python
    (`another-python`), or a module is compiled for another platform (`another-platform`)."""
    for worker in workers:
        _check_python(payload, worker)
        _check_platform(payload, worker)


def _check_python(payload: Payload, worker: Seen) -> None:
    theirs, ours = minor(worker.python), minor(payload.python)
    if theirs != ours:
        raise EnvmagicError(
            "another-python",
            f"The worker {worker.worker} runs Python {theirs} and this notebook {ours}; what one"
            " pickles the other cannot read. Nothing was sent.",
            f"Start the workers with Python {ours}, or move the notebook to {theirs}",
            subject=worker.worker,
            command=("create", f"py{theirs.replace('.', '')}", "--python", theirs),
        )


def _check_platform(payload: Payload, worker: Seen) -> None:
    if worker.platform == payload.platform:
        return
    for module in payload.modules:
        if module.compiled:
            raise EnvmagicError(
                "another-platform",
                f"{display.user_path(module.compiled[0])} is compiled for {payload.platform}; the"
                f" worker {worker.worker} is {worker.platform}. Nothing was sent.",
                f"Make a distribution of {module.name}, with a wheel for {worker.platform}, and"
                " install that",
                subject=str(module.compiled[0]),
                command=("install", module.name),
            )
