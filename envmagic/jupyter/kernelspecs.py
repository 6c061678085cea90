"""Kernelspecs: reading all there are, writing and removing ours."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic._version import __version__
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Kernel
from envmagic.system import directories, files, prefix_layout, scratch

__all__ = [
    "OWN",
    "Launch",
    "by_prefix",
    "directory",
    "every",
    "find",
    "free_name",
    "is_current",
    "launcher_in",
    "of_prefix",
    "planned",
    "read",
    "register",
    "restore",
    "snapshot",
    "unregister",
    "unregistered",
]

OWN = "envmagic"
"""The kernel that comes with us: it finds the environment of each notebook, or makes it."""
_NAME = re.compile(r"[a-zA-Z0-9._\-]+")  # what jupyter_client accepts
_UNFINISHED = ".envmagic-"  # half of a kernel, which an earlier version was killed over
# beside each kernelspec, which needs nothing of us in the environment
_LAUNCHER_NAME = "launcher.py"
_CONDA_LAUNCHER_NAME = "activation.py"
"""What it is called beside a kernelspec, since before it had its name here."""
_SPEC = "kernel.json"
_GIVEN = "--behind"
_LOGOS = re.compile(r"logo-[\w.-]+\.(?:png|svg)")


@dataclass(frozen=True)
class Launch:
    """What a kernelspec says besides the interpreter, as the kind of environment has it."""

    env: Mapping[str, str]
    """Variables, as jupyter_client expands them: `${NAME}`, and `$$` for `$`."""
    activated: bool = False
    """At each start, by conda's launcher, a copy of which lies beside the spec."""


def directory() -> Path:
    """Where our kernelspecs go: the user's, never one of an environment."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "kernels"


def every() -> list[Kernel]:
    """Every kernelspec Jupyter would find from here, the first of each name, sorted by name."""
    found: dict[str, Kernel] = {}
    for entry in _entries():
        kernel = read(entry)
        if kernel is not None:
            found.setdefault(kernel.name, kernel)
    return sorted(found.values(), key=lambda k: k.name)


def find(name: str) -> Kernel | None:
    """The kernelspec called `name`, as Jupyter would find it from here; no other is read."""
    called = (read(entry) for entry in _entries() if entry.name.lower() == name.lower())
    return next((kernel for kernel in called if kernel is not None), None)


def _entries() -> Iterator[Path]:
    """The directories that may hold a kernelspec, in the order in which Jupyter looks."""
    from jupyter_core.paths import jupyter_path

    for place in jupyter_path("kernels"):
        try:
            entries = sorted(Path(place).iterdir())
        except OSError:
            continue
        for entry in entries:
            if _NAME.fullmatch(entry.name) and not entry.name.startswith(_UNFINISHED):
                yield entry


def of_prefix(prefix: Path, kernels: Iterable[Kernel] | None = None) -> Kernel | None:
    """Our kernelspec for the environment at `prefix`."""
    real = prefix_layout.identity(prefix)
    for kernel in every() if kernels is None else kernels:
        if (
            kernel.ours
            and kernel.prefix is not None
            and prefix_layout.identity(kernel.prefix) == real
        ):
            return kernel
    return None


def by_prefix(kernels: Iterable[Kernel]) -> dict[str, Kernel]:
    """Real path of the prefix -> our kernelspec for it, the first of each."""
    found: dict[str, Kernel] = {}
    for kernel in kernels:
        if kernel.ours and kernel.prefix is not None:
            found.setdefault(prefix_layout.identity(kernel.prefix), kernel)
    return found


def read(place: Path) -> Kernel | None:
    """The kernelspec in the directory `place`; None when it has none that can be read."""
    try:
        spec = json.loads((place / _SPEC).read_text("utf-8"))
        return _kernel(place, spec)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _kernel(place: Path, spec: Mapping[str, Any]) -> Kernel:
    argv = tuple(str(word) for word in spec["argv"])
    metadata, env = spec.get("metadata"), spec.get("env")
    return Kernel(
        name=place.name.lower(),
        directory=place,
        display_name=str(spec.get("display_name", place.name)),
        argv=argv,
        language=str(spec.get("language", "")),
        env={str(k): str(v) for k, v in env.items()} if isinstance(env, dict) else {},
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def free_name(wanted: str, prefix: Path) -> str:
    """What the kernel for `prefix` is called: the name it has, `wanted`, or that with a suffix."""
    kernels = every()
    own = of_prefix(prefix, kernels)
    if own is not None:
        return own.name
    taken = {kernel.name for kernel in kernels} | _specified(directory())
    return names.suffixed(wanted, prefix) if wanted in taken else wanted


def launcher_in(words: Sequence[str]) -> int:
    """Where in the words that start a kernel the launcher is, which RUNTIMES follow, or 0."""
    named = (n for n, word in enumerate(words[:-1]) if Path(word).name == _LAUNCHER_NAME)
    return next((n for n in named if Path(words[n + 1]).name == directories.runtimes().name), 0)


def is_current(kernel: Kernel) -> bool:
    """Whether `kernel`, ours, is started as this version of us would start it."""
    at = launcher_in(kernel.argv)
    try:
        copy = Path(kernel.argv[at]).read_bytes() if at else b""
    except OSError:
        return False
    runtimes = kernel.argv[at + 1 : at + 2]
    return copy == _launchers()[0].read_bytes() and runtimes == (str(directories.runtimes()),)


def planned(
    environment: Environment,
    name: str,
    launch: Launch,
    *,
    uv: Path | None,
    behind: Mapping[str, Any],
) -> Kernel:
    """The kernel that `register` will write, so that it starts before it is written.

    `behind`: what its launcher would find out, and cannot while its environment is being filled.
    """
    spec = _spec(environment, name, launch, _launchers(), uv=uv)
    spec["argv"][-2:-2] = [_GIVEN, json.dumps(behind)]
    return _kernel(directory() / name, spec)


def unregistered(environment: Environment, name: str, launch: Launch, *, uv: Path | None) -> Kernel:
    """The kernel that `register` would write, started by the launchers that lie with us."""
    spec = _spec(environment, name, launch, _launchers(), uv=uv)
    return _kernel(directory() / name, spec)


def register(
    environment: Environment,
    name: str,
    launch: Launch,
    *,
    uv: Path | None,
    logos: Path | None = None,
) -> Kernel:
    """Write the kernelspec `name` for `environment`, whole or not at all.

    `logos`: a directory below which ipykernel's are. Raises `EnvmagicError` when the name belongs
    to a spec that is not ours or the directory cannot be written.
    """
    place = directory() / name
    present = read(place)
    if (place / _SPEC).exists() and (present is None or not present.ours):
        raise EnvmagicError(
            "kernel-taken",
            f"A kernel {name!r} that envmagic did not make is in {display.user_path(place)}.",
            "Choose another name.",
            subject=name,
        )
    launchers = place / _LAUNCHER_NAME, place / _CONDA_LAUNCHER_NAME
    spec = _spec(environment, name, launch, launchers, uv=uv)
    ours = [n for n in _written(present) if n != _SPEC] if present is not None else []
    found = _logos(environment.prefix) or (_logos(logos) if logos is not None else {})
    contents = {n: held for n, held in found.items() if n in ours or not (place / n).exists()}
    ours_here, conda_s = _launchers()
    contents[_LAUNCHER_NAME] = ours_here.read_bytes()
    if launch.activated:
        contents[_CONDA_LAUNCHER_NAME] = conda_s.read_bytes()
    kept = {n: (place / n).read_bytes() for n in ours if n not in contents}
    held = sorted((kept | contents).items())
    spec["metadata"]["envmagic"]["files"] = {n: _digest(content) for n, content in held}
    contents[_SPEC] = json.dumps(spec, indent=1).encode() + b"\n"
    _write(place, contents)
    written = read(place)
    assert written is not None
    return written


def unregister(kernel: Kernel) -> None:
    """Remove `kernel`, which must be ours and in the user's directory, else `EnvmagicError`.

    Files in its directory that we did not write stay there.
    """
    if not kernel.ours or kernel.directory.parent != directory() or kernel.directory.is_symlink():
        raise EnvmagicError(
            "not-ours",
            f"envmagic did not make the kernel {kernel.name!r}.",
            f"jupyter kernelspec remove {kernel.name}",
            subject=kernel.name,
        )
    place = kernel.directory
    written = _written(kernel)
    try:
        with scratch.beside(_nearby()) as aside:
            if set(os.listdir(place)) <= set(written):
                place.rename(aside)  # gone at once: there is never half a kernel
                return
            aside.mkdir()
            for name in written:  # what makes it a kernel goes first
                (place / name).rename(aside / name)
    except OSError as error:
        raise _unwritable(place, "removed from", error) from error


def snapshot(name: str) -> dict[str, bytes] | None:
    """The files of our spec `name` as they are now, for `restore`; None when there is none."""
    kernel = read(directory() / name)
    if kernel is None:
        return None
    return {file: (kernel.directory / file).read_bytes() for file in _written(kernel)}


def restore(name: str, contents: dict[str, bytes] | None) -> None:
    """Put the spec `name` back as `snapshot` found it."""
    place = directory() / name
    if contents is not None:
        _write(place, contents)
    else:
        kernel = read(place)
        if kernel is not None:
            unregister(kernel)


def _write(place: Path, contents: dict[str, bytes]) -> None:
    """Have `contents` (file name -> bytes) in the directory `place`, `kernel.json` last.

    What else is there stays. A new directory appears whole.
    """
    try:
        if place.exists():
            for name in sorted(contents, key=lambda name: name == _SPEC):
                files.write_atomic(place / name, contents[name])
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch.beside(_nearby()) as new:
            new.mkdir()
            for name, content in contents.items():
                (new / name).write_bytes(content)
            new.rename(place)
    except OSError as error:
        raise _unwritable(place, "registered in", error) from error


def _nearby() -> Path:
    """Where half of a kernel is none that Jupyter could list, in reach of one rename."""
    kernels = Path(os.path.realpath(directory()))
    parent = kernels.parent
    near = os.stat(parent).st_dev == os.stat(kernels).st_dev and os.access(parent, os.W_OK)
    return parent if near else kernels


def _unwritable(place: Path, verb: str, error: OSError) -> EnvmagicError:
    return EnvmagicError(
        "not-writable",
        f"The kernel cannot be {verb} {display.user_path(place)}: {error.strerror}.",
        subject=str(place),
    )


def _written(kernel: Kernel) -> list[str]:
    """The files in the directory of `kernel` that we wrote, `kernel.json` first.

    The spec tells what the others held; an older one does not, and then their names do.
    """
    digests = kernel.metadata.get("envmagic", {}).get("files")
    found = [_SPEC]
    for file in sorted(kernel.directory.iterdir()):
        if isinstance(digests, dict):
            is_ours = digests.get(file.name) == _digest_of(file)
        else:
            is_ours = file.name == _CONDA_LAUNCHER_NAME or _LOGOS.fullmatch(file.name) is not None
        found += [file.name] if is_ours and file.is_file() else []
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _digest_of(file: Path) -> str:
    try:
        return _digest(file.read_bytes())
    except OSError:
        return ""


def _spec(
    environment: Environment,
    name: str,
    launch: Launch,
    launchers: tuple[Path, Path],
    *,
    uv: Path | None,
) -> dict[str, Any]:
    """`launchers`: where ours and conda's lie."""
    prefix = str(environment.prefix)
    argv = [str(launchers[0]), str(directories.runtimes()), "-f", "{connection_file}"]
    if launch.activated:
        argv = ["-I", "-S", str(launchers[1]), *argv]
    # Empty is as if it were not there. That of the Python that Jupyter runs in would be in force
    # before the first line of anything; another one finds none of its own modules there.
    env = {"PYTHONHOME": "", **launch.env}
    if uv is not None:
        env["ENVMAGIC_UV"] = str(uv).replace("$", "$$")
    entry = {
        "schema": 1,
        "name": name,
        "prefix": prefix,
        "owned": environment.owned,
        "backend": environment.backend.value,
        "python": environment.version,
        "version": __version__,
    }
    return {
        "argv": [str(environment.python), *argv],
        "display_name": f"{name} (Python {environment.short_version})",
        "language": "python",
        "interrupt_mode": "signal",
        "env": env,
        "metadata": {"debugger": True, **_declared(environment), "envmagic": entry},
    }


def _declared(environment: Environment) -> dict[str, Any]:
    """What the environment's own ipykernel declares about itself in the spec it installs."""
    try:
        spec = json.loads((_own_spec(environment.prefix) / _SPEC).read_text("utf-8"))
        metadata = spec["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(metadata) if isinstance(metadata, dict) else {}


def _own_spec(prefix: Path) -> Path:
    return prefix / "share" / "jupyter" / "kernels" / "python3"


def _logos(prefix: Path) -> dict[str, bytes]:
    try:
        entries = sorted(_own_spec(prefix).iterdir())
    except OSError:
        return {}
    return {e.name: e.read_bytes() for e in entries if _LOGOS.fullmatch(e.name)}


def _launchers() -> tuple[Path, Path]:
    """Where ours and conda's lie, which are run and copied."""
    place = directories.package() / "jupyter"
    return place / _LAUNCHER_NAME, place / "conda_launcher.py"


def _specified(place: Path) -> set[str]:
    """The names in `place` that hold a spec, also one that cannot be read."""
    try:
        return {e.name.lower() for e in place.iterdir() if os.path.lexists(e / _SPEC)}
    except OSError:
        return set()
