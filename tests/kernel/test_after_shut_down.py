"""A notebook that `%%env` has moved comes up where it was, also after its kernel was shut down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import Server, install_extensions, write_notebook
from support.served import Opened

WHICH = "import os; print(os.environ['WHICH'])"
NAMES = ("first", "alpha", "beta")


@pytest.fixture
def opened(isolated: Any, specs: Any, short_tmp: Path) -> Iterator[Callable[..., Opened]]:
    """`opened(server, path, kernel)`: as a page opens a notebook that has no kernel."""
    install_extensions()
    for name in NAMES:
        specs(name, env={"WHICH": name})
    made: list[Opened] = []

    def open_(server: Server, path: str, kernel: str = "first") -> Opened:
        made.append(Opened(server, isolated.runtime, path, kernel))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def moved(notebook: Opened, name: str) -> None:
    """As `%%env` says it to the server, which goes on calling the kernel as it did."""
    body = {"name": name, "keep_name": True}
    notebook.server.api(f"envmagic/kernels/{notebook.session['kernel']['id']}", "PUT", body)


def shut_down(notebook: Opened, way: str = "session") -> None:
    notebook.close()
    of = notebook.session if way == "session" else notebook.session["kernel"]
    notebook.server.api(f"api/{way}s/{of['id']}", "DELETE")


def test_it_comes_up_where_it_was_under_the_name_that_it_is_saved_with(
    isolated: Any, opened: Callable[..., Opened]
) -> None:
    """Each time, by whichever way it was shut down, and under its new name; a restart then too."""
    write_notebook(isolated.work / "root" / "a.ipynb", [], "first")
    saved = (isolated.work / "root" / "a.ipynb").read_bytes()
    with Server(isolated.work / "root") as server:
        notebook = opened(server, "a.ipynb")
        moved(notebook, "alpha")
        for way, path in (("kernel", "a.ipynb"), ("session", "b/a.ipynb")):
            shut_down(notebook, way)
            if path != "a.ipynb":
                (isolated.work / "root" / "a").mkdir()
                server.api("api/contents/a.ipynb", "PATCH", {"path": "a/a.ipynb"})
                server.api("api/contents/a", "PATCH", {"path": "b"})
            notebook = opened(server, path)
            assert notebook.run(WHICH) == "alpha", way
            assert notebook.session["kernel"]["name"] == "first"
            label = server.api(f"envmagic/kernels/{notebook.session['kernel']['id']}")
            assert (label["name"], label["display_name"]) == ("first", "alpha")
        notebook.restart()
        assert notebook.run(WHICH) == "alpha"
        moved(notebook, "first")
        shut_down(notebook)
        assert opened(server, "b/a.ipynb").run(WHICH) == "first"
    assert (isolated.work / "root" / "b" / "a.ipynb").read_bytes() == saved


def test_it_starts_as_it_is_saved_where_somebody_wants_it_so(
    isolated: Any, opened: Callable[..., Opened], specs: Any
) -> None:
    """Chosen while it ran, another one chosen meanwhile, the same chosen in the menu of a page, a
    new file of that name, and a place that is not there any more."""
    notebook_file = isolated.work / "root" / "a.ipynb"
    write_notebook(notebook_file, [], "first")

    def chosen_in_the_menu(notebook: Opened) -> None:
        server.api(f"api/sessions/{notebook.session['id']}", "PATCH", {"kernel": {"name": "first"}})
        notebook.session = server.api(f"api/sessions/{notebook.session['id']}")
        shut_down(notebook)

    def another(notebook: Opened) -> None:
        shut_down(notebook)
        shut_down(opened(server, "a.ipynb", "beta"))

    def chosen_without_a_kernel(notebook: Opened) -> None:
        shut_down(notebook)
        server.api("envmagic/notebooks/a.ipynb", "DELETE")

    def another_file(notebook: Opened) -> None:
        shut_down(notebook)
        server.api("api/contents/a.ipynb", "DELETE")
        write_notebook(notebook_file, [], "first")

    def gone(notebook: Opened) -> None:
        shut_down(notebook)
        specs("alpha", "/nowhere/python", env={})

    with Server(isolated.work / "root") as server:
        for what in (chosen_in_the_menu, another, chosen_without_a_kernel, another_file, gone):
            notebook = opened(server, "a.ipynb")
            moved(notebook, "alpha")
            what(notebook)
            notebook = opened(server, "a.ipynb")
            assert notebook.run(WHICH) == "first", what.__name__
            shut_down(notebook)
