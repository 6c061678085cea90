"""What a cell is replaced by that was meant for a kernel which is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envmagic.switching import restart_target

if TYPE_CHECKING:
    pass

__all__ = ["refusal", "refuse"]


def refusal(name: str, alive: bool) -> str:
    """What a cell is replaced by that was meant for the kernel `name`, which is not there."""
    return f"__import__({__name__!r}, fromlist=['refuse']).refuse({name!r}, {alive!r})"


def refuse(name: str, alive: bool) -> None:
    """The notebook was to move to the kernel `name` and could not; raises `UsageError`."""
    from IPython.core.error import UsageError
    from IPython.core.getipython import get_ipython

    restart_target.take_back(get_ipython()._envmagic_told)
    what = "does not answer" if alive else "has ended"
    raise UsageError(
        f"Not run: the kernel {name!r} {what}, so the notebook stays here with its variables."
    )
