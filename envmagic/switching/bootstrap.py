"""Starts ipykernel behind a relay, in the environment's own interpreter, whatever is in it.

Run as a script with ipykernel's arguments; needs the standard library only. The relay holds the
other end of standard input: when that is gone, so is the relay, and this process follows it.
"""

import os
import sys


def follow(pipe: int, directory: str) -> None:
    """Wait until the relay is gone, then remove `directory` and end this process and its group."""
    import shutil
    import signal

    try:
        while os.read(pipe, 4096):
            pass
    except OSError:
        pass
    shutil.rmtree(directory, ignore_errors=True)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def start(arguments: "list[str]") -> None:
    """Run ipykernel as `python -m ipykernel_launcher` does; returns when it has ended."""
    import runpy
    import shutil
    import threading

    pipe = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    directory = os.path.dirname(arguments[arguments.index("-f") + 1])
    watcher = threading.Thread(target=follow, args=(pipe, directory), daemon=True)
    # A debugger that stops every thread must leave this one alone.
    watcher.pydev_do_not_trace = True  # type: ignore[attr-defined]
    watcher.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    watcher.start()
    sys.argv[1:] = arguments + _extension(arguments)
    try:
        runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _extension(arguments: "list[str]") -> "list[str]":
    """Load envmagic where it is installed, also in kernels that are not ours: whoever moved there
    with `%env use` goes on with `%env use`."""
    import importlib.util

    if "envmagic" in arguments or importlib.util.find_spec("envmagic") is None:
        return []
    return ["--ext", "envmagic"] if sys.version_info >= (3, 10) else []


if __name__ == "__main__":
    # A script's own directory comes first on the path, `python -m` has the working directory there;
    # with -P or PYTHONSAFEPATH neither is.
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.getcwd()
    start(sys.argv[1:])
