"""The stock kernel starts, on every Python; if this fails, nothing on this shelf means anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.every_python
def test_the_stock_kernel_runs_code_and_shows_errors(kernel: Callable[..., Any]) -> None:
    stock = kernel()
    assert stock.run("print('out'); 6 * 7").result == "42"
    failed = stock.run("1 / 0", check=False)
    assert failed.status == "error"
    assert failed.error.startswith("ZeroDivisionError")
