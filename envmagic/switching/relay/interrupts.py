"""Interrupts while the notebook goes from one kernel to another: none is lost, none hits twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from envmagic.switching.relay.channel import run_on

if TYPE_CHECKING:
    from envmagic.switching.relay.kernel import RelayedKernel

__all__ = ["Interrupts"]

_A_MOMENT = 0.05  # seconds until a kernel that says what it runs does run it


class Interrupts:
    """Whether a cell is over in one kernel and does not run in the next yet, and whether somebody
    wanted to stop it meanwhile. Methods may be called in any thread."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        """A tornado loop that no cell holds up."""
        self._between = self._came = False
        self._lock = threading.RLock()
        """Held while one is passed on or remembered. A signal's handler may break into its own
        thread."""

    def begin(self) -> None:
        """A cell is over: what comes from now on is meant for what runs next."""
        with self._lock:
            if not self._between:
                self._came = False
            self._between = True

    def take(self) -> bool:
        """Whether one came since the cell was over; it is the caller's from then on."""
        with self._lock:
            came, self._came = self._came, False
        return came

    def cell_runs(self, kernel: RelayedKernel) -> None:
        """The next cell, or the rest of this one, is in the hands of `kernel`."""
        with self._lock:
            self._between = False
            came = self.take()
        if came:
            # a moment later: ipykernel itself must not be hit
            run_on(self._loop, lambda: self._loop.call_later(_A_MOMENT, kernel.interrupt))

    def came(self, pass_on: Callable[[], None]) -> None:
        """Have one passed on to the kernel that runs, or remember it; in the signal's handler."""
        with self._lock:
            if self._between:
                self._came = True
            else:
                pass_on()
