"""Making an environment and making it ready: what `create`, `attach` and `%%env` share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
    inspection,
    integrity,
    journal,
    ownership,
    payload,
)
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.jupyter import kernelspecs
from envmagic.system import locks, process

__all__ = [
    "NOTHING",
    "again",
    "changes",
    "install_checked",
    "locked",
    "make",
    "make_ready",
    "versions",
]

OLDEST_OF_IPYKERNEL = (3, 8)
"""The oldest Python that an ipykernel we can talk to runs on."""
NOTHING = InstallPlan()
_RUNTIME = ("pip", "ipykernel")


def make(
    spec: EnvSpec, wanted: InstallPlan, progress: Progress, notes: list[str]
) -> tuple[Environment, Kernel]:
    """Make the environment `spec` with `wanted` in it and register it, whole or not at all.

    `spec.prefix` must not exist or be empty. The caller holds its lock. Whatever goes wrong, an
    interrupt included, the directory and the kernelspec are as they were before.
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
        with ThreadPoolExecutor(1) as meanwhile:  # the installer is a process of its own
            copied = meanwhile.submit(payload.ensure, environment)
            notes += _filled(environment, _with_runtime(environment, wanted), left, progress)
        copied.result()
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
    return environment, kernel


def make_ready(
    environment: Environment, name: str, wanted: InstallPlan, progress: Progress
) -> tuple[Kernel, list[str]]:
    """See that the existing `environment` can run a kernel, holds `wanted`, and is registered.

    What is installed there already is not changed. Returns its kernel and notes for the person.
    Raises `EnvmagicError`; what was newly installed is taken out again then.
    """
    _refuse_old(environment.version, display.user_path(environment.prefix))
    before = versions(environment)
    notes: list[str] = []
    try:
        _fill(environment, wanted, progress, notes)
        environment = backends.inspect(environment.prefix, owned=environment.owned)
        extension = _bring_envmagic(environment, notes)
        own = kernelspecs.of_prefix(environment.prefix)
        if own is None:
            progress.step("Starting its kernel once to see that it can")
            _try_import(environment, extension=extension)
        return _register(environment, name, extension=extension), notes
    except BaseException:
        put_back(environment, before, progress)
        raise


def install_checked(
    environment: Environment, wanted: InstallPlan, progress: Progress, *, beside: bool = False
) -> list[str]:
    """Install `wanted` and see on the disk that it is whole, else put everything back.

    An installer that was once cut off leaves distributions that it later takes for whole; those
    are installed again, and it is an error when that does not mend them. In an environment that
    is not ours only what was installed now is looked at. `beside`: nothing that is there changes.
    Returns notes for the person.
    """
    backend = backends.of(environment)
    before = versions(environment)
    progress.step(f"Installing {_named(wanted)}")
    try:
        notes = (backend.add if beside else backend.install)(environment, wanted, progress)
        environment = backends.inspect(environment.prefix, owned=environment.owned)
        _mend(environment, before, progress)
    except BaseException:
        put_back(environment, before, progress)
        raise
    return notes


def _filled(
    environment: Environment, wanted: InstallPlan, left: tuple[str, ...], progress: Progress
) -> list[str]:
    """Install `wanted` into the new `environment`; what fails leaves it to be cleared away."""
    progress.step(f"Installing {_named(wanted)}")
    notes = backends.of(environment).fill(environment, wanted, left, progress)
    environment = backends.inspect(environment.prefix, owned=environment.owned)
    _mend(environment, {}, progress)
    return notes


def _mend(environment: Environment, before: dict[str, str], progress: Progress) -> None:
    """Install again what lacks files since the environment held `before`."""
    broken = _broken_since(environment, before)
    if not broken:
        return
    progress.step(f"Mending {', '.join(broken)}")
    backends.of(environment).install(environment, again(environment, broken), progress)
    broken = _broken_since(environment, before)
    if broken:
        raise EnvmagicError(
            "broken-distribution",
            f"Files of {', '.join(broken)} are missing in {display.user_path(environment.prefix)}.",
            "To see more",
            subject=str(environment.prefix),
            command=("doctor",),
        )


def put_back(environment: Environment, before: dict[str, str], progress: Progress) -> None:
    """Undo what changed in `environment` since it held `before` (name -> version), if it can be.

    Called while another error is on its way, so it raises none of its own.
    """
    with contextlib.suppress(EnvmagicError, OSError, LookupError, ValueError):
        backend = backends.of(environment)
        after = versions(environment)
        added = sorted(set(after) - set(before))
        lost = [name for name, version in before.items() if after.get(name) != version]
        hurt = [n for n in _broken_since(environment, after) if n in before and n not in lost]
        if added:
            take_out(environment, added, progress)
        if lost or hurt:
            names = (*lost, *hurt)
            lines = tuple(f"{name}=={before[name]}" for name in names)
            backend.install(environment, InstallPlan(requirements=lines, reinstall=names), progress)


def take_out(environment: Environment, names: Sequence[str], progress: Progress) -> list[str]:
    """Uninstall distributions `names`, also those that an installer was cut off over.

    It takes out only what has its RECORD, so such ones are made whole before, if they can be.
    Returns notes for the person.
    """
    backend = backends.of(environment)
    cut_off = integrity.broken_distributions(environment, set(names))
    cut_off += integrity.unlisted_distributions(environment, set(names) - set(cut_off))
    if cut_off:
        with contextlib.suppress(EnvmagicError):
            backend.install(environment, again(environment, cut_off), progress)
    return backend.uninstall(environment, names, progress)


def _broken_since(environment: Environment, before: dict[str, str]) -> list[str]:
    if ownership.is_owned(environment.prefix):
        return integrity.broken_distributions(environment)
    changed = {n for n, v in versions(environment).items() if before.get(n) != v}
    return integrity.broken_distributions(environment, changed)


def again(environment: Environment, names: Iterable[str]) -> InstallPlan:
    """Installing distributions `names` once more in the versions that they look installed in."""
    there = inspection.distributions(environment)
    held = tuple(names)
    lines = tuple(f"{n}=={there[n][0]}" if n in there and there[n][0] else n for n in held)
    return InstallPlan(requirements=lines, reinstall=held)


def changes(
    before: dict[str, str], after: dict[str, str], asked: Iterable[str] = ()
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


def versions(environment: Environment) -> dict[str, str]:
    """Normalised name -> version of what is installed in `environment`, also what is no
    Python distribution."""
    found = {name: version for name, (version, _) in inspection.distributions(environment).items()}
    return {**backends.of(environment).packages(environment), **found}


@contextlib.contextmanager
def locked(prefix: Path) -> Iterator[clearing.Kept | None]:
    """The lock under which the environment at `prefix` is made, changed or removed.

    What was cut off there is settled first; gives what that had to leave.
    """
    with locks.lock(prefix):
        yield clearing.settle(prefix)


def _fill(
    environment: Environment, wanted: InstallPlan, progress: Progress, notes: list[str]
) -> None:
    needed = _missing_runtime(environment)
    if not needed and not wanted:
        return
    if not ownership.is_owned(environment.prefix) and needed:
        # adopting must not change what is there: everything installed is held where it is
        held = tuple(
            f"{name}=={version}"
            for name, (version, _) in inspection.distributions(environment).items()
        )
        adopt = InstallPlan(requirements=tuple(needed), constraints=held)
        try:
            notes += install_checked(environment, adopt, progress, beside=True)
        except EnvmagicError as error:
            raise EnvmagicError(
                "cannot-attach",
                f"ipykernel cannot be installed in {display.user_path(environment.prefix)}"
                f" without changing what is there. {error.problem.message}",
                subject=str(environment.prefix),
            ) from error
        notes.append(f"Installed {', '.join(_bare(n) for n in needed)}; nothing else was changed.")
        needed = []
    if needed or wanted:
        notes += install_checked(environment, _joined(wanted, needed), progress)


def _missing_runtime(environment: Environment) -> list[str]:
    from packaging.requirements import Requirement

    from envmagic.environments.satisfaction import missing

    installed = inspection.distributions(environment)
    asked: Iterable[str] = payload.requirements_for(environment) or ("ipykernel",)
    if "ipykernel" in installed and not _writable(environment):
        return []
    if ownership.is_owned(environment.prefix):
        asked = [*asked, "pip"]
    lacking = missing([Requirement(line) for line in asked], installed, environment.version)
    return [str(requirement) for requirement in lacking]


def _bring_envmagic(environment: Environment, notes: list[str]) -> bool:
    """Have envmagic in `environment` if that is possible; returns whether it is there."""
    if not payload.fits(environment):
        notes.append(
            f"Its Python {environment.short_version} is too old for envmagic,"
            " so %env is not there in its kernel."
        )
        return False
    try:
        payload.ensure(environment)
    except OSError:
        notes.append("The environment is not writable, so %env is not there in its kernel.")
        return "envmagic" in inspection.distributions(environment)
    return True


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
    chosen = kernelspecs.free_name(name, environment.prefix)
    uv = installers.find_uv()
    launch = backends.of(environment).launch(environment)
    return kernelspecs.register(environment, chosen, launch, extension=extension, uv=uv)


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
    from envmagic.system.files import is_writable_directory

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
