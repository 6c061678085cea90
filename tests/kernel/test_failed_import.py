"""A cell whose import fails says below the traceback what installs it, and is the same besides."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from conftest import Isolated
from support.kernels import Ran
from support.terminal import Said

Terminal = Callable[..., Said]


def seen(ran: Ran) -> tuple[str, str, str]:
    return ran.status, ran.error, re.sub(r"In\[\d+\]", "", ran.traceback)


def test_in_an_environment_it_is_install_which_works(
    isolated: Isolated, terminal: Terminal, kernel: Callable[..., Any]
) -> None:
    terminal("create", "churn")
    (isolated.work / "uses.py").write_text("import humanize\n")
    run = kernel("churn").run
    for cell in (
        "import humanize",
        "import uses",
        "%run uses.py",
        "def f():\n import humanize\nf()",
    ):
        said = run(cell, check=False).stderr
        assert said == "humanize is not installed. To install it: %env install humanize\n", cell
    for cell in (
        "import no_such_thing_x, humanize",
        "import uses.nothing",
        "raise ModuleNotFoundError('No module named humanize', name='humanize')",
        "try:\n    import humanize\nexcept ImportError:\n    pass",
        "1 / 0",
    ):
        (isolated.work / "uses.py").write_text("")
        assert run(cell, check=False).stderr == "", cell
    run(said.strip().partition(": ")[2])
    run("import humanize")


def test_in_jupyters_own_it_is_create_and_nothing_else_changes(
    isolated: Isolated, terminal: Terminal, kernel: Callable[..., Any]
) -> None:
    """The extension is loaded by the start-up file alone."""
    terminal("autoload", "on")
    run = kernel().run
    ran = run("import sklearn", check=False)
    assert ran.stderr.startswith("scikit-learn is not installed. ")
    assert ran.stderr.endswith(": %env create --with scikit-learn\n")
    assert run("import sys; sys.last_value.name").result == "'sklearn'"
    for verb, own in (("install", ": %env create --with idna"), ("sync", ": %env create")):
        words = "idna" if verb == "install" else ""
        refused = run(f"%env {verb} {words}", check=False).stderr.strip()
        assert f"To change that one: %env {verb} --here {words}".strip() in refused
        assert refused.endswith(own), refused
    run("import importlib.metadata as m; before = m.version('ipykernel')")
    refused = run("%env uninstall ipykernel --yes", check=False).stderr.strip()
    assert refused.endswith(": %env uninstall --here ipykernel --yes"), refused
    assert run("m.version('ipykernel') == before").result == "True"
    (isolated.work / "requirements.txt").touch()
    run("def told(self, kind, value, tb, tb_offset=None):\n    print('told', value.name)")
    run("get_ipython().set_custom_exc((ImportError,), told)")
    custom = run("import sklearn", check=False)
    assert custom.stdout == "told sklearn\n"
    assert custom.stderr.endswith(": %env create -r requirements.txt --with scikit-learn\n")
    run("get_ipython().set_custom_exc((), None)\n%unload_ext envmagic")
    bare = run("import sklearn", check=False)
    assert bare.stderr == "" and seen(bare) == seen(ran)
