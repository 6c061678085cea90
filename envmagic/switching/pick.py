"""Where nothing can move the notebook: say which kernel to pick."""

from __future__ import annotations

from dataclasses import dataclass

from envmagic.model import Asleep, Kernel, Progress, Switched

__all__ = ["Pick"]


@dataclass(frozen=True)
class Pick:
    """A `model.Switch` that moves nothing and names the kernel to choose by hand."""

    def check(self) -> None:
        """Never refuses: choosing by hand is always possible."""

    def asleep(self) -> list[Asleep]:
        """None: no kernel sleeps where none can be moved away from."""
        return []

    def to(
        self, kernel: Kernel, progress: Progress, *, drop: bool, keep_saved_name: bool
    ) -> Switched:
        """Return the one line that says which kernel to choose; nothing else happens."""
        return Switched(
            how="pick",
            kernel=kernel.name,
            message="This notebook cannot be moved from here.",
            hint=f"Choose the kernel {kernel.display_name!r} in the kernel menu.",
        )

    def named(self, name: str) -> Kernel | None:
        """Nothing special."""
        return None
