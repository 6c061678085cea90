"""What the magics show in a real frontend: progress, results, mistakes, light and dark, Tab."""

from __future__ import annotations

import json
from collections.abc import Callable

from conftest import Isolated
from support.lab import Page

_COLOUR = "() => getComputedStyle(document.querySelector('.envmagic')).color"
_STRIPES = """() => [...document.querySelectorAll('.envmagic tr')]
  .map(row => getComputedStyle(row).backgroundColor)"""


def test_progress_gives_way_to_the_result_and_themes_are_followed(
    open_notebook: Callable[..., Page], isolated: Isolated
) -> None:
    cells = [
        "%load_ext envmagic",
        "%env create churn --no-use --with six",
        "%env list",
        "%env use nowhere",
    ]
    page = open_notebook(cells)
    page.run(0)
    page.start(1)
    page.wait(lambda state: "…" in state.cells[1].output, "the progress is shown")
    result = page.done(1)
    assert "Created churn" in result
    assert "Installing" not in result
    assert "churn" in page.run(2)
    mistake = page.run(3)
    assert mistake.strip().startswith("UsageError: No environment is called 'nowhere'.")
    assert "Traceback" not in mistake

    light = page.page.evaluate(_COLOUR)
    page.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.wait(lambda _: page.page.evaluate(_COLOUR) != light, "the dark theme's colours")
    assert set(page.page.evaluate(_STRIPES)) == {"rgba(0, 0, 0, 0)"}

    page.save()
    saved = json.loads((isolated.work / "a.ipynb").read_text("utf-8"))
    outputs = [cell["outputs"] for cell in saved["cells"]]
    assert [len(output) for output in outputs] == [0, 1, 1, 1]
    assert "Created churn" in "".join(outputs[1][0]["data"]["text/plain"])
    assert str(isolated.home) not in json.dumps([outputs[1], outputs[2]])


def test_tab_offers_verbs_and_nothing_of_pythons(open_notebook: Callable[..., Page]) -> None:
    page = open_notebook(["%load_ext envmagic", "%env re"], app="notebook")
    page.run(0)
    page.select(1)
    page.page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.page.keyboard.press("End")
    page.page.keyboard.press("Tab")
    page.page.wait_for_selector(".jp-Completer-item")
    offered = page.page.locator(".jp-Completer-item .jp-Completer-match").all_inner_texts()
    assert [text.split("\n")[0] for text in offered] == [
        "record",
        "remove",
        "rename",
        "restore",
    ]
