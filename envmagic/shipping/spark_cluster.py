"""`ship spark`: an archive that executors unpack, and what a session takes while it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Frontend, Progress
from envmagic.shipping import fitness
from envmagic.shipping.engine import Asked, Shipped
from envmagic.shipping.payload import Payload
from envmagic.shipping.spark import archive, contents, master, session, settings, stored
from envmagic.shipping.spark.session import Session
from envmagic.shipping.workers import Seen

__all__ = ["VARIABLE", "check", "conf", "ship"]

VARIABLE = "spark_conf"
"""The notebook's variable that holds the settings."""


def ship(asked: Asked, progress: Progress) -> Shipped:
    """Make the archive, and have the next session begin with it; one that runs gets the local
    modules that changed, and the named variables. Raises `EnvmagicError`."""
    asked = _understood(asked)
    running = session.active()
    master.check(asked.target, running.master if running is not None else None)
    stored.clear()
    if running is None:
        return _prepared(asked, progress)
    seen = running.look(asked.payload, progress)
    fitness.check_python(asked.payload, {each.worker: each.python for each in seen})
    fitness.check_platform(asked.payload, seen)
    wanted = [m for m in asked.payload.modules if not contents.in_the_archive(m)]
    changed = [m for m in wanted if any(s.modules.get(m.name) != m.digest for s in seen)]
    sent = running.carry(asked.payload.variables)
    if changed:
        running.add({m.name: stored.zipped(m) for m in changed})
        sent = [*(m.name for m in changed), *sent]
        seen = running.look(asked.payload, progress)
    if _has_all(asked.payload, seen):
        return _of(running, seen, sent)
    return _for_the_next(asked, running, seen, sent, progress)


def check(asked: Asked, progress: Progress) -> Shipped:
    """What the executors of the session have, else what is in the archive. Raises
    `EnvmagicError`, where there is neither, too."""
    asked = _understood(asked)
    running = session.active()
    master.check(asked.target, running.master if running is not None else None)
    if running is not None:
        return _of(running, running.look(asked.payload, progress), ())
    path = archive.current(asked.payload, _to(asked))
    if path is None:
        raise EnvmagicError(
            "not-shipped",
            "There is no Spark session here, and no archive for one with what the record needs.",
            "To make it",
            command=("ship", "spark"),
        )
    seen = archive.look_into(path, asked.payload, _zips(asked.payload), progress)
    return Shipped(asked.target or "", workers=(seen,), leaves=contents.BROUGHT)


def conf(asked: Asked, progress: Progress) -> dict[str, str]:
    """The settings for a session that is about to start, its archive made. Raises
    `EnvmagicError`."""
    asked = _understood(asked)
    found, _ = _settings(asked, progress)
    return found


def _understood(asked: Asked) -> Asked:
    """What is asked, without what Spark brings itself. Raises `WordsError`."""
    if asked.index is not None:
        raise WordsError(
            "option-value",
            "--index means nothing for Spark: its executors get an archive, and install nothing.",
            "Leave it out",
            command=("ship", "spark"),
        )
    payload = asked.payload.without(contents.BROUGHT)
    return replace(asked, payload=payload)


def _prepared(asked: Asked, progress: Progress) -> Shipped:
    """No session runs: what one that is about to start is told."""
    told, packed = _settings(asked, progress)
    notebook = asked.place.frontend is Frontend.NOTEBOOK
    variable = _tell(asked, told) if notebook else ""
    return Shipped(
        asked.target or "",
        workers=(packed.seen,),
        settings=dict(settings.shown(told)),
        variable=variable,
        file=str(packed.path) if packed.new else "",
        notes=_notes(asked, told),
        leaves=contents.BROUGHT,
    )


def _for_the_next(
    asked: Asked, running: Session, seen: Sequence[Seen], sent: Sequence[str], progress: Progress
) -> Shipped:
    """The session that runs lacks something that it cannot be given any more."""
    asked = replace(asked, target=running.master)
    told, packed = _settings(asked, progress)
    variable = _tell(asked, told)
    return Shipped(
        running.master,
        tuple(sent),
        tuple(seen),
        dict(settings.shown(told)),
        variable,
        str(packed.path) if packed.new else "",
        again="A session keeps what it began with: spark.stop() in a cell, then getOrCreate().",
        leaves=contents.BROUGHT,
    )


def _tell(asked: Asked, told: Mapping[str, str]) -> str:
    """Tell the next session; the variable that holds it, empty where that is the user's own."""
    values = asked.place.values
    ours = VARIABLE not in values or (
        isinstance(values[VARIABLE], dict) and values[VARIABLE] == session.told_last()
    )
    session.tell(told)
    if ours:
        values[VARIABLE] = dict(told)
    return VARIABLE if ours else ""


def _of(running: Session, seen: Sequence[Seen], sent: Sequence[str]) -> Shipped:
    return Shipped(running.master, tuple(sent), tuple(seen), leaves=contents.BROUGHT)


def _settings(asked: Asked, progress: Progress) -> tuple[dict[str, str], archive.Archive]:
    payload = asked.payload
    zips = _zips(payload)
    packed = archive.made(payload, _to(asked), zips, progress)
    for path in (packed.path, *zips):
        stored.use(path)
    told = settings.of(packed.path, zips, payload.variables, payload.environment, asked.target)
    return told, packed


def _zips(payload: Payload) -> list[Path]:
    return [stored.zipped(m) for m in payload.modules if not contents.in_the_archive(m)]


def _to(asked: Asked) -> Path | None:
    if asked.to is None:
        return None
    return Path(os.path.abspath(asked.place.directory / Path(asked.to).expanduser()))


def _has_all(payload: Payload, seen: Sequence[Seen]) -> bool:
    versions = {pin.name: pin.version for pin in payload.pins}
    modules = {module.name: module.digest for module in payload.modules}
    return all(
        {name: each.versions.get(name) for name in versions} == versions
        and {name: each.modules.get(name) for name in modules} == modules
        for each in seen
    )


def _notes(asked: Asked, told: Mapping[str, str]) -> tuple[str, ...]:
    said = [archive.needs(asked.payload.environment)]
    if asked.place.frontend is Frontend.NOTEBOOK:
        if asked.target is None:
            said.append(
                "The next SparkSession.builder.getOrCreate() begins with it, on the cluster that"
                " spark.master names; one on local[*] needs none of it."
            )
        if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            said.append("No Java is found here (JAVA_HOME, PATH); Spark starts none without.")
    else:
        said.append(f"For spark-submit: {settings.submit_options(told)}")
    return tuple(filter(None, said))
