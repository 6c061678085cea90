"""A kernel that is started before anybody can move to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Silent
from envmagic.switching.relay.child_process import KernelProcess
from envmagic.switching.relay.setting import LaunchSetting
from envmagic.system import prefix_layout

if TYPE_CHECKING:
    from envmagic.core.model import Kernel, Progress

__all__ = ["EarlyStart"]

_TICK = 0.05  # seconds between two looks at whether it is still wanted
_STEP = 5.0  # seconds between two words about it


class EarlyStart:
    """The start of `kernel` in a thread of its own; its kernelspec may not be written yet."""

    def __init__(self, kernel: Kernel, setting: LaunchSetting) -> None:
        self._kernel, self._setting = kernel, setting
        self._wanted = True
        self._running: KernelProcess | None = None
        self._thread = threading.Thread(target=self._start, daemon=True)

    def begin(self) -> None:
        """Start it; whoever has it can end it from here on."""
        self._thread.start()

    def _start(self) -> None:
        with contextlib.suppress(Exception):  # the ordinary start says why
            started = KernelProcess.start(
                self._kernel, self._setting, Silent(), lambda: self._wanted
            )
            self._running = started
            if not self._wanted:  # and nobody may have waited for it
                started.kill()

    def give_up(self) -> None:
        """End it, wherever its start is, and wait for its end; twice is once."""
        self._wanted = False
        if self._thread.ident is not None:
            self._thread.join()
        if self._running is not None:
            self._running.kill()
            self._running = None

    def taken(
        self, kernel: Kernel, progress: Progress, wanted: Callable[[], bool]
    ) -> KernelProcess | None:
        """It as `kernel`, which has been registered since, when it answers; None where it is
        another or has failed. Raises `EnvmagicError` when it is not `wanted` any more; whatever is
        raised, nothing of it is left then."""
        try:
            self._await(kernel, progress, wanted)
            running = self._running
            if running is None or not running.alive or not self._is(kernel):
                self.give_up()
                return None
        except BaseException:
            self.give_up()
            raise
        running.kernel = kernel
        self._running = None
        return running

    def _await(self, kernel: Kernel, progress: Progress, wanted: Callable[[], bool]) -> None:
        began, shown = time.monotonic(), 0
        while self._thread.is_alive():
            if not wanted():
                raise EnvmagicError("interrupted", "The start was given up.")
            self._thread.join(_TICK)
            seconds = time.monotonic() - began
            if seconds > _STEP * (shown + 1):
                shown += 1
                progress.step(f"Starting {kernel.name} ({seconds:.0f} s)")

    def _is(self, kernel: Kernel) -> bool:
        """Whether `kernel` is started in the same way; where its launcher lies does not matter."""
        was = self._kernel
        same = was.name == kernel.name and was.prefix is not None and kernel.prefix is not None
        if not same or not prefix_layout.same(was.prefix, kernel.prefix):
            return False
        return was.argv[0] == kernel.argv[0] and dict(was.env) == dict(kernel.env)
