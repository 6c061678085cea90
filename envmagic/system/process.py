"""The only place that starts a subprocess."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from envmagic.core.display import redact, without_codes
from envmagic.system import locks

if TYPE_CHECKING:
    from types import FrameType

    Child = subprocess.Popen[str]

__all__ = [
    "CommandFailed",
    "Completed",
    "clean_environment",
    "expanded",
    "is_running",
    "leave",
    "leave_running",
    "module",
    "redact",
    "run",
    "signal_group",
    "spawn",
]

# Of the environment this process runs in; a child that works on another one must not see them.
_OUTER = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
# Of those that Python reads, the ones that our own children see too: where the user's own packages
# are, and whether compiled files are kept. The others are meant for other programs than ours, and
# some break every program (warnings as errors, no docstrings).
_OF_THE_USER = ("PYTHONNOUSERSITE", "PYTHONUSERBASE", "PYTHONDONTWRITEBYTECODE")
# The working directory, which Python puts first for `-c` as for `-m`, is no place for modules.
_MODULE = """\
import sys
sys.path[:] = [place for place in sys.path if place]
import runpy
runpy.run_module({name!r}, run_name="__main__", alter_sys=True)
"""

# Seconds. An interrupt that comes just as the main thread begins to wait does not end the wait:
# its handler runs when that is over.
_LISTEN = 0.2
_SILENCE = 0.8


@dataclass(frozen=True)
class Completed:
    """A command that ended: its exit code, standard output and standard error as text."""

    args: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandFailed(Exception):
    """A command ended with another exit code than 0, could not start, or took too long.

    Holds the command and its output, credentials taken out. Leaves turn it into a `Problem`.
    """

    def __init__(self, completed: Completed, reason: str = "") -> None:
        self.args_run = tuple(redact(a) for a in completed.args)
        self.code = completed.code
        self.stdout = redact(without_codes(completed.stdout))
        self.stderr = redact(without_codes(completed.stderr))
        self.reason = reason
        super().__init__(f"{' '.join(self.args_run)}: {reason or f'exit code {self.code}'}")

    @property
    def last_line(self) -> str:
        """The last line of what it said, which is where tools put their verdict."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip() if lines else self.reason


def clean_environment(
    extra: Mapping[str, str] | None = None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variables for a child that works on another environment than the one around us."""
    source = os.environ if base is None else base
    kept = {k: v for k, v in source.items() if k not in _OUTER and not k.startswith("CONDA_")}
    kept.pop("__PYVENV_LAUNCHER__", None)  # macOS: makes a venv's python mistake its prefix
    kept.update(extra or {})
    return kept


def module(python: str | Path, name: str) -> list[str | Path]:
    """The words that run the module `name` as `python -m` does, whatever is called like a module in
    the directory that they are run in."""
    return [python, "-c", _MODULE.format(name=name)]


def run(
    args: Sequence[str | Path],
    *,
    timeout: float = 900.0,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    on_wait: Callable[[int], None] | None = None,
    hears_output: bool = False,
    check: bool = True,
    input: str | None = None,
) -> Completed:
    """Run `args` to its end and return what it said.

    `env` is added to the cleaned environment, in which little else speaks to Python. `on_line` gets
    each line of standard error as it comes, redacted, and with `hears_output` of standard output
    too. `on_wait` gets its process id, once a second, while it says nothing. The child has a
    process group of its own; an interrupt or a timeout (seconds) ends the whole group before it is
    raised on.
    Raises `CommandFailed` on a non-zero exit code (with `check`), a missing program or a timeout.
    """
    words = tuple(str(a) for a in args)
    child: Child | None = None
    try:
        with _interrupts_held():  # one that came in between would leave it running
            child = _start(words, _for_a_tool(env), cwd)
        heard = ("stdout", "stderr") if hears_output else ("stderr",)
        stdout, stderr = _converse(child, input, timeout, on_line, on_wait, heard)
    except TimeoutError as error:
        _end_group(child)
        raise CommandFailed(
            Completed(words, 124, "", ""), f"no end after {timeout:.0f} s"
        ) from error
    except BaseException:  # KeyboardInterrupt above all: nothing of ours goes on in the background
        _end_group(child)
        raise
    completed = Completed(words, child.returncode, stdout, stderr)
    if check and completed.code != 0:
        raise CommandFailed(completed)
    return completed


def leave(code: int) -> NoReturn:
    """End this process with exit code `code`, once all that it said is written.

    For a process that used rattler. Its interpreter is not taken down in order: rattler's own
    threads may still hold Python objects, and on a busy machine one such end in thirty was a
    segmentation fault (py-rattler 0.28, Python 3.12).
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def expanded(value: str, variables: Mapping[str, str]) -> str:
    """`value` of a kernelspec's `env`: `${NAME}` and `$$` replaced as jupyter_client does it."""
    from string import Template

    return Template(value).safe_substitute(variables)


def spawn(
    args: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start `args` with exactly `env` and let it run on; its input and error output are pipes.

    It has a process group of its own. Raises `CommandFailed` when there is no such program or
    directory.
    """
    words = tuple(str(a) for a in args)
    try:
        with _out_of_the_debuggers_sight():
            return subprocess.Popen(
                words,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
    except OSError as error:
        raise _not_started(words, cwd, error) from error


def leave_running(args: Sequence[str | Path], *, cwd: Path) -> None:
    """Start `args` and wait for nothing: it goes on when this process has ended, and says nothing.

    Raises `CommandFailed` when there is no such program.
    """
    words = tuple(str(a) for a in args)
    try:
        child = subprocess.Popen(
            words,
            env=_for_a_tool(None),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
    except OSError as error:
        raise _not_started(words, cwd, error) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # that it goes on is what is meant
        del child


def _not_started(words: tuple[str, ...], cwd: Path | None, error: OSError) -> CommandFailed:
    """The system blames the program also when it is the working directory that is not there."""
    reason = (error.strerror or str(error)).lower()
    if cwd is not None and not cwd.is_dir():
        reason = f"there is no directory {cwd}"
    reason = f"{words[0]} could not be started: {reason}"
    return CommandFailed(Completed(words, 127, "", ""), reason)


def signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to everything in the group of a child that `spawn` started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            child.send_signal(signal.CTRL_BREAK_EVENT if number == signal.SIGINT else number)
        else:
            os.killpg(child.pid, number)


def _out_of_the_debuggers_sight() -> contextlib.AbstractContextManager[None]:
    """While debugpy is attached it puts itself into every Python that is started: not into ours."""
    monkey = sys.modules.get("_pydev_bundle.pydev_monkey")
    skip = getattr(monkey, "skip_subprocess_arg_patch", None)
    result: contextlib.AbstractContextManager[None] = skip() if skip else contextlib.nullcontext()
    return result


def _for_a_tool(extra: Mapping[str, str] | None) -> dict[str, str]:
    """The variables for a program that runs no code of the user's."""
    cleaned = clean_environment(extra)
    given = extra or {}
    return {
        name: value
        for name, value in cleaned.items()
        if not name.startswith("PYTHON") or name in _OF_THE_USER or name in given
    }


def _start(words: tuple[str, ...], env: dict[str, str], cwd: Path | None) -> Child:
    try:
        with locks.inherited() as held:
            return subprocess.Popen(
                words,
                env=env,
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=sys.platform != "win32",
                pass_fds=() if sys.platform == "win32" else held,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
    except OSError as error:
        raise _not_started(words, cwd, error) from error


def _converse(
    child: Child,
    input: str | None,
    timeout: float,
    on_line: Callable[[str], None] | None,
    on_wait: Callable[[int], None] | None,
    heard: Collection[str],
) -> tuple[str, str]:
    """Feed `input`, collect both outputs; `on_line`, for the streams `heard`, is called in this
    thread, never in a reader's: what a kernel displays from another thread lands in the wrong cell.
    """
    lines: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
    for name in ("stdout", "stderr"):
        threading.Thread(
            target=_read, args=(getattr(child, name), name, lines), daemon=True
        ).start()
    if child.stdin is not None:
        with contextlib.suppress(OSError), child.stdin:
            child.stdin.write(input or "")
    said: dict[str, list[str]] = {"stdout": [], "stderr": []}
    heard_at = time.monotonic()
    end = heard_at + timeout
    open_streams = 2
    while open_streams:
        try:
            item = lines.get(timeout=min(_LISTEN, max(0.0, end - time.monotonic())))
        except queue.Empty:
            if time.monotonic() > end:
                raise TimeoutError from None
            if on_wait is not None and time.monotonic() - heard_at > _SILENCE:
                heard_at = time.monotonic()
                on_wait(child.pid)
            continue
        if item is None:
            open_streams -= 1
            continue
        name, line = item
        said[name].append(line)
        heard_at = time.monotonic()
        if name in heard and on_line is not None and line.strip():
            on_line(redact(without_codes(line.rstrip())))
    try:
        child.wait(max(_LISTEN, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return "".join(said["stdout"]), "".join(said["stderr"])


def _read(stream: IO[str], name: str, lines: queue.SimpleQueue[tuple[str, str] | None]) -> None:
    with contextlib.suppress(ValueError, OSError), stream:
        for line in stream:
            lines.put((name, line))
    lines.put(None)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """An interrupt that comes within the `with` block is raised at its end."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    for number, frame in came[:1]:
        before(number, frame)


def _end_group(child: Child | None) -> None:
    if child is None:
        return
    for end in (_terminate, _kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(child)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(3.0)
            return


if sys.platform == "win32":

    def _terminate(child: Child) -> None:
        child.terminate()

    def _kill(child: Child) -> None:
        child.kill()

else:

    def _terminate(child: Child) -> None:
        os.killpg(child.pid, signal.SIGTERM)

    def _kill(child: Child) -> None:
        os.killpg(child.pid, signal.SIGKILL)


def is_running(pid: int | None, *, ours: bool = False) -> bool:
    """Whether a process has that id, with `ours` one that this user may end. A number is given anew
    when its process is gone.

    On Windows signal 0 is Ctrl-C to a whole group, so psutil is asked there.
    """
    if not isinstance(pid, int) or pid < 1:
        return False
    if sys.platform == "win32":
        import psutil  # comes with ipykernel

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not ours
    except OSError:
        return False
    return True
