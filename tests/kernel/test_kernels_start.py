"""The stock kernel starts, on every Python; if this fails, nothing on this shelf means anything."""

from __future__ import annotations

import sys
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


def test_an_environments_kernel_has_its_own_python_whatever_jupyters_home_is(
    isolated: Any, terminal: Callable[..., Any], kernel: Callable[..., Any]
) -> None:
    """PYTHONHOME is of the Python that Jupyter runs in. Started from the picker and moved to."""
    terminal("create", "churn")
    own = str(isolated.envmagic / "envs" / "churn")
    ask = "import sys; print(sys.prefix)\n!python -c 'import sys; print(sys.prefix)'"
    picked = kernel("churn", env={"PYTHONHOME": "/nowhere"})
    assert picked.run(ask).stdout.split() == [own, own]
    home = kernel(env={"PYTHONHOME": sys.base_prefix})
    home.run("%load_ext envmagic\n%env use churn")
    assert home.run(ask).stdout.split() == [own, own]
