"""Live switching in a page that is open: what runs where, what is shown at once, what is saved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.lab import OURS, Page, Server, write_notebook

CELLS = [
    "%load_ext envmagic\nx = 5",
    "%%env churn",
    "import sys; print(sys.prefix)",
    "%env use python3\nprint(x)",
    "%env use churn",
]
# What ipywidgets says in one page of what it asked the kernel in another, and the debugger of what
# it asked a kernel that is shut down; and how long a busy machine took for all that is loaded.
WITHOUT_US = ("Comm not found", "Canceled future", "ms to activate")
HOME, CHURN = "Python 3 (ipykernel)", "churn (Python 3."


def shows(page: Page, name: str) -> None:
    page.wait(lambda state: state.kernel.startswith(name), f"the toolbar says {name}", 60)


def names(page: Page, kernel: str) -> None:
    """What the next save writes."""
    what = f"the notebook is on {kernel}"
    page.wait(lambda _: page.metadata()["kernelspec"]["name"] == kernel, what, 60)


def saved(isolated: Any) -> dict[str, str]:
    """The kernel that the file names."""
    notebook = json.loads((isolated.work / "a.ipynb").read_text("utf-8"))
    found: dict[str, str] = notebook["metadata"]["kernelspec"]
    return found


def shut_down(page: Page) -> None:
    page.command("kernelmenu:shutdown")
    shows(page, "No Kernel")


def has_something_to_save(page: Page) -> bool:
    dirty = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
    return bool(page.page.evaluate(dirty))


def complaints(page: Page) -> list[str]:
    """What our extension has to say, and what it may have broken."""
    said = [said for said in page.console if "envmagic" in said or said.startswith("error")]
    return [words for words in said if not any(part in words for part in WITHOUT_US)]


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_run_all_over_a_first_cell_that_moves(
    open_notebook: Callable[..., Page], isolated: Any, app: str
) -> None:
    """Everything right at once, after a restart, and after closing and opening again: the cells,
    an interrupt, and the toolbar, while the file names the kernel that it is opened with."""
    more = [f"n{i} = {i}; print(n{i})" for i in range(5)]
    slow = "import time\nprint('go', flush=True)\ntime.sleep(60)"
    page = open_notebook([*CELLS[:3], *more, slow], app=app)
    prefix = str(isolated.envmagic / "envs" / "churn")

    def all_right() -> None:
        page.run_all()
        assert page.done(2).strip() == prefix
        shows(page, CHURN)
        assert [page.done(3 + i).strip() for i in range(5)] == [str(i) for i in range(5)]
        page.wait(lambda s: "go" in s.cells[8].output, "the long cell runs")
        page.interrupt()
        assert "KeyboardInterrupt" in page.done(8)
        prompts = [int(cell.prompt.strip("[]:")) for cell in page.state().cells]
        assert prompts == list(range(prompts[0], prompts[0] + len(prompts)))

    shows(page, HOME)
    all_right()
    page.save()
    assert saved(isolated)["name"] == "python3"
    page.restart()
    assert page.run(2).strip() == prefix
    all_right()
    assert page.metadata()["kernelspec"]["name"] == "python3"
    page.save()
    page.open("a.ipynb")
    shows(page, CHURN)
    page.save()
    assert saved(isolated)["display_name"] == HOME
    all_right()
    assert not page.state().dialogs
    assert not complaints(page)


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_use_is_saved_and_going_home_too(
    open_notebook: Callable[..., Page], isolated: Any, app: str
) -> None:
    page = open_notebook(CELLS, app=app)
    for index in (0, 1, 3):
        page.run(index)
    assert "5" in page.state().cells[3].output.split()
    shows(page, HOME)
    page.run(4)
    shows(page, CHURN)
    names(page, "churn")
    page.save()
    assert saved(isolated)["name"] == "churn"
    assert saved(isolated)["display_name"].startswith(CHURN)
    page.run(3)
    shows(page, HOME)
    names(page, "python3")
    page.save()
    assert saved(isolated) == {"name": "python3", "display_name": HOME, "language": "python"}
    # the menu is not in the way
    page.restart()
    assert page.run(2).strip() == sys.prefix
    if app == "lab":
        stays_after_a_reload(page, str(isolated.envmagic / "envs" / "churn"))
    assert not complaints(page)


def stays_after_a_reload(page: Page, prefix: str) -> None:
    page.run(0)
    page.run(4)
    names(page, "churn")
    (session,) = page.server.api("api/sessions")
    assert session["kernel"]["name"] == "churn"
    page.open("a.ipynb")
    shows(page, CHURN)
    page.restart()
    assert page.run(2).strip() == prefix
    page.save()
    assert page.metadata()["kernelspec"]["name"] == "churn"


def test_only_the_page_that_ran_the_cell_has_something_to_save(
    open_notebook: Callable[..., Page], isolated: Any, specs: Any
) -> None:
    specs("alpha")
    page = open_notebook(["%load_ext envmagic", "%env use alpha"])
    page.save()  # with the display name that the frontend gives the kernel as it opens the file
    other = Page(page.page.context, page.server, "a.ipynb")
    write_notebook(isolated.work / "b.ipynb", ["1"])
    another = Page(page.page.context, page.server, "b.ipynb")
    assert not has_something_to_save(other)
    page.run(0)
    page.run(1)
    for each in (page, other):
        shows(each, "alpha")
        assert each.session()["name"] == "alpha"
    names(page, "alpha")
    assert other.metadata()["kernelspec"]["name"] == "python3"
    assert has_something_to_save(page) and not has_something_to_save(other)
    shows(another, HOME)
    assert not [*complaints(page), *complaints(other), *complaints(another)]


def test_each_page_saves_the_kernel_that_the_notebook_is_in(
    open_notebook: Callable[..., Page], isolated: Any, specs: Any
) -> None:
    """Also the page whose own cell moved it before: it had taken over another name."""
    specs("alpha")
    page = open_notebook(["%load_ext envmagic", "%env use alpha", "%env use python3"])
    other = Page(page.page.context, page.server, "a.ipynb")
    page.run(0)
    page.run(1)
    shows(other, "alpha")
    names(page, "alpha")
    page.save()
    other.run(2)
    shows(page, HOME)
    assert not has_something_to_save(page)
    page.save()
    assert saved(isolated) == {"name": "python3", "display_name": HOME, "language": "python"}
    assert not has_something_to_save(page)
    assert not [*complaints(page), *complaints(other)]


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_after_shut_down_the_page_starts_the_kernel_it_was_in(
    open_notebook: Callable[..., Page], isolated: Any, specs: Any, app: str
) -> None:
    specs("alpha", env={"WHICH": "alpha"})
    which = "import os; print(os.environ.get('WHICH'))"
    page = open_notebook(["%load_ext envmagic", "%env use alpha", which], app=app)
    page.run(0)
    page.run(1)
    names(page, "alpha")
    page.save()
    shut_down(page)
    page.command("kernelmenu:restart")
    shows(page, "alpha")
    assert page.run(2) == "alpha\n"
    # a cell that is run starts a kernel too
    shut_down(page)
    page.command("notebook:clear-all-cell-outputs")
    assert page.run(2) == "alpha\n"
    page.save()
    assert saved(isolated)["name"] == "alpha"
    assert not complaints(page)


def test_after_shut_down_a_notebook_that_a_cell_has_moved_comes_up_where_it_was(
    open_notebook: Callable[..., Page], isolated: Any
) -> None:
    """The cell is not needed again, and the file names what it named; what a person chooses in the
    menu is had as it is called."""
    page = open_notebook(CELLS[:3])
    page.run(0)
    page.run(1)
    shows(page, CHURN)
    prefix = str(isolated.envmagic / "envs" / "churn")
    shut_down(page)
    page.command("kernelmenu:restart")
    shows(page, CHURN)
    assert page.run(2).strip() == prefix
    shut_down(page)
    page.command("notebook:clear-all-cell-outputs")
    assert page.run(2).strip() == prefix
    shut_down(page)
    page.open("a.ipynb")
    shows(page, CHURN)
    page.save()
    assert saved(isolated)["name"] == "python3"
    shut_down(page)
    page.command("notebook:change-kernel", wait=False)
    page.page.click(".jp-Dialog-button.jp-mod-accept")
    page.ready()
    shows(page, HOME)
    assert page.run(2).strip() == sys.prefix
    assert not complaints(page)


def test_a_console_on_the_same_kernel_goes_on(
    open_notebook: Callable[..., Page], specs: Any
) -> None:
    specs("alpha")
    page = open_notebook(["%load_ext envmagic", "%env use alpha"])
    page.run(0)
    page.command("notebook:create-console")
    page.page.wait_for_selector(".jp-CodeConsole .jp-CodeConsole-promptCell")
    page.page.evaluate(
        "() => { const app = window.jupyterapp; for (const w of app.shell.widgets('main'))"
        " if (w.content?.model?.cells) app.shell.activateById(w.id); }"
    )
    page.run(1)
    shows(page, "alpha")
    assert page.page.locator(".jp-CodeConsole .jp-CodeConsole-promptCell").count() == 1
    assert not complaints(page)


def test_another_kernel_chosen_in_the_menu_is_shown(
    open_notebook: Callable[..., Page], specs: Any
) -> None:
    for name in ("alpha", "beta"):
        specs(name)
    page = open_notebook(["%load_ext envmagic", "%env use alpha"])
    page.run(0)
    page.run(1)
    shows(page, "alpha")
    context = "window.jupyterapp.shell.currentWidget.sessionContext"
    page.page.evaluate(f"() => {context}.changeKernel({{name: 'beta'}}).then(() => true)")
    shows(page, "beta")
    names(page, "beta")
    shut_down(page)
    page.command("kernelmenu:restart")
    shows(page, "beta")
    names(page, "beta")


def test_where_it_is_disabled_the_page_is_as_it_was(
    isolated: Any, open_notebook: Callable[..., Page], specs: Any
) -> None:
    specs("alpha")
    command = [sys.executable, "-m", "jupyter", "labextension", "disable", "--level=user"]
    subprocess.run([*command, "envmagic"], check=True)
    page = open_notebook(["%load_ext envmagic", "%env use alpha"])
    page.run(0)
    page.run(1)
    session = page.server.api("api/sessions")[0]
    assert session["kernel"]["name"] == "alpha"
    page.page.wait_for_timeout(1000)
    assert page.state().kernel == HOME


class TestWithoutTheServersExtension:
    @pytest.fixture
    def server(self, isolated: Any, extensions: None, chromium: Any) -> Any:
        with Server(isolated.work, pages=True, without=[OURS]) as started:
            yield started

    def test_the_page_is_as_it_was(self, open_notebook: Callable[..., Page], specs: Any) -> None:
        specs("alpha")
        page = open_notebook(["%load_ext envmagic", "%env use alpha"])
        page.run(0)
        assert "A restart goes back to python3" in page.run(1)
        assert page.state().kernel == HOME
        assert not [said for said in complaints(page) if "404" not in said]
