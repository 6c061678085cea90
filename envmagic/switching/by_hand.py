"""Where nothing can move the notebook: say which kernel to pick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from envmagic.core.model import How, Kernel, Progress, Switch, Switched
from envmagic.jupyter import connection
from envmagic.switching import shell_state
from envmagic.switching.rest_of_cell import Stopped

__all__ = ["ByHand", "choose"]


def choose(kernel: Kernel) -> str:
    """What the person has to do."""
    return f"Choose the kernel {kernel.display_name!r} in the kernel menu."


@dataclass(frozen=True)
class ByHand(Switch):
    """A `model.Switch` that moves nothing and names the kernel to choose by hand."""

    shell: Any

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        """Return the one line that says which kernel to choose; the cell ends behind it."""
        front = connection.connection()
        if front is not None and connection.kernel_name(front) == kernel.name:
            return Switched(How.ALREADY, kernel.name)
        shell_state.of(self.shell).leave = _leave
        message = "This notebook cannot be moved from here."
        return Switched(How.PICK, kernel.name, message, choose(kernel))


def _leave() -> NoReturn:
    raise Stopped("Stopped here, so that nothing below runs in the old environment.")
