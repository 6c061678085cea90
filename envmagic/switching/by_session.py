"""Where the relay cannot work: the server is asked to give the notebook another kernel."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import How, Kernel, Progress, Switch, Switched
from envmagic.jupyter import connection, server_api
from envmagic.switching import by_hand, shell_state
from envmagic.switching.carried import NOTHING, UNPACK, taken_from
from envmagic.switching.rest_of_cell import Stopped

__all__ = ["BySession"]

_NAME = """
if named:
    os.environ.setdefault("JPY_SESSION_NAME", named)
"""
_DELAY = 0.3  # seconds after the cell, so that its own output still arrives


@dataclass
class BySession(Switch):
    """A `model.Switch` through the server's session; variables are not kept."""

    shell: Any
    server: server_api.Server
    session: server_api.Session

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
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
        along = taken_from(self.shell) if carry and kernel.language == "python" else NOTHING
        shell_state.of(self.shell).leave = partial(self._leave, kernel, along.packed)
        lost = "other variables" if along.values else "variables"
        come = along.said.replace("came", "come").replace(".", ", ")
        message = f"The server starts it anew within some seconds; {come}{lost} are lost."
        return Switched(How.SESSION, kernel.name, message)

    def _leave(self, kernel: Kernel, carried: str) -> None:
        """Refuse every further cell, ask the server, and end this one with one line; raises."""
        self.shell.ast_transformers.append(_Refusal(kernel.name))
        threading.Thread(target=self._send, args=(kernel, carried), daemon=True).start()
        raise Stopped(
            f"The notebook moves to {kernel.name}. Run the cells below again when it is there."
        )

    def _send(self, kernel: Kernel, carried: str) -> None:
        """Ask the server, later, from a thread; on failure cells run here again."""
        time.sleep(_DELAY)
        try:
            id = self._started(kernel, carried) if carried else None
            body = {"kernel": {"id": id, "name": kernel.name}}
            path = f"api/sessions/{self.session.id}"
            server_api.call(self.server, path, "PATCH", body, timeout=60)
        except (OSError, ValueError, server_api.Refused) as error:
            _allow(self.shell)
            said = str(error).rstrip(".")
            print(
                f"The notebook stays here: the server answered {said!r}. {by_hand.choose(kernel)}"
            )

    def _started(self, kernel: Kernel, carried: str) -> str | None:
        """The id of a `kernel` that was started for the notebook and has what is `carried`; None
        where it cannot be spoken to from here. Raises as `server_api.call`."""
        body = {"name": kernel.name, "path": self.session.path}
        id = str(server_api.call(self.server, "api/kernels", "POST", body, timeout=60)["id"])
        front = connection.connection()
        try:
            assert front is not None
            _give(front.connection_file.with_name(f"kernel-{id}.json"), carried)
        except Exception:  # of many kinds; the server can start another one
            server_api.call(self.server, f"api/kernels/{id}", "DELETE")
            return None
        return id


def _give(file: Path, carried: str) -> None:
    """Have the kernel with that connection file take what is `carried`. Raises if it does not."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels(hb=False)  # a heartbeat that is late counts as a dead kernel
    try:
        client.wait_for_ready(timeout=60)
        # which notebook it is for a server tells to one that it starts for a session
        named = os.environ.get("JPY_SESSION_NAME")
        facts = f"{{'shell': get_ipython(), 'carried': {carried!r}, 'named': {named!r}}}"
        request = client.execute(f"exec({UNPACK + _NAME!r}, {facts})", silent=True)
        while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request:
            pass
    finally:
        client.stop_channels()


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
