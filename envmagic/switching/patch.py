"""Where the relay cannot work: the server is asked to give the notebook another kernel."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from envmagic import server_api
from envmagic.errors import EnvmagicError
from envmagic.model import Asleep, Kernel, Progress, Switched

__all__ = ["Moving", "Patch"]

_DELAY = 0.3  # seconds after the cell, so that its own output still arrives


class Moving(Exception):
    """Ends the cell that asked, so that no cell queued behind it runs in the old environment."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass
class Patch:
    """A `model.Switch` through the server's session; variables are not kept."""

    shell: Any
    server: server_api.Server
    session: server_api.Session

    def check(self) -> None:
        """Never refuses: the server was found already."""

    def to(
        self, kernel: Kernel, progress: Progress, *, drop: bool, keep_saved_name: bool
    ) -> Switched:
        """Returns what will happen; the server is asked when the cell has ended (`leave`)."""
        known = server_api.call(self.server, "api/kernelspecs")["kernelspecs"]
        if kernel.name not in known:
            raise EnvmagicError(
                "not-registered",
                f"The server does not know the kernel {kernel.name!r}.",
                "jupyter kernelspec list",
                subject=kernel.name,
            )
        self.shell._envmagic_patch = (self, kernel)
        message = "The server starts it anew within some seconds; variables are lost."
        return Switched("session", kernel.name, message)

    def asleep(self) -> list[Asleep]:
        """None: nothing is kept."""
        return []

    def named(self, name: str) -> Kernel | None:
        """Nothing special."""
        return None

    def send(self, kernel: Kernel) -> None:
        """Ask the server, later, from a thread; on failure cells run here again."""
        time.sleep(_DELAY)
        body = {"kernel": {"id": None, "name": kernel.name}}
        try:
            path = f"api/sessions/{self.session.id}"
            server_api.call(self.server, path, "PATCH", body, timeout=60)
        except (OSError, ValueError, server_api.Refused) as error:
            _allow(self.shell)
            print(f"The notebook stays here: the server answered {error}.")


def leave(shell: Any) -> None:
    """Refuse every further cell, ask the server, and end this one with one line; raises."""
    patch, kernel = shell._envmagic_patch
    shell._envmagic_patch = None
    shell.ast_transformers.append(_Refusal(kernel.name))
    threading.Thread(target=patch.send, args=(kernel,), daemon=True).start()
    raise Moving(
        f"The notebook moves to {kernel.name}. Run the cells below again when it is there."
    )


@dataclass
class _Refusal:
    name: str

    def visit(self, node: Any) -> Any:
        from IPython.core.error import InputRejected

        raise InputRejected(
            f"Not run: the notebook moves to {self.name}. Run this cell again when it is there."
        )


def _allow(shell: Any) -> None:
    shell.ast_transformers[:] = [t for t in shell.ast_transformers if not isinstance(t, _Refusal)]
