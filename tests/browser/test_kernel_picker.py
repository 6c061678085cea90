"""In a real frontend: what `%env create` makes can be chosen, and the next cell runs there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.lab import Page

CELLS = [
    "%load_ext envmagic",
    "%env create churn --bare --no-use",
    "import sys; print(sys.prefix)",
    "!which python",
]


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_the_kernel_is_in_the_picker_and_choosing_it_runs_the_next_cell_there(
    open_notebook: Callable[..., Page], isolated: Any, app: str
) -> None:
    page = open_notebook(CELLS, app=app)
    page.run(0)
    assert "Created churn" in page.run(1)
    assert "churn" in page.refresh_kernels()

    page.command("notebook:change-kernel", wait=False)
    select = page.page.wait_for_selector(".jp-Dialog select")
    shown = [option.inner_text() for option in select.query_selector_all("option")]
    (label,) = {text for text in shown if text.startswith("churn (Python 3.")}
    select.select_option(label=label)
    page.page.click(".jp-Dialog .jp-mod-accept")
    page.wait(lambda state: state.kernel == label, "the toolbar shows the chosen kernel")
    page.ready()

    prefix = str(isolated.envmagic / "envs" / "churn")
    assert page.run(2).strip() == prefix
    assert page.run(3).strip().startswith(prefix)
    assert page.metadata()["kernelspec"]["name"] == "churn"
