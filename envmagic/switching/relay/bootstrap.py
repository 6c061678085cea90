"""Starts a kernel behind a relay, so that it ends when the relay is gone.

Run as a script; needs the standard library only. With ipykernel's arguments it runs ipykernel, in
the environment's own interpreter, whatever is in it. With `--guard DIRECTORY PROGRAM ...` it runs
any other program: the kernel of another language, or a script that starts one. The relay holds the
other end of standard input: when that is gone, so is the relay, and the kernel follows it.
"""

import os
import sys


def await_end(pipe: int) -> None:
    """Wait until nobody holds the other end of `pipe` any more."""
    try:
        while os.read(pipe, 4096):
            pass
    except OSError:
        pass


def follow(pipe: int, directory: str) -> None:
    """Wait until the relay is gone, then remove `directory` and end this process and its group."""
    import shutil
    import signal

    await_end(pipe)
    shutil.rmtree(directory, ignore_errors=True)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def start(arguments: "list[str]") -> None:
    """Run ipykernel as `python -m ipykernel_launcher` does; returns when it has ended."""
    import runpy
    import shutil
    import threading

    pipe = take_input()
    directory = os.path.dirname(arguments[arguments.index("-f") + 1])
    watcher = threading.Thread(target=follow, args=(pipe, directory), daemon=True)
    # A debugger that stops every thread must leave this one alone.
    watcher.pydev_do_not_trace = True  # type: ignore[attr-defined]
    watcher.is_pydev_daemon_thread = True  # type: ignore[attr-defined]
    watcher.start()
    try:
        if arguments[0].endswith(".py"):
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
        else:
            sys.argv[1:] = arguments + _extension(arguments)
            if not _is_safe():
                sys.path.insert(0, os.getcwd())
            runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def take_input() -> int:
    """What standard input was; it is empty from now on."""
    pipe = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return pipe


def guard(directory: str, words: "list[str]") -> None:
    """Become the program `words`, with a process beside it that ends it when the relay is gone.

    So the relay sees the program's own process: its signals, exit status and memory.
    """
    import signal

    pipe = take_input()
    first = os.fork()
    if first == 0:
        if os.fork() == 0:
            watch(pipe, directory)
        os._exit(0)  # so the program has no child that it does not know
    os.waitpid(first, 0)
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and the program would go on so
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        sys.exit(f"{words[0]} could not be started: {(error.strerror or '').lower()}")


def watch(pipe: int, directory: str) -> None:
    """Wait until the relay is gone, then end the program and its group; never returns."""
    import shutil
    import signal

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # meant for the program
            signal.signal(number, signal.SIG_IGN)
        for output in (1, 2):  # the relay reads them until the program has ended
            os.dup2(0, output)
        os.chdir("/")
        await_end(pipe)
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.killpg(0, signal.SIGKILL)
        os._exit(1)


def guard_on_windows(directory: str, words: "list[str]") -> None:
    """Run the program `words` to its end or the relay's: there no process becomes another."""
    import shutil
    import signal
    import subprocess
    import threading

    pipe = take_input()
    signal.signal(signal.SIGBREAK, lambda *_: None)  # type: ignore[attr-defined]
    try:
        program = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    except OSError as error:
        sys.exit(f"{words[0]} could not be started: {(error.strerror or '').lower()}")

    def end_with_relay() -> None:
        await_end(pipe)
        program.kill()
        program.wait()
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=end_with_relay, daemon=True).start()
    os._exit(program.wait())


def _extension(arguments: "list[str]") -> "list[str]":
    """Load envmagic where it is installed, also in kernels that are not ours: whoever moved there
    with `%env use` goes on with `%env use`."""
    import importlib.util

    if "envmagic" in arguments or importlib.util.find_spec("envmagic") is None:
        return []
    return ["--ext", "envmagic"] if sys.version_info >= (3, 10) else []


def _is_safe() -> bool:
    """Whether neither a script's directory nor, with `python -m`, the working directory comes first
    on the path: with -P or PYTHONSAFEPATH."""
    return bool(getattr(sys.flags, "safe_path", False))


if __name__ == "__main__":
    if sys.argv[1] == "--guard":
        run = guard if hasattr(os, "fork") else guard_on_windows
        run(sys.argv[2], sys.argv[3:])
    else:
        # A script's own directory comes first on the path; nothing is to be imported from there.
        if not _is_safe():
            del sys.path[0]
        start(sys.argv[1:])
