"""What is advised is carried out where it is given, and helps."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated

from envmagic.environments import backends
from envmagic.frontends.terminal import cli

Say = Callable[..., dict[str, Any]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """The terminal's frontend in this process; returns the envelope."""

    def run(*words: str | Path) -> dict[str, Any]:
        capsys.readouterr()
        cli.main([*map(str, words), "--json"])
        envelope: dict[str, Any] = json.loads(capsys.readouterr().out)
        return envelope

    return run


def lose_its_python(prefix: Path) -> None:
    """As when the Python that it was made from is uninstalled."""
    python = prefix / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/bin/python3")
    rows = (prefix / "pyvenv.cfg").read_text().splitlines()
    kept = ["home = /nowhere/bin" if row.startswith("home") else row for row in rows]
    (prefix / "pyvenv.cfg").write_text("\n".join(kept) + "\n")


def without_python(home: Isolated, say: Say) -> None:
    say("create", "churn", "--with", "six")
    lose_its_python(home.envmagic / "envs" / "churn")


def without_environment(home: Isolated, say: Say) -> None:
    say("create", "churn")
    shutil.rmtree(home.envmagic / "envs" / "churn")


def without_kernel(home: Isolated, say: Say) -> None:
    say("create", "churn")
    shutil.rmtree(home.kernels / "churn")


def without_files(home: Isolated, say: Say) -> None:
    say("create", "churn", "--with", "six")
    (six,) = (home.envmagic / "envs" / "churn").glob("lib/*/site-packages/six.py")
    six.unlink()


def imports_six(home: Isolated, say: Say) -> None:
    say("create", "./.venv", "--with", "six")
    cell = {"cell_type": "code", "source": "import six", "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    (home.work / "n.ipynb").write_text(json.dumps(notebook))


def another_backend(home: Isolated, say: Say) -> None:
    say("create", "churn", "--backend", "venv")


def nothing(home: Isolated, say: Say) -> None:
    (home.work / "empty").mkdir()


@pytest.mark.parametrize(
    ("situation", "words", "code"),
    [
        (without_python, "create churn", "no-interpreter"),
        (without_python, "install idna --env churn", "no-interpreter"),
        (without_python, "doctor", "no-interpreter"),
        (without_environment, "doctor", "environment-gone"),
        (without_kernel, "doctor", "no-kernel"),
        (without_files, "doctor", "broken-distribution"),
        (imports_six, "sync", "no-file"),
        (another_backend, "create churn --backend uv", "other-backend"),
        (another_backend, "remove churn", "not-confirmed"),
        (nothing, "attach ./nope", "no-environment"),
        (nothing, "attach ./empty", "not-an-environment"),
        (nothing, "install six", "no-environment"),
    ],
)
def test_the_command_that_is_advised_helps(
    isolated: Isolated, say: Say, situation: Callable[..., None], words: str, code: str
) -> None:
    situation(isolated, say)
    (problem,) = (p for p in say(*shlex.split(words))["problems"] if p["code"] == code)
    command = problem["command"] or "envmagic doctor --fix"
    assert command.startswith("envmagic ") and "NAME" not in command
    assert say(*shlex.split(command)[1:])["ok"], command
    assert code not in [p["code"] for p in say(*shlex.split(words))["problems"]]
    if situation is without_python:
        held = backends.look(backends.inspect(isolated.envmagic / "envs" / "churn")).versions
        assert held["six"]


def test_what_is_not_ours_is_not_said_to_be_taken_away_first(
    isolated: Isolated, say: Say, bare_venv: Callable[..., Path]
) -> None:
    bare_venv(isolated.work / "theirs")
    (problem,) = say("create", "./theirs", "--backend", "venv")["problems"]
    assert (problem["code"], problem["command"]) == ("other-backend", "")


def test_an_environment_that_cannot_be_made_anew_is_as_it_was(isolated: Isolated, say: Say) -> None:
    without_python(isolated, say)
    mine = isolated.envmagic / "envs" / "churn"
    again = ("create", "churn", "--python", "3", "--with", "no-such-package-xyz")
    assert not say(*again)["ok"]
    assert list(mine.glob("lib/*/site-packages/six.py"))
    (mine / "thesis.ipynb").write_text("years")
    (problem,) = say("create", "churn", "--python", "3")["problems"]
    assert problem["code"] == "not-deleted" and (mine / "thesis.ipynb").read_text() == "years"
