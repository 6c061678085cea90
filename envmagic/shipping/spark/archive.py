"""The archive that executors unpack: made once for what lies in it, and tried before it counts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment, Progress
from envmagic.environments import inspection
from envmagic.shipping import wheels
from envmagic.shipping.payload import Payload
from envmagic.shipping.spark import contents, packing, skeleton, stored
from envmagic.shipping.workers import Seen
from envmagic.system import files, locks, process, scratch

__all__ = ["Archive", "current", "look_into", "made", "needs"]

FORMAT = 1
"""Another one, and archives are made anew."""
WORKER = "the archive, unpacked elsewhere"
_LOOK = """\
import json, sys
asked = json.load(sys.stdin)
sys.path += asked["zips"]
print(json.dumps(look(asked["names"], asked["modules"])))
"""


@dataclass(frozen=True)
class Archive:
    path: Path
    seen: Seen
    """What its Python has, started where it was unpacked."""
    new: bool = False


def made(payload: Payload, to: Path | None, zips: Sequence[Path], progress: Progress) -> Archive:
    """The archive of `payload` at `to` (default: among ours), made where there is none that holds
    the same; `zips` hold its other modules.

    It is written whole or not at all. Raises `EnvmagicError`.
    """
    if sys.platform == "win32":
        raise EnvmagicError(
            "other-platform",
            "An archive for Spark is made on Linux and macOS; executors do not run on Windows.",
            "Do it in the Windows Subsystem for Linux.",
        )
    key = _key(payload)
    path = to or stored.place(payload.environment.prefix, key)
    if to is not None:
        stored.check_name(to)
    with locks.lock(path):
        held = stored.load(path)
        if held is not None and held["key"] == key:
            return Archive(path, _seen(held, payload, zips, path))
        if to is not None and held is None and to.exists():
            raise EnvmagicError(
                "not-ours",
                f"{display.user_path(to)} is there, and is no archive that envmagic has written.",
                "Name another file, or take it away.",
                subject=str(to),
            )
        answer = _written(payload, path, zips, progress)
        stored.save(path, {"key": key, "answer": answer, "prefix": str(payload.environment.prefix)})
    return Archive(path, Seen.of(WORKER, answer), new=True)


def current(payload: Payload, to: Path | None) -> Path | None:
    """Where the archive of `payload` is; None where there is none that holds the same."""
    key = _key(payload)
    path = to or stored.place(payload.environment.prefix, key)
    held = stored.load(path)
    return path if held is not None and held["key"] == key else None


def look_into(path: Path, payload: Payload, zips: Sequence[Path], progress: Progress) -> Seen:
    """What the Python in the archive has, which is unpacked for that."""
    import tarfile

    progress.step("Unpacking the archive")
    with scratch.beside(path.parent) as place:
        place.mkdir()
        with tarfile.open(path) as opened:
            opened.extractall(place)
        return Seen.of(WORKER, _started(place, payload, zips))


def needs(environment: Environment) -> str:
    """What executors must have themselves, as a sentence; empty where the archive has all."""
    if environment.backend is BackendName.CONDA:
        return ""
    return (
        f"Executors need this Python at {skeleton.base_python(environment)}, where the archive"
        " leads to; the archive of a conda environment holds its own."
    )


def _key(payload: Payload) -> str:
    """Another one where something else would lie in the archive."""
    modules = tuple(filter(contents.in_the_archive, payload.modules))
    inside = dataclasses.replace(payload, modules=modules, variables={})
    found = inspection.distributions(payload.environment)
    told = [FORMAT, inside.digest, payload.platform, str(payload.environment.prefix)]
    told += [_stamp(found[pin.name][1]) for pin in payload.pins if pin.name in found]
    if payload.environment.backend is BackendName.CONDA:
        told.append(_stamp(payload.environment.prefix / "conda-meta"))
    else:
        told.append(str(skeleton.base_python(payload.environment)))
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _stamp(path: Path) -> int:
    """When what is installed there was written; installers make each directory anew."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _seen(held: dict[str, Any], payload: Payload, zips: Sequence[Path], path: Path) -> Seen:
    """What it had when it was tried; its zip files may be others since."""
    inside = {m.name for m in payload.modules if contents.in_the_archive(m)}
    modules = {k: v for k, v in held["answer"]["modules"].items() if k in inside}
    beside = {m.name: m.digest for m in payload.modules if m.name not in inside}
    return Seen.of(WORKER, {**held["answer"], "modules": {**modules, **beside}})


def _written(
    payload: Payload, path: Path, zips: Sequence[Path], progress: Progress
) -> dict[str, Any]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.beside(path.parent) as place:
            place.mkdir()
            _packed(payload, place, path.name, progress)
            answer = _started(place / "elsewhere", payload, zips)
            files.move_over(place / path.name, path)
    except OSError as error:
        raise files.unwritable(path, error) from error
    return answer


def _packed(payload: Payload, place: Path, name: str, progress: Progress) -> None:
    """Have the archive `name` in the directory `place`, and what is in it in `elsewhere`."""
    environment = payload.environment
    conda = environment.backend is BackendName.CONDA
    site = skeleton.site(environment)
    for directory in ("elsewhere", "grows"):
        (place / directory).mkdir()
    added = contents.modules(payload, site)
    for pin, wheel in wheels.built(payload.pins, environment, place / "wheels", progress).items():
        added |= contents.unpacked_wheel(wheel, place / "unpacked" / pin, site)
    progress.step("Packing the environment")
    prefix = environment.prefix
    if not conda:
        added |= contents.distributions(payload, site)
        prefix = place / "environment"
        added = skeleton.make(prefix, environment, added)
    asked = {
        "prefix": str(prefix),
        "files": [[str(source), target] for target, source in added.items()],
        "without": contents.left_out(payload) if conda else [],
        "output": str(place / name),
        "format": "tar" if name.endswith(".tar") else "tar.gz",
        "elsewhere": str(place / "elsewhere"),
        "grows": str(place / "grows"),
    }
    packing.pack("conda_pack" if conda else "venv_pack", asked, place, progress)


def _started(place: Path, payload: Payload, zips: Sequence[Path]) -> dict[str, Any]:
    """What the Python unpacked in `place` says it has."""
    text = resources("envmagic.shipping").joinpath("on_worker.py").read_text("utf-8")
    asked = {
        "names": payload.names,
        "modules": payload.module_names,
        "zips": [str(path) for path in zips],
    }
    python = place / "bin" / "python"
    try:
        ran = process.run(
            [python, "-I", "-B", "-c", text + _LOOK], input=json.dumps(asked), cwd=place
        )
    except process.CommandFailed as error:
        raise EnvmagicError(
            "pack-failed",
            f"The archive was packed, but its Python does not start: {error.last_line}.",
            subject=str(payload.environment.prefix),
            detail=error.stderr,
        ) from error
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer
