"""A kernel that a relay passes messages to, in whichever process, and the move to another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Kernel

if TYPE_CHECKING:
    from envmagic.switching.relay.wire import Frames

__all__ = ["ARRIVE", "Move", "RelayedKernel", "kernel_from"]


# Prompt numbers go on, and `In[n]` is the cell with the number n: what lies between is empty. The
# rest of a cell that comes back has a number which is in the history already. VS Code says which
# notebook it is in a variable of the kernel that it started. Packages may have come meanwhile.
ARRIVE = """
import importlib
importlib.invalidate_caches()
history = shell.history_manager
if count < shell.execution_count:
    history.writeout_cache()
    history.new_session()
shell.execution_count = count
for cells in (history.input_hist_parsed, history.input_hist_raw):
    cells[count:] = [""] * (count - len(cells))
if notebook is not None:
    shell.user_ns.setdefault("__vsc_ipynb_file__", notebook)
"""
"""Run in a kernel before it is given messages: `shell`, `count` and `notebook` are bound."""


class RelayedKernel(Protocol):
    """A kernel that messages can be given to."""

    name: str
    variables: int
    """How many variables it held when it was left."""
    used: bool
    """It has run a cell, so ending it would lose something."""
    empty: bool
    """Nothing but verbs and imports had run in it when it was left."""

    @property
    def alive(self) -> bool: ...

    @property
    def memory(self) -> int: ...

    def take_shell(self, frames: Frames) -> Awaitable[None] | None:
        """On the shell loop."""
        ...

    def take_control(self, frames: Frames) -> Awaitable[None] | None:
        """On the control loop."""
        ...

    async def control_done(self) -> None:
        """Until every control message it was given is answered."""
        ...

    async def all_said(self) -> None:
        """Until everything it said on iopub before it was left has gone out in front, at least that
        the cell is over."""
        ...

    async def arrive(self, count: int, carried: str = "") -> None:
        """Until it can be given messages, has what is `carried`, and `count` is its next prompt
        number."""
        ...

    def expect(self, request: str, runs: Callable[[], None]) -> None:
        """The rest of a cell will come as that request; it was announced in front already.

        `runs` is called, in any thread, when it begins.
        """
        ...

    def interrupt(self) -> None:
        """As Jupyter interrupts a kernel."""
        ...

    def pass_interrupt_on(self) -> None:
        """The relay's process got the signal; in its handler."""
        ...


@dataclass
class Move:
    """It happens when the running cell ends."""

    source: RelayedKernel
    target: RelayedKernel
    drop: bool = False
    variables: int = 0
    """How many the source holds."""
    empty: bool = False
    """Nothing but verbs and imports ran in the source; it is ended then."""
    carried: str = ""
    """What comes along from the source to a target that just started; see `switching.carried`."""
    taken: list[Frames] = field(default_factory=list)
    """What had been queued behind the cell, in order; before it the rest of the cell, if any."""
    interrupted: bool = False
    """By somebody, since the cell was over in the source; its rest is not run."""
    travels: str = ""
    """The id of the request whose rest that is."""

    def interrupt(self) -> None:
        """Somebody interrupts the cell while it goes from one kernel to the other."""
        self.interrupted = True


def kernel_from(content: dict[str, Any]) -> Kernel:
    """The kernel in a message; raises `EnvmagicError` when it cannot be read."""
    try:
        return Kernel(
            name=content["name"],
            directory=Path(content["directory"]),
            display_name=content["display_name"],
            argv=tuple(content["argv"]),
            language=content["language"],
            env=content["env"],
            metadata=content["metadata"],
        )
    except (KeyError, TypeError) as error:
        raise EnvmagicError("protocol", f"A kernel was not understood: {error}.") from error
