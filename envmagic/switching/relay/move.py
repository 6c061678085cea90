"""A change of kernels, from when it was agreed on to when it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envmagic.switching.relay.kernel import RelayedKernel
    from envmagic.switching.relay.wire import Frames

__all__ = ["Move"]


@dataclass
class Move:
    """It happens when the running cell ends."""

    source: RelayedKernel
    target: RelayedKernel
    drop: bool = False
    variables: int = 0
    """How many the source holds; with none it is ended."""
    taken: list[Frames] = field(default_factory=list)
    """What had been queued behind the cell, in order; before it the rest of the cell, if any."""
    interrupted: bool = False
    """By somebody, since the cell was over in the source; its rest is not run."""
    travels: str = ""
    """The id of the request whose rest that is."""

    def interrupt(self) -> None:
        """Somebody interrupts the cell while it goes from one kernel to the other."""
        self.interrupted = True
