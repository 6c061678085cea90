"""`ship ray`, with a real cluster whose workers lack what the notebook has."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import ray_clusters
from support.notebooks import execute

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "ray.ipynb"
# What a person does next; a cell that is to fail goes on.
MORE = (
    "import os\nos.environ |= {'NAMED': 'a-word', 'OTHER': 'b-word'}\n"
    "%env ship ray --env-var NAMED",
    "@ray.remote(runtime_env=runtime_env)\n"
    "def variables():\n    return os.environ.get('NAMED'), os.environ.get('OTHER')\n"
    "ray.get(variables.remote())",
    "%env ship ray 127.0.0.2:9",
    "ray.shutdown()\n%env ship ray --check",
    "%env ship ray 127.0.0.2:9",
    "%env ship ray not-an-address",
    "%env ship ray",
    "import json\njson.dumps(runtime_env)",
    "%env ship ray auto --check",
    "%env install near-by\n%env record\n%env ship ray auto",
    "ray.is_initialized(), 'near-by' in str(runtime_env)",
    "import _thread, threading\nthreading.Timer(3, _thread.interrupt_main).start()\n"
    "%env ship ray auto --index http://a-name:a-secret@127.0.0.2:9/simple",
    "ray.is_initialized()",
    "import envmagic.ship\nenvmagic.ship.runtime_env('ray.ipynb', conda='there')['conda']",
)


@pytest.fixture(scope="session")
def ray_wheels() -> Path:
    """Fetched before a test has nothing but what is on the disk."""
    return ray_clusters.wheels()


@pytest.fixture
def with_ray(isolated: Any, ray_wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray can be installed, too; on the cluster nothing that a test makes can be."""
    listed = os.environ["PIP_FIND_LINKS"].split()
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join([*listed, ray_wheels.as_uri()]))
    _uv_takes(Path(os.environ["UV_CONFIG_FILE"]), *listed, ray_wheels.as_uri())
    for name, value in ray_clusters.VARIABLES.items():
        monkeypatch.setenv(name, value)


def _uv_takes(file: Path, *links: str) -> None:
    quoted = ", ".join(f'"{link}"' for link in links)
    file.write_text(f"no-index = true\nfind-links = [{quoted}]\n")


def test_the_notebook_goes_from_nothing_to_a_result_on_workers(
    isolated: Any,
    with_ray: None,
    bare_venv: Callable[..., Path],
    make_wheel: Callable[..., Path],
    wheelhouse: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = bare_venv(isolated.home / "workers", *ray_clusters.INSTALLED)
    notebook = _with_more_cells(Path(shutil.copy(NOTEBOOK, isolated.work)))
    make_wheel("near-by", "1.0")
    with pytest.MonkeyPatch.context() as there:
        _uv_takes(isolated.home / "there.toml", wheelhouse.as_uri())
        there.setenv("UV_CONFIG_FILE", str(isolated.home / "there.toml"))
        running = ray_clusters.cluster(python)
        address = running.__enter__()
    try:
        monkeypatch.setenv("RAY_ADDRESS", address)
        cells = execute(notebook)
    finally:
        running.__exit__(None, None, None)

    assert f"Sent to {address}: humanize, python-slugify, text-unidecode and labels" in cells[5]
    assert "1 worker has Python" in cells[5] and "ray" not in cells[5].split("Sent")[1][:80]
    assert cells[6] == "['1-2-million', '3-0-billion']"
    assert f"Sent to {address}: labels\n" in cells[8], "only what changed goes again"
    assert cells[9] == "['about-1-2-million', 'about-3-0-billion']"
    assert "Sent" not in cells[10] and "✗" not in cells[10]
    named, variables, elsewhere, unconnected, gone, word, told, dumped, checked = cells[12:21]
    assert "Sent" not in named and "NAMED" in named and "a-word" not in named
    assert variables == "('a-word', None)"
    assert "connected to Ray at" in elsewhere and "%env ship ray" in elsewhere
    assert "connected to no Ray" in unconnected and "%env ship ray auto" in unconnected
    assert "No Ray answers at 127.0.0.2:9" in gone
    assert "no address of Ray" in word
    assert "runtime_env holds it" in told and "ray job submit" in told
    sent = json.loads(dumped.strip("'"))
    assert [line.split("==")[0] for line in sent["uv"]] == [
        "humanize",
        "python-slugify",
        "text-unidecode",
    ]
    assert sent["py_modules"] == [str(isolated.work / "labels.py")] and "env_vars" not in sent
    assert "no humanize" in checked and "%env ship ray auto" in checked
    absent, then, interrupted, afterwards, conda = cells[21:]
    assert "near-by" in absent and "The cluster is as it was." in absent
    assert then == "(False, False)", "neither connected nor set anew"
    assert "Interrupted" in interrupted and "a-secret" not in "".join(cells)
    assert afterwards == "False"
    assert conda == "'there'"
    assert "a-word" not in "".join(cells[:13])


def _with_more_cells(notebook: Path) -> Path:
    content = json.loads(notebook.read_text("utf-8"))
    content["cells"].pop()  # it disconnects
    content["cells"] += [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"more-{number}",
            "metadata": {"tags": ["raises-exception"]},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(("", *MORE))
    ]
    notebook.write_text(json.dumps(content))
    return notebook
