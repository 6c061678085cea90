"""A restart lands where the notebook has moved to, and the server says so at once."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from support.kernels import wait_until_ready
from support.lab import OURS, Server, install_extensions, write_notebook
from support.processes import eventually
from support.specs import register, venv

from envmagic.jupyter import server_api

WHICH = "import os; print(os.environ['WHICH'], os.getppid())"


class Notebook:
    """A notebook open on a server, its kernel spoken to as a frontend does."""

    def __init__(self, server: Server, runtime: Path, name: str) -> None:
        self.server, self.runtime = server, runtime
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "first"}}
        self.session = server.api("api/sessions", "POST", body)
        self.id = self.session["kernel"]["id"]
        self.connect()

    def connect(self) -> None:
        self.client = BlockingKernelClient(
            connection_file=str(self.runtime / f"kernel-{self.id}.json")
        )
        self.client.load_connection_file()
        self.client.start_channels()
        wait_until_ready(self.client)

    def run(self, code: str) -> str:
        said: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

        self.client.execute_interactive(code, timeout=60, output_hook=hook)
        return "".join(said).strip()

    @property
    def which(self) -> str:
        return self.run(WHICH).split()[0]

    @property
    def direct(self) -> bool:
        """The server itself is the parent: no relay between."""
        return int(self.run(WHICH).split()[1]) == self.server.process.pid

    @property
    def names(self) -> tuple[str, str]:
        """What `/api/kernels` and `/api/sessions` call the kernel."""
        session = self.server.api(f"api/sessions/{self.session['id']}")
        return self.server.api(f"api/kernels/{self.id}")["name"], session["kernel"]["name"]

    def restart(self) -> None:
        self.client.stop_channels()
        self.server.api(f"api/kernels/{self.id}/restart", "POST")
        self.connect()


@pytest.fixture
def opened(isolated: Any, specs: Any, short_tmp: Path) -> Iterator[Callable[..., Notebook]]:
    for name in ("first", "alpha"):
        specs(name, env={"WHICH": name})
    (isolated.work / "root").mkdir()
    write_notebook(isolated.work / "root" / "a.ipynb", [])
    made: list[Notebook] = []

    def open_(server: Server) -> Notebook:
        made.append(Notebook(server, isolated.runtime, "a.ipynb"))
        return made[-1]

    yield open_
    for one in made:
        one.client.stop_channels()


@pytest.fixture
def enabled(isolated: Any) -> None:
    """The server extension, as installing envmagic beside the server enables it."""
    install_extensions()


def test_restart_and_crash_come_up_in_the_new_kernel(
    isolated: Any, opened: Any, enabled: None
) -> None:
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        said = notebook.run("%env use alpha")
        assert "restart" not in said.lower()
        assert (notebook.which, notebook.names) == ("alpha", ("alpha", "alpha"))
        assert not notebook.direct
        notebook.restart()
        assert notebook.which == "alpha" and notebook.direct
        # and back from there; then a crash
        notebook.run("%env use first")
        assert (notebook.which, notebook.names) == ("first", ("first", "first"))
        relay = notebook.run("import os; print(os.getppid())")
        notebook.client.execute("import os; os.kill(os.getpid(), 9)")
        eventually(lambda: not Path("/proc", relay).exists())
        notebook.client.stop_channels()
        notebook.connect()
        assert notebook.which == "first" and notebook.direct


def test_a_restart_does_not_start_what_is_gone(
    isolated: Any, opened: Any, enabled: None, specs: Any
) -> None:
    """A kernel that sleeps wakes without its environment; a new one could not start there."""
    venv(isolated.work / "ve")
    register(specs, "ve", isolated.work / "ve")
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        notebook.run("x = 1\n%env use ve\ny = 2")
        notebook.run("%env use first")
        shutil.rmtree(isolated.work / "ve")
        said = notebook.run("%env use ve")
        assert "A restart comes up in first: the environment of ve is gone." in said
        assert notebook.run("y") == "2"
        assert notebook.names == ("first", "first")
        notebook.restart()
        assert notebook.which == "first" and notebook.direct


def test_a_restart_without_its_environment_comes_up_in_the_first_kernel_and_says_why(
    isolated: Any, opened: Any, enabled: None, specs: Any
) -> None:
    """The server would answer 500 and the page go on restarting. Said once, with what helps."""
    gone = isolated.work / "ve"
    venv(gone)
    register(specs, "ve", gone)
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        notebook.run("%env use ve")
        assert notebook.names == ("ve", "ve")
        for asked in ("by a person", "since it died"):
            shutil.rmtree(gone, ignore_errors=True)
            if asked == "by a person":
                notebook.restart()
            else:
                relay = Path("/proc", notebook.run("import os; print(os.getppid())"))
                notebook.client.execute("os.kill(os.getpid(), 9)")
                eventually(functools.partial(_is_gone, relay))
                notebook.client.stop_channels()
                notebook.connect()
            said = notebook.run("import os; print(os.environ['WHICH'])")
            assert "The kernel 've' could not be started again" in said, asked
            assert f"{gone} does not exist. To make it: %env create {gone}" in said
            assert said.endswith("first") and notebook.names == ("first", "first")
            assert "started" not in notebook.run("print('again')")
            venv(gone)  # by other means
            notebook.run("%env use ve")
        notebook.restart()
        assert "started" not in notebook.run("import sys; print(sys.prefix)")


def _is_gone(path: Path) -> bool:
    return not path.exists()


def test_what_is_asked_for_is_checked(isolated: Any, opened: Any, enabled: None) -> None:
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        path = f"envmagic/kernels/{notebook.id}"
        for body in ({"name": "../evil"}, {"name": "nope"}, {"name": 3}, {}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.api(path, "PUT", body)
            assert refused.value.code in (400, 404)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.api("envmagic/kernels/0-0", "PUT", {"name": "alpha"})
        assert refused.value.code == 404
        request = urllib.request.Request(
            server.url + path, method="PUT", data=json.dumps({"name": "alpha"}).encode()
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        assert refused.value.code == 403
        assert notebook.names == ("first", "first")


def test_the_saved_name_can_stay(isolated: Any, opened: Any, enabled: None) -> None:
    """As `%%env` does it: only what a restart starts changes."""
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        body = {"name": "alpha", "keep_name": True}
        server.api(f"envmagic/kernels/{notebook.id}", "PUT", body)
        assert notebook.names == ("first", "first")
        notebook.restart()
        assert notebook.which == "alpha" and notebook.names == ("first", "first")


def test_status_names_the_kernel_that_a_restart_has_started(
    isolated: Any, opened: Any, enabled: None, terminal: Any
) -> None:
    """As the toolbar does, whatever name the notebook is saved with."""
    terminal("create", "churn")
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        body = {"name": "churn", "keep_name": True}
        server.api(f"envmagic/kernels/{notebook.id}", "PUT", body)
        notebook.restart()
        data = json.loads(notebook.run("%env status --json"))["data"]
        assert (data["kernel"], data["environment"]["name"]) == ("churn", "churn")
        assert notebook.names == ("first", "first")


def test_going_home_from_there_is_not_the_name_alone(
    isolated: Any, opened: Any, enabled: None
) -> None:
    """The name is `first` all along; what is started is not."""
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        path = f"envmagic/kernels/{notebook.id}"
        label = {"kernel_id": notebook.id, "name": "first", "display_name": "first"}
        assert server.api(path) == label
        server.api(path, "PUT", {"name": "alpha", "keep_name": True})
        assert server.api(path) == {**label, "display_name": "alpha"}
        server.api(path, "PUT", {"name": "first"})
        assert server.api(path) == label
        notebook.restart()
        assert notebook.which == "first"
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.api("envmagic/kernels/0-0")
        assert refused.value.code == 404


def test_a_server_with_a_password_only_reads_a_note(
    isolated: Any, opened: Any, enabled: None
) -> None:
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        for file in isolated.runtime.glob("jpserver-*.json"):
            file.write_text(json.dumps({**json.loads(file.read_text()), "token": "wrong"}))
        assert "restart" not in notebook.run("%env use alpha").lower()
        assert notebook.names == ("alpha", "alpha")
        assert not list(isolated.runtime.glob("envmagic-*"))
        # a note that others could have written is not followed
        note = isolated.runtime / f"envmagic-restart-{notebook.id}.json"
        note.write_text(json.dumps({"kernel_id": notebook.id, "name": "first", "keep_name": False}))
        note.chmod(0o666)

        time.sleep(1.2)
        assert notebook.names == ("alpha", "alpha")


def test_a_note_that_does_not_change_the_directorys_time_is_found(
    isolated: Any, opened: Any, enabled: None
) -> None:
    """It was written within the tick of the file system's clock in which was looked last."""
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        (isolated.runtime / "touched").touch()
        before = isolated.runtime.stat()
        time.sleep(0.7)
        leave_note(isolated.runtime, notebook.id, "alpha")
        os.utime(isolated.runtime, ns=(before.st_atime_ns, before.st_mtime_ns))
        eventually(lambda: notebook.names == ("alpha", "alpha"))


def test_an_old_note_is_removed_and_not_followed(isolated: Any, opened: Any, enabled: None) -> None:
    """The kernel that left it was killed while it waited."""
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        note = leave_note(isolated.runtime, notebook.id, "alpha", age=60)
        half = leave_note(isolated.runtime, notebook.id, "alpha", age=60, suffix="4711")
        foreign = leave_note(isolated.runtime, "0-0", "alpha")  # another server's may be this
        eventually(lambda: not note.exists() and not half.exists())
        assert foreign.exists() and notebook.names == ("first", "first")


def leave_note(
    runtime: Path, kernel: str, name: str, *, age: float = 0, suffix: str = "json"
) -> Path:
    """As a kernel leaves it that may not ask; `age` in seconds."""
    temporary = runtime / "note"
    temporary.write_text(json.dumps({"kernel_id": kernel, "name": name, "keep_name": False}))
    temporary.chmod(0o600)
    os.utime(temporary, (time.time() - age,) * 2)
    return temporary.rename(runtime / f"envmagic-restart-{kernel}.{suffix}")


@pytest.mark.parametrize("may_ask", [True, False], ids=["asked", "by a note"])
def test_a_cell_that_fails_after_the_magic_leaves_the_restart_as_it_was(
    isolated: Any, opened: Any, specs: Any, enabled: None, may_ask: bool
) -> None:
    """Also the name that an earlier `%%env` has left as it was."""
    specs("beta")
    with Server(isolated.work / "root") as server:
        notebook = opened(server)
        path = f"envmagic/kernels/{notebook.id}"
        server.api(path, "PUT", {"name": "alpha", "keep_name": True})
        label = server.api(path)
        if not may_ask:
            for file in isolated.runtime.glob("jpserver-*.json"):
                file.write_text(json.dumps({**json.loads(file.read_text()), "token": "wrong"}))
        use = "get_ipython().run_line_magic('env', 'use {}')"
        for failing in ("[{beta}, 1/0]", "[{beta}, {home}, {beta}, 1/0]"):
            notebook.run(failing.format(beta=use.format("beta"), home=use.format("alpha")))
            eventually(lambda: server.api(path) == label)
            assert notebook.which == "first"
        notebook.restart()
        assert notebook.which == "alpha" and notebook.names == ("first", "first")


def test_a_server_on_a_unix_socket(
    isolated: Any, specs: Any, enabled: None, short_tmp: Path, request: Any
) -> None:
    """The notebook is found there, and the server is told what a restart is to start."""
    for name in ("first", "alpha"):
        specs(name)
    root = isolated.work / "root"
    write_notebook(root / "a.ipynb", [])
    command = [sys.executable, "-m", "jupyter", "server", "--allow-root", "--no-browser"]
    options = [f"--sock={short_tmp / 's'}", f"--ServerApp.root_dir={root}"]
    process = subprocess.Popen([*command, *options])
    request.addfinalizer(process.wait)
    request.addfinalizer(process.terminate)
    (file,) = eventually(lambda: list(isolated.runtime.glob("jpserver-*.json")))
    server = eventually(lambda: _server(file))
    body = {"path": "a.ipynb", "name": "a", "type": "notebook", "kernel": {"name": "first"}}
    session = eventually(lambda: _asked(server, "api/sessions", "POST", body))
    client = BlockingKernelClient(
        connection_file=str(isolated.runtime / f"kernel-{session['kernel']['id']}.json")
    )
    client.load_connection_file()
    client.start_channels()
    request.addfinalizer(client.stop_channels)
    wait_until_ready(client)
    said: list[str] = []

    def hook(message: dict[str, Any]) -> None:
        said.append(message["content"].get("text", ""))

    ask = "from envmagic.jupyter import live_notebook\nprint(live_notebook.find(fresh=True).path)"
    client.execute_interactive(f"{ask}\n%env use alpha\n{ask}", timeout=60, output_hook=hook)
    assert "".join(said).split() == [str(root / "a.ipynb")] * 2
    found = server_api.call(server, f"api/sessions/{session['id']}")
    assert found["kernel"]["name"] == "alpha"


def _server(file: Path) -> server_api.Server | None:
    try:
        return server_api._server(json.loads(file.read_text("utf-8")))
    except ValueError:  # it is being written
        return None


def _asked(server: server_api.Server, *words: Any) -> Any:
    try:
        return server_api.call(server, *words)
    except OSError:  # it does not listen yet
        return None


def test_without_the_extension_it_is_said_what_a_restart_does(isolated: Any, opened: Any) -> None:
    # where envmagic is installed beside the server it is enabled
    with Server(isolated.work / "root", without=[OURS]) as server:
        notebook = opened(server)
        said = notebook.run("x = 1\n%env use alpha")
        assert "A restart goes back to first; to make it last, choose 'alpha'" in said
        assert "restart" not in notebook.run("%env use first").lower()
        notebook.restart()
        assert notebook.which == "first"
