"""The kernel `envmagic` on a server: a notebook that gets another place while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.lab import Server, write_notebook
from support.served import Opened

WHERE = "import sys, six; print(sys.prefix)"


@pytest.fixture
def opened(isolated: Any) -> Iterator[Callable[..., Opened]]:
    made: list[Opened] = []

    def open_(server: Server, path: str) -> Opened:
        made.append(Opened(server, isolated.runtime, path, "envmagic"))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def test_a_notebook_is_renamed_moved_and_copied_while_it_runs(
    isolated: Any, opened: Callable[..., Opened]
) -> None:
    """It stays in its environment, the copy gets the same; neither is made anew."""
    root = isolated.work
    notebook = write_notebook(root / "a.ipynb", [WHERE], kernel="envmagic")
    (root / "sub").mkdir()
    with Server(root) as server:
        here = opened(server, "a.ipynb")
        prefix = str(isolated.envmagic / "envs" / "a")
        assert here.run(WHERE).endswith(prefix)
        here.run("kept = 42")
        for path in ("b.ipynb", "sub/c.ipynb"):
            notebook = notebook.rename(root / path)
            here.renamed(path)
            assert here.run("print(kept)") == "42"
            assert str(notebook) in here.run("%env status")
        here.restart()
        assert here.run(WHERE) == prefix
        shutil.copy(notebook, root / "copy.ipynb")
        copied = opened(server, "copy.ipynb")
        assert copied.run(WHERE).endswith(prefix)
        copied.restart()
        assert copied.run(WHERE) == prefix
    assert [path.name for path in (isolated.envmagic / "envs").iterdir()] == ["a"]
