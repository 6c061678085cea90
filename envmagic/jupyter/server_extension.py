"""In the Jupyter server: what a kernel restarts as, after the notebook has moved.

The server goes on believing in the kernelspec it started. `PUT envmagic/kernels/ID {"name": NAME}`
tells it another, `{"undo": NAME}` takes that back; so does a note in the runtime directory, for
kernels that may not ask because the server has a password only. With `"shows": DISPLAY_NAME` it is
shown as another than a restart starts, with that alone as what its process has become. The pages
that are open hear of it as an event, and a page that is loaded later asks `GET`. Enabled wherever
envmagic is installed beside the server.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import stat
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from envmagic.jupyter import last_place
from envmagic.jupyter.restart_fallback import point, watch
from envmagic.system import unforeseen

__all__ = ["NOTES"]

NOTES = "envmagic-restart-*.json"
_WRITTEN = "envmagic-restart-*.*"
"""Also one that was not yet complete when its kernel was killed."""
_PATH = r"envmagic/kernels/(?P<kernel_id>[\w-]+)"
_INTERVAL = 500  # milliseconds between two looks for notes
_LOOKS = 5  # after a change; a file system's clock may stand still for 2 s (FAT)
_LIFE = 10.0  # seconds a note is followed; its kernel waits for 1.5, and may have been killed
_SCHEMA = "urn:envmagic:kernel-label"
_PROPERTIES = ("kernel_id", "name", "display_name")
_USER = os.getuid() if hasattr(os, "getuid") else None
_before: MutableMapping[Any, tuple[str, Any, Any]] = WeakKeyDictionary()
"""Kernel manager -> the name, the kernelspec and what was shown before the last change."""
_shown: MutableMapping[Any, tuple[Any, str]] = WeakKeyDictionary()
"""Kernel manager -> a process started by it, and what that is shown as since it has moved."""
_became: MutableMapping[Any, tuple[Any, str]] = WeakKeyDictionary()
"""Kernel manager -> a process started by it, and the display name of what that has become."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "envmagic.jupyter.server_extension"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from jupyter_server.utils import url_path_join
    from tornado.ioloop import PeriodicCallback

    application = server.web_app
    base_url = application.settings["base_url"]
    server.event_logger.register_event_schema(
        {
            "$id": _SCHEMA,
            "version": "1",
            "title": "What a kernel is called since its notebook has moved",
            "type": "object",
            "properties": {name: {"type": "string"} for name in _PROPERTIES},
            "required": list(_PROPERTIES),
        }
    )
    handlers = {
        _PATH: _handler(),
        last_place.PATH: last_place.handler(last_place.LastPlaces(server)),
    }
    urls = [(url_path_join(base_url, path), handler) for path, handler in handlers.items()]
    application.add_handlers(".*$", urls)
    _fall_back_at_restarts(server)
    notes = _RestartNotes(server)
    PeriodicCallback(notes.look, _INTERVAL).start()


def _fall_back_at_restarts(server: Any) -> None:
    """Whoever asks for a restart gets a kernel: the one that the notebook first had, where what
    would be started is gone."""
    kernels = server.kernel_manager
    restart = kernels.restart_kernel

    async def restart_kernel(kernel_id: str, *words: Any, **options: Any) -> Any:
        manager = kernels.get_kernel(kernel_id)
        watch(manager, server.kernel_spec_manager)
        name = manager.kernel_name
        done = restart(kernel_id, *words, **options)
        result = await done if inspect.isawaitable(done) else done
        if manager.kernel_name != name:
            _announce(server.event_logger, kernels, kernel_id)
        return result

    kernels.restart_kernel = restart_kernel


def follow(wish: Any, kernels: Any, specs: Any, kernel_id: str) -> None:
    """Do what `wish`, as it was sent or left in a note, asks for.

    Raises `ValueError` when it is not understood, `KeyError` when there is no such kernel or
    kernelspec.
    """
    from jupyter_client.kernelspec import NoSuchKernel

    keys = ("name", "undo", "shows")
    name, undo, shows = (wish.get(key) if isinstance(wish, dict) else None for key in keys)
    try:
        if isinstance(undo, str):
            undone(kernels, specs, kernel_id, undo)
        elif isinstance(name, str):
            restart_as(kernels, specs, kernel_id, name, keep_name=bool(wish.get("keep_name")))
            if isinstance(shows, str):
                manager = kernels.get_kernel(kernel_id)
                _shown[manager] = _process(manager), shows
        elif isinstance(shows, str):
            manager = kernels.get_kernel(kernel_id)
            _became[manager] = _process(manager), shows
        else:
            raise ValueError("the name of a kernelspec is missing")
    except NoSuchKernel as error:
        raise KeyError(str(error)) from error


def restart_as(kernels: Any, specs: Any, kernel_id: str, name: str, *, keep_name: bool) -> None:
    """Have the kernel restart as the kernelspec `name`.

    With `keep_name` the server goes on calling it as it does. Raises `KeyError` or `NoSuchKernel`
    when there is no such kernel or kernelspec.
    """
    manager = kernels.get_kernel(kernel_id)
    spec = specs.get_kernel_spec(name)
    watch(manager, specs)
    _before[manager] = manager.kernel_name, manager.kernel_spec, _shown.pop(manager, None)
    point(manager, manager.kernel_name if keep_name else name, spec)


def undone(kernels: Any, specs: Any, kernel_id: str, name: str) -> None:
    """Take `restart_as` with `name` back; nothing when that was not the last change.

    Raises as `restart_as` does.
    """
    manager = kernels.get_kernel(kernel_id)
    if manager.kernel_spec.resource_dir == specs.get_kernel_spec(name).resource_dir:
        _shown.pop(manager, None)
        name, spec, shown = _before.pop(manager, (manager.kernel_name, manager.kernel_spec, None))
        point(manager, name, spec)
        if shown is not None:
            _shown[manager] = shown


def _process(manager: Any) -> tuple[object, object]:
    """What is another after a restart, and while a restart is to start something else."""
    return getattr(manager.provisioner, "pid", None), manager.kernel_spec.resource_dir


def _shows(manager: Any) -> str:
    for known in (_shown, _became):
        process, shows = known.get(manager, (None, ""))
        if process == _process(manager):
            return shows
    return str(manager.kernel_spec.display_name)


def label(kernels: Any, kernel_id: str) -> dict[str, str]:
    """The name a notebook on the kernel saves, and what it is shown as.

    Raises `KeyError` when there is no such kernel, or one whose kernelspec nobody knows.
    """
    if kernel_id not in kernels:
        raise KeyError(kernel_id)
    manager = kernels.get_kernel(kernel_id)
    try:
        values = (kernel_id, manager.kernel_name, _shows(manager))
    except AttributeError as error:  # not of this machine
        raise KeyError(kernel_id) from error
    return dict(zip(_PROPERTIES, values, strict=True))


def _announce(events: Any, kernels: Any, kernel_id: str) -> None:
    events.emit(schema_id=_SCHEMA, data=label(kernels, kernel_id))


def _handler() -> type:
    from jupyter_server.auth.decorator import authorized
    from jupyter_server.base.handlers import APIHandler
    from tornado import web

    class RestartAs(APIHandler):  # type: ignore[misc]
        auth_resource = "kernels"

        @web.authenticated  # type: ignore[untyped-decorator]
        @authorized  # type: ignore[untyped-decorator]
        async def get(self, kernel_id: str) -> None:
            try:
                self.finish(json.dumps(label(self.kernel_manager, kernel_id)))
            except KeyError as error:
                raise web.HTTPError(404, f"no such kernel: {kernel_id}") from error
            except Exception as error:
                raise web.HTTPError(500, unforeseen.logged(error, "the server")) from None

        @web.authenticated  # type: ignore[untyped-decorator]
        @authorized  # type: ignore[untyped-decorator]
        async def put(self, kernel_id: str) -> None:
            wish = self.get_json_body()
            try:
                follow(wish, self.kernel_manager, self.kernel_spec_manager, kernel_id)
            except ValueError as error:
                raise web.HTTPError(400, str(error)) from error
            except (KeyError, web.HTTPError) as error:
                raise web.HTTPError(404, "no such kernel or kernelspec") from error
            except Exception as error:
                raise web.HTTPError(500, unforeseen.logged(error, "the server")) from None
            _announce(self.event_logger, self.kernel_manager, kernel_id)
            self.finish(json.dumps(label(self.kernel_manager, kernel_id)))

    return RestartAs


class _RestartNotes:
    """Reads the notes of kernels that may not ask; one that was followed or is old is removed."""

    def __init__(self, server: Any) -> None:
        from jupyter_core.paths import jupyter_runtime_dir

        self._server = server
        self._directory = Path(jupyter_runtime_dir())
        self._changed = 0
        self._looks = 0

    def look(self) -> None:
        """Follow what is new. What is written within the same tick of the file system's clock as
        the last look leaves the directory's time as it was, so there are more looks after one."""
        with contextlib.suppress(OSError):
            changed = self._directory.stat().st_mtime_ns
            if changed != self._changed:
                self._changed, self._looks = changed, _LOOKS
            if self._looks:
                self._looks -= 1
                for note in self._directory.glob(_WRITTEN):
                    self._take(note)

    def _take(self, note: Path) -> None:
        """Only its own user may have written it; a kernel of another server is left to that."""
        with contextlib.suppress(OSError):
            facts = note.lstat()
            if not stat.S_ISREG(facts.st_mode) or (_USER is not None and facts.st_uid != _USER):
                return
            if time.time() - facts.st_mtime > _LIFE:
                note.unlink()
            elif note.match(NOTES) and (os.name == "nt" or not facts.st_mode & 0o077):
                self._follow(note)

    def _follow(self, note: Path) -> None:
        try:
            wish = json.loads(note.read_text("utf-8"))
            kernels, specs = self._server.kernel_manager, self._server.kernel_spec_manager
            if wish["kernel_id"] not in kernels:
                return
            follow(wish, kernels, specs, wish["kernel_id"])
            note.unlink()
            _announce(self._server.event_logger, kernels, wish["kernel_id"])
        except (OSError, ValueError, KeyError, TypeError):
            self._server.log.debug("envmagic: a note was not understood: %s", note)
        except Exception as error:
            self._server.log.warning("%s", unforeseen.logged(error, "the server"))
            with contextlib.suppress(OSError):
                note.unlink()
