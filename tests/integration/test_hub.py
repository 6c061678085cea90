"""The kernel `envmagic` on a real JupyterHub; `nox -s hub` sets it up and runs it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.hub import Hub
from support.lab import write_notebook
from support.processes import eventually

PROXY = os.environ.get("ENVMAGIC_TEST_HUB_PROXY")
pytestmark = pytest.mark.skipif(not PROXY, reason="opt-in: nox -s hub")

WHERE = "import os, sys; print(sys.prefix, 'ENVMAGIC_RELAY' in os.environ)"


def test_a_notebook_runs_in_its_own_environment_behind_a_base_url(
    isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):  # a hub knows nothing of where its users' things are
        if name.startswith(("JUPYTER_", "ENVMAGIC_", "IPYTHON")):
            monkeypatch.delenv(name)
    with Hub(isolated.work, Path(str(PROXY))) as hub:
        notebook = write_notebook(hub.home("ada") / "a.ipynb", ["import slugify"], "envmagic")
        server = hub.signed_in("ada")
        specs = server.api("api/kernelspecs")
        assert "envmagic" in specs["kernelspecs"] and specs["default"] == "envmagic"
        body = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook"}
        session = server.api("api/sessions", "POST", {**body, "kernel": {"name": "envmagic"}})
        kernel = session["kernel"]["id"]

        def shown() -> Any:
            return server.api(f"envmagic/kernels/{kernel}")

        said = server.run(kernel, "%%time\nimport slugify")
        assert "Created a" in said and "Wall time" in said
        prefix = hub.home("ada") / ".local" / "share" / "envmagic" / "envs" / "a"
        assert server.run(kernel, WHERE).split() == [str(prefix), "True"]
        assert "python-slugify" in notebook.with_name("requirements.txt").read_text()
        assert (shown()["name"], shown()["display_name"][:10]) == ("envmagic", "a (Python ")

        server.api(f"api/kernels/{kernel}/restart", "POST")
        assert server.run(kernel, WHERE).split() == [str(prefix), "False"]
        eventually(lambda: shown()["display_name"].startswith("a (Python "))
        (found,) = server.api("api/sessions")
        assert found["kernel"]["name"] == "envmagic"
