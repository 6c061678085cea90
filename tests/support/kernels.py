"""A real kernel, started from its kernelspec and asked to run code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager


@dataclass
class Ran:
    """What one cell gave: its reply's status and everything that came over iopub for it."""

    status: str = "?"
    stdout: str = ""
    stderr: str = ""
    result: str = ""
    """`text/plain` of the cell's value."""
    displays: list[dict[str, Any]] = field(default_factory=list)
    """Bundles of `display_data` and of the value, updates applied in place."""
    error: str = ""
    """`Name: value` of an exception, empty otherwise."""
    traceback: str = ""
    count: int | None = None
    """The prompt number."""

    @property
    def text(self) -> str:
        """All that a person reads: streams, displays as plain text, the error."""
        shown = [str(bundle.get("text/plain", "")) for bundle in self.displays]
        return "\n".join([self.stdout, self.stderr, *shown, self.error]).strip()


class RunningKernel:
    """A started kernel; `run` executes code in it and returns what came back."""

    def __init__(
        self,
        name: str,
        cwd: Path,
        env: dict[str, str] | None = None,
        notebook: Path | None = None,
    ) -> None:
        """With `notebook` it is started as a server starts it for that one."""
        self.stopped = False
        self.manager = KernelManager(kernel_name=name)
        if notebook is not None:
            file = Path(os.environ["JUPYTER_RUNTIME_DIR"], f"kernel-{uuid.uuid4()}.json")
            file.parent.mkdir(parents=True, exist_ok=True)
            self.manager.connection_file = str(file)
            env = {**(env or {}), "JPY_SESSION_NAME": str(notebook)}
        spec = self.manager.kernel_spec
        assert spec is not None, name
        variables = {**os.environ, **(env or {})}
        # jupyter_client puts its own interpreter for a bare `python`
        if spec.argv[0] not in ("python", "python3", sys.executable):
            variables.pop("PYTHONPATH", None)  # a checkout on it would hide a missing envmagic
            variables |= {k: v for k, v in (env or {}).items() if k == "PYTHONPATH"}
        self.manager.start_kernel(cwd=str(cwd), env=variables)
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=60)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Of the process the frontend (this test) started."""
        pid: int = self.manager.provisioner.pid  # type: ignore[union-attr]
        return pid

    def run(self, code: str, *, timeout: float = 120, check: bool = True) -> Ran:
        """Execute `code` and wait for its reply and `idle`.

        With `check` an error in the cell is an AssertionError that shows it.
        """
        request = self.client.execute(code, allow_stdin=False, stop_on_error=check)
        ran = self._listen(request, time.monotonic() + timeout)
        reply = self._reply(request, timeout)
        ran.status = reply["status"]
        ran.count = reply.get("execution_count")
        assert not check or ran.status == "ok", f"{code}\n{ran.status}\n{ran.text}\n{ran.traceback}"
        return ran

    def begin(self, code: str) -> str:
        """Execute `code` without waiting; returns the request's id.

        An error in it leaves what is sent behind it alone.
        """
        request: str = self.client.execute(code, stop_on_error=False)
        return request

    def begin_and_hear(self, code: str, word: str) -> str:
        """Begin `code` and wait until it has printed `word`: from then on the cell itself runs."""
        request, said = self.begin(code), ""
        while word not in said:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                said += message["content"].get("text", "")
        return request

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        """Restart as a frontend does, and wait until it answers."""
        self.manager.restart_kernel(now=False)
        self.client.wait_for_ready(timeout=60)

    def stop(self) -> None:
        """Shut down as a frontend does; twice is once."""
        if self.stopped:
            return
        self.stopped = True
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)
        self.manager.cleanup_resources()

    def _reply(self, request: str, timeout: float = 60) -> dict[str, Any]:
        while True:
            message = self.client.get_shell_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = message["content"]
                return content

    def _listen(self, request: str, end: float) -> Ran:
        ran = Ran()
        by_id: dict[str, dict[str, Any]] = {}
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            except Empty:
                self._show_stacks()
                raise
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return ran
            _take(ran, by_id, kind, content)

    def _show_stacks(self) -> None:
        """Let the kernels that are silent say what each thread does: ipykernel does, on standard
        error, when it is ended by this signal."""
        parent = psutil.Process(self.pid)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGABRT)
        time.sleep(1)


def wait_until_taken(client: BlockingKernelClient, seconds: float = 60) -> None:
    """Wait until the kernel runs cells again after an error that stopped its queue.

    It drops for a moment what arrives right after its reply, on a busy machine for longer.
    """
    end = time.monotonic() + seconds
    status = "aborted"
    while status == "aborted" and time.monotonic() < end:
        request = client.execute("", silent=True, stop_on_error=False)
        parent = None
        while parent != request:
            message = client.get_shell_msg(timeout=max(0.1, end - time.monotonic()))
            parent = message["parent_header"].get("msg_id")
        status = message["content"]["status"]
    assert status == "ok", status


def wait_until_ready(client: BlockingKernelClient, seconds: float = 60) -> None:
    """Wait until a kernel that something else started answers `client`.

    jupyter_client takes a heartbeat that is a second late for a dead kernel; on a busy machine one
    that is starting may well be that late.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            client.wait_for_ready(timeout=max(1.0, end - time.monotonic()))
            return
        except RuntimeError:
            if time.monotonic() > end:
                raise


def _take(ran: Ran, by_id: dict[str, dict[str, Any]], kind: str, content: dict[str, Any]) -> None:
    """Add one iopub message to what the cell gave."""
    if kind == "stream":
        setattr(ran, content["name"], getattr(ran, content["name"]) + content["text"])
    elif kind == "error":
        ran.error = f"{content['ename']}: {content['evalue']}"
        ran.traceback = "\n".join(content["traceback"])
    elif kind in ("display_data", "execute_result", "update_display_data"):
        identity = (content.get("transient") or {}).get("display_id", "")
        if kind == "update_display_data" and identity in by_id:
            by_id[identity].clear()
            by_id[identity].update(content["data"])
            return
        ran.displays.append(content["data"])
        by_id[identity] = content["data"]
        if kind == "execute_result":
            ran.result = content["data"].get("text/plain", "")
