"""The notebook of a kernel is found by every way there is, and by none that would be wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import Server, write_notebook
from support.served import ASK, Opened


@pytest.fixture
def opened(isolated: Any) -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def open_(server: Server, path: str) -> Opened:
        made.append(Opened(server, isolated.runtime, path))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def test_a_server_tells_and_a_rename_is_seen_at_once(isolated: Any, opened: Any) -> None:
    """Spaces, unicode and a base_url in the way; a chdir too."""
    root = isolated.work / "mit Leerzeichen"
    write_notebook(root / "sub dir" / "naïve übung.ipynb", [])
    with Server(root, base_url="/some/base/") as server:
        here = opened(server, "sub dir/naïve übung.ipynb")
        here.run("import os; os.chdir('/')")
        expected = root / "sub dir" / "naïve übung.ipynb"
        assert here.find() == [str(expected), "server", "False", str(root / "sub dir")]
        here.run("from envmagic.jupyter import live_notebook as n; n.find()")
        renamed = root / "sub dir" / "other.ipynb"
        expected.rename(renamed)
        here.renamed("sub dir/other.ipynb")
        # without `fresh`: the name kept from before must not be given
        assert here.run("print(n.find().path)") == str(renamed)


def test_two_servers_and_no_token(isolated: Any, opened: Any) -> None:
    """The right one of two servers answers, and one that asks for no token at all is fine."""
    first, second = isolated.work / "first", isolated.work / "second"
    for root in (first, second):
        write_notebook(root / "same.ipynb", [])
    unguarded = ("--ServerApp.disable_check_xsrf=True",)  # for this test's own requests
    with Server(first) as one, Server(second, token="", options=unguarded) as two:
        assert opened(one, "same.ipynb").find()[:2] == [str(first / "same.ipynb"), "server"]
        assert opened(two, "same.ipynb").find()[:2] == [str(second / "same.ipynb"), "server"]


def test_a_server_with_a_password_only(isolated: Any, opened: Any) -> None:
    """It lets no kernel ask: the path at the start holds, and after a rename it is unknown."""
    from jupyter_server.auth import passwd

    root = isolated.work / "root"
    notebook = write_notebook(root / "a.ipynb", [])
    options = (f"--PasswordIdentityProvider.hashed_password={passwd('sesame')}",)
    with Server(root, options=options) as server:
        here = opened(server, "a.ipynb")
        # as it is when the server was started with a password and no token
        for file in isolated.runtime.glob("jpserver-*.json"):
            file.write_text(json.dumps({**json.loads(file.read_text()), "token": ""}))
        assert here.find()[:2] == [str(notebook), "environment"]
        notebook.rename(root / "b.ipynb")
        assert here.find()[:2] == ["None", "unknown"]


def test_programs_that_execute_notebooks(isolated: Any) -> None:
    """nbconvert, `jupyter execute` and papermill, started in a notebook's cell: their own file."""
    other = isolated.work / "outer.ipynb"
    write_notebook(other, [])
    inherited = {**os.environ, "JPY_SESSION_NAME": str(other)}
    commands = {
        "a b.ipynb": ["nbconvert", "--execute", "--to", "notebook", "--output", "out", "a b.ipynb"],
        "c.ipynb": ["execute", "--inplace", "c.ipynb"],
    }
    for name, words in commands.items():
        path = write_notebook(isolated.work / name, [ASK])
        jupyter = [sys.executable, "-m", "jupyter", *words]
        subprocess.run(jupyter, check=True, env=inherited, capture_output=True)
        output = isolated.work / ("out.ipynb" if "nbconvert" in words else name)
        assert _printed(output) == [str(path), "command", "True", str(isolated.work)], words
    path = write_notebook(isolated.work / "p.ipynb", [ASK])
    papermill = [sys.executable, "-m", "papermill", "p.ipynb", "p-out.ipynb"]
    subprocess.run(papermill, check=True, env=inherited, capture_output=True)
    assert _printed(isolated.work / "p-out.ipynb")[:3] == [str(path), "command", "True"]


def test_a_kernel_of_no_notebook(kernel: Callable[..., Any], isolated: Any) -> None:
    """A console, a script, nbclient: no notebook, and the directory is the one the kernel started
    in; the kernel is the one that was started."""
    ran = kernel(env={"JPY_SESSION_NAME": str(isolated.work / "x.ipynb")})
    ran.run("import os; os.chdir('/')")
    assert ran.run(ASK).stdout.strip() == f"None|unknown|False|{isolated.work}"
    ran.run("%load_ext envmagic")
    assert ran.run("_s = %env status\n_s.data['kernel']").result == "'python3'"


def test_vs_code_says_it_in_the_namespace(
    kernel: Callable[..., Any], isolated: Any, specs: Any, short_tmp: Path
) -> None:
    ran = kernel()
    ran.run(f"__vsc_ipynb_file__ = {str(isolated.work / 'v.ipynb')!r}")
    expected = f"{isolated.work / 'v.ipynb'}|vscode|False|"
    assert ran.run(ASK).stdout.startswith(expected)
    # also in the environments the notebook moves to
    ran.run("%load_ext envmagic")
    for name in ("alpha", "beta"):
        specs(name)
        ran.run(f"%env use {name}")
        assert ran.run(ASK).stdout.startswith(expected)


def _printed(notebook: Path) -> list[str]:
    (cell,) = json.loads(notebook.read_text("utf-8"))["cells"][-1:]
    return "".join(cell["outputs"][0]["text"]).strip().split("|")
