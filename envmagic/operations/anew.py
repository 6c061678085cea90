"""Making an environment of ours anew on another Python, where the one it was made from is gone."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import EnvSpec, Progress, Switch
from envmagic.core.names import normalized
from envmagic.distributions.origin import origin_of
from envmagic.environments import backends, clearing, inspection, ownership
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.provisioning import Maker, Ready
from envmagic.environments.runtimes import own_copy
from envmagic.system import scratch

__all__ = ["aside", "has_lost_its_python", "held_in", "make_anew", "unpinned"]

_PINNED = re.compile(r"([\w.-]+)==\S+")


def make_anew(
    spec: EnvSpec,
    wanted: InstallPlan,
    progress: Progress,
    notes: list[str],
    switch: Switch | None,
    make: Maker,
) -> Ready:
    """The environment again, on another Python, with what it held besides what is `wanted`."""
    backends.choose(spec.backend).python(spec)  # before anything is touched
    held = held_in(spec.prefix)
    notes.append("Its Python was gone, so it was made anew with what it held.")
    with aside(spec.prefix):
        try:
            ready = make(spec, _with(wanted, held), progress, switch)
        except EnvmagicError as error:
            if error.problem.code != "install-failed" or not held:
                raise
            notes[-1] = "Its Python was gone, so it was made anew, with other versions."
            ready = make(spec, _with(wanted, unpinned(held)), progress, switch)
    notes += ready.notes
    return ready


def has_lost_its_python(prefix: Path) -> bool:
    """Whether the environment at `prefix` is ours, a virtual one, and its Python is not there."""
    if not ownership.is_owned(prefix) or not (prefix / "pyvenv.cfg").is_file():
        return False
    try:
        backends.inspect(prefix, owned=True)
    except EnvmagicError as error:
        return error.problem.code == "no-interpreter"
    return False


def held_in(prefix: Path) -> tuple[str, ...]:
    """What is installed in the environment at `prefix`, as requirement lines with its versions."""
    there = inspection.distributions_in(inspection.site_packages(prefix))
    return tuple(
        _line(name, version, info)
        for name, (version, info) in sorted(there.items())
        if name != "pip" and not own_copy.is_ours(info)
    )


def unpinned(lines: tuple[str, ...]) -> tuple[str, ...]:
    """`lines` in whichever versions there are for another Python."""
    return tuple(_PINNED.sub(r"\1", line) if _PINNED.fullmatch(line) else line for line in lines)


@contextlib.contextmanager
def aside(prefix: Path) -> Iterator[None]:
    """The place of the environment at `prefix` is free inside the `with` block; when that fails
    the old one is back. Raises `EnvmagicError` where it holds what is not its tools'."""
    ownership.check(prefix, clearing.written_in(prefix))
    with scratch.beside(prefix.parent) as place:
        place.mkdir()
        old = place / prefix.name
        prefix.rename(old)
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                prefix.rmdir()  # what making it left, if that is empty
            old.rename(prefix)
            raise


def _with(wanted: InstallPlan, held: tuple[str, ...]) -> InstallPlan:
    """`wanted`, and of what was `held` what it does not name itself."""
    parsed = filter(None, map(requirements.requirement, wanted.requirements))
    asked = {normalized(requirement.name) for requirement in parsed}
    kept = (line for line in held if normalized(re.split(r"[ =]", line)[0]) not in asked)
    return replace(wanted, requirements=(*wanted.requirements, *kept))


def _line(name: str, version: str, info: Path) -> str:
    url, directory = origin_of(str(info / "direct_url.json"))
    if directory is not None:
        return f"-e {directory}"
    return f"{name} @ {url}" if url is not None else f"{name}=={version}"
