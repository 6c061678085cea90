"""Live switching as a person sees it: there and back with a question, and widgets on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.lab import Page


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_there_and_back_with_variables_and_questions(
    open_notebook: Callable[..., Page], specs: Any, app: str
) -> None:
    specs("alpha")
    cells = [
        "%load_ext envmagic\nx = 5",
        "%env use alpha",
        "print('got', input('name? '))",
        "1 / 0",
        "%env use python3\nprint(x)",
    ]
    page = open_notebook(cells, app=app)
    for index in (0, 1):
        page.run(index)
    page.start(2)
    page.page.wait_for_selector(".jp-Stdin-input", timeout=60000)
    page.page.fill(".jp-Stdin-input", "Ada")
    page.page.keyboard.press("Enter")
    page.wait(lambda s: "got Ada" in s.cells[2].output, "the question is answered")
    assert "ZeroDivisionError" in page.run(3)
    assert "5" in page.run(4).splitlines()


def test_what_the_page_has_yet_to_show_is_shown_after_a_move(
    open_notebook: Callable[..., Page], isolated: Any, specs: Any
) -> None:
    """Widgets, whose code is still on its way to the browser when another kernel speaks."""
    specs("alpha")
    widgets = (
        "import ipywidgets as w\nfor i in range(6): display(w.HBox([w.IntSlider(i), w.Text('t')]))"
    )
    last = "open('ended', 'w').close()"
    page = open_notebook(["%load_ext envmagic\nx = 5", widgets, "%env use alpha", last])
    waiting: list[Any] = []
    page.page.route("**/*.js*", lambda request: waiting.append(request))
    page.run_all()
    page.wait(lambda _: (isolated.work / "ended").exists(), "the last cell ran")
    page.page.wait_for_timeout(500)  # what the kernels said is in the page
    assert waiting and not page.state().cells[3].done
    page.page.route("**/*.js*", lambda request: request.continue_())
    for request in waiting:
        request.continue_()
    page.done(3)
    sliders = page.page.locator(".jp-Notebook .widget-slider")
    page.wait(lambda _: sliders.count() == 6, "all six are shown", 60)
