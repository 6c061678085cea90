"""Starts the kernel of an environment that holds none: its parts come from a runtime behind it.

A copy of this file lies beside each kernelspec of ours and is run by the environment's own Python,
so it imports the standard library only and is understood by Python 3.8:

    PREFIX/bin/python launcher.py RUNTIMES -f CONNECTION_FILE

With `-m MODULE ARGUMENTS` it runs another module than ipykernel's; `--behind VERDICT` before that
spares it looking, where who starts it knows.

What the environment holds goes first: the runtime's directories come behind all others on
`sys.path`. The files below RUNTIMES that this reads:

    builder.json          {"python": PYTHON, "path": [DIRECTORY, ...], "code": NAME, ...}
    NAME/envmagic         envmagic itself
    KIND/index.json       {"schema": 1, "names": [DISTRIBUTION, ...], "verdicts": {DIGEST: VERDICT}}
    KIND/ID/runtime.json  {"loaded": {FILE: BYTES, ...}, ...}
    KIND/ID/lib, info     packages, and their metadata; bin, pip: what `pip` means without one

KIND is a kind of Python, `names` what a kernel consists of, DIGEST stands for the versions of those
that the environment holds itself, and VERDICT says what to put behind it: {"runtime": ID,
"envmagic": true, "instead": [MODULE, ...]} or {"reason": TEXT}. What `instead` names comes from the
runtime although the environment has it. What is not there is asked of PYTHON, which makes it.

Metadata of the runtime's distributions is found by the runtime's own code, and its entry points by
everyone: in a cell, `importlib.metadata` tells of the environment.
"""

import contextlib
import json
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType
    from typing import Any

__all__ = [
    "NAME",
    "digest",
    "distributions",
    "kind_of_python",
    "main",
    "of_this_process",
    "put_behind",
    "whole",
]

NAME = "envmagic_launcher"
"""What this module is called in a process that it has prepared."""

runtime = ""
"""The directory of the runtime behind this process; empty when there is none."""
code = ""
"""The directory below which the envmagic of this process lies, when it is not the environment's."""

_SCHEMA = 1
_INFO = re.compile(r"(.+?)-([^-]+)(?:-py3[^-]*)?\.(?:dist|egg)-info$")
_ASK = """\
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from envmagic.environments.runtimes.asked import main
main()
"""
_SECONDS = 600  # for making a runtime


def main(arguments: "list[str]") -> None:
    """Run ipykernel with `arguments`, of which the first is RUNTIMES, or the module after `-m`."""
    runtimes, *rest = arguments
    if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    sys.modules[NAME] = sys.modules[__name__]
    before = list(sys.path), list(sys.meta_path)
    if rest[:1] == ["--behind"]:
        verdict = json.loads(rest[1])
        rest = rest[2:]
    else:
        verdict = _verdict(runtimes)
    _put(runtimes, verdict)
    if rest[:1] == ["-m"]:
        import runpy

        sys.argv = rest[1:]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
        return
    try:
        import ipykernel.kernelapp as app
    except Exception:
        sys.path[:], sys.meta_path[:] = before
        app, verdict = _in_doubt(runtimes)
    if verdict.get("envmagic") and "envmagic" not in rest:
        rest = [*rest, "--ext", "envmagic"]
        from importlib import import_module

        with contextlib.suppress(Exception):  # IPython says it
            import_module("envmagic")  # IPython would look in the working directory first
    sys.argv[1:] = rest
    app.launch_new_instance()


def _in_doubt(runtimes: str) -> "tuple[Any, dict[str, Any]]":
    """ipykernel, though the environment's own does not work, and the verdict that it came by."""
    verdict = _asked(runtimes, doubted=True)
    for name in list(sys.modules):
        if name.partition(".")[0] in verdict.get("instead", ()):
            del sys.modules[name]
    _put(runtimes, verdict)
    try:
        import ipykernel.kernelapp as app
    except Exception as error:
        sys.exit(f"The kernel cannot start: {type(error).__name__}: {error}")
    return app, verdict


def _put(runtimes: str, verdict: "dict[str, Any]") -> None:
    """Put behind this process what `verdict` names."""
    global runtime, code
    runtime = _place(runtimes, verdict)
    while runtime and not _hold(runtime):  # it was removed in this moment
        verdict.update(_asked(runtimes))
        runtime = "" if "reason" in verdict else _place(runtimes, verdict)
    if "reason" in verdict:
        sys.exit(verdict["reason"])
    code = os.path.join(runtimes, verdict["code"]) if verdict.get("code") else ""
    if code:
        _hold(code)
    put_behind(runtime, code, verdict.get("instead") or [])


def put_behind(runtime: str, code: str = "", instead: "tuple[str, ...] | list[str]" = ()) -> None:
    """Let this process import from the directory `runtime`, and from `code`, what it finds nowhere
    else; and modules called as one of `instead` from there alone."""
    behind = [os.path.join(runtime, "lib")] if runtime else []
    behind += [code] if code else []
    sys.path += behind
    later = _later_finders()
    if later:
        sys.meta_path.insert(0, _Before(later, behind))
    if instead:
        sys.meta_path.insert(0, _Instead(instead, behind))
    infos = [os.path.join(place, "info") for place in (runtime, code) if place]
    sys.meta_path.append(_Metadata(infos, behind))
    if runtime:
        _put_on_path(os.path.join(runtime, "bin"))


def of_this_process() -> "Path | None":
    """The directory of the runtime behind the running kernel; None when there is none."""
    from pathlib import Path

    started = sys.modules.get(NAME)
    place = getattr(started, "runtime", "")
    return Path(place) if place else None


def kind_of_python() -> str:
    """What this Python shares extension modules with: `cpython-312-x86_64-linux-gnu`."""
    implementation = sys.implementation
    free = "t" in getattr(sys, "abiflags", "") or "free-threading" in sys.version
    threads = "t" if free else ""
    machine = getattr(implementation, "_multiarch", "") or sys.platform
    if sys.platform == "darwin":
        machine = "darwin-" + os.uname().machine
    elif sys.platform == "win32":
        machine = "win-" + ("64" if sys.maxsize > 2**32 else "32")
        if "ARM" in sys.version.upper():
            machine += "-arm"
    return f"{implementation.cache_tag}{threads}-{machine}"


def distributions(directories: "list[str]", names: "set[str]") -> "dict[str, str]":
    """Normalised name -> version of those of `names` that lie in `directories`; the first counts.

    Read from the names of their metadata directories.
    """
    found = {}  # type: dict[str, str]
    for directory in directories:
        try:
            entries = os.listdir(directory or os.curdir)
        except OSError:
            continue
        for entry in entries:
            match = _INFO.match(entry) if entry.endswith("-info") else None
            if match:
                name = re.sub(r"[-_.]+", "-", match.group(1)).lower()
                if name in names:
                    found.setdefault(name, match.group(2))
    return found


def digest(found: "dict[str, str]") -> str:
    """What stands for these versions in `index.json`; empty for none."""
    if not found:
        return ""
    from hashlib import sha256

    text = "\n".join("{}=={}".format(*pair) for pair in sorted(found.items()))
    return sha256(text.encode()).hexdigest()[:20]


def whole(place: str) -> bool:
    """Whether the runtime at `place` has what a kernel loads at its start, each file as long as
    it was."""
    try:
        loaded = _read(os.path.join(place, "runtime.json"))["loaded"]
        lib = os.path.join(place, "lib")
        return all(os.stat(os.path.join(lib, file)).st_size == n for file, n in loaded.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _verdict(runtimes: str) -> "dict[str, Any]":
    """What is to be put behind this process, made if need be."""
    known = _known(runtimes)
    return _asked(runtimes) if known is None else known


def _place(runtimes: str, verdict: "dict[str, Any]") -> str:
    """The directory of the runtime that `verdict` names; empty for none."""
    name = verdict.get("runtime")
    return os.path.join(runtimes, kind_of_python(), str(name)) if name else ""


def _known(runtimes: str) -> "dict[str, Any] | None":
    """The verdict that is kept for what this environment holds, if what it names is whole."""
    place = os.path.join(runtimes, kind_of_python())
    try:
        index = _read(os.path.join(place, "index.json"))
        builder = _read(os.path.join(runtimes, "builder.json"))
        held = distributions(sys.path, set(index["names"]))
        verdict = index["verdicts"][digest(held)] if index["schema"] == _SCHEMA else None
        if verdict is None or "reason" in verdict:
            return None  # it may be otherwise by now
        if verdict["runtime"] and not whole(os.path.join(place, verdict["runtime"])):
            return None
        code = builder["code"] if verdict["envmagic"] else ""
        if code and not os.path.isfile(os.path.join(runtimes, code, "envmagic", "__init__.py")):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(verdict, code=code)


def _asked(runtimes: str, doubted: bool = False) -> "dict[str, Any]":
    """The verdict of the Python that makes runtimes; of this one, where that cannot any more."""
    request = {
        "python": sys.executable,
        "version": "{}.{}.{}".format(*sys.version_info[:3]),
        "kind": kind_of_python(),
        "prefix": sys.prefix,
        "directories": sys.path,
        "runtimes": runtimes,
        "doubted": doubted,
    }
    from glob import escape, glob

    try:
        builder = _read(os.path.join(runtimes, "builder.json"))
        askers = [(builder["python"], builder["path"])]
        libs = glob(os.path.join(escape(runtimes), kind_of_python(), "*", "lib"))
        askers.append((sys.executable, [os.path.join(runtimes, builder["code"]), *libs]))
    except (OSError, ValueError, KeyError, TypeError):
        askers = []
    for python, path in askers:
        verdict = _answer([python, "-I", "-c", _ASK, json.dumps(path)], json.dumps(request))
        if verdict is not None:
            return verdict
    return {
        "reason": f"What a kernel consists of is missing in {runtimes} and cannot be made."
        " Run: envmagic doctor --fix"
    }


def _answer(command: "list[str]", request: str) -> "dict[str, Any] | None":
    """The last line of what `command` says, as JSON; None where it is no answer."""
    import subprocess

    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    try:
        asked = subprocess.run(
            command,
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=variables,
            timeout=_SECONDS,
            text=True,
        )
        verdict = json.loads(asked.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return verdict if isinstance(verdict, dict) else None


def _read(file: str) -> "dict[str, Any]":
    with open(file, encoding="utf-8") as opened:
        content = json.load(opened)
    if not isinstance(content, dict):
        raise ValueError(file)
    return content


def _hold(place: str) -> bool:
    """Keep what is in `place` as long as this process lives, and say that it was used.

    Waits for who looks at it now; False where it was removed.
    """
    file = os.path.join(place, "used")
    try:
        import fcntl

        held = open(file, "rb")  # noqa: SIM115 - until this process ends
        _held.append(held)
        fcntl.flock(held, fcntl.LOCK_SH)
        os.utime(file)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        pass  # not ours to write, or there are no such locks
    return os.path.exists(file)


_held = []  # type: list[Any]


def _put_on_path(place: str) -> None:
    """Let `pip` be found in `place` where the environment has none, before any other Python's."""
    scripts = os.path.dirname(sys.executable)
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    entries = [entry for entry in entries if entry != place]
    after = entries.index(scripts) + 1 if scripts in entries else 0
    os.environ["PATH"] = os.pathsep.join([*entries[:after], place, *entries[after:]])


def _later_finders() -> "list[Any]":
    """Those that are asked after `sys.path`: editable installations are found by such ones."""
    from importlib.machinery import PathFinder

    finders = sys.meta_path
    return finders[finders.index(PathFinder) + 1 :] if PathFinder in finders else []


class _Before:
    """Lets finders that come after `sys.path` go before the runtime, which lies at its end."""

    def __init__(self, finders: "list[Any]", places: "list[str]") -> None:
        self._finders, self._places = finders, places
        entries = [entry for place in places for entry in os.listdir(place)]
        self._names = {entry.partition(".")[0] for entry in entries}

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        if name not in self._names:
            return None
        from importlib.machinery import PathFinder

        own = [place for place in sys.path if place not in self._places]
        if PathFinder.find_spec(name, own) is not None:
            return None
        found = (finder.find_spec(name, path, target) for finder in self._finders)
        return next((spec for spec in found if spec is not None), None)


class _Instead:
    """Finds some modules in the runtime alone, whatever the environment has of that name."""

    def __init__(self, names: "tuple[str, ...] | list[str]", places: "list[str]") -> None:
        self._names, self._places = frozenset(names), places

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        if name not in self._names:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, self._places)


class _Metadata:
    """Finds the metadata of the runtime's distributions, for those whom it concerns."""

    def __init__(self, infos: "list[str]", owners: "list[str]") -> None:
        self._infos, self._owners = infos, tuple(owner + os.sep for owner in owners)

    def find_spec(self, name: str, path: object = None, target: object = None) -> "Any":
        return None

    def find_distributions(self, context: object = None) -> "Iterator[Any]":
        names = vars(context) if context is not None else {}
        asker = sys._getframe(1)
        if "path" in names or not self._concerns(asker):
            return iter(())
        # of the library that asks: importlib.metadata, or its backport
        kind = asker.f_globals.get("Distribution")
        if kind is None:
            return iter(())
        return iter(kind.discover(name=names.get("name"), path=self._infos))

    def _concerns(self, frame: "FrameType | None") -> bool:
        """Whether they ask for entry points, or are modules of the runtime."""
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            code = frame.f_code
            if module.startswith(("importlib.metadata", "importlib_metadata")):
                if code.co_name == "entry_points":
                    return True
            else:
                return code.co_filename.startswith(self._owners)
            frame = frame.f_back
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
