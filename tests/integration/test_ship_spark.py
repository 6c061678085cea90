"""The archive that Spark's executors unpack: what is in it, when it is made, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.operate import Heard
from support.processes import eventually

from envmagic import operations
from envmagic.core import verbs
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Place
from envmagic.ship import spark_conf

Ship = Callable[..., Any]
PYPROJECT = """\
[project]
name = "tool"
version = "3"
[build-system]
requires = []
build-backend = "building"
backend-path = ["."]
"""
# Where `waits` lies beside it, it says that it builds, and goes on for as long as anybody waits.
BUILDING = """\
import pathlib, sys, time, zipfile
HERE = pathlib.Path(__file__).parent
METADATA = "Metadata-Version: 2.1\\nName: tool\\nVersion: 3\\n"
WHEEL = "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_wheel(directory, *_, editable=False):
    if (HERE / "waits").exists():
        (HERE / "builds").touch()
        time.sleep(600)
    files = {"tool.pth": str(HERE)} if editable else {"tool.py": (HERE / "tool.py").read_text()}
    files |= {"tool-3.dist-info/METADATA": METADATA, "tool-3.dist-info/WHEEL": WHEEL}
    files["tool-3.dist-info/RECORD"] = "".join(f"{name},,\\n" for name in files)
    with zipfile.ZipFile(pathlib.Path(directory, "tool-3-py3-none-any.whl"), "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return "tool-3-py3-none-any.whl"

def build_editable(directory, *_):
    return build_wheel(directory, editable=True)
"""


@pytest.fixture
def project(isolated: Any, make_wheel: Callable[..., Path], bare_venv: Callable[..., Path]) -> Path:
    """The working directory, whose `.venv` has more than the record needs; `helper` lies beside."""
    make_wheel("pyspark", files={"pyspark/__init__.py": "brought = 'by Spark'\n"})
    make_wheel("near", requires=["six"])
    make_wheel("never")
    bare_venv(isolated.work / ".venv", "pyspark", "near", "never")
    (isolated.work / "requirements.txt").write_text("pyspark\nnear\n")
    (isolated.work / "helper.py").write_text("import six\n")
    notebook(isolated.work, "import near, helper, pyspark")
    return Path(isolated.work)


def notebook(place: Path, source: str) -> Path:
    path = place / "n.ipynb"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    return path


@pytest.fixture
def tool(project: Path, uv_command: list[str]) -> Path:
    """A project whose editable installation is in the environment and the record."""
    place = project / "tool"
    place.mkdir()
    (place / "tool.py").write_text("")
    (place / "pyproject.toml").write_text(PYPROJECT)
    (place / "building.py").write_text(BUILDING)
    subprocess.run([*uv_command, "pip", "install", "-q", "-e", place], check=True, cwd=project)
    (project / "requirements.txt").write_text("near\ntool\n")
    return place


def ship(
    project: Path,
    prefix: Path | None = None,
    values: dict[str, Any] | None = None,
    **asked: Any,
) -> Any:
    """What `ship spark` answers for the notebook of `project`; none of its workers differs.

    With the `values` of a notebook it is said there, else in a terminal.
    """
    frontend = Frontend.TERMINAL if values is None else Frontend.NOTEBOOK
    held = values if values is not None else {}
    prefix = prefix or project / ".venv"
    place = Place(frontend, project, project / "n.ipynb", prefix, values=held)
    said = operations.run(verbs.ShipRequest("spark", **asked), place, Heard())
    assert [worker["differs"] for worker in said.data["workers"]] == [[]]
    return said.data


def modules(archive: Path) -> set[str]:
    """What is in it, as its Python imports it."""
    with tarfile.open(archive) as opened:
        return {name.rpartition("site-packages/")[2] for name in opened.getnames()}


def test_it_holds_what_the_record_needs_and_starts_elsewhere(project: Path, isolated: Any) -> None:
    data = ship(project, to="fleet.tar.gz")
    archive = project / "fleet.tar.gz"
    assert data["file"] == str(archive) and not data["variable"]
    assert {"near.py", "six.py"} <= modules(archive)
    assert not {"never.py", "pyspark/__init__.py"} & modules(archive)
    assert f"--archives {archive.as_uri()}#environment" in data["notes"][-1].replace("'", "")
    elsewhere = isolated.home / "elsewhere"
    with tarfile.open(archive) as opened:
        opened.extractall(elsewhere)
    shutil.rmtree(project / ".venv")
    words = [elsewhere / "bin" / "python", "-I", "-c", "import near, six, sys; print(sys.prefix)"]
    assert subprocess.check_output(words, text=True).strip() == str(elsewhere)


def test_it_is_no_larger_than_the_packers_own_and_is_used_again(
    project: Path, bare_venv: Callable[..., Path]
) -> None:
    archive = Path(ship(project)["file"])
    bare_venv(project / "same", "near")
    packer = [sys.executable, "-m", "venv_pack", "-q", "-p", "same", "-o", "same.tar.gz"]
    subprocess.run(packer, check=True, cwd=project)
    assert archive.stat().st_size <= (project / "same.tar.gz").stat().st_size
    before = archive.stat().st_mtime_ns
    (project / "helper.py").write_text("import six, near\n")
    again = ship(project)
    assert not again["file"] and archive.stat().st_mtime_ns == before
    assert len(list(archive.parent.glob("helper-*.zip"))) == 2
    assert ship(project, check=True)["workers"] == again["workers"]


def test_other_packages_make_another_archive(
    project: Path, make_wheel: Callable[..., Path], uv_command: list[str]
) -> None:
    first = ship(project)["file"]
    make_wheel("near", "2.0")
    subprocess.run([*uv_command, "pip", "install", "-q", "-U", "near"], check=True, cwd=project)
    with pytest.raises(EnvmagicError) as raised:
        ship(project, check=True)
    assert raised.value.problem.code == "not-shipped"
    data = ship(project)
    assert data["file"] not in ("", first) and data["distributions"]["near"] == "2.0"


def test_what_is_editable_and_what_no_zip_file_can_hold_lie_in_the_archive(
    project: Path, tool: Path
) -> None:
    (project / "data").mkdir()
    (project / "data" / "__init__.py").write_text("")
    (project / "data" / "table.csv").write_text("1,2")
    notebook(project, "import near, tool, data")
    ship(project, to="fleet.tar.gz")
    found = modules(project / "fleet.tar.gz")
    assert {"tool.py", "data/table.csv"} <= found
    assert not [name for name in found if name.endswith(".pth")]


def test_a_conda_environment_goes_with_its_python_and_without_where_it_came_from(
    project: Path, conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env(project / "made", "tiny")
    (project / "requirements.txt").write_text("tiny\n")
    notebook(project, "import tiny, helper")
    data = ship(project, prefix, to="fleet.tar.gz")
    assert not [note for note in data["notes"] if "Executors need" in note]
    with tarfile.open(project / "fleet.tar.gz") as opened:
        names = opened.getnames()
    assert "bin/python" in names and not [n for n in names if n.startswith("conda-meta")]


def test_a_named_variable_goes_along_and_is_shown_and_written_nowhere(
    project: Path, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("OTHER", "kept-here")
    data = ship(project, variables=("TOKEN",))
    assert data["settings"]["spark.executorEnv.TOKEN"] == "…"
    assert not {"s3cret", "kept-here"} & set(json.dumps(data).replace('"', " ").split())
    held = [f for f in isolated.envmagic.glob("**/*") if f.is_file()]
    assert held and not [f for f in held if b"s3cret" in f.read_bytes()]


def test_the_next_session_of_a_notebook_is_told_and_a_variable_of_the_users_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(sys, "prefix", str(project / ".venv"))  # it is the notebook's kernel
    values: dict[str, Any] = {}
    assert ship(project, values=values)["variable"] == "spark_conf"
    assert values["spark_conf"]["spark.archives"] in os.environ["PYSPARK_SUBMIT_ARGS"]
    assert os.environ["PYSPARK_PYTHON"] == "./environment/bin/python"
    assert ship(project, values=values, target="yarn")["variable"] == "spark_conf"
    assert values["spark_conf"]["spark.master"] == "yarn"
    values["spark_conf"] = {"mine": "1"}
    assert ship(project, values=values)["variable"] == ""
    assert values == {"spark_conf": {"mine": "1"}}
    assert "yarn" not in os.environ["PYSPARK_SUBMIT_ARGS"]


def test_from_python_it_is_the_settings_themselves(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(project / ".venv"))
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.setenv("PYSPARK_PYTHON", "")
    found = spark_conf(project / "n.ipynb", master="yarn", variables=["TOKEN"])
    assert found["spark.master"] == "yarn" and found["spark.executorEnv.TOKEN"] == "s3cret"
    assert found["spark.submit.pyFiles"].endswith(".zip")
    assert os.environ["PYSPARK_PYTHON"] == found["spark.pyspark.python"]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"to": "fleet.zip"}, "option-value", "no .tar.gz"),
    ({"to": "a,b.tar.gz"}, "option-value", "','"),
    ({"to": "theirs.tar.gz"}, "not-ours", "no archive that envmagic has written"),
    ({"target": "spark://127.0.0.1:9"}, "cluster-gone", "spark://127.0.0.1:9: connection refused"),
    ({"target": "spark://nowhere"}, "cluster-gone", "it is no HOST:PORT"),
    ({"target": "local[4]"}, "nothing-to-ship", "local[4] runs here"),
    ({"target": "mesos://x"}, "option-value", "mesos://x is no master"),
    ({"index": "http://127.0.0.1:9/simple"}, "option-value", "--index"),
    ({"check": True}, "not-shipped", "no archive"),
    ({"variables": ("NOT_SET_HERE",)}, "no-variable", "NOT_SET_HERE"),
]


def test_what_is_refused_is_said_in_one_line_and_nothing_is_written(
    project: Path, isolated: Any
) -> None:
    (project / "theirs.tar.gz").write_bytes(b"somebody's")
    before = sorted(project.rglob("*"))
    for asked, code, said in REFUSED:
        with pytest.raises(EnvmagicError) as raised:
            ship(project, **asked)
        problem = raised.value.problem
        assert problem.code == code and said in problem.message, problem
        assert (problem.hint or problem.command) and "\n" not in problem.line("%env")
    (project / "requirements.txt").unlink()
    with pytest.raises(EnvmagicError) as raised:
        ship(project)
    assert raised.value.problem.command == ("record",)
    assert sorted(project.rglob("*")) == [p for p in before if p.name != "requirements.txt"]
    assert not list((isolated.envmagic / "spark").glob("*.gz"))
    assert (project / "theirs.tar.gz").read_bytes() == b"somebody's"


def test_where_the_archive_cannot_be_written_or_nobody_packs_it_says_so(
    project: Path, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "file").write_text("")
    monkeypatch.setattr(sys, "prefix", str(project / ".venv"))
    with pytest.raises(EnvmagicError) as raised:
        ship(project, to="file/fleet.tar.gz")
    assert raised.value.problem.code == "not-writable"
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "site-packages" not in p])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (isolated.envmagic / "runtimes").unlink()
    with pytest.raises(EnvmagicError) as raised:
        ship(project)
    assert raised.value.problem.code == "no-packer"
    assert raised.value.problem.tool_command[-1] == "venv-pack"


def test_interrupted_it_leaves_the_archive_of_before_and_nothing_else(
    project: Path, tool: Path
) -> None:
    ship(project, to="fleet.tar.gz")
    before = (project / "fleet.tar.gz").read_bytes()
    (tool / "waits").touch()
    left = sorted(project.rglob("*"))
    words = [sys.executable, "-m", "envmagic", "ship", "spark", "--to", "fleet.tar.gz"]
    packs = subprocess.Popen(words, cwd=project, stderr=subprocess.PIPE, text=True)
    eventually((tool / "builds").exists)
    packs.send_signal(signal.SIGINT)
    said = packs.communicate(timeout=60)[1].strip()
    assert said.splitlines()[-1].strip() == "Interrupted; nothing was changed.", said
    assert (project / "fleet.tar.gz").read_bytes() == before
    now = [p for p in project.rglob("*") if "__pycache__" not in p.parts and p.name != "builds"]
    assert sorted(now) == [p for p in left if "__pycache__" not in p.parts]
