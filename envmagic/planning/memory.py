"""Which environment each plan was carried out in, remembered on this machine.

One small file for each environment; a file that cannot be read counts as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.environments.backends.base import InstallPlan
from envmagic.system import directories, files, prefix_layout

__all__ = [
    "Carried",
    "carried_out",
    "digest",
    "every",
    "forget",
    "moved",
    "of_content",
    "of_notebook",
    "of_prefix",
]


@dataclass(frozen=True)
class Carried:
    """An environment that plans were carried out in."""

    prefix: Path
    kind: str
    """The `Kind` of what declared it."""
    source: str
    """The file that declared it."""
    content: str
    """The `digest` of what was asked for last."""
    notebooks: tuple[str, ...]
    """Their paths, sorted."""
    without: tuple[str, ...] = ()
    """Requirements that could not be had."""


def every() -> Iterator[Carried]:
    """All that is remembered."""
    for file in sorted(_place().glob("*.json")):
        carried = _read(file)
        if carried is not None:
            yield carried


def _read(file: Path) -> Carried | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads(file.read_bytes())
        notebooks = tuple(str(path) for path in held["notebooks"])
        kind, source, content = (str(held[key]) for key in ("kind", "source", "content"))
        without = tuple(str(text) for text in held.get("without", ()))
        return Carried(Path(held["prefix"]), kind, source, content, notebooks, without)
    return None


def of_prefix(prefix: Path) -> Carried | None:
    """What was carried out in the environment at `prefix`."""
    return _read(_file(prefix))


def of_notebook(notebook: Path) -> Carried | None:
    """What was carried out for `notebook` and lies in no directory of its own."""
    return next((c for c in every() if str(notebook) in c.notebooks), None)


def of_content(content: str) -> Carried | None:
    """What was carried out for the same requirements, for whichever notebook."""
    return next((c for c in every() if c.content == content), None)


def carried_out(
    prefix: Path,
    kind: str,
    source: str,
    content: str,
    notebook: Path | None,
    *,
    without: tuple[str, ...] = (),
) -> None:
    """Remember that this was carried out in the environment at `prefix`.

    A notebook has one environment: it leaves the others. Raises `EnvmagicError` when that cannot be
    written.
    """
    held = {prefix_layout.identity(carried.prefix): carried for carried in every()}
    mine = str(notebook) if notebook is not None else ""
    for identity, other in held.items():
        if mine in other.notebooks and identity != prefix_layout.identity(prefix):
            _save(other, tuple(path for path in other.notebooks if path != mine))
    before = held.get(prefix_layout.identity(prefix))
    notebooks = {*(before.notebooks if before else ()), *([mine] if mine else [])}
    _save(Carried(prefix, kind, source, content, (), without), tuple(sorted(notebooks)))


def forget(prefix: Path) -> None:
    """Forget what was carried out in the environment at `prefix`."""
    with contextlib.suppress(OSError):
        _file(prefix).unlink(missing_ok=True)


def moved(old: Path, new: Path) -> None:
    """What was carried out in the environment at `old` was so in the one at `new`, which it is."""
    carried = of_prefix(old)
    if carried is not None:
        _save(replace(carried, prefix=new), carried.notebooks)
        forget(old)


def digest(plan: InstallPlan, python: str) -> str:
    """What is equal for two plans that ask for the same from anywhere."""
    text = json.dumps([sorted(plan.requirements), [str(f) for f in plan.files], python])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _save(carried: Carried, notebooks: tuple[str, ...]) -> None:
    file = _file(carried.prefix)
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "prefix": str(carried.prefix),
        "kind": carried.kind,
        "source": carried.source,
        "content": carried.content,
        "notebooks": list(notebooks),
        "without": list(carried.without),
    }
    files.write_atomic(file, json.dumps(content, indent=1).encode() + b"\n")


def _file(prefix: Path) -> Path:
    name = hashlib.sha256(prefix_layout.identity(prefix).encode("utf-8", "surrogateescape"))
    return _place() / f"{name.hexdigest()[:16]}.json"


def _place() -> Path:
    return directories.home() / "plans"
