"""`ship dask`, with real clusters whose workers lack what the notebook has."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import dask_clusters, processes, wheels
from support.dask_clusters import NOTHING, cluster, held
from support.notebooks import execute
from support.terminal import Said

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "dask.ipynb"
# What a person does next; a cell that is to fail goes on.
MORE = (
    "import os\nos.environ |= {'NAMED': 'a-word', 'OTHER': 'b-word'}\n"
    "%env ship dask --env-var NAMED",
    "client.run(lambda: (os.environ.get('NAMED'), os.environ.get('OTHER')))",
    "client.restart()\nclient.gather(client.map(labels.label, [7_000_000], pure=False))",
    "%env install humanize==4.16.0\n%env record\n%env ship dask",
    "other = Client(client.scheduler.address)\n%env ship dask",
    "%env ship dask other --check",
    "other.close()\nclient.close()\ndel other\n%env ship dask",
)
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "of-a-tree"
version = "1.0"
"""
BACKEND = """\
import pathlib, shutil

def build_wheel(directory, *more):
    return pathlib.Path(shutil.copy(*pathlib.Path().glob("*.whl"), directory)).name

build_editable = build_wheel
"""
WITH_PIP = "import subprocess, sys; subprocess.call([sys.executable, '-m', 'ensurepip'])"


@pytest.fixture(scope="session")
def dask_wheels() -> Path:
    """Fetched before a test has nothing but what is on the disk."""
    return dask_clusters.wheels()


@pytest.fixture
def with_dask(isolated: Any, dask_wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """distributed can be installed, too."""
    links = f"{os.environ['PIP_FIND_LINKS']} {dask_wheels.as_uri()}"
    monkeypatch.setenv("PIP_FIND_LINKS", links)
    listed = ", ".join(f'"{link}"' for link in links.split())
    Path(os.environ["UV_CONFIG_FILE"]).write_text(f"no-index = true\nfind-links = [{listed}]\n")


def test_the_notebook_goes_from_nothing_to_a_result_on_workers(
    isolated: Any,
    with_dask: None,
    bare_venv: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    python = bare_venv(isolated.home / "workers", "distributed", "pip")
    notebook = _with_more_cells(Path(shutil.copy(NOTEBOOK, isolated.work)))
    with cluster(python, isolated.home) as address:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
        cells = execute(notebook)
        assert f"Sent to {address}: humanize" in cells[5] and "and labels" in cells[5]
        assert "2 workers have Python" in cells[5]
        assert cells[6] == "['1-2-million', '3-0-billion']"
        assert f"Sent to {address}: labels\n" in cells[8], "only what changed goes again"
        assert cells[9] == "['about-1-2-million', 'about-3-0-billion']"
        assert "Sent" not in cells[10]
        named, variables, restarted, older, several, one, gone = cells[11:]
        assert "Sent" not in named, "all was there"
        assert variables.count("('a-word', None)") == 2
        assert restarted.endswith("['about-7-0-million']")
        assert "humanize 4.16.0" in older and "client.restart()" in older
        assert "client and other" in several and "%env ship dask client" in several
        assert "2 workers have Python" in one
        assert "does not answer" in gone
        assert "a-word" not in "".join(cells[:12])
    record = (isolated.work / "requirements.txt").read_text()
    assert "humanize==4.16.0" in record and "word" not in record


def _with_more_cells(notebook: Path) -> Path:
    content = json.loads(notebook.read_text("utf-8"))
    content["cells"].pop()  # it closes the client
    content["cells"] += [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"more-{number}",
            "metadata": {"tags": ["raises-exception"]},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(MORE)
    ]
    notebook.write_text(json.dumps(content))
    return notebook


def test_what_a_cluster_cannot_take_is_one_line_and_changes_nothing(
    isolated: Any,
    with_dask: None,
    bare_venv: Callable[..., Path],
    make_wheel: Callable[..., Path],
    terminal: Callable[..., Said],
    uv_command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel = make_wheel("near-by", "1.0")
    terminal("create", "own", "--with", "distributed", "near-by")
    own = isolated.envmagic / "envs" / "own" / "bin" / "python"
    (isolated.work / "helper.py").write_text("import near_by\n")
    notebook = _notebook(isolated.work, "import helper, near_by, distributed")

    def ship(*words: str, code: int = 1) -> str:
        said = terminal("ship", "dask", *words, "--notebook", notebook, "--env", "own", code=code)
        lines = said.told
        assert len(lines) == (1 if code else 0), said
        return lines[0] if lines else said.out

    assert "envmagic record" in ship("tcp://127.0.0.1:9", code=2), "a notebook without a record"
    terminal("record", notebook, "--env", "own")
    assert "ship dask tcp://HOST:8786" in ship(code=2), "no client, and no address"
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    assert "does not answer" in ship(f"tcp://127.0.0.1:{_free_port()}"), "a cluster that is gone"
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT")

    version, python = dask_clusters.other()
    older = bare_venv(isolated.home / "older", "distributed", python=python)
    with cluster(older, isolated.home, 0) as address:
        told = ship(address)
        assert f"runs Python {version} and this notebook {dask_clusters.here()[0]}" in told
        assert f"--python {version}" in told
        assert held(older, address) == NOTHING

    workers = bare_venv(isolated.home / "workers", "distributed")
    with cluster(workers, isolated.home, 1) as address:
        told = ship(address)
        assert "lacks near-by and has neither pip nor uv" in told and "'-m', 'ensurepip'" in told
        assert held(own, address, WITH_PIP) == NOTHING  # and does what it was told to do

        hidden = wheel.rename(isolated.home / "hidden.whl")
        told = ship(address)
        assert "cannot install what the record needs: " in told and "near-by" in told
        assert f"ship dask {address} --index URL" in told
        assert held(own, address) == NOTHING

        with socket.create_server(("127.0.0.1", 0)) as index:
            port = index.getsockname()[1]
            words = ["ship", "dask", address, "--index", f"http://u:SECRET@127.0.0.1:{port}/"]
            said = _interrupted([*words, "--notebook", str(notebook), "--env", "own"], index)
        assert said.splitlines()[-1] == "Interrupted; nothing was changed." and "SECRET" not in said
        assert held(own, address) == NOTHING
        assert not processes.working_in(isolated.home / "dask-scratch-space" / "envmagic")

        hidden.rename(wheel)
        _tree(isolated.home / "tree")
        tree = ["-e", str(isolated.home / "tree")]
        subprocess.run([*uv_command, "pip", "install", "-q", "-p", own, *tree], check=True)
        _notebook(isolated.work, "import helper, near_by, distributed, of_a_tree")
        terminal("record", notebook, "--env", "own")
        differing = terminal(
            "ship", "dask", address, "--check", "--notebook", notebook, "--env", "own", code=1
        )
        assert "no near-by 1.0" in differing.out
        assert "near-by 1.0, of-a-tree 1.0 and helper" in ship(address, code=0)
        assert "Sent" not in ship(address, code=0)
        registered, scheduler, paths = held(own, address)
        assert registered == scheduler and len(registered) == 2 and len(paths) == 2


def _notebook(directory: Path, source: str) -> Path:
    path = directory / "n.ipynb"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "id": "a"}
    told = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps({**told, "cells": [{**cell, "execution_count": None}]}))
    return path


def _tree(directory: Path) -> None:
    """A project that can be installed from its directory."""
    wheels.build(directory, "of-a-tree", "1.0")
    (directory / "backend.py").write_text(BACKEND)
    (directory / "pyproject.toml").write_text(PROJECT)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _interrupted(words: list[str], index: socket.socket) -> str:
    """What `envmagic WORDS` says where it is interrupted as soon as somebody asks `index`, which
    does not answer."""
    running = subprocess.Popen(
        [sys.executable, "-m", "envmagic", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    connection, _ = index.accept()
    with connection:
        running.send_signal(signal.SIGINT)
        return running.communicate(timeout=60)[0]
