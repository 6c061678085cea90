"""Making a runtime: filled by the installer, tried once, and put in its place by one rename."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments import integrity
from envmagic.environments.backends import installers
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inspection import Distributions
from envmagic.environments.runtimes import store
from envmagic.environments.runtimes.agreement import conflict
from envmagic.environments.runtimes.host import Host
from envmagic.environments.runtimes.store import Runtime
from envmagic.environments.satisfaction import closure, is_version, names_of
from envmagic.system import directories, process, scratch

__all__ = ["build", "fetch_pip", "modules_of", "tried"]

_TRY = """\
import json, os, sys
launchers, place, instead, directories = json.loads(sys.argv[1])
sys.path.append(launchers)
import launcher
sys.path[-1:] = directories
launcher.put_behind(place, instead=instead)
lib = os.path.join(place, "lib")
import ipykernel.kernelapp, ipykernel.ipkernel, ipykernel.zmqshell
files = {getattr(m, "__file__", None) for m in list(sys.modules.values())}
below = [f for f in files if f and f.startswith(lib + os.sep)]
print(json.dumps({os.path.relpath(f, lib): os.stat(f).st_size for f in below}))
"""
"""Imports what a kernel does, and says which files of `lib` that took, with their lengths."""
_COMPILE = """\
import compileall, os, sys, time
if hasattr(os, "nice"):
    os.nice(19)
for name in ("lib/IPython/core", "lib/IPython/utils", "", "lib", "pip"):
    if not name:
        time.sleep(3)
        continue
    compileall.compile_dir(name, ddir=os.path.join(sys.argv[1], name), quiet=2)
"""
"""By names that lead nowhere any more when the working directory is removed. What a
kernel imports last comes first, so that two compile what it needs; it has started before the rest
takes anything from it."""
_SHIM = """\
#!/bin/sh
# for the environment that is active, where that has none of its own
prefix="${{VIRTUAL_ENV:-$CONDA_PREFIX}}"
if [ -z "$prefix" ]; then
    echo "{name}: no environment is active" >&2
    exit 1
fi
exec "$prefix/bin/python" {words} "$@"
"""
_OFFLINE = ("no-network", "no-installer")


def build(
    host: Host,
    requirements: Sequence[str],
    progress: Progress,
    *,
    held: Distributions | None = None,
    at_hand: Iterable[tuple[Distributions, Path]] = (),
    filled: Callable[[Runtime], object] = lambda runtime: None,
) -> Runtime:
    """Make a runtime with `requirements` for Pythons of the kind of `host`, whole or not at all.

    What is `held` goes before it and keeps its version; without, it is to be shared. Where the
    package index cannot be reached, what is needed is copied from one of `at_hand`, which are
    distributions and the directory with their files. `filled` is called when it has all its files
    and was not tried yet. The caller holds the lock of its directory. Raises `EnvmagicError`.
    """
    kinds = store.directory(host.kind)
    store.clear_unfinished(host.kind)
    place = _new(kinds)
    if held is None:
        progress.step(f"Fetching the parts of a kernel for Python {host.version}, once")
    try:
        kinds.mkdir(parents=True, exist_ok=True)
        try:
            _fill(host, requirements, held or {}, place, progress, at_hand)
            _try(host, place, filled, shared=held is None)
        except EnvmagicError as error:
            if held is not None or error.problem.code != "kernel-cannot-start":
                raise
            # what the installer has kept may be damaged: files in its cache are linked elsewhere
            place = _new(kinds)
            _fill(host, requirements, held or {}, place, progress, at_hand, cached=False)
            _try(host, place, filled, shared=held is None)
    except OSError as error:
        raise _unusable(kinds, error) from error
    made = store.at(place)
    assert made is not None
    return made


def _new(kinds: Path) -> Path:
    return kinds / os.urandom(6).hex()


def _try(host: Host, place: Path, filled: Callable[[Runtime], object], *, shared: bool) -> None:
    """Try the runtime that was put at `place`, and say in there that it is whole; else it goes."""
    try:
        _compile(host, place)  # beside the try, which needs the half of it
        filled(Runtime(place, host.version, time.time(), shared))
        loaded = tried(host, place, alone=shared)
        store.describe(place, python=host.version, shared=shared, loaded=loaded)
    except BaseException:
        store.discard(place)
        raise


def _fill(
    host: Host,
    requirements: Sequence[str],
    held: Distributions,
    place: Path,
    progress: Progress,
    at_hand: Iterable[tuple[Distributions, Path]],
    *,
    cached: bool = True,
) -> None:
    """Put what a runtime consists of at `place`, with all its files."""
    with scratch.beside(place.parent) as new:
        new.mkdir()
        _install(host, requirements, held, new, progress, at_hand, cached=cached)
        _write_shims(new, place)
        (new / "used").touch()  # kernels lock it
        new.rename(place)


def _install(
    host: Host,
    requirements: Sequence[str],
    held: Distributions,
    new: Path,
    progress: Progress,
    at_hand: Iterable[tuple[Distributions, Path]],
    *,
    cached: bool,
) -> None:
    constraints = tuple(
        f"{name}=={version}"
        for name, (version, _) in held.items()
        if is_version(version) and name != "pip"
    )
    lib = new / "lib"

    def install(*wanted: str) -> None:
        plan = InstallPlan(requirements=wanted, constraints=constraints)
        installers.install_aside(host.python, host.directories, plan, lib, progress, cached=cached)

    try:
        try:
            install(*requirements, "pip")
        except EnvmagicError as error:  # a kernel does without pip where it cannot be had
            if error.problem.code != "install-failed":
                raise
            shutil.rmtree(lib, ignore_errors=True)
            install(*requirements)
    except EnvmagicError as error:
        if error.problem.code not in _OFFLINE:
            raise
        shutil.rmtree(lib, ignore_errors=True)
        if not _copied(host, requirements, list(at_hand), lib):
            raise
    _separate(lib, new)


def _copied(
    host: Host,
    requirements: Sequence[str],
    at_hand: Sequence[tuple[Distributions, Path]],
    lib: Path,
) -> bool:
    """Whether what is needed is `at_hand` and has been copied into `lib`; with pip, if that is."""
    for there, files in at_hand:
        if conflict(requirements, {}, there, host.version) is None:
            names = closure(names_of(requirements), there, host.version)
            _copy({name: there[name] for name in names}, files, lib)
            break
    else:
        return False
    for there, files in at_hand:
        if "pip" in there:
            _copy({"pip": there["pip"]}, files, lib)
            break
    return True


def fetch_pip(host: Host, runtime: Runtime, progress: Progress) -> None:
    """Have pip in a runtime that was made where there was none, if it can be had now."""
    plan = InstallPlan(requirements=("pip",))
    with contextlib.suppress(EnvmagicError, OSError), scratch.beside(runtime.place.parent) as new:
        new.mkdir()
        installers.install_aside(host.python, host.directories, plan, new / "lib", progress)
        _separate(new / "lib", new)
        _write_shims(new, runtime.place)
        shutil.rmtree(runtime.place / "pip", ignore_errors=True)
        (new / "pip").rename(runtime.place / "pip")
        for script in (new / "bin").iterdir():
            script.replace(runtime.place / "bin" / script.name)
        shutil.rmtree(runtime.place / "pip-info", ignore_errors=True)
        (new / "pip-info").rename(runtime.place / "pip-info")  # from here on it is linked


def _copy(there: Distributions, files: Path, lib: Path) -> None:
    """Copy the distributions `there`, whose files are below `files`, into `lib`."""
    for _, info in there.values():
        for path in integrity.recorded(info):
            source = files / path
            if path.startswith((f"{info.name}/", "..", "/")) or not source.is_file():
                continue
            target = lib / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)
        shutil.copytree(info, lib / info.name, dirs_exist_ok=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def _separate(lib: Path, new: Path) -> None:
    """Move the metadata of what is in `lib` into `info` of `new`, pip into `pip` and `pip-info`."""
    for directory in ("info", "pip", "pip-info"):
        (new / directory).mkdir()
    for info in [*lib.glob("*.dist-info"), *lib.glob("*.egg-info")]:
        record = info / "RECORD"
        if record.is_file():  # pip says where commands would be in an environment
            rows = record.read_text("utf-8").splitlines(keepends=True)
            kept = "".join(row for row in rows if not row.startswith(("../", "/")))
            record.unlink()  # it may be a link to the one in the installer's cache
            record.write_text(kept, "utf-8")
        is_pip = info.name.startswith("pip-")
        info.rename(new / ("pip-info" if is_pip else "info") / info.name)
    if (lib / "pip").is_dir():
        (lib / "pip").rename(new / "pip" / "pip")


def _write_shims(new: Path, place: Path) -> None:
    """The commands that are found behind the environment's own, for the runtime at `place`."""
    runtimes = place.parents[1]
    us = [str(runtimes / "launcher.py"), str(runtimes), "-m", "envmagic"]
    commands = {"envmagic": us, "jupyter-env": us}
    if (new / "pip" / "pip").is_dir():
        commands |= {name: [str(place / "pip" / "pip")] for name in ("pip", "pip3")}
    (new / "bin").mkdir()
    for name, words in commands.items():
        script = new / "bin" / name
        script.write_text(_SHIM.format(name=name, words=shlex.join(words)), "utf-8")
        script.chmod(0o755)


def tried(
    host: Host, place: Path, instead: Sequence[str] = (), *, alone: bool = False
) -> Mapping[str, int]:
    """Import what a kernel does, with the runtime in `place` behind `host`, or `alone`, before the
    standard library only; `instead` as `launcher` has it.

    Returns the files below its `lib` that this took, with their lengths. Raises `EnvmagicError`
    when it fails.
    """
    places = [] if alone else [str(directory) for directory in host.directories]
    ours = str(directories.package() / "jupyter")
    said = json.dumps([ours, str(place), list(instead), places])
    words: list[str | Path] = [host.python, "-I", "-S", "-c", _TRY, said]
    try:
        ran = process.run(words, timeout=300, cwd=place)
    except process.CommandFailed as error:
        raise EnvmagicError(
            "kernel-cannot-start",
            f"A kernel for {display.user_path(host.prefix)} cannot start: {error.last_line}",
            subject=str(host.prefix),
        ) from error
    loaded: Mapping[str, int] = json.loads(ran.stdout.splitlines()[-1])
    return loaded


def modules_of(info: Path) -> set[str]:
    """The modules and packages at the top of the distribution with metadata in `info`."""
    found = set()
    for path in integrity.recorded(info):
        first, slash, _ = path.partition("/")
        if not path.startswith((f"{info.name}/", "..", "/")):
            name = first if slash else first.partition(".")[0]
            found |= {name} if name.isidentifier() else set()
    return found


def _compile(host: Host, place: Path) -> None:
    """Compile the runtime at `place` in the background; a kernel starts before that is done.

    By the Python that the environment was made from: a process in there would keep it from being
    removed. Where it is its own, what is imported is compiled then.
    """
    python = Path(os.path.realpath(host.python))
    if python.is_relative_to(os.path.realpath(host.prefix)):
        return
    words: list[str | Path] = [python, "-I", "-S", "-c", _COMPILE, place]
    with contextlib.suppress(process.CommandFailed):
        process.leave_running(words, cwd=place)


def _unusable(kinds: Path, error: OSError) -> EnvmagicError:
    code = "no-space" if error.errno == errno.ENOSPC else "not-writable"
    return EnvmagicError(
        code,
        f"The parts of a kernel cannot be put into {display.user_path(kinds)}:"
        f" {error.strerror or error}.",
        "Set ENVMAGIC_HOME to a directory you can write to.",
        subject=str(kinds),
    )
