"""What a cell is replaced by that was meant for a kernel which is not there."""

from __future__ import annotations

from envmagic.switching import restart_target, shell_state

__all__ = ["refusal", "refuse"]

# Run in a kernel that may hold an envmagic from before the modules had their folders.
_CODE = """
try:
    from envmagic.switching.refusal import refuse
except ModuleNotFoundError as error:
    if not str(error.name).startswith("envmagic"):
        raise
    from envmagic.switching.moving import refuse
refuse({name!r}, {alive!r})
"""


def refusal(name: str, alive: bool) -> str:
    """What a cell is replaced by that was meant for the kernel `name`, which is not there."""
    return f"exec({_CODE.format(name=name, alive=alive)!r}, {{}})"


def refuse(name: str, alive: bool) -> None:
    """The notebook was to move to the kernel `name` and could not; raises `UsageError`."""
    from IPython.core.error import UsageError
    from IPython.core.getipython import get_ipython

    restart_target.take_back(shell_state.of(get_ipython()).told)
    what = "does not answer" if alive else "has ended"
    raise UsageError(
        f"Not run: the kernel {name!r} {what}, so the notebook stays here with its variables."
    )
