"""A kernel behind the relay: started, found answering, and ended without leaving anything."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envmagic import activation, process, server_api
from envmagic.errors import EnvmagicError
from envmagic.switching import wire

if TYPE_CHECKING:
    from jupyter_client.session import Session

    from envmagic.model import Kernel, Progress

__all__ = ["Child", "Setting", "limit", "sweep"]

_LIMIT = 120.0  # seconds a kernel may take to answer; ENVMAGIC_KERNEL_TIMEOUT changes it
_TICK = 0.005  # seconds between two looks
_LONGEST_SOCKET = 100  # bytes; a Unix socket's path may have 103 on macOS
_SILENCE = 3.0  # seconds after which a kernel need not be heard on iopub (not all say `idle`)
_DIRECTORY = "envmagic-relay-"
_CHANNELS = ("shell", "iopub", "stdin", "control")


@dataclass(frozen=True)
class Setting:
    """What all kernels behind one relay have in common."""

    key: bytes
    signature_scheme: str
    session: str
    """What the first kernel's messages say of their sender. JupyterLab passes over what it has not
    yet handled as soon as a message says another."""
    directory: Path
    """Where they are started: where the first kernel was."""
    environment: Mapping[str, str]
    """The variables the first kernel was started with."""
    relay: Mapping[str, Any]
    """What `relay.json` says to the kernel: what is in front of it."""
    context: Any
    error_output: int | None
    """Where their error output goes on to, once they run."""


@dataclass
class Child:
    """A running kernel, its sockets not yet in any event loop."""

    kernel: Kernel
    process: subprocess.Popen[bytes]
    directory: Path
    session: Session
    sockets: dict[str, Any] = field(default_factory=dict)
    said: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    """The last lines of its error output."""

    @classmethod
    def start(
        cls,
        kernel: Kernel,
        setting: Setting,
        progress: Progress,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Child:
        """Start `kernel` and return when it answers on every channel.

        Raises `EnvmagicError` when it does not come up, or when it is no longer `wanted`; whatever
        is raised, nothing of it is left then.
        """
        directory = Path(tempfile.mkdtemp(prefix=_DIRECTORY))
        try:
            child = _launch(kernel, setting, directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        try:
            child._await_answer(setting, progress, wanted)
        except BaseException:
            child.kill()
            raise
        return child

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def memory(self) -> int:
        """Bytes it holds in memory; 0 where that cannot be read."""
        return memory_of(self.process.pid)

    def kill(self) -> None:
        """End it now, with everything it started, and remove what it had."""
        process.signal_group(self.process, getattr(signal, "SIGKILL", signal.SIGTERM))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        for socket in self.sockets.values():
            socket.close(linger=0)
        self.clean()

    def clean(self) -> None:
        """Remove its directory, and let go of its input."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _await_answer(
        self, setting: Setting, progress: Progress, wanted: Callable[[], bool]
    ) -> None:
        start, shown = time.monotonic(), 0
        for _ in self._stages(setting.context):
            seconds = time.monotonic() - start
            if not wanted():
                raise EnvmagicError("interrupted", "The start was given up.")
            if self.process.poll() is not None:
                raise self._failure(_ending(self.process.returncode))
            if seconds > limit():
                raise self._failure(f"no answer within {limit():.0f} s")
            if seconds > 5 * (shown + 1):
                shown += 1
                progress.step(f"Starting {self.kernel.name} ({seconds:.0f} s)")
            time.sleep(_TICK)

    def _stages(self, context: Any) -> Iterator[None]:
        """Ends when the kernel answers; yields as long as there is nothing to do but to wait."""
        connection = json.loads((self.directory / "kernel.json").read_text("utf-8"))
        if connection["transport"] == "ipc":
            paths = [Path(_path(connection, name)) for name in _CHANNELS]
            while not all(path.exists() for path in paths):
                yield
        self._connect(context, connection)
        yield from self._conversation()

    def _connect(self, context: Any, connection: dict[str, Any]) -> None:
        import zmq

        for name in _CHANNELS:
            socket = context.socket(zmq.SUB if name == "iopub" else zmq.DEALER)
            self.sockets[name] = socket
            socket.linger = 0
            socket.sndhwm = socket.rcvhwm = 0  # nothing is dropped here
            socket.reconnect_ivl = 10
            if name == "iopub":
                socket.subscribe(b"")
            else:
                socket.identity = wire.FRONT
            ipc = connection["transport"] == "ipc"
            path = _path(connection, name)
            socket.connect(f"ipc://{path}" if ipc else f"tcp://{path.replace('-', ':')}")

    def _conversation(self) -> Iterator[None]:
        """Ask for `kernel_info` on control until it is answered there and heard of on iopub.

        The subscription takes a moment to arrive, so it is asked again. What is said on iopub
        before our last request's `idle`, such as `starting`, is nobody's concern in front.
        """
        control, iopub = self.sockets["control"], self.sockets["iopub"]
        mine, last = self.session.session.encode(), b""
        asked = answered = 0.0
        heard = quiet = False
        while not (answered and (quiet or time.monotonic() > answered + _SILENCE)):
            if not heard and time.monotonic() > asked + 0.1:
                request = wire.pack(self.session, "kernel_info_request", {}, wire.RELAY)
                last, asked = _id_of(request), time.monotonic()
                control.send_multipart(request, copy=False)
            while control.poll(0):
                control.recv_multipart()
                answered = answered or time.monotonic()
            while iopub.poll(0):
                frames = iopub.recv_multipart(copy=False)
                heard = heard or wire.concerns(frames, mine)
                idle = b'"idle"' in wire.header(frames, 3)
                quiet = quiet or (idle and last in wire.header(frames, 1))
            yield

    def _failure(self, reason: str) -> EnvmagicError:
        time.sleep(0.05)  # its last words may be on their way
        words = [line for line in self.said if line.strip()]
        return EnvmagicError(
            "kernel-cannot-start",
            f"The kernel {self.kernel.name!r} does not start: {reason}"
            + (f" ({process.redact(words[-1].strip())})." if words else "."),
            "%env doctor",
            subject=self.kernel.name,
        )


def limit() -> float:
    """Seconds that a kernel may take to answer after its start."""
    return float(os.environ.get("ENVMAGIC_KERNEL_TIMEOUT") or _LIMIT)


def sweep() -> None:
    """Remove the directories of relays that are gone, of this user."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_DIRECTORY}*"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            if hasattr(os, "getuid") and directory.stat().st_uid != os.getuid():
                continue
            relay = json.loads((directory / server_api.RELAY_FILE).read_text("utf-8"))
            if not _is_alive(relay["pid"]):
                shutil.rmtree(directory, ignore_errors=True)


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 where there is neither /proc nor psutil."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(Exception):
        import psutil

        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _launch(kernel: Kernel, setting: Setting, directory: Path) -> Child:
    from jupyter_client.connect import write_connection_file
    from jupyter_client.session import Session

    file = directory / "kernel.json"
    ipc = _ipc_fits(directory)
    write_connection_file(
        str(file),
        transport="ipc" if ipc else "tcp",
        ip=str(directory / "s") if ipc else "127.0.0.1",
        key=setting.key,
        signature_scheme=setting.signature_scheme,
        kernel_name=kernel.name,
    )
    facts = {**setting.relay, "kernel_connection_file": str(file), "kernel": kernel.name}
    (directory / server_api.RELAY_FILE).write_text(json.dumps(facts), "utf-8")
    try:
        started = process.spawn(
            _command(kernel, file, setting.session),
            env=_environment(kernel, setting),
            cwd=setting.directory,
        )
    except process.CommandFailed as error:
        raise EnvmagicError(
            "kernel-cannot-start",
            f"The kernel {kernel.name!r} does not start: {error.reason}.",
            "%env doctor",
            subject=kernel.name,
        ) from error
    session = Session(key=setting.key, signature_scheme=setting.signature_scheme)
    child = Child(kernel, started, directory, session)
    threading.Thread(target=_drain, args=(child, setting.error_output), daemon=True).start()
    return child


def _drain(child: Child, onward: int | None) -> None:
    """Pass the kernel's error output on, and keep its last lines: nobody else reads the pipe."""
    assert child.process.stderr is not None
    with contextlib.suppress(OSError, ValueError), child.process.stderr as pipe:
        for line in pipe:
            child.said.append(line.decode("utf-8", "replace"))
            if onward is not None:
                with contextlib.suppress(OSError):
                    os.write(onward, line)


def _command(kernel: Kernel, file: Path, session: str) -> list[str]:
    words = [w.replace("{connection_file}", str(file)) for w in kernel.argv]
    words = [w.replace("{resource_dir}", str(kernel.directory)) for w in words]
    words[0] = _interpreter(kernel)
    # conda's come behind a program that activates the environment first
    for place in range(1, len(words) - 1):
        if words[place : place + 2] == ["-m", "ipykernel_launcher"]:
            words[place : place + 2] = [str(Path(__file__).with_name("bootstrap.py"))]
            words.append(f"--Session.session={session}")
            break
    return words


def _interpreter(kernel: Kernel) -> str:
    """The program of a kernel; a bare `python` is the one that the spec was installed with."""
    if not re.fullmatch(r"python(3(\.\d+)?)?", kernel.argv[0]):
        return kernel.argv[0]
    # PREFIX/share/jupyter/kernels/NAME
    if len(kernel.directory.parents) > 3:
        prefix = kernel.directory.parents[3]
        near = prefix / ("python.exe" if sys.platform == "win32" else f"bin/{kernel.argv[0]}")
        if near.exists():
            return str(near)
    return sys.executable


def _environment(kernel: Kernel, setting: Setting) -> dict[str, str]:
    """What Jupyter would start the kernel with: the first one's variables and the spec's own.

    What the first kernel's environment had added for itself is taken out.
    """
    first = dict(setting.environment)
    ours = kernel.metadata.get("envmagic")
    to_conda = isinstance(ours, Mapping) and ours.get("backend") == "conda"
    if to_conda or activation.UNDO in first:
        first = activation.deactivated(first)
    outer = first.get("VIRTUAL_ENV")
    if outer:
        scripts = str(Path(outer, "Scripts" if sys.platform == "win32" else "bin"))
        places = first.get("PATH", "").split(os.pathsep)
        if scripts in places:
            places.remove(scripts)
        first["PATH"] = os.pathsep.join(places)
    base = process.clean_environment(base=first)
    if "PYTHONPATH" in first:  # of the shell that started Jupyter; a restart has it too
        base["PYTHONPATH"] = first["PYTHONPATH"]
    for name, value in kernel.env.items():
        base[name] = process.expanded(value, base)
    base["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel ends when that one is gone
    return base


def _ipc_fits(directory: Path) -> bool:
    import zmq

    return zmq.has("ipc") and len(os.fsencode(directory / "s-1")) <= _LONGEST_SOCKET


def _path(connection: dict[str, Any], name: str) -> str:
    """Of a socket, as Jupyter puts it together: `IP-PORT`."""
    return f"{connection['ip']}-{connection[f'{name}_port']}"


def _id_of(frames: wire.Frames) -> bytes:
    identity: str = json.loads(wire.header(frames))["msg_id"]
    return identity.encode()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
