"""The frontends themselves, with envmagic not loaded: if these fail, the harness is broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.lab import Page


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_cell_runs_in_the_browser(open_notebook: Callable[..., Page], app: str) -> None:
    page = open_notebook(["print(6 * 7)", "1/0"], app=app)
    assert page.run(0).strip() == "42"
    assert "ZeroDivisionError" in page.run(1)
    assert page.session()["name"] == "python3"
    assert "python3" in page.refresh_kernels()
