"""A directory that `ship docker` or `ship binder` wrote is enough to run the notebook."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.dockerfiles import carry_out, run
from support.notebooks import shown
from support.operate import Operator, prefix_of

from envmagic import operations
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Report
from envmagic.environments.backends import commands
from envmagic.frontends.grammar import parse
from envmagic.frontends.grammar.asked import ParsedCommand

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "mine"
version = "1.0"
dependencies = ["other"]
"""


@pytest.fixture
def made(operate: Operator, make_wheel: Callable[..., Path], monkeypatch: Any) -> Path:
    """A notebook whose environment has `thing` 1.0, though 2.0 is there, and `mine` from a
    directory, which needs `other`; the prefix."""
    for version in ("1.0", "2.0"):
        make_wheel("thing", version, files={"thing.py": f"v = '{version}'\n"})
    make_wheel("other", "1.0", files={"other.py": "v = 'o'\n"})
    work = operate.work
    (work / ".git").mkdir()
    (work / "mine" / "mine").mkdir(parents=True)
    (work / "mine" / "pyproject.toml").write_text(PROJECT)
    (work / "mine" / "mine" / "__init__.py").write_text("import other\nv = 'm' + other.v\n")
    (work / "near").mkdir()
    (work / "near" / "__init__.py").write_text("import thing\nv = thing.v\n")
    (work / "near" / ".env").write_text("S3CRET")
    source = "import near, mine\nprint(near.v, mine.v)"
    cell = {"cell_type": "code", "id": "a", "source": source, "metadata": {}, "outputs": []}
    document = {
        "cells": [{**cell, "execution_count": None}],
        "metadata": {"kernelspec": {"name": "churn", "display_name": "churn"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (work / "n.ipynb").write_text(json.dumps(document))
    (work / "requirements.txt").write_text("thing<2\n-e ./mine\n")
    monkeypatch.setenv("TOKEN", "v4lue")
    return prefix_of(operate.create("churn", files=("requirements.txt",), python=PYTHON))


def asked(operate: Operator, prefix: Path, *words: str) -> Report[Any]:
    """The answer to `ship WORDS` of the notebook."""
    parsed = parse(["ship", *words], Frontend.TERMINAL)
    assert isinstance(parsed, ParsedCommand)
    place = operate.place(prefix, operate.work / "n.ipynb")
    return operations.run(parsed.request, place, operate.heard)


def refused(operate: Operator, prefix: Path, *words: str) -> EnvmagicError:
    with pytest.raises(EnvmagicError) as raised:
        asked(operate, prefix, *words)
    return raised.value


def test_an_image_runs_the_notebook_from_its_directory_alone(
    operate: Operator, made: Path, tmp_path: Path, uv_command: list[str]
) -> None:
    out = operate.work / "out"
    report = asked(operate, made, "docker", "out", "--env-var", "TOKEN")
    assert report.changed and report.ok
    assert {p.subject for p in report.problems} == {"near/.env"}
    listed = (out / "requirements.txt").read_text()
    assert "thing==1.0" in listed and "other==1.0" in listed and "./wheels/mine-1.0" in listed
    assert report.data["distributions"] == {"mine": "1.0", "other": "1.0", "thing": "1.0"}
    texts = [file.read_bytes() for file in out.rglob("*") if file.is_file()]
    assert not any(b"v4lue" in raw or b"S3CRET" in raw for raw in texts)
    assert b"-e TOKEN" in (out / "Dockerfile").read_bytes()
    assert not asked(operate, made, "docker", "out", "--env-var", "TOKEN").changed  # wheels, too
    elsewhere = tmp_path / "elsewhere"
    out.rename(elsewhere)
    # what pip would take a minute for, and is nothing of the notebook's
    quick = f'{uv_command[0]} pip install -q -p "$(command -v python)" -c'
    instead = {"pip install --no-cache-dir -c": quick, " jupyterlab": " nbclient ipykernel"}
    work, env = carry_out(elsewhere, tmp_path / "image", instead)
    run("jupyter execute --inplace n.ipynb", work, env)
    assert shown(work / "n.ipynb") == ["1.0 mo\n"]
    assert not (tmp_path / "image" / "home" / "jovyan" / ".local" / "share" / "jupyter").exists()


def test_what_a_person_wrote_stays_and_check_says_what_is_behind(
    operate: Operator, made: Path
) -> None:
    out = operate.work / "out"
    asked(operate, made, "docker", "out")
    assert asked(operate, made, "docker", "out", "--check").ok
    (out / "data.csv").write_text("mine")
    (operate.work / "near" / "__init__.py").write_text("import thing\nv = 3\n")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    behind = asked(operate, made, "docker", "out", "--check")
    assert behind.failed and "+v = 3\n" in behind.data["diff"] and "data" not in behind.data["diff"]
    assert behind.problems[-1].code == "image-behind"
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    assert asked(operate, made, *behind.problems[-1].command[1:3]).changed
    edited = out / "n.ipynb"
    edited.write_bytes(edited.read_bytes() + b"\n")
    held = (out / "near" / "__init__.py").read_bytes()
    (operate.work / "near" / "__init__.py").write_text("import thing\n")
    problem = refused(operate, made, "docker", "out").problem
    assert problem.code == "not-ours" and problem.subject == str(edited)
    assert (out / "near" / "__init__.py").read_bytes() == held
    assert problem.command[:3] == ("ship", "docker", str(operate.work / "out-2"))
    edited.unlink()
    changed = asked(operate, made, "binder", "out")  # the one takes the place of the other
    assert changed.changed and not (out / "Dockerfile").exists()
    assert (out / "data.csv").read_text() == "mine"
    assert (out / "runtime.txt").read_text() == f"python-{PYTHON}\n"
    (out / "Dockerfile").write_text("FROM mine\n")
    assert "instead of" in str(refused(operate, made, "binder", "out"))


def test_bad_input(operate: Operator, made: Path) -> None:
    work = operate.work
    (work / "file").touch()
    for words, code in (
        (("docker", "file"), "bad-export-name"),
        (("docker", "."), "bad-export-name"),
        (("binder", "near/image"), "bad-export-name"),
        (("docker", "out", "--env-var", "TOKEN=v4lue"), "option-value"),
    ):
        error = refused(operate, made, *words)
        assert error.problem.code == code and "v4lue" not in str(error)
    with pytest.raises(EnvmagicError, match="none is named"):
        operate(parse(["ship", "docker", "out"], Frontend.TERMINAL).request, made)  # type: ignore[union-attr]
    lock = work / "pylock.toml"
    text = 'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "thing"\nversion = "1.0"\n'
    text += 'wheels = [{url = "https://h/thing-1.0-py3-none-any.whl", hashes = {sha256 = "aa"}}]\n'
    digest = "sha256:" + "0" * 64
    said = f'python = "{PYTHON}"\nplatform = "darwin arm64"\n'
    content = "sha256:" + sha256(text.encode()).hexdigest()
    table = f'\n[tool.envmagic]\n{said}inputs = "{digest}"\ncontent = "{content}"\n'
    lock.write_text(text + table)
    problem = refused(operate, made, "docker", "out").problem
    assert problem.code == "another-platform" and problem.command[-1] == "--universal"
    lock.unlink()
    record = work / "requirements.txt"
    right = record.read_text()
    record.write_text("--index-url https://me:pa55@h/simple\n" + right)
    told = asked(operate, made, "docker", "out")
    assert "secret-left-out" in {problem.code for problem in told.problems}
    assert "pa55" not in (work / "out" / "requirements.txt").read_text()
    assert "--secret id=netrc" in (work / "out" / "Dockerfile").read_text()
    record.write_text(right + "absent\n")
    assert refused(operate, made, "docker", "out").problem.code == "not-installed"
    record.unlink()
    problem = refused(operate, made, "docker", "out").problem
    assert problem.code == "no-file" and problem.command[0] == "record"


@pytest.mark.skipif(
    importlib.util.find_spec("repo2docker") is None, reason="repo2docker is not here"
)
def test_binder_takes_the_directory(operate: Operator, made: Path, monkeypatch: Any) -> None:
    from repo2docker.buildpacks import CondaBuildPack, DockerBuildPack, PythonBuildPack

    asked(operate, made, "binder", "out")
    monkeypatch.chdir(operate.work / "out")
    python = PythonBuildPack("amd64")
    assert python.detect() and python.python_version == PYTHON
    assert not CondaBuildPack("amd64").detect() and not DockerBuildPack("x").detect()
    assert "postBuild" in "".join(python.get_post_build_scripts())
    scripts = [s for _, s in python.get_assemble_scripts()]
    assert any('-r "requirements.txt"' in s for s in scripts)
    assert os.access("wheels", os.R_OK)
