"""A kernel behind the relay: started, found answering, and ended without leaving anything."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.jupyter.connection import RELAY
from envmagic.switching.relay import launch, wire
from envmagic.switching.relay import runtime_directory as directories
from envmagic.switching.relay.hiding import hiding
from envmagic.switching.relay.runtime_directory import sweep
from envmagic.switching.relay.setting import LaunchSetting
from envmagic.switching.start_remedy import StartRemedy, start_remedy
from envmagic.system import process

if TYPE_CHECKING:
    from jupyter_client.session import Session

    from envmagic.core.model import Kernel, Progress

__all__ = ["KernelProcess", "limit", "memory_of", "sweep"]

_LIMIT = 120.0  # seconds a kernel may take to answer; ENVMAGIC_KERNEL_TIMEOUT changes it
_TICK = 0.005  # seconds between two looks
_LONGEST_SOCKET = 100  # bytes; a Unix socket's path may have 103 on macOS
_SILENCE = 3.0  # seconds after which a kernel need not be heard on iopub (not all say `idle`)
_CHUNK = 1 << 16  # bytes of error output that are passed on at once
_KEPT = 1 << 14  # bytes of it that are kept
_SHOWN = 400  # characters of its last line that are told
_CHANNELS = ("shell", "iopub", "stdin", "control")


@dataclass
class KernelProcess:
    """A running kernel, its sockets not yet in any event loop."""

    kernel: Kernel
    process: subprocess.Popen[bytes]
    directory: Path
    session: Session
    sockets: dict[str, Any] = field(default_factory=dict)
    lock: IO[bytes] | None = None
    """Of its directory; says that this process lives."""
    said: bytes = b""
    """The end of its error output."""

    @classmethod
    def start(
        cls,
        kernel: Kernel,
        setting: LaunchSetting,
        progress: Progress,
        wanted: Callable[[], bool] = lambda: True,
    ) -> KernelProcess:
        """Start `kernel` and return when it answers on every channel.

        Raises `EnvmagicError` when it does not come up, or when it is no longer `wanted`; whatever
        is raised, nothing of it is left then.
        """
        if not kernel.argv:
            raise _cannot_start(kernel, "its kernelspec names no program")
        try:
            directory, lock = directories.make()
        except OSError as error:
            raise directories.unusable(kernel.name, error) from error
        try:
            child = _launch(kernel, _told(setting, kernel, directory), directory)
        except BaseException as error:
            lock.close()
            shutil.rmtree(directory, ignore_errors=True)
            if isinstance(error, OSError):
                raise directories.unusable(kernel.name, error) from error
            raise
        child.lock = lock
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
    def connection_file(self) -> Path:
        return self.directory / "kernel.json"

    @property
    def memory(self) -> int:
        """Bytes it holds in memory; 0 where that cannot be read."""
        return memory_of(self.process.pid)

    def end(self) -> None:
        """End it now, with everything it started."""
        process.signal_group(self.process, getattr(signal, "SIGKILL", signal.SIGTERM))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)

    def kill(self) -> None:
        """End it now, and remove what it had."""
        self.end()
        for socket in self.sockets.values():
            socket.close(linger=0)
        self.clean()

    def clean(self) -> None:
        """Remove its directory, and let go of its input."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.lock is not None:
            self.lock.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _await_answer(
        self, setting: LaunchSetting, progress: Progress, wanted: Callable[[], bool]
    ) -> None:
        start, shown = time.monotonic(), 0
        for _ in self._stages(setting.context):
            seconds = time.monotonic() - start
            if not wanted():
                raise EnvmagicError("interrupted", "The start was given up.")
            if self.process.poll() is not None:
                raise self._failure(_ending(self.process.returncode), setting)
            if seconds > limit():
                raise self._failure(f"no answer within {limit():.0f} s", setting)
            if seconds > 5 * (shown + 1):
                shown += 1
                progress.step(f"Starting {self.kernel.name} ({seconds:.0f} s)")
            time.sleep(_TICK)

    def _stages(self, context: Any) -> Iterator[None]:
        """Ends when the kernel answers; yields as long as there is nothing to do but to wait."""
        try:
            connection = json.loads(self.connection_file.read_text("utf-8"))
        except FileNotFoundError:
            while True:  # it has ended and took its directory along: that is seen in a moment
                yield
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

    def _failure(self, reason: str, setting: LaunchSetting) -> EnvmagicError:
        time.sleep(0.05)  # its last words may be on their way
        said = process.redact(self.said.decode("utf-8", "replace")).strip()
        last = said.splitlines()[-1].strip() if said else ""
        hides = hiding(said, setting.directory)
        if len(last) > _SHOWN:
            last = f"…{last[-_SHOWN:]}"
        return _cannot_start(self.kernel, f"{reason} ({last})" if last else reason, hides)


def limit() -> float:
    """Seconds that a kernel may take to answer after its start."""
    return float(os.environ.get("ENVMAGIC_KERNEL_TIMEOUT") or _LIMIT)


def memory_of(pid: int) -> int:
    """Resident bytes of a process; 0 where there is neither /proc nor psutil."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(Exception):
        import psutil

        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _cannot_start(kernel: Kernel, reason: str, hides: Path | None = None) -> EnvmagicError:
    """`hides`: the file that a module of the kernel's is hidden by."""
    helps = start_remedy(kernel)
    if hides:
        helps = StartRemedy(f"It finds {user_path(hides)} in a module's place; rename that.")
    return EnvmagicError(
        "kernel-cannot-start",
        f"The kernel {kernel.name!r} does not start: {reason}.",
        helps.hint,
        command=helps.command,
        tool_command=helps.tool_command,
        subject=kernel.name,
    )


def _told(setting: LaunchSetting, kernel: Kernel, directory: Path) -> LaunchSetting:
    """`setting` for `kernel` alone: with what it is told of the relay, in a directory there is."""
    file = str(directory / "kernel.json")
    facts = {**setting.relay, "kernel_connection_file": file, "kernel": kernel.name}
    variables = {**setting.environment, RELAY: json.dumps(facts)}
    return replace(setting, environment=variables, directory=_standing(setting.directory))


def _standing(directory: Path) -> Path:
    """`directory`; when its folder was renamed, where this process is, which goes along."""
    if not directory.is_dir():
        with contextlib.suppress(OSError):
            return Path.cwd()
    return directory


def _launch(kernel: Kernel, setting: LaunchSetting, directory: Path) -> KernelProcess:
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
    try:
        started = process.spawn(
            launch.command(kernel, file, setting),
            env=launch.environment(kernel, setting),
            cwd=setting.directory,
        )
    except process.CommandFailed as error:
        raise _cannot_start(kernel, error.reason) from error
    session = Session(key=setting.key, signature_scheme=setting.signature_scheme)
    child = KernelProcess(kernel, started, directory, session)
    threading.Thread(target=_drain, args=(child, setting.error_output), daemon=True).start()
    return child


def _drain(child: KernelProcess, onward: int | None) -> None:
    """Pass the kernel's error output on, and keep its end: nobody else reads the pipe."""
    assert child.process.stderr is not None
    with contextlib.suppress(OSError, ValueError), child.process.stderr as pipe:
        while said := os.read(pipe.fileno(), _CHUNK):
            child.said = (child.said + said)[-_KEPT:]
            if onward is not None:
                with contextlib.suppress(OSError):
                    os.write(onward, said)


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
