"""`lock` writes what is installed, whole, with hashes, and the same bytes when nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY
from packaging.pylock import Pylock
from support.operate import Operator, prefix_of
from support.simple_index import serving

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import (
    InstallRequest,
    LockRequest,
    PlanRequest,
    RecordRequest,
    StatusRequest,
)
from envmagic.environments import backends
from envmagic.environments.backends import commands
from envmagic.record.lock import Inputs
from envmagic.system import toml_files

Wheel = Callable[..., Path]

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")


@pytest.fixture
def index(isolated: Any, make_wheel: Wheel) -> Iterator[str]:
    """An index with `thing` 1.0 and 2.0, which needs `other`."""
    for version in ("1.0", "2.0"):
        make_wheel("thing", version, requires=["other"])
    make_wheel("other", "1.0")
    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        links = Path(os.environ["UV_CACHE_DIR"]).parents[1].as_uri()
        user = address.replace("://", "://u:s3cret@")
        settings.write_text(
            f'find-links = ["{links}"]\n[[index]]\nurl = "{user}"\ndefault = true\n'
        )
        yield address


def asking(operate: Operator, *lines: str) -> Path:
    """An environment `.venv` that has what a requirements file with `lines` asks for."""
    (operate.work / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    return prefix_of(operate.create(".venv"))


def read(file: Path) -> dict[str, Any]:
    lock = Pylock.from_dict(toml_files.parsed(file.read_text()))
    return {str(package.name): package for package in lock.packages}


def test_what_is_installed_is_locked_and_nothing_newer(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    operate(InstallRequest(("thing==1.0",)), prefix)
    (operate.work / "requirements.txt").write_text("thing\n")
    file = operate.work / "pylock.toml"
    assert operate(LockRequest(), prefix).changed
    packages = read(file)
    assert {name: str(p.version) for name, p in packages.items()} == {
        "thing": "1.0",
        "other": "1.0",
    }
    for package in packages.values():
        (wheel,) = package.wheels
        assert wheel.hashes["sha256"] and wheel.url.startswith(index.rpartition("/simple")[0])
    assert "s3cret" not in file.read_text() and "u:" not in file.read_text()
    raw, inode = file.read_bytes(), file.stat().st_ino
    assert not operate(LockRequest(), prefix).changed
    assert (file.read_bytes(), file.stat().st_ino) == (raw, inode)
    file.unlink()
    operate(LockRequest(), prefix)
    assert file.read_bytes() == raw


def test_check_shows_what_differs_and_names_what_helps(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    operate(LockRequest(), prefix)
    assert operate(LockRequest(check=True), prefix).exit_code == 0
    (operate.work / "requirements.txt").write_text("thing\n")
    told = operate(InstallRequest(("thing==2.0",)), prefix)
    report = operate(LockRequest(check=True), prefix)
    (problem,) = report.problems
    assert [(p.code, p.command) for p in told.problems] == [("lock-behind", ("lock",))]
    assert told.problems[0].message == "pylock.toml is behind: thing 1.0 → 2.0 since."
    assert told.problems == operate(StatusRequest(), prefix).problems
    assert report.exit_code == 1 and problem.command == ("lock",)
    (told,) = report.data["locks"]
    assert "tool.envmagic" not in told["diff"] and "sha256:" not in told["diff"]
    assert '-version = "1.0"' in told["diff"] and '+version = "2.0"' in told["diff"]
    operate(LockRequest(), prefix)
    assert operate(LockRequest(check=True), prefix).exit_code == 0
    (operate.work / "requirements.txt").write_text("thing\nwanting\n")
    told = operate(InstallRequest(("thing==1.0",)), prefix)
    assert [(p.code, p.command) for p in told.problems] == [("lock-behind", ("sync",))]


def test_one_that_was_edited_by_hand_is_behind(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing")
    operate(LockRequest(), prefix)
    file = operate.work / "pylock.toml"
    right = file.read_bytes()
    file.write_bytes(right.replace(b"2.0", b"2.1"))
    assert operate(LockRequest(check=True), prefix).exit_code == 1
    operate(LockRequest(), prefix)
    assert file.read_bytes() == right


def test_what_comes_from_no_index_is_locked_where_it_is(
    operate: Operator, index: str, isolated: Any
) -> None:
    for name in ("mine", "theirs"):
        project = operate.work / name
        project.mkdir()
        (project / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            f'[project]\nname = "{name}"\nversion = "1"\n[tool.setuptools]\npy-modules = []\n'
        )
    theirs = operate.work / "theirs"
    git = ["git", "-C", str(theirs), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    prefix = asking(operate, "-e ./mine", f"theirs @ git+{theirs.as_uri()}")
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "two"], check=True)
    operate(LockRequest(), prefix)
    packages = read(operate.work / "pylock.toml")
    assert packages["theirs"].vcs.commit_id == commit.strip()
    assert packages["mine"].directory.editable and packages["mine"].directory.path == "mine"
    there = backends.look(backends.inspect(prefix))
    asked = Inputs.of(there, operate.work / "requirements.txt").asked(operate.work)
    at = f"theirs @ git+{theirs.as_uri()}@{commit.strip()}"
    assert asked == ("-e ./mine", at)  # pip takes nothing twice


def test_with_no_uv_and_an_old_pip_it_is_said_what_locks_and_that_does(
    operate: Operator, index: str, isolated: Any, bare_venv: Callable[..., Path]
) -> None:
    (operate.work / "requirements.txt").write_text("thing<2\n")
    bare_venv(operate.work / ".venv", "thing<2")  # with no pip of its own
    outer = bare_venv(isolated.home / "outer", "ipykernel", "packaging")
    variables = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}

    def said(*words: str) -> str:
        ran = subprocess.run(
            [outer, "-m", *words], env=variables, cwd=operate.work, capture_output=True, text=True
        )
        return ran.stderr + ran.stdout

    said("ensurepip")
    if not said("pip", "--version").startswith("pip 2") or "lock  " in said("pip", "help"):
        pytest.skip("this Python comes with a pip that locks")
    *_, refused = said("envmagic", "lock", "--env", ".venv").splitlines()
    assert "uv 0.6.15 or pip 25.1, or later" in refused and "pip install -U uv" in refused
    said("pip", "install", "-q", "-U", "uv")
    assert "2 distributions, with hashes" in said("envmagic", "lock", "--env", ".venv")
    assert set(read(operate.work / "pylock.toml")) == {"thing", "other"}


def test_where_uv_is_too_old_pip_locks(
    operate: Operator, index: str, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv before 0.6.15 knows no `--format`; what it says then is said here."""
    prefix = asking(operate, "thing<2")
    program, real = operate.work / "uv", commands.find_uv()
    refusal = "error: unexpected argument '--format' found"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--format*) echo "{refusal}" >&2; exit 2;; esac\n'
        f'exec {real} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("ENVMAGIC_UV", str(program))
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.delenv("PIP_NO_INDEX")
    operate(LockRequest(), prefix)
    file = operate.work / "pylock.toml"
    packages = read(file)
    assert {str(package.version) for package in packages.values()} == {"1.0"}
    assert set(packages) == {"thing", "other"} and packages["thing"].wheels[0].hashes["sha256"]
    (locked,) = operate(LockRequest(check=True), prefix).data["locks"]
    assert (locked["changed"], locked["distributions"]) == (False, 2)
    with pytest.raises(EnvmagicError, match="made by uv") as refused:
        operate(LockRequest(universal=True), prefix)
    assert refused.value.problem.tool_command == ("pip", "install", "-U", "uv")


def noted(directory: Path, name: str, *imports: str) -> Path:
    """A notebook that imports those."""
    sources = [f"import {each}" for each in imports]
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    file = directory / name
    file.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    return file


def test_one_of_several_notebooks_gets_a_lock_of_its_own_which_its_plan_takes(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    make_wheel("alone")
    mine = noted(operate.work, "my.plot.ipynb", "alone")
    other = noted(operate.work, "b.ipynb", "thing")
    prefix = asking(operate, "thing<2", "alone")
    (operate.work / "requirements.txt").unlink()
    operate(RecordRequest(paths=(mine.name, other.name)), prefix)
    operate(LockRequest((mine.name, other.name)), prefix)
    own = operate.work / "pylock.my-plot.toml"
    assert set(read(own)) == {"alone"}
    assert set(read(operate.work / "pylock.b.toml")) == {"thing", "other"}
    assert not (operate.work / "pylock.toml").exists()
    plan = operate(PlanRequest(str(mine)))
    assert own.name in json.dumps(plan.data)
    with pytest.raises(WordsError, match=r"c\.ipynb is not recorded") as unknown:
        operate(LockRequest((noted(operate.work, "c.ipynb", "thing").name,)), prefix)
    assert unknown.value.problem.command == ("record", "c.ipynb")
    operate(RecordRequest(paths=("c.ipynb",)), prefix)
    operate(LockRequest(("c.ipynb",)), prefix)
    assert set(read(operate.work / "pylock.c.toml")) == {"thing", "other"}


def test_what_the_record_does_not_need_leaves_the_lock_as_it_is(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    prefix = asking(operate, "thing<2")
    operate(LockRequest(), prefix)
    before = (operate.work / "pylock.toml").read_bytes()
    make_wheel("unrelated")
    assert not operate(InstallRequest(("unrelated",)), prefix).problems
    assert operate(LockRequest(check=True), prefix).exit_code == 0
    operate(LockRequest(), prefix)
    assert (operate.work / "pylock.toml").read_bytes() == before


def test_a_lock_of_another_python_is_said_to_be_that_and_left_until_lock(
    operate: Operator, index: str
) -> None:
    prefix = asking(operate, "thing<2")
    operate(LockRequest(), prefix)
    file = operate.work / "pylock.toml"
    here = file.read_text()
    python = ".".join(map(str, sys.version_info[:2]))
    file.write_text(here.replace(f'python = "{python}"', 'python = "3.9"'))
    there = file.read_bytes()
    report = operate(LockRequest(check=True), prefix)
    (problem,) = report.problems
    assert report.exit_code == 1 and problem.code == "lock-elsewhere"
    assert "it is for Python 3.9 on" in problem.message and problem.command == ("lock",)
    told = operate(InstallRequest(("thing==2.0",)), prefix)
    assert [p.code for p in told.problems] == ["lock-behind"] and file.read_bytes() == there
    operate(InstallRequest(("thing==1.0",)), prefix)
    operate(LockRequest(), prefix)
    assert file.read_text() == here and operate(LockRequest(check=True), prefix).exit_code == 0


def test_for_all_platforms(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2", "other; sys_platform == 'win32'")
    operate(LockRequest(universal=True), prefix)
    file = operate.work / "pylock.toml"
    assert "universal = true" in file.read_text()
    before = file.read_bytes()
    operate(LockRequest(), prefix)  # stays what it is
    assert file.read_bytes() == before


def test_bad_input(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    with pytest.raises(WordsError, match=r"lock\.toml is no name") as name:
        operate(LockRequest(to="lock.toml"), prefix)
    assert name.value.problem.command == ("lock", "--to", "pylock.lock.toml")
    (operate.work / "requirements.txt").write_text("thing>=2\n")
    with pytest.raises(EnvmagicError, match="asks for thing") as lacking:
        operate(LockRequest(), prefix)
    assert lacking.value.problem.command == ("sync",)
    with pytest.raises(WordsError, match="x is no notebook") as path:
        operate(LockRequest(("x",)), prefix)
    assert path.value.problem.command == ("lock",)
    (operate.work / "requirements.txt").unlink()
    with pytest.raises(WordsError, match=r"no requirements\.txt") as nothing:
        operate(LockRequest(), prefix)
    assert nothing.value.problem.command == ("record",)
    assert not list(operate.work.glob("*lock*"))


def test_a_version_that_the_index_has_no_more(operate: Operator, index: str, isolated: Any) -> None:
    prefix = asking(operate, "thing<2")
    for wheel in isolated.wheels.glob("thing-1*"):
        wheel.unlink()
    with pytest.raises(EnvmagicError, match=r"thing==1\.0"):
        operate(LockRequest(), prefix)
    assert not (operate.work / "pylock.toml").exists()
