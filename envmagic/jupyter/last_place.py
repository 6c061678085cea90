"""In the Jupyter server: where a notebook was whose kernel has been shut down.

`%%env` leaves the name of the kernel in the notebook as it is. So what is started for the notebook
by that name next comes up where it was, as a restart does. The server keeps this for as long as it
runs: it goes along when the notebook is renamed, and is gone with the file, after another kernel
was chosen, and where what it leads to cannot start. `DELETE envmagic/notebooks/PATH` forgets it
too; a page asks for that when a person chooses the kernel of the saved name itself.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable
from typing import Any

from envmagic.jupyter.restart_fallback import can_start, point, watch

__all__ = ["PATH", "LastPlaces", "handler"]

PATH = r"envmagic/notebooks/(?P<path>.+)"


class LastPlaces:
    """The places of the notebooks of a server that have no kernel."""

    def __init__(self, server: Any) -> None:
        self._kernels = server.kernel_manager
        self._sessions = server.session_manager
        self._specs = server.kernel_spec_manager
        self._known: dict[str, tuple[str, str]] = {}
        """Path -> the kernel that the notebook names, and the one that it was in."""
        self._shut_down: Callable[..., Any] = self._kernels.shutdown_kernel
        self._create: Callable[..., Any] = self._sessions.create_session
        self._kernels.shutdown_kernel = self._shutdown_kernel
        self._sessions.create_session = self._create_session
        with contextlib.suppress(AttributeError):  # files of another kind, or an older server
            about_files = server.contents_manager.event_schema_id
            server.event_logger.add_listener(schema_id=about_files, listener=self._heard)

    def forget(self, path: str, moved_to: str = "") -> None:
        """What is known of the notebook `path`, or of all in the directory of that name; with
        `moved_to` that is where they are now."""
        path = path.strip("/")
        for one in list(self._known):
            if one == path or one.startswith(f"{path}/"):
                place = self._known.pop(one)
                if moved_to:
                    self._known[moved_to.strip("/") + one[len(path) :]] = place

    async def _heard(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data["action"] == "delete":
            self.forget(data["path"])
        elif data["action"] == "rename":
            self.forget(data["source_path"], data["path"])

    def _shutdown_kernel(self, kernel_id: str, *words: Any, **options: Any) -> Any:
        with contextlib.suppress(Exception):  # then it is as it would be without us
            self._remember(kernel_id)
        return self._shut_down(kernel_id, *words, **options)

    def _remember(self, kernel_id: str) -> None:
        manager = self._kernels.get_kernel(kernel_id)
        named = self._specs.get_kernel_spec(manager.kernel_name).resource_dir
        runs = manager.kernel_spec.resource_dir
        if runs == named:
            return
        names = [name for name, place in self._specs.find_kernel_specs().items() if place == runs]
        query = "SELECT path FROM session WHERE kernel_id=? AND type='notebook'"
        for (path,) in self._sessions.cursor.execute(query, (kernel_id,)).fetchall():
            self._known[path.strip("/")] = manager.kernel_name, names[0]

    async def _create_session(self, *words: Any, **options: Any) -> Any:
        kernel = options.get("kernel_name") or self._kernels.default_kernel_name
        saved, target = self._taken(str(options.get("path")), options.get("name"))
        if saved == kernel and not options.get("kernel_id") and self._can_start(target):
            try:
                model = await self._create(*words, **{**options, "kernel_name": target})
            except Exception:  # it starts as the notebook says
                self._sessions.log.debug("envmagic: %s did not start", target, exc_info=True)
            else:
                return await self._called(saved, model)
        return await self._create(*words, **options)

    def _taken(self, path: str, name: str | None) -> tuple[str, str]:
        """What is known of the notebook of a new session, which is forgotten; else nothing.

        JupyterLab begins with another path in the notebook's directory and corrects that later.
        """
        path = path.strip("/")
        for one in (path, posixpath.join(posixpath.dirname(path), name or "")):
            if one in self._known:
                return self._known.pop(one)
        return "", ""

    def _can_start(self, name: str) -> bool:
        with contextlib.suppress(Exception):  # no such kernel any more
            return can_start(self._specs.get_kernel_spec(name))
        return False

    async def _called(self, saved: str, model: Any) -> Any:
        """The session `model`, its kernel called `saved` from now on, as after a restart."""
        manager = self._kernels.get_kernel(model["kernel"]["id"])
        spec = manager.kernel_spec
        point(manager, saved, self._specs.get_kernel_spec(saved))
        watch(manager, self._specs)
        point(manager, saved, spec)
        return await self._sessions.get_session(session_id=model["id"])


def handler(places: LastPlaces) -> type:
    """What forgets a notebook's place when a page asks for it."""
    from jupyter_server.auth.decorator import authorized
    from jupyter_server.base.handlers import APIHandler
    from tornado import web

    class Forget(APIHandler):  # type: ignore[misc]
        auth_resource = "sessions"

        @web.authenticated  # type: ignore[untyped-decorator]
        @authorized  # type: ignore[untyped-decorator]
        async def delete(self, path: str) -> None:
            places.forget(path)
            self.set_status(204)
            self.finish()

    return Forget
