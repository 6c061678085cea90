"""Where the relay cannot work: the server is asked to give the notebook another kernel."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import How, Kernel, Progress, Switch, Switched
from envmagic.jupyter import server_api
from envmagic.switching import by_hand, shell_state
from envmagic.switching.rest_of_cell import Stopped

__all__ = ["BySession"]

_DELAY = 0.3  # seconds after the cell, so that its own output still arrives


@dataclass
class BySession(Switch):
    """A `model.Switch` through the server's session; variables are not kept."""

    shell: Any
    server: server_api.Server
    session: server_api.Session

    def to(
        self, kernel: Kernel, progress: Progress, *, drop: bool, keep_saved_name: bool
    ) -> Switched:
        """Returns what will happen; the server is asked when the cell has ended (`_leave`)."""
        if kernel.name == self.session.kernel_name:
            return Switched(How.ALREADY, kernel.name)
        try:
            known = server_api.call(self.server, "api/kernelspecs")["kernelspecs"]
        except (OSError, ValueError, server_api.Refused) as error:
            raise EnvmagicError(
                "cannot-switch", f"The server answered: {error}.", by_hand.choose(kernel)
            ) from error
        if kernel.name not in known:
            raise EnvmagicError(
                "not-registered",
                f"The server does not know the kernel {kernel.name!r}.",
                "jupyter kernelspec list",
                subject=kernel.name,
            )
        shell_state.of(self.shell).leave = partial(self._leave, kernel)
        message = "The server starts it anew within some seconds; variables are lost."
        return Switched(How.SESSION, kernel.name, message)

    def _leave(self, kernel: Kernel) -> None:
        """Refuse every further cell, ask the server, and end this one with one line; raises."""
        self.shell.ast_transformers.append(_Refusal(kernel.name))
        threading.Thread(target=self._send, args=(kernel,), daemon=True).start()
        raise Stopped(
            f"The notebook moves to {kernel.name}. Run the cells below again when it is there."
        )

    def _send(self, kernel: Kernel) -> None:
        """Ask the server, later, from a thread; on failure cells run here again."""
        time.sleep(_DELAY)
        body = {"kernel": {"id": None, "name": kernel.name}}
        try:
            path = f"api/sessions/{self.session.id}"
            server_api.call(self.server, path, "PATCH", body, timeout=60)
        except (OSError, ValueError, server_api.Refused) as error:
            _allow(self.shell)
            said = str(error).rstrip(".")
            print(
                f"The notebook stays here: the server answered {said!r}. {by_hand.choose(kernel)}"
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
