"""The temporary directory that others share, clear, fill or remove; and what a kernel may say."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.lab import write_notebook
from support.notebooks import shown
from support.processes import eventually, runs

WHO = "import os; print(os.getpid())"
SWEEP = "from envmagic.switching.relay.child_process import sweep; sweep()"
EVIL = "00000000-0000-0000-0000-000000000000"


class Listening(http.server.HTTPServer):
    """Somebody else's server: writes down what it is asked, and with which token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked: list[tuple[str, str | None]] = []


class Asked(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listening)
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        kernel = {"id": EVIL, "name": "python3"}
        session = {"id": "1", "path": "evil.ipynb", "type": "notebook", "kernel": kernel}
        body = json.dumps([session]).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_what_lies_beside_the_connection_file_is_not_believed(
    switching: Any,
    isolated: Any,
    short_tmp: Path,
    listening: Listening,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """nbconvert and papermill put the connection file where every user may put something."""
    monkeypatch.setattr(tempfile, "tempdir", str(short_tmp))
    short_tmp.chmod(0o1777)
    kernel = switching(env={"JUPYTERHUB_API_TOKEN": "secret"})
    file = Path(kernel.manager.connection_file)
    assert file.parent == short_tmp
    evil = short_tmp / "evil"
    evil.mkdir()
    server = {"url": f"http://127.0.0.1:{listening.server_port}/", "root_dir": str(isolated.work)}
    for directory in (short_tmp, evil):
        described = directory / "jpserver-1.json"
        described.write_text(json.dumps({**server, "token": "", "base_url": "/", "pid": 1}))
        described.chmod(0o666)
    relay = {
        "protocol": 1, "pid": 1, "parent": 1, "first": "python3", "kernel": "x",
        "kernel_connection_file": str(file),
        "connection_file": str(evil / f"kernel-{EVIL}.json"),
    }  # fmt: skip
    (short_tmp / "relay.json").write_text(json.dumps(relay))
    kernel.run("from envmagic.jupyter import connection, live_notebook")
    found = kernel.run(
        "print(live_notebook.find(fresh=True).path, connection.connection().connection_file)"
    ).stdout.split()
    assert found == ["None", str(file)]
    kernel.run("x = 5\n%env use alpha")
    kernel.run("%env use python3")
    assert kernel.run("x").result == "5"
    assert listening.asked == []


def test_a_notebook_executed_from_behind_a_relay_is_not_behind_it(
    switching: Any, isolated: Any
) -> None:
    """Its kernel inherits what the one that executes it was told, and moves by itself."""
    which = "from envmagic import switching\nprint(switching.kernel_name(get_ipython()))"
    inner = write_notebook(
        isolated.work / "inner.ipynb", [f"%load_ext envmagic\n{which}", f"%env use beta\n{which}"]
    )
    kernel = switching()
    assert kernel.run(f"%env use alpha\n{which}").stdout.split()[0] == "alpha"
    kernel.run(f"!{sys.executable} -m jupyter execute --inplace {inner.name}")
    first, second = shown(inner)
    assert first.split() == ["None"] and "beta" in second.split()


@pytest.fixture
def elsewhere() -> list[str]:
    """Words before a command that run it in a pid namespace of its own, as a container does."""
    words = ["unshare", "--pid", "--fork", "--mount-proc"]
    words += [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    if shutil.which("unshare") is None or subprocess.run([*words, "true"]).returncode != 0:
        pytest.skip("no pid namespaces here")
    return words


def test_a_relay_in_another_container_keeps_its_directory(
    switching: Any, short_tmp: Path, elsewhere: list[str]
) -> None:
    kernel = switching()
    kernel.run("x = 5\n%env use alpha")
    kernel.run("y = 6")
    before = list(short_tmp.glob("envmagic-relay-*"))
    subprocess.run([*elsewhere, sys.executable, "-c", SWEEP], check=True, timeout=60)
    assert list(short_tmp.glob("envmagic-relay-*")) == before != []


def test_the_directory_of_a_killed_relay_is_cleared_away(switching: Any, short_tmp: Path) -> None:
    """Also when the kernel behind it did not come to do so."""
    kernel = switching()
    kernel.run("%env use alpha")
    alpha = int(kernel.run(WHO).stdout)
    os.kill(kernel.pid, signal.SIGSTOP)  # nor the relay, on its kernel's end
    eventually(lambda: psutil.Process(kernel.pid).status() == psutil.STATUS_STOPPED)
    os.kill(alpha, signal.SIGKILL)
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.manager.provisioner.process.wait()
    assert list(short_tmp.glob("envmagic-relay-*"))
    subprocess.run([sys.executable, "-c", SWEEP], check=True, timeout=60)
    assert not list(short_tmp.glob("envmagic-relay-*"))
    eventually(lambda: not runs(alpha))


def test_a_kernel_knows_its_relay_when_the_directory_is_gone(
    switching: Any, short_tmp: Path
) -> None:
    """Whatever clears temporary directories: it is not taken for home, which would hang."""
    kernel = switching()
    kernel.run("x = 5\n%env use alpha")
    kernel.run("y = 6")
    for directory in short_tmp.glob("envmagic-relay-*"):
        shutil.rmtree(directory)
    kernel.run("%env use beta\nz = 7")
    kernel.run("%env use alpha")
    assert kernel.run("y").result == "6"
    kernel.run("%env use python3")
    assert kernel.run("x").result == "5" and int(kernel.run(WHO).stdout) == kernel.pid


@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_a_temporary_directory_that_is_gone(switching: Any, short_tmp: Path, where: str) -> None:
    """One sentence and what to do; it is done, and all is well."""
    own = short_tmp / "own"
    own.mkdir()
    kernel = switching(env={"TMPDIR": str(own)})
    kernel.run(f"%env use {where}")
    kernel.run("x = 5")
    shutil.rmtree(own)
    ran = kernel.run("%env use beta", check=False)
    why = f"The kernel 'beta' does not start: the temporary directory {own} is not there any more."
    assert ran.text == f"UsageError: {why} Make it again: !mkdir -p {own}"
    assert kernel.run("x").result == "5"
    kernel.run(f"!mkdir -p {own}")
    kernel.run("%env use beta")
    kernel.run(f"%env use {where}")
    assert kernel.run("x").result == "5"


@pytest.fixture
def small(short_tmp: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    place = short_tmp / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no disk can be made here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_a_temporary_directory_that_is_full(switching: Any, small: Path, where: str) -> None:
    kernel = switching(env={"TMPDIR": str(small)})
    kernel.run(f"%env use {where}")
    kernel.run("x = 5")
    with (small / "fill").open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    before = sorted(small.iterdir())
    ran = kernel.run("%env use beta", check=False)
    why = f"there is no space left in the temporary directory {small}. Make room there."
    assert ran.text == f"UsageError: The kernel 'beta' does not start: {why}"
    assert kernel.run("x").result == "5" and sorted(small.iterdir()) == before


def test_a_relay_that_gives_no_sign_of_life(switching: Any) -> None:
    """The cell ends; when the relay comes to itself, everything is where it was."""
    kernel = switching()
    kernel.run("x = 5\n%env use alpha")
    kernel.run("y = 6\nfrom envmagic.switching import by_relay\nby_relay._SILENCE = 0.5")
    stop = f"import os, signal\nos.kill({kernel.pid}, signal.SIGSTOP)"

    def wake() -> None:
        eventually(lambda: psutil.Process(kernel.pid).status() == psutil.STATUS_STOPPED)
        time.sleep(3)
        os.kill(kernel.pid, signal.SIGCONT)

    waking = threading.Thread(target=wake)
    waking.start()
    ran = kernel.run(f"{stop}\n%env use beta", check=False, timeout=60)
    waking.join()
    assert ran.text == "UsageError: The relay does not answer. Restart the kernel."
    assert kernel.run("y").result == "6"
    kernel.run("%env use python3")
    assert kernel.run("x").result == "5"


def test_a_kernel_whose_last_words_are_long(switching: Any, specs: Any) -> None:
    """They are read at once, and their end is told."""
    say = "import sys; sys.stderr.write('y' * 300000 + 'end'); sys.exit(3)"
    specs("talks", sys.executable, "-c", say, "{connection_file}")
    kernel = switching(env={"ENVMAGIC_KERNEL_TIMEOUT": "1000"})
    ran = kernel.run("%env use talks", check=False)
    assert "does not start: exit code 3 (…yyy" in ran.text and "yyyend). It is not" in ran.text
    assert ran.text.endswith("to take it away: !jupyter kernelspec remove -f talks")
    assert len(ran.text) < 600


def test_where_somebody_elses_kernel_does_not_start_its_environment_can_be_had(
    switching: Any, specs: Any, isolated: Any, bare_venv: Any
) -> None:
    """It is there, and lacks what a kernel consists of."""
    specs("theirs", python=bare_venv(isolated.work / "bare"))
    kernel = switching()
    said = kernel.run("%env use theirs", check=False).text
    assert "ipykernel_launcher" in said and "To run its environment all the same: " in said
    kernel.run(said.rpartition("same: ")[2])
    assert kernel.run("import sys; sys.prefix").result == repr(str(isolated.work / "bare"))


def test_a_kernelspec_without_a_program(switching: Any, specs: Any, isolated: Any) -> None:
    specs("empty")
    spec = {"argv": [], "display_name": "empty", "language": "python"}
    (isolated.kernels / "empty" / "kernel.json").write_text(json.dumps(spec))
    ran = switching().run("%env use empty", check=False)
    assert ran.text.startswith("UsageError: The kernel 'empty' does not")


def test_a_folder_that_was_renamed_while_its_kernel_runs(switching: Any, isolated: Any) -> None:
    """The next kernel starts where the folder is now; without any folder it is said what lacks."""
    folder = isolated.work / "untitled"
    folder.mkdir()
    kernel = switching(cwd=folder)
    kernel.run("x = 5")
    named = folder.rename(isolated.work / "analysis")
    where = "import os\nprint(os.getcwd())"
    assert kernel.run(f"%env use alpha\n{where}").stdout.splitlines()[0] == str(named)
    kernel.run("y = 6\n%env use python3")
    shutil.rmtree(named)
    ran = kernel.run("%env use beta", check=False)
    assert f"could not be started: there is no directory {folder}. " in ran.text
    assert kernel.run("x").result == "5"
