"""The end of the relay's process when the kernel it passes on to has ended."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import Any

__all__ = ["end_with"]

_PATIENCE = 3.0  # seconds for what the sleeping kernel has registered for its exit


def end_with(code: int, main_loop: Any) -> None:
    """End this process as a child with the exit status `code` (negative: a signal) ended.

    The frontend's restarter then does what people know. What was registered for the exit is done,
    but neither it nor a thread that never ends holds the process up.
    """

    def give_up() -> None:
        threading.Event().wait(_PATIENCE)
        _now(code)

    def end() -> None:
        if code >= 0:
            sys.exit(code)  # out of the event loop, and through the usual clean-up
        atexit._run_exitfuncs()
        _now(code)

    threading.Thread(target=give_up, daemon=True).start()
    main_loop.add_callback(end)


def _now(code: int) -> None:
    if code < 0 and sys.platform != "win32":
        _no_core_file()
        # refused for SIGKILL, which needs it not, and outside the main thread
        with contextlib.suppress(OSError, ValueError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 1)


def _no_core_file() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
