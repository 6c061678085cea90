"""Where nothing can move the notebook: say which kernel to pick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from envmagic.core.model import Asleep, Kernel, Progress, Switched
from envmagic.jupyter import connection
from envmagic.switching.rest_of_cell import Stopped

__all__ = ["Pick", "choose"]


def choose(kernel: Kernel) -> str:
    """What the person has to do."""
    return f"Choose the kernel {kernel.display_name!r} in the kernel menu."


@dataclass(frozen=True)
class Pick:
    """A `model.Switch` that moves nothing and names the kernel to choose by hand."""

    shell: Any

    def check(self) -> None:
        """Never refuses: choosing by hand is always possible."""

    def asleep(self) -> list[Asleep]:
        """None: no kernel sleeps where none can be moved away from."""
        return []

    def to(
        self, kernel: Kernel, progress: Progress, *, drop: bool, keep_saved_name: bool
    ) -> Switched:
        """Return the one line that says which kernel to choose; the cell ends behind it."""
        front = connection.connection()
        if front is not None and connection.kernel_name(front) == kernel.name:
            return Switched("already", kernel.name)
        self.shell._envmagic_leave = _leave
        message = "This notebook cannot be moved from here."
        return Switched("pick", kernel.name, message, choose(kernel))

    def is_current(self, kernel: Kernel) -> bool:
        """Always: no other could be told apart."""
        return True

    def named(self, name: str) -> Kernel | None:
        """Nothing special."""
        return None


def _leave() -> NoReturn:
    raise Stopped("Stopped here, so that nothing below runs in the old environment.")
