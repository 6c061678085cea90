"""What the workers of an engine have, beside what a notebook needs of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from envmagic.core.schema import WorkerData, WorkerDifference
from envmagic.shipping.payload import Payload

__all__ = ["Seen", "data_of", "look", "minor"]


@dataclass(frozen=True)
class Seen:
    """What one worker has, as it said itself."""

    worker: str
    """As the engine calls it."""
    python: str
    """`3.12.4`"""
    platform: str
    versions: Mapping[str, str]
    """Normalised name -> version, of the distributions it was asked for."""
    modules: Mapping[str, str]
    """Local module -> digest."""
    has_pip: bool = True
    executable: str = ""

    @classmethod
    def of(cls, worker: str, answer: Mapping[str, Any]) -> Seen:
        """What `worker` answered to `look`."""
        return cls(
            worker,
            str(answer["python"]),
            str(answer["platform"]),
            dict(answer["versions"]),
            dict(answer["modules"]),
            bool(answer["has_pip"]),
            str(answer["executable"]),
        )


@lru_cache(maxsize=1)
def look() -> Callable[[list[str], list[str]], dict[str, Any]]:
    """The function that a worker is asked by: `on_worker.look`, of a module that cannot be imported
    anywhere, so that cloudpickle takes it along whole (a module that can is named only)."""
    namespace: dict[str, Any] = {"__name__": "__envmagic_on_worker__"}
    exec(files(__package__).joinpath("on_worker.py").read_text("utf-8"), namespace)
    found: Callable[[list[str], list[str]], dict[str, Any]] = namespace["look"]
    return found


def minor(python: str) -> str:
    """`3.12` of `3.12.4`."""
    return ".".join(python.split(".")[:2])


def data_of(seen: Seen, payload: Payload) -> WorkerData:
    """What `seen` has, and in what that differs from what `payload` has."""
    return WorkerData(
        worker=seen.worker,
        python=seen.python,
        platform=seen.platform,
        differs=[
            *_differences({"python": minor(payload.python)}, {"python": minor(seen.python)}),
            *_differences({p.name: p.version for p in payload.pins}, seen.versions),
            *_differences(
                {m.name: m.digest for m in payload.modules}, seen.modules, shown=lambda d: d[:8]
            ),
        ],
    )


def _differences(
    here: Mapping[str, str],
    there: Mapping[str, str],
    shown: Callable[[str], str] = lambda version: version,
) -> list[WorkerDifference]:
    return [
        WorkerDifference(name=name, here=shown(value), there=shown(there.get(name, "")))
        for name, value in here.items()
        if there.get(name) != value
    ]
