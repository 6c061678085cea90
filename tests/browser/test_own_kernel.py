"""The kernel `envmagic` as a person meets it: Run All, restart, Shut Down, reload, and its logo."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.lab import Page

RAN = "open('ran', 'a').write('{}');"
CELLS = [
    f"%%time\nimport slugify\n{RAN.format(0)}",
    f"import os, sys; {RAN.format(1)} print(sys.prefix, 'ENVMAGIC_RELAY' in os.environ)",
    f"{RAN.format(2)} print(slugify.slugify('One Cell'))",
]
NAME, GUESSED = "Notebook's own environment", "a (Python 3."


def shows(page: Page, name: str) -> None:
    page.wait(lambda state: state.kernel.startswith(name), f"the toolbar says {name}", 60)


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_run_all_then_start_again_in_each_way(
    open_notebook: Callable[..., Page], isolated: Any, app: str
) -> None:
    page = open_notebook(CELLS, app=app, kernel="envmagic")
    shows(page, NAME)
    prefix = isolated.envmagic / "envs" / "a"
    page.run_all()
    assert page.done(2) == "one-cell\n"
    assert page.done(1) == f"{prefix} True\n"
    told = page.done(0)
    assert "Created a" in told and "Wall time" in told
    assert [cell.prompt for cell in page.state().cells] == ["[1]:", "[2]:", "[3]:"]
    assert (isolated.work / "ran").read_text() == "012"
    shows(page, GUESSED)

    page.restart()
    assert "NameError" in page.run(2)
    assert page.run(1) == f"{prefix} False\n"
    shows(page, GUESSED)

    page.save()
    page.command("kernelmenu:shutdown")
    shows(page, "No Kernel")
    page.command("kernelmenu:restart")
    shows(page, GUESSED)  # before any cell has run
    page.restart()
    assert page.run(1) == f"{prefix} False\n"
    page.open("a.ipynb")
    shows(page, GUESSED)
    page.save()
    saved = json.loads((isolated.work / "a.ipynb").read_text("utf-8"))
    assert saved["metadata"]["kernelspec"]["name"] == "envmagic"
    assert not page.state().dialogs


def test_it_is_in_the_launcher_and_in_the_picker_with_its_logo(
    open_notebook: Callable[..., Page],
) -> None:
    page = open_notebook(["1"])
    page.command("notebook:change-kernel", wait=False)
    select = page.page.wait_for_selector(".jp-Dialog select")
    assert NAME in [option.inner_text() for option in select.query_selector_all("option")]
    page.page.click(".jp-Dialog .jp-mod-reject")
    page.command("launcher:create")
    card = f'.jp-LauncherCard[data-category="Notebook"][title^="{NAME}"]'
    logo = page.page.wait_for_selector(f"{card} img")
    page.wait(lambda _: logo.evaluate("image => image.naturalWidth") > 0, "the logo is drawn")
