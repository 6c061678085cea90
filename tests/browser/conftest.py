"""Fixtures of the browser shelf: a server, and a page with a notebook open in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import lab
from support.specs import Specs


@pytest.fixture
def server_extension(isolated: Any) -> None:
    """What installing envmagic beside the server puts there: its extension and the page's."""
    lab.install_extensions()


@pytest.fixture
def server(isolated: Any, chromium: Path) -> Iterator[lab.Server]:
    """A Jupyter server whose root is the test's working directory."""
    with lab.Server(isolated.work) as started:
        yield started


@pytest.fixture
def open_notebook(
    isolated: Any, server: lab.Server, chromium: Path, tmp_path: Path
) -> Iterator[Callable[..., lab.Page]]:
    """`open_notebook(cells, name="a.ipynb", app="lab", color_scheme="dark")`: a `lab.Page`."""
    with ExitStack() as stack:
        count = 0

        def open_(
            cells: Sequence[str], name: str = "a.ipynb", *, app: str = "lab", **options: Any
        ) -> lab.Page:
            nonlocal count
            count += 1
            lab.write_notebook(isolated.work / name, cells)
            profile = tmp_path / f"chromium-{count}"
            context = stack.enter_context(lab.browser(chromium, profile, **options))
            return lab.Page(context, server, name, app=app)

        yield open_


@pytest.fixture
def specs(isolated: Any) -> Specs:
    """`specs("alpha")` registers a kernel of this interpreter with envmagic loaded."""
    return Specs(isolated.kernels)
