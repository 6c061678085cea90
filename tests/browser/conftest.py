"""Fixtures of the browser shelf: a server, and a page with a notebook open in Chromium.

Starting a server and a browser, and loading a page into one that has never seen it, costs more than
most tests do with them. So the tests share both; each begins with an empty home, no kernels and a
page of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import lab
from support.specs import Specs

# What the tests put there, or have put there; what the server holds open is beside it.
_OF_A_TEST = (
    *("work", "wheels", "home/envmagic", "home/ipython"),
    *("home/jupyter/kernels", "home/jupyter-config"),
)


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture
def own_directory(_shared: Path) -> Path:
    """The same for all tests, since it is the server's; nothing of another test is in it."""
    for name in _OF_A_TEST:
        lab.empty(_shared / name)
    return _shared


@pytest.fixture(autouse=True)
def extensions(isolated: Any) -> None:
    """What installing envmagic beside the server puts there: its extension and the page's."""
    lab.install_extensions()


@pytest.fixture(scope="session")
def _servers() -> Iterator[list[lab.Server]]:
    """The last is the one in use; the first test that needs one starts it, in that test's home."""
    started: list[lab.Server] = []
    yield started
    for each in started:
        each.stop()


@pytest.fixture
def server(
    isolated: Any, extensions: None, chromium: Path, _servers: list[lab.Server]
) -> Iterator[lab.Server]:
    """A Jupyter server whose root is the test's working directory."""
    if not _servers or not _servers[-1].runs:
        _servers.append(lab.Server(isolated.work, pages=True))
        _servers[-1].wait()
    yield _servers[-1]
    if not _servers[-1].shut_kernels_down():
        _servers[-1].stop()  # the next test starts another one


@pytest.fixture(scope="module")
def _browser(chromium: Path, _shared: Path) -> Iterator[Any]:
    """Of a module, since Playwright keeps an event loop running in the tests' thread; its profile,
    with what is cached, outlives it."""
    with lab.browser(chromium, _shared / "chromium") as context:
        yield context


@pytest.fixture
def open_notebook(isolated: Any, server: lab.Server, _browser: Any) -> Iterator[Callable[..., Any]]:
    """`open_notebook(cells, name="a.ipynb", app="lab")`: a `lab.Page`."""

    def open_(
        cells: Sequence[str],
        name: str = "a.ipynb",
        *,
        app: str = "lab",
        kernel: str = "python3",
    ) -> lab.Page:
        lab.write_notebook(isolated.work / name, cells, kernel)
        return lab.Page(_browser, server, name, app=app)

    yield open_
    lab.forget(_browser, server)


@pytest.fixture
def specs(isolated: Any) -> Specs:
    """`specs("alpha")` registers a kernel of this interpreter with envmagic loaded."""
    return Specs(isolated.kernels)
