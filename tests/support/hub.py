"""A real JupyterHub below a base URL, whose users' servers are started as the hub's own user."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.lab import free_port

# What tells pip and uv that packages come from disk, as the tests have it.
_INSTALLERS = ("PIP_", "UV_")
# What the tests do on the hub itself.
_SCOPES = ["admin:users", "admin:servers", "access:servers", "tokens"]
_CONFIGURATION = """\
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/base/"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{directory}/cookie_secret"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.ConfigurableHTTPProxy.pid_file = "{directory}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": {scopes}}}]
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{directory}/home/{{username}}"
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root", "--MultiKernelManager.default_kernel_name=envmagic"]
c.Spawner.environment = {variables}
"""


class Hub:
    """Use as a context manager."""

    def __init__(self, directory: Path, proxy: Path) -> None:
        self.directory, self.token = directory, secrets.token_hex()
        self.port = free_port()
        self.log = directory / "hub.log"
        variables = {n: v for n, v in os.environ.items() if n.startswith(_INSTALLERS)}
        configuration = directory / "jupyterhub_config.py"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                hub_port=free_port(),
                proxy_port=free_port(),
                proxy=proxy,
                python=sys.executable,
                token=self.token,
                scopes=_SCOPES,
                directory=directory,
                variables=variables,
            )
        )
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(configuration)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Hub:
        try:
            self._until(lambda: self.ask("hub/api/") is not None)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the hub, which ends the servers of its users and the proxy."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def home(self, user: str) -> Path:
        return self.directory / "home" / user

    def ask(self, path: str, method: str = "GET", body: object = None, token: str = "") -> Any:
        """The decoded answer to `method path`, as the tests' service, or as who has `token`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/base/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"token {token or self.token}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def signed_in(self, user: str) -> UsersServer:
        """Make the user, and start their server."""
        self.ask(f"hub/api/users/{user}", "POST")
        token = self.ask(f"hub/api/users/{user}/tokens", "POST", {})["token"]
        self.ask(f"hub/api/users/{user}/server", "POST")
        self._until(lambda: self.ask(f"hub/api/users/{user}")["servers"][""]["ready"])
        return UsersServer(self, user, token)

    def _until(self, condition: Callable[[], Any], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except (OSError, KeyError):  # it is not up yet, or has not begun to start the server
                pass
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.2)


class UsersServer:
    """The server of one user, spoken to as their page does: through the proxy."""

    def __init__(self, hub: Hub, user: str, token: str) -> None:
        self._hub, self._user, self._token = hub, user, token

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        return self._hub.ask(f"user/{self._user}/{path}", method, body, self._token)

    def run(self, kernel_id: str, code: str, seconds: float = 180) -> str:
        """All that the kernel says to `code`, over the websocket."""
        import websocket

        where = f"base/user/{self._user}/api/kernels/{kernel_id}/channels"
        address = f"ws://127.0.0.1:{self._hub.port}/{where}"
        headers = [f"Authorization: token {self._token}"]
        opened = websocket.create_connection(address, header=headers, timeout=seconds)
        try:
            request = _execute_request(code)
            opened.send(json.dumps(request))
            return _heard(opened, request["header"]["msg_id"])
        finally:
            opened.close()


def _execute_request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": uuid.uuid4().hex,
        "username": "",
        "version": "5.3",
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    return {**message, "channel": "shell", "buffers": []}


def _heard(opened: Any, request: str) -> str:
    said, waiting = [], {"reply", "idle"}
    while waiting:
        message = json.loads(opened.recv())
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        said.append(content.get("text") or content.get("data", {}).get("text/plain", ""))
        said.append("\n".join(content.get("traceback", ())))
        if message["header"]["msg_type"] == "execute_reply":
            waiting.discard("reply")
        elif content.get("execution_state") == "idle":
            waiting.discard("idle")
    return "\n".join(filter(None, said))
