"""What a kernel's name means in this session: inside an environment others may go by it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Asleep, Kernel
from envmagic.jupyter import connection, kernelspecs, server_api

__all__ = [
    "front_environment",
    "front_python",
    "is_bare",
    "is_newer",
    "kernel_named",
    "near",
    "spec_named",
    "still_is",
]

_BARE = re.compile(r"python(3(\.\d+)?)?")


def kernel_named(name: str, first: str, asleep: Callable[[], Iterable[Asleep]]) -> Kernel | None:
    """The kernel the server would start as `name`, else the one this session began with.

    In an environment `python3` would otherwise be the spec that ipykernel installed there. `first`
    is the name of what the session began with. What is `asleep` by that name, and whose environment
    is gone, has no `argv`: it can be woken, and not started. None when nobody knows the name.
    """
    kernel = _meant(name, first)
    known = kernel or _from_here(name)
    gone = known is None or (known.prefix is not None and not known.prefix.exists())
    if gone:
        with contextlib.suppress(EnvmagicError):  # it says so when it is asked to move
            if any(kernel.kernel == name for kernel in asleep()):
                return Kernel(name, Path(), name, ())
    return kernel


def is_bare(word: str) -> bool:
    """Whether `word`, the first of a kernelspec, is only the name of a Python: jupyter_client puts
    the frontend's own interpreter for it."""
    return _BARE.fullmatch(word) is not None


def near(kernel: Kernel) -> str:
    """The Python that a kernelspec with a bare `python` was installed with; else empty."""
    if len(kernel.directory.parents) > 3:  # PREFIX/share/jupyter/kernels/NAME
        prefix = kernel.directory.parents[3]
        name = "python.exe" if sys.platform == "win32" else f"bin/{kernel.argv[0]}"
        if (prefix / name).exists():
            return str(prefix / name)
    return ""


def still_is(kernel: Kernel, was: Kernel, connection_file: Path) -> bool:
    """Whether `kernel` is the one that runs as `was`, by the same name, with that connection file.

    It is not when the name was given to another environment, or the environment was made anew
    since the kernel started.
    """
    prefix, before = (k.prefix and os.path.realpath(k.prefix) for k in (kernel, was))
    # of a bare `python` it may be told once which it is, and not the other time
    program = any(is_bare(k.argv[0]) for k in (kernel, was)) or kernel.argv[0] == was.argv[0]
    if prefix != before or not program or kernel.argv[1:] != was.argv[1:]:
        return False
    return not is_newer(kernel, connection_file)


def is_newer(kernel: Kernel, connection_file: Path) -> bool:
    """Whether the environment of `kernel` was made after a kernel with that connection file
    started; of a conda environment that is not known."""
    if kernel.prefix is not None:
        with contextlib.suppress(OSError):
            made = (kernel.prefix / "pyvenv.cfg").stat().st_mtime
            return made > connection_file.stat().st_mtime
    return False


def spec_named(name: str) -> Mapping[str, Any]:
    """The kernelspec that the frontend has as `name`, as its file says it; empty without one."""
    server = _server()
    if server is not None:
        return _specs(server).get(name, {}).get("spec", {})  # type: ignore[no-any-return]
    kernel = _from_here(name)
    return {"argv": list(kernel.argv), "env": dict(kernel.env)} if kernel is not None else {}


def front_python(pid: int | None) -> str:
    """The Python that the process `pid` runs, as its own `sys.executable` says it; else empty.

    That is found from the name it was started with: a venv's Python is a link to another.
    """
    try:
        front = _process(pid)
        (word, *_), real, at = front.cmdline(), front.exe(), front.cwd()
    except Exception:  # not there, not ours to look at, or no psutil
        return ""
    path = front_environment(pid).get("PATH", os.defpath)
    if not os.path.dirname(word):
        word = shutil.which(word, path=path) or word
    found = os.path.join(at, word)
    if not re.match(r"python|pypy", Path(found).name, re.IGNORECASE):
        return ""  # another program that starts kernels
    # on Windows a venv's python.exe starts the other one as a process of its own
    same = sys.platform == "win32" or os.path.realpath(found) == os.path.realpath(real)
    return found if same and os.path.exists(found) else ""


def front_environment(pid: int | None) -> dict[str, str]:
    """The variables that the process `pid` was started with; empty when they cannot be read."""
    try:
        return dict(_process(pid).environ())
    except Exception:
        return {}


def _process(pid: int | None) -> Any:
    import psutil

    if pid is None:  # to psutil that is this process
        raise ProcessLookupError
    return psutil.Process(pid)


def _meant(name: str, first: str) -> Kernel | None:
    server = _server()
    if server is not None:
        try:
            return _kernel(name, _specs(server)[name]["spec"], server)
        except (KeyError, TypeError):
            return None
    # what the session began with may have got a second name: that of its environment's kernel
    front = connection.connection()
    if name == first or (front is not None and name == connection.kernel_name(front)):
        own = _own(front) if front is not None and name == kernelspecs.OWN else None
        return own or Kernel(first or name, Path(), name, ("python", "-m", "ipykernel_launcher"))
    return None


def _own(front: connection.Connection) -> Kernel | None:
    """The kernel that finds a notebook's environment, of whoever started this session."""
    python = front_python(front.parent)
    for place in _places(python):
        kernel = kernelspecs.read(place / kernelspecs.OWN)
        if kernel is not None and python:
            return replace(kernel, argv=(python, *kernel.argv[1:]))
    return None


def _server() -> server_api.Server | None:
    front = connection.connection()
    asked = server_api.session(front) if front is not None else None
    return asked[0] if asked is not None else None


def _specs(server: server_api.Server) -> dict[str, Any]:
    try:
        return dict(server_api.call(server, "api/kernelspecs")["kernelspecs"])
    except (OSError, ValueError, KeyError, TypeError, server_api.Refused):
        return {}


def _kernel(name: str, spec: Mapping[str, Any], server: server_api.Server) -> Kernel:
    kernel = Kernel(
        name=name,
        directory=Path(),
        display_name=str(spec.get("display_name") or name),
        argv=tuple(str(word) for word in spec["argv"]),
        language=str(spec.get("language") or ""),
        env={str(k): str(v) for k, v in (spec.get("env") or {}).items()},
        metadata=spec.get("metadata") or {},
    )
    python = front_python(server.pid)
    if any("{resource_dir}" in word for word in kernel.argv):
        kernel = replace(kernel, directory=_directory(kernel, spec, python))
    if python and is_bare(kernel.argv[0]):
        kernel = replace(kernel, argv=(python, *kernel.argv[1:]))
    return kernel


def _directory(kernel: Kernel, spec: Mapping[str, Any], python: str) -> Path:
    """Where the server's kernelspec lies, which its API does not say; an empty path if unknown."""
    for place in _places(python):
        with contextlib.suppress(OSError, ValueError):
            for directory in sorted(place.iterdir()):
                if directory.name.lower() == kernel.name.lower():
                    there = json.loads((directory / "kernel.json").read_text("utf-8"))
                    if all(there.get(key) == spec.get(key) for key in ("argv", "display_name")):
                        return directory
    return Path()


def _places(python: str) -> Iterator[Path]:
    """Where kernelspecs may be that a server on the interpreter `python` finds."""
    from jupyter_core.paths import jupyter_path

    own = Path(sys.prefix, "share", "jupyter", "kernels")
    elsewhere = [Path(place) for place in jupyter_path("kernels")]
    if python:
        yield Path(python).parents[1] / "share" / "jupyter" / "kernels"
    yield from sorted(elsewhere, key=lambda place: place == own)


def _from_here(name: str) -> Kernel | None:
    """The kernelspec `name` as jupyter_client finds it from this environment."""
    from jupyter_client.kernelspec import KernelSpecManager

    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except Exception:  # NoSuchKernel, or a file that cannot be read
        return None
    directory = Path(spec.resource_dir)
    return Kernel(
        name, directory, spec.display_name, tuple(spec.argv), env=spec.env, metadata=spec.metadata
    )
