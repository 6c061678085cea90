"""The first cell of a notebook whose environment is not ready: it makes it so, and runs there.

In the place of that cell one statement runs here. The cell itself, as it was typed, is what is left
of it, and goes on in the environment's kernel with all that is queued behind it.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from envmagic.frontends import render
from envmagic.frontends.notebook import magic, place, session
from envmagic.operations import own_kernel
from envmagic.system import import_path

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load_ipython_extension"]

_STATEMENT = "get_ipython().run_line_magic('envmagic', 'sync')\n"
# What these do, they do from anywhere; the others are meant for the notebook's environment.
_ANYWHERE = "plan|status|list|use|create|attach|sync|remove|doctor|autoload|help|version"
_VERB = re.compile(rf"%env(?:magic)?[ \t]+(?:{_ANYWHERE})(?=\s|$)|%load_ext[ \t]+envmagic[ \t]*$")
_CELL = re.compile(r"%%env(?:magic)?(?=\s|$)")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load envmagic, and put off the first cell that a person runs; twice is once."""
    magic.load(shell)
    if session.pending(shell) is None:
        pending = session.Pending()
        session.put_off(shell, pending)
        shell.input_transformers_cleanup.insert(0, _FirstCell(shell, pending))


class _FirstCell:
    """Puts the statement in the place of a cell, as one of IPython's transformations."""

    has_side_effects = True  # not when a frontend asks whether a cell is complete

    def __init__(self, shell: InteractiveShell, pending: session.Pending) -> None:
        self._shell, self._pending = shell, pending

    def __call__(self, lines: list[str]) -> list[str]:
        request = self._request()
        source = "".join(lines).rstrip("\n")
        if request is None or source != request["content"]["code"].rstrip("\n"):
            return lines
        if _does_nothing(lines) or _is_for_anywhere(lines):
            return lines
        with contextlib.suppress(Exception):  # the statement meets it too, and says it
            if self._stays():
                return lines
        self._pending.cell = source
        self._pending.request = request["header"]["msg_id"]
        return [_STATEMENT]

    def _stays(self) -> bool:
        """Whether the cells run here: the session is an ordinary one from now on."""
        with import_path.installed_first():
            here = place.of_notebook(self._shell)
            said = own_kernel.at_home(here.notebook, here.directory)
        if said is None:
            return False
        for problem in said:
            print(render.line(problem))
        session.forget_pending(self._shell)
        self._shell.input_transformers_cleanup.remove(self)
        return True

    def _request(self) -> dict[str, Any] | None:
        """The request to run a person's cell that is handled now."""
        kernel = getattr(self._shell, "kernel", None)
        if kernel is None:
            return None
        request: dict[str, Any] = kernel.get_parent("shell") or {}
        content = request.get("content", {})
        if request.get("header", {}).get("msg_type") != "execute_request":
            return None
        is_a_persons = not content.get("silent") and content.get("store_history", True)
        return request if is_a_persons else None


def _does_nothing(lines: list[str]) -> bool:
    return all(not line.strip() or line.lstrip().startswith("#") for line in lines)


def _is_for_anywhere(lines: list[str]) -> bool:
    """Whether the cell is `%%env`, or has only verbs that do not need the environment."""
    code = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return bool(_CELL.match(code[0])) or all(_VERB.match(line) for line in code)
