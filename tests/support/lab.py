"""A real Jupyter server, and JupyterLab or Notebook 7 in a real Chromium, as a person uses them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As root in a container Chromium needs --no-sandbox; the rest keeps it from calling home.
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# What a server has for pages; loading it takes most of a second.
FOR_PAGES = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
OURS = "envmagic.jupyter.server_extension"
REPOSITORY = Path(__file__).parents[2]


def install_extensions() -> None:
    """Put the extensions of the server and of the page where this test's Jupyter looks for them,
    as pip does for the whole environment."""
    kept = REPOSITORY / "envmagic" / "jupyter"
    page = Path(os.environ["JUPYTER_DATA_DIR"], "labextensions", "envmagic")
    shutil.copytree(kept / "labextension", page, dirs_exist_ok=True)
    server = Path(os.environ["JUPYTER_CONFIG_DIR"], "jupyter_server_config.d", "envmagic.json")
    server.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(kept / "server_config.json", server)


def empty(directory: Path) -> None:
    """Remove all that is in a directory, which itself stays: it may be a process's own."""
    for entry in directory.iterdir() if directory.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def write_notebook(path: Path, cells: Sequence[str], kernel: str = "python3") -> Path:
    """Write an nbformat 4.5 notebook of code cells, saved with this Python, and return its path."""
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    language = {"name": "python", "version": platform.python_version()}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": spec, "language_info": language},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{index}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, source in enumerate(cells)
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path


class Server:
    """A Jupyter server on loopback, with `pages` for both frontends. Use as a context manager.

    `without`: server extensions that are not to be loaded.
    """

    def __init__(
        self,
        root: Path,
        *,
        pages: bool = False,
        without: Sequence[str] = (),
        token: str = "secret",
        base_url: str = "/",
        options: Sequence[str] = (),
        env: dict[str, str] | None = None,
        python: str | Path = sys.executable,
    ) -> None:
        self.root, self.token, self.base_url = root, token, base_url
        self.port = free_port()
        self.log = root.parent / f"server-{self.port}.log"
        off = dict.fromkeys((*without, *(() if pages else FOR_PAGES)), False)
        command = [
            *(str(python), "-m", *(("jupyter", "lab") if pages else ("jupyter_server",))),
            *("--allow-root", "--no-browser"),
            *("--ip=127.0.0.1", f"--port={self.port}", "--ServerApp.port_retries=0"),
            *(f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}"),
            *(f"--ServerApp.base_url={base_url}", f"--ServerApp.jpserver_extensions={off}"),
            *(_options_of_pages() if pages else ()),
            *options,
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Server:
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the server's REST API (`api/kernelspecs`); returns the decoded answer."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def shut_kernels_down(self) -> bool:
        """Every notebook's, as the list of running kernels does it, once no page is there any more;
        whether none was left.

        The channels to a kernel that a page leaves after its end would be kept, and be those of
        whichever kernel has its ports next. A server that still counts connections of pages that
        are closed, as one does where a page came back while its kernel restarted, leaves some.
        """
        end = time.monotonic() + 10
        while any(kernel["connections"] for kernel in self.api("api/kernels")):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        for kernel in self.api("api/kernels"):
            self.api(f"api/kernels/{kernel['id']}", "DELETE")
        return True

    def stop(self) -> None:
        """End the server and with it its kernels."""
        if self.runs:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def wait(self, seconds: float = 60) -> None:
        """Until it answers; where it does not, it is ended and what it said is the error."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.api("api/status")
                return
            except OSError:
                if time.monotonic() > end or not self.runs:
                    self.stop()
                    raise RuntimeError(f"no server:\n{self.log.read_text()}") from None
                time.sleep(0.2)
            except BaseException:
                self.stop()
                raise


def _options_of_pages() -> Iterator[str]:
    yield from ("--LabApp.expose_app_in_browser=True", "--LabApp.news_url=")
    yield "--JupyterNotebookApp.expose_app_in_browser=True"
    yield "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"
    # before those of the environment around the tests, which may be older than the checkout
    extensions = Path(os.environ["JUPYTER_DATA_DIR"]) / "labextensions"
    for app in ("LabApp", "JupyterNotebookApp"):
        yield f"--{app}.extra_labextensions_path={extensions}"


@contextmanager
def browser(chromium: Path, profile: Path) -> Iterator[Any]:
    """A Playwright browser context on a profile, which is made if it is not there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=str(chromium),
            headless=True,
            viewport={"width": 1200, "height": 850},
            args=list(CHROMIUM_FLAGS),
            env={**os.environ, "HOME": str(profile)},
        )
        try:
            yield context
        finally:
            context.close()


def forget(context: Any, server: Server) -> None:
    """Close the pages but the first, which is empty, and drop what they stored; caches stay."""
    first, *pages = context.pages
    for page in pages:
        page.close()
    stored = {"origin": server.url, "storageTypes": "cookies,indexeddb,local_storage"}
    session = context.new_cdp_session(first)
    session.send("Storage.clearDataForOrigin", stored)
    session.detach()


@dataclass(frozen=True)
class Cell:
    prompt: str
    """`[3]:`, `[*]:` or `[ ]:`."""
    output: str

    @property
    def done(self) -> bool:
        return any(character.isdigit() for character in self.prompt)


@dataclass(frozen=True)
class State:
    """What the page shows now."""

    kernel: str
    cells: list[Cell]
    dialogs: list[str]
    notifications: list[str]


_STATE = """() => {
  const text = (node, selector) => (node.querySelector(selector) || {innerText: ''}).innerText;
  const all = (selector) => [...document.querySelectorAll(selector)].map(n => n.innerText);
  const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map(cell => (
    {prompt: text(cell, '.jp-InputPrompt'), output: text(cell, '.jp-OutputArea')}));
  const kernel = text(document, '.jp-Toolbar-kernelName') || text(document, '.jp-KernelName');
  return {kernel, cells, dialogs: all('.jp-Dialog'), notifications: all('.Toastify__toast')};
}"""
_READY = """() => {
  const widget = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  const session = widget && widget.sessionContext && widget.sessionContext.session;
  return session && session.kernel && session.kernel.status === 'idle';
}"""


class Page:
    """One notebook open in a frontend: `lab` (JupyterLab) or `notebook` (Notebook 7)."""

    def __init__(self, context: Any, server: Server, notebook: str, *, app: str = "lab") -> None:
        self.server, self.app = server, app
        self.page = context.new_page()
        self.console: list[str] = []
        self.page.on("console", lambda said: self.console.append(f"{said.type}: {said.text}"))
        self.open(notebook)

    def open(self, notebook: str) -> None:
        """Load the notebook, and wait until its kernel is idle."""
        where = f"lab/tree/{notebook}?reset&" if self.app == "lab" else f"notebooks/{notebook}?"
        self.page.goto(f"{self.server.url}{where}token={self.server.token}")
        self.ready()

    def ready(self, seconds: float = 60) -> None:
        """Wait until the notebook is there and its kernel is idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=seconds * 1000)
        self.page.wait_for_function(_READY, timeout=seconds * 1000)

    def state(self) -> State:
        raw = self.page.evaluate(_STATE)
        cells = [Cell(cell["prompt"], cell["output"]) for cell in raw["cells"]]
        return State(raw["kernel"], cells, raw["dialogs"], raw["notifications"])

    def wait(self, until: Callable[[State], bool], what: str, seconds: float = 60) -> State:
        """The first state that fulfils `until`; AssertionError with `what` and the last one."""
        end = time.monotonic() + seconds
        while True:
            state = self.state()
            if until(state):
                return state
            assert time.monotonic() < end, f"{what}: not after {seconds:.0f} s\n{state}"
            self.page.wait_for_timeout(100)

    def command(self, name: str, arguments: object = None, *, wait: bool = True) -> Any:
        """Execute a command of the application, as a menu entry does."""
        script = "([c, a]) => window.jupyterapp.commands.execute(c, a || {})"
        if not wait:
            script = "([c, a]) => { window.jupyterapp.commands.execute(c, a || {}); }"
        else:
            script += ".then(() => true)"
        return self.page.evaluate(script, [name, arguments])

    def select(self, index: int) -> None:
        self.page.evaluate(
            "(i) => { const c = window.jupyterapp.shell.currentWidget.content;"
            " c.activeCellIndex = i; c.deselectAll(); }",
            index,
        )

    def run(self, index: int, *, seconds: float = 120) -> str:
        """Run one cell, wait until it is done, and return its output's text."""
        self.start(index)
        return self.done(index, seconds=seconds)

    def start(self, index: int) -> None:
        """Run one cell without waiting.

        In one step: a page that is slow selects the cell before once more, after its question.
        """
        self.page.evaluate(
            "(i) => { const c = window.jupyterapp.shell.currentWidget.content;"
            " c.activeCellIndex = i; c.deselectAll();"
            " window.jupyterapp.commands.execute('notebook:run-cell', {}); }",
            index,
        )
        self.page.wait_for_timeout(50)

    def run_all(self) -> None:
        """Run all cells without waiting; `done(i)` waits for each."""
        self.command("notebook:run-all-cells", wait=False)

    def done(self, index: int, *, seconds: float = 120) -> str:
        """Wait until a cell has its prompt number; return its output's text."""
        state = self.wait(lambda s: s.cells[index].done, f"cell {index} ran", seconds)
        return state.cells[index].output

    def interrupt(self) -> None:
        self._kernel("interrupt()")

    def restart(self) -> None:
        """Restart the kernel as the toolbar's button does after its question.

        It is not `ready` for the page until something is run, whatever kernel it is.
        """
        self._kernel("restart()")

    def _kernel(self, call: str) -> None:
        context = "window.jupyterapp.shell.currentWidget.sessionContext"
        self.page.evaluate(f"() => {context}.session.kernel.{call}.then(() => true)")

    def session(self) -> dict[str, Any]:
        """What the frontend believes: `name`, `id`, `display`, `path`."""
        found: dict[str, Any] = self.page.evaluate(
            "() => { const c = window.jupyterapp.shell.currentWidget.sessionContext;"
            " const k = c.session && c.session.kernel;"
            " return {name: k && k.name, id: k && k.id, display: c.kernelDisplayName,"
            " path: c.path}; }"
        )
        return found

    def refresh_kernels(self) -> list[str]:
        """Ask the server for its kernelspecs now (the frontend polls each minute); their names."""
        names: list[str] = self.page.evaluate(
            "() => { const specs = window.jupyterapp.serviceManager.kernelspecs;"
            " return specs.refreshSpecs().then(() => Object.keys(specs.specs.kernelspecs)); }"
        )
        return names

    def save(self) -> None:
        self.command("docmanager:save")

    def metadata(self) -> dict[str, Any]:
        """The notebook's metadata as the frontend holds it."""
        found: dict[str, Any] = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.model.sharedModel.getMetadata()"
        )
        return found

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=str(path))


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
