"""Making an environment and making it ready: what `create`, `attach` and `%%env` share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic._version import __version__
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, EnvSpec, Kernel, Progress
from envmagic.core.names import normalized
from envmagic.core.schema import Change
from envmagic.environments import (
    backends,
    clearing,
    journal,
    ownership,
    payload,
)
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.satisfaction import missing
from envmagic.jupyter import kernelspecs
from envmagic.system import locks, process
from envmagic.system.files import is_writable_directory

__all__ = [
    "NOTHING",
    "Ready",
    "again",
    "changes",
    "install_checked",
    "locked",
    "make",
    "make_ready",
    "put_back",
    "take_out",
]

OLDEST_OF_IPYKERNEL = (3, 8)
"""The oldest Python that an ipykernel we can talk to runs on."""
NOTHING = InstallPlan()
_RUNTIME = ("pip", "ipykernel")


@dataclass(frozen=True)
class Ready:
    """An environment that has what was asked for, and its kernel."""

    there: Inventory
    """What is installed now."""
    kernel: Kernel
    notes: tuple[str, ...] = ()
    """What happened besides, for the person, one sentence each."""


def make(spec: EnvSpec, wanted: InstallPlan, progress: Progress) -> Ready:
    """Make the environment `spec` with `wanted` in it and register it, whole or not at all.

    `spec.prefix` must not exist or be empty, and `spec.name` be free for its kernel. The caller
    holds its lock. Whatever goes wrong, an interrupt included, the directory and the kernelspec
    are as they were before.
    """
    backend = backends.choose(spec.backend)
    python = backend.python(spec)
    entry = journal.begin(spec.prefix)
    before = kernelspecs.snapshot(spec.name)
    try:
        version = f" {python.version}" if python.version else ""
        progress.step(f"Creating {spec.name} with Python{version} ({backend.name.value})")
        left = backend.create(spec, python.executable, _joined(wanted, _RUNTIME), progress)
        environment = backends.inspect(spec.prefix, owned=True)
        _refuse_old(environment.version, display.user_path(spec.prefix))
        plan = _with_runtime(environment, wanted)
        with ThreadPoolExecutor(1) as meanwhile:  # the installer is a process of its own
            copied = meanwhile.submit(payload.ensure, environment)
            progress.step(f"Installing {_named(plan)}")
            notes = backend.fill(environment, plan, left, progress)
        copied.result()
        there = _mended(_now(environment), {}, progress)
        # from here on it is ready, whatever comes
        ownership.mark(
            spec.prefix,
            token=entry.token,
            name=spec.name,
            backend=backend.name.value,
            version=__version__,
        )
        kernel = _register(environment, spec.name)
    except BaseException as error:
        with contextlib.suppress(EnvmagicError, OSError):  # the first error is the one to tell
            kernelspecs.restore(spec.name, before)
        kept = clearing.clear(entry)
        if kept and isinstance(error, EnvmagicError):
            raise error.saying(kept.message) from error
        raise
    journal.finish(entry)
    backend.created(environment)
    return Ready(there, kernel, tuple(notes))


def make_ready(there: Inventory, name: str, wanted: InstallPlan, progress: Progress) -> Ready:
    """See that an existing environment can run a kernel, holds `wanted`, and is registered.

    `there` is what it holds, and stays as it is. Raises `EnvmagicError`; what was newly installed
    is taken out again then.
    """
    before, environment = there, there.environment
    _refuse_old(environment.version, display.user_path(environment.prefix))
    notes: list[str] = []
    try:
        there = _filled(there, wanted, progress, notes)
        environment = there.environment
        extension, copied = _bring_envmagic(there, notes)
        if copied:
            there = there.having("envmagic", __version__, payload.info_in(environment))
        own = kernelspecs.of_prefix(environment.prefix)
        if own is None:
            progress.step("Starting its kernel once to see that it can")
            _try_import(environment, extension=extension)
            name = kernelspecs.free_name(name, environment.prefix)
        else:
            name = own.name
        kernel = _register(environment, name, extension=extension)
        return Ready(there, kernel, tuple(notes))
    except BaseException:
        put_back(before, progress)
        raise


def install_checked(
    there: Inventory, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> tuple[Inventory, list[str]]:
    """Install `wanted` and see on the disk that it is whole, else put everything back.

    An installer that was once cut off leaves distributions that it later takes for whole; those
    are installed again, and it is an error when that does not mend them. In an environment that
    is not ours only what was installed now is looked at. `beside`: nothing that is there changes.
    Returns what is there now, and notes for the person.
    """
    notes: list[str] = []
    try:
        return _installed(there, wanted, progress, notes, beside=beside), notes
    except BaseException:
        put_back(there, progress)
        raise


def _installed(
    there: Inventory,
    wanted: InstallPlan,
    progress: Progress,
    notes: list[str],
    *,
    beside: bool = False,
) -> Inventory:
    """Install `wanted`, and look once whether it is whole; what is there then."""
    environment = there.environment
    backend = backends.of(environment)
    progress.step(f"Installing {_named(wanted)}")
    notes += (backend.add if beside else backend.install)(environment, wanted, progress)
    return _mended(_now(environment), there.versions, progress)


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

    Called while another error is on its way, so it raises none of its own.
    """
    environment = before.environment
    with contextlib.suppress(EnvmagicError):  # what is there may be another Python
        environment = backends.inspect(environment.prefix, owned=environment.owned)
    failures = (EnvmagicError, OSError, LookupError, ValueError)
    with contextlib.suppress(*failures):
        there = backends.look(environment)
        after, versions = there.versions, before.versions
        added = sorted(set(after) - set(versions))
        lost = [name for name, version in versions.items() if after.get(name) != version]
        hurt = [n for n in _broken_since(there, after) if n in versions and n not in lost]
        if added:
            with contextlib.suppress(*failures):  # what was lost is put back all the same
                take_out(there, added, progress)
        if lost or hurt:
            names = (*lost, *hurt)
            lines = tuple(f"{name}=={versions[name]}" for name in names)
            plan = InstallPlan(requirements=lines, reinstall=names)
            backends.of(environment).install(environment, plan, progress)


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

    What was `asked` for comes first, then what a kernel needs, then the rest.
    """
    first = [normalized(_bare(line)) for line in asked] + [*_RUNTIME, "envmagic"]
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


def _filled(
    there: Inventory, wanted: InstallPlan, progress: Progress, notes: list[str]
) -> Inventory:
    """Install `wanted` and what a kernel lacks; what is there then."""
    prefix, needed = there.environment.prefix, _missing_runtime(there)
    if not ownership.is_owned(prefix) and needed:
        # adopting must not change what is there: everything installed is held where it is
        held = tuple(f"{name}=={version}" for name, (version, _) in there.distributions.items())
        adopt = InstallPlan(requirements=tuple(needed), constraints=held)
        try:
            there = _installed(there, adopt, progress, notes, beside=True)
        except EnvmagicError as error:
            raise EnvmagicError(
                "cannot-attach",
                f"ipykernel cannot be installed in {display.user_path(prefix)}"
                f" without changing what is there. {error.problem.message}",
                subject=str(prefix),
            ) from error
        notes.append(f"Installed {', '.join(_bare(n) for n in needed)}; nothing else was changed.")
        needed = []
    if needed or wanted:
        there = _installed(there, _joined(wanted, needed), progress, notes)
    return there


def _missing_runtime(there: Inventory) -> list[str]:
    from packaging.requirements import Requirement

    environment = there.environment
    asked: Iterable[str] = payload.requirements_for(environment) or ("ipykernel",)
    if "ipykernel" in there.distributions and not _writable(environment):
        return []
    if ownership.is_owned(environment.prefix):
        asked = [*asked, "pip"]
    lacking = missing([Requirement(r) for r in asked], there.distributions, environment.version)
    return [str(requirement) for requirement in lacking]


def _bring_envmagic(there: Inventory, notes: list[str]) -> tuple[bool, bool]:
    """Have envmagic in the environment if that is possible; whether it is there, and whether
    anything was written."""
    environment = there.environment
    if not payload.fits(environment):
        notes.append(
            f"Its Python {environment.short_version} is too old for envmagic,"
            " so %env is not there in its kernel."
        )
        return False, False
    try:
        return True, payload.ensure(environment)
    except OSError:
        notes.append("The environment is not writable, so %env is not there in its kernel.")
        return "envmagic" in there.distributions, False


def _try_import(environment: Environment, *, extension: bool) -> None:
    modules = "ipykernel.kernelapp, ipykernel_launcher" + (", envmagic" if extension else "")
    try:
        process.run([environment.python, "-c", f"import {modules}"], timeout=120)
    except process.CommandFailed as error:
        raise EnvmagicError(
            "kernel-cannot-start",
            f"The kernel of {display.user_path(environment.prefix)} cannot start:"
            f" {error.last_line}",
            subject=str(environment.prefix),
        ) from error


def _register(environment: Environment, name: str, *, extension: bool = True) -> Kernel:
    uv = installers.find_uv()
    launch = backends.of(environment).launch(environment)
    return kernelspecs.register(environment, name, launch, extension=extension, uv=uv)


def _with_runtime(environment: Environment, wanted: InstallPlan) -> InstallPlan:
    return _joined(wanted, [*_RUNTIME, *payload.requirements_for(environment)])


def _joined(wanted: InstallPlan, extra: Iterable[str]) -> InstallPlan:
    return replace(wanted, requirements=(*extra, *wanted.requirements))


def _named(wanted: InstallPlan) -> str:
    words = [*wanted.requirements, *(display.user_path(f) for f in wanted.files)]
    hidden = {_bare(r) for r in payload.REQUIRES} - {"ipykernel"}
    shown = list(dict.fromkeys(_bare(w) for w in words if _bare(w) not in hidden))
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(shown[:5]) + more


def _bare(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])", requirement)
    return match[0] if match else process.redact(requirement)


def _writable(environment: Environment) -> bool:
    return bool(environment.site_packages) and is_writable_directory(environment.site_packages[0])


def _refuse_old(version: str, where: str) -> None:
    parts = tuple(int(p) for p in version.split(".")[:2]) if version else ()
    if parts and parts < OLDEST_OF_IPYKERNEL:
        raise EnvmagicError(
            "python-too-old",
            f"Python {version} of {where} is too old for ipykernel;"
            f" {'.'.join(map(str, OLDEST_OF_IPYKERNEL))} at least.",
            subject=where,
        )
