"""Making an environment and making it ready: what `create`, `attach` and `%%env` share."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic._version import __version__
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, EnvSpec, Kernel, Progress, Switch
from envmagic.core.names import normalized
from envmagic.core.schema import Change
from envmagic.environments import (
    backends,
    clearing,
    fulfilment,
    journal,
    ownership,
    relocation,
    runtimes,
)
from envmagic.environments.backends import half_done, installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.early_start import EarlyStart, runs_at_start
from envmagic.environments.inspection import Distributions
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import Behind, Host, linked_pip, own_copy
from envmagic.environments.satisfaction import closure, names_of
from envmagic.jupyter import kernelspecs
from envmagic.system import locks

__all__ = [
    "NOTHING",
    "Ready",
    "again",
    "changes",
    "checked",
    "install_checked",
    "locked",
    "make",
    "make_ready",
    "named",
    "put_back",
    "renewed",
    "superfluous",
    "take_out",
]

OLDEST_OF_IPYKERNEL = (3, 8)
"""The oldest Python that an ipykernel we can talk to runs on."""
NOTHING = InstallPlan()
_OPTION = re.compile(r"-(?!(?:e|r|-editable|-requirement)[\s=])")  # that installs nothing itself
_TOGETHER = 60.0  # seconds that one installation takes at most to write what it has unpacked


@dataclass(frozen=True)
class Ready:
    """An environment that has what was asked for, and its kernel."""

    there: Inventory
    """What is installed now."""
    kernel: Kernel
    notes: tuple[str, ...] = ()
    """What happened besides, for the person, one sentence each."""


def make(
    spec: EnvSpec,
    wanted: InstallPlan,
    progress: Progress,
    *,
    switch: Switch | None = None,
    look: Callable[[Inventory], object] = lambda there: None,
) -> Ready:
    """Make the environment `spec` with `wanted` in it and register it, whole or not at all.

    `spec.prefix` must not exist or be empty, and `spec.name` be free for its kernel. The caller
    holds its lock. Whatever goes wrong, an interrupt included, the directory and the kernelspec
    are as they were before. With `switch`, which moves there afterwards, the kernel is begun as
    soon as there is a Python. `look` is called with what is there once it is filled, and may raise
    what it likes where that is not right.
    """
    backend = backends.choose(spec.backend)
    python = backend.python(spec)
    entry = journal.begin(spec.prefix)
    before = kernelspecs.snapshot(spec.name)
    early: EarlyStart | None = None
    try:
        version = f" {python.version}" if python.version else ""
        progress.step(f"Creating {spec.name} with Python{version} ({backend.name.value})")
        left = backend.create(spec, python.executable, wanted, progress)
        environment = backends.inspect(spec.prefix, owned=True)
        _refuse_old(environment.version, display.user_path(spec.prefix))

        def begin(behind: Behind) -> None:
            nonlocal early
            early = early or _begun(switch, environment, spec.name, behind, wanted)

        behind = _behind(environment, progress, soon=begin)
        begin(behind)
        notes: list[str] = []
        if wanted:
            progress.step(f"Installing {named(wanted)}")
            notes += backend.fill(environment, wanted, left, progress)
        linked_pip.put(environment, behind.runtime, fetched_by=progress)
        there = _mended(_now(environment), {}, progress)
        fulfilment.check(there, wanted)
        look(there)
        if wanted:  # it may not agree with the kernel's parts
            behind = _behind(environment, progress)
        if early is not None:
            early.settle(there, behind)
        # from here on it is ready, whatever comes
        ownership.mark(
            spec.prefix,
            token=entry.token,
            name=spec.name,
            backend=backend.name.value,
            version=__version__,
        )
        kernel = _register(environment, spec.name, behind)
    except BaseException as error:
        try:
            if switch is not None:
                switch.give_up()
        finally:
            kept = None
            with contextlib.suppress(Exception):  # the first error is the one to tell
                kernelspecs.restore(spec.name, before)
            with contextlib.suppress(Exception):  # the next call goes on with it
                kept = clearing.clear(entry)
        if kept and isinstance(error, EnvmagicError):
            raise error.saying(kept.message) from error
        raise
    journal.finish(entry)
    backend.created(environment)
    return Ready(there, kernel, tuple(notes))


def make_ready(
    there: Inventory,
    name: str,
    wanted: InstallPlan,
    progress: Progress,
    *,
    switch: Switch | None = None,
) -> Ready:
    """See that an existing environment holds `wanted`, has a kernel, and is registered.

    `there` is what it holds. An environment that is not ours gets nothing but `wanted`. With
    `switch`, which moves there afterwards, the kernel is begun at once. Raises `EnvmagicError`;
    what was newly installed is taken out again then.
    """
    before, environment = there, there.environment
    _refuse_old(environment.version, display.user_path(environment.prefix))
    notes: list[str] = []
    early = None
    try:
        made = relocation.made_at(environment)
        if made is not None:
            note, environment = _moved(environment, made)
            notes.append(note)
        own = kernelspecs.of_prefix(environment.prefix)
        if own is None and made is not None and not os.path.lexists(made):
            own = kernelspecs.of_prefix(made)  # whose notebooks follow
        name = own.name if own else kernelspecs.free_name(name, environment.prefix)
        if wanted:
            # what is installed now may be what lets a kernel start
            known = runtimes.known(Host.of(environment)) if switch is not None else None
            if known is not None:
                early = _begun(switch, environment, name, known, wanted)
            notes += _install(there, wanted, progress)
            there = _mended(_now(environment), there.versions, progress)
            fulfilment.check(there, wanted)
            environment = there.environment
        behind = _behind(environment, progress)
        if not wanted:
            early = _begun(switch, environment, name, behind, wanted)
        if environment.owned and "pip" not in there.distributions:
            linked_pip.put(environment, behind.runtime)
            there = _now(environment)
        if not behind.envmagic:
            notes.append(_without_us(environment))
        if early is not None:
            early.settle(there, behind)
        kernel = _register(environment, name, behind)
        return Ready(there, kernel, tuple(notes))
    except BaseException:
        try:
            if switch is not None:
                switch.give_up()
        finally:
            put_back(before, progress)
        raise


def _moved(environment: Environment, made: Path) -> tuple[str, Environment]:
    """What is said of an environment that was made at `made`; and it, with commands of its own
    where it is of ours."""
    was = f"It was moved or copied from {display.user_path(made)}"
    if relocation.is_of_ours(environment, made) and relocation.relocate(environment, made):
        owned = ownership.is_owned(environment.prefix)
        return f"{was}; its commands belong to it again.", replace(environment, owned=owned)
    return f"{was}, and its commands, pip among them, still work there.", environment


def install_checked(
    there: Inventory, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> tuple[Inventory, list[str]]:
    """Install `wanted` and see on the disk that it is whole, else put everything back.

    An installer that was once cut off leaves distributions that it later takes for whole; those
    are installed again, and it is an error when that does not mend them. In an environment that
    is not ours only what was installed now is looked at. `beside`: nothing that is there changes.
    Returns what is there now, and notes for the person.
    """

    def change() -> list[str]:
        return _install(there, wanted, progress, beside=beside)

    return checked(there, change, progress, wanted)


def checked(
    there: Inventory,
    change: Callable[[], list[str]],
    progress: Progress,
    wanted: InstallPlan = NOTHING,
) -> tuple[Inventory, list[str]]:
    """Have an environment that holds what is `there` changed by `change`, which returns notes for
    the person, and see on the disk that it is whole and holds what is `wanted`, else put everything
    back.

    Returns what is there now, and the notes. Raises what `change` raises.
    """
    try:
        notes = change()
        now = _mended(_now(there.environment), there.versions, progress)
        fulfilment.check(now, wanted)
        return now, notes
    except BaseException:
        put_back(there, progress)
        raise


def _install(
    there: Inventory, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> list[str]:
    environment = there.environment
    backend = backends.of(environment)
    progress.step(f"Installing {named(wanted)}")
    return (backend.add if beside else backend.install)(environment, wanted, progress)


def _now(environment: Environment) -> Inventory:
    """What is there after a change, which may have brought another Python, too."""
    return backends.look(backends.inspect(environment.prefix, owned=environment.owned))


def _mended(there: Inventory, before: Mapping[str, str], progress: Progress) -> Inventory:
    """Install again what lacks files since the environment held `before`; what is there then."""
    broken = _broken_since(there, before)
    if not broken:
        return there
    progress.step(f"Mending {', '.join(broken)}")
    environment = there.environment
    backends.of(environment).install(environment, again(there, broken), progress)
    there = _now(environment)
    broken = _broken_since(there, before)
    if broken:
        raise EnvmagicError(
            "broken-distribution",
            f"Files of {', '.join(broken)} are missing in {display.user_path(environment.prefix)}.",
            "To see more",
            subject=str(environment.prefix),
            command=("doctor",),
        )
    return there


def put_back(before: Inventory, progress: Progress) -> None:
    """Undo what changed in an environment since it held `before`, if it can be.

    Called while another error is on its way, so it raises none of its own: on a disk that is full
    anything may fail.
    """
    environment = before.environment
    with contextlib.suppress(Exception):  # what is there may be another Python
        environment = backends.inspect(environment.prefix, owned=environment.owned)
    with contextlib.suppress(Exception):
        there = backends.look(environment)
        after, versions = there.versions, before.versions
        added = sorted(set(after) - set(versions))
        lost = [name for name, version in versions.items() if after.get(name) != version]
        hurt = [n for n in _broken_since(there, after) if n in versions and n not in lost]
        if added:
            with contextlib.suppress(Exception):  # what was lost is put back all the same
                take_out(there, added, progress)
        if lost or hurt:
            names = (*lost, *hurt)
            lines = tuple(f"{name}=={versions[name]}" for name in names)
            plan = InstallPlan(requirements=lines, reinstall=names)
            with contextlib.suppress(Exception):
                backends.of(environment).install(environment, plan, progress)
    if environment.owned:
        half_done.clear(environment, before.entries)


def take_out(there: Inventory, names: Sequence[str], progress: Progress) -> list[str]:
    """Uninstall distributions `names`, also those that an installer was cut off over.

    It takes out only what has its RECORD, so such ones are made whole before, if they can be.
    Returns notes for the person.
    """
    environment = there.environment
    backend = backends.of(environment)
    cut_off = there.broken(set(names))
    cut_off += there.unlisted(set(names) - set(cut_off))
    if cut_off:
        with contextlib.suppress(EnvmagicError):
            backend.install(environment, again(there, cut_off), progress)
    return backend.uninstall(environment, names, progress)


def superfluous(there: Inventory) -> list[str]:
    """The distributions that an earlier version of us has put into an environment of ours for its
    kernel, and nothing else in there needs; normalised names."""
    info = there.distributions.get("envmagic", ("", None))[1]
    if not there.environment.owned or info is None or not own_copy.is_ours(info):
        return []
    found, version = there.distributions, there.environment.version
    brought = {*names_of(own_copy.REQUIRES), "envmagic"}
    kernel = closure(brought, found, version)
    later = {name for name in kernel - {"envmagic"} if not _came_with(found[name][1], found)}
    kept = closure({*(set(found) - kernel), *later, "pip"}, found, version)
    return sorted(kernel - kept)


def _came_with(info: Path, found: Distributions) -> bool:
    """Whether the distribution with metadata in `info` was installed along with ipykernel; what a
    person has installed since stays. Installers do not note it for sure what they were asked for.
    """
    try:
        times = [os.stat(i / "INSTALLER").st_mtime for i in (info, found["ipykernel"][1])]
    except (OSError, KeyError):
        return False
    return abs(times[0] - times[1]) < _TOGETHER


def _broken_since(there: Inventory, before: Mapping[str, str]) -> list[str]:
    if ownership.is_owned(there.environment.prefix):
        return there.broken()
    return there.broken({n for n, v in there.versions.items() if before.get(n) != v})


def again(there: Inventory, names: Iterable[str]) -> InstallPlan:
    """Installing distributions `names` once more in the versions that they look installed in."""
    held = tuple(names)
    versions = {name: version for name, (version, _) in there.distributions.items()}
    lines = tuple(f"{n}=={versions[n]}" if versions.get(n) else n for n in held)
    return InstallPlan(requirements=lines, reinstall=held)


def changes(
    before: Mapping[str, str], after: Mapping[str, str], asked: Iterable[str] = ()
) -> list[Change]:
    """What was installed and removed between two looks at an environment (name -> version).

    What was `asked` for comes first.
    """
    first = [normalized(_bare(line)) for line in asked]
    rank = {name: number for number, name in reversed(list(enumerate(first)))}
    removed = [
        Change(name=name, version=version, action="removed")
        for name, version in sorted(before.items())
        if after.get(name) != version
    ]
    installed = [
        Change(name=name, version=version, action="installed")
        for name, version in sorted(after.items(), key=lambda i: (rank.get(i[0], len(rank)), i[0]))
        if before.get(name) != version
    ]
    return removed + installed


@contextlib.contextmanager
def locked(prefix: Path) -> Iterator[clearing.Kept | None]:
    """The lock under which the environment at `prefix` is made, changed or removed.

    What was cut off there is settled first; gives what that had to leave.
    """
    with locks.lock(prefix):
        yield clearing.settle(prefix)


def renewed(kernel: Kernel, environment: Environment, progress: Progress) -> Kernel:
    """The kernel of `environment`, ours, which can start now: what it needs is behind it.

    Its spec is written anew where an older version of us has written it.
    """
    behind = _behind(environment, progress)
    if kernelspecs.is_current(kernel):
        return kernel
    return _register(environment, kernel.name, behind)


def _behind(
    environment: Environment,
    progress: Progress,
    *,
    soon: Callable[[Behind], object] = lambda behind: None,
) -> Behind:
    host = Host.of(environment)
    _refuse_old(host.version, display.user_path(environment.prefix))
    return runtimes.behind(host, progress, soon=soon)


def _without_us(environment: Environment) -> str:
    short = environment.short_version
    if not Host.of(environment).runs_envmagic:
        return f"Its Python {short} is too old for envmagic, so %env is not there in its kernel."
    return "What it holds is too old for envmagic, so %env is not there in its kernel."


def _begun(
    switch: Switch | None, environment: Environment, name: str, behind: Behind, wanted: InstallPlan
) -> EarlyStart | None:
    """The start of its kernel, where the notebook moves there and the kernel can do without what
    is `wanted`."""
    if switch is None or (wanted and runs_at_start(environment)):
        return None
    launch = backends.of(environment).launch(environment)
    uv = installers.find_uv()
    kernel = kernelspecs.planned(environment, name, launch, uv=uv, behind=behind.answer)
    return EarlyStart(switch, kernel, environment, behind)


def _register(environment: Environment, name: str, behind: Behind) -> Kernel:
    uv = installers.find_uv()
    launch = backends.of(environment).launch(environment)
    return kernelspecs.register(environment, name, launch, uv=uv, logos=behind.runtime.lib)


def named(wanted: InstallPlan) -> str:
    """What `wanted` asks for, the first of it by name, without credentials."""
    lines = (line for line in wanted.requirements if not _OPTION.match(line))
    words = [*lines, *(display.user_path(f) for f in wanted.files)]
    shown = list(dict.fromkeys(map(_bare, words)))
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more


def _bare(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])", requirement)
    return match[0] if match else display.shortened(requirement)


def _refuse_old(version: str, where: str) -> None:
    parts = tuple(int(p) for p in version.split(".")[:2]) if version else ()
    if parts and parts < OLDEST_OF_IPYKERNEL:
        raise EnvmagicError(
            "python-too-old",
            f"Python {version} of {where} is too old for ipykernel;"
            f" {'.'.join(map(str, OLDEST_OF_IPYKERNEL))} at least.",
            subject=where,
        )
