"""Several processes at once: each is served, and nothing of anybody's is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.lab import write_notebook

from envmagic import requirements


def test_two_processes_creating_the_same_name_get_one_environment(
    isolated: Any, terminal: Callable[..., Any], kernel: Callable[..., Any]
) -> None:
    command = [sys.executable, "-m", "envmagic", "create", "churn", "--with", "six", "--json"]
    both = [
        subprocess.Popen(command, cwd=isolated.work, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert all(answer["ok"] for answer in answers)
    assert sorted(answer["data"]["action"] for answer in answers) == ["created", "reused"]
    assert [spec.name for spec in isolated.kernels.iterdir()] == ["churn"]
    assert kernel("churn").run("import six, sys; sys.prefix").result == repr(
        str(isolated.envmagic / "envs" / "churn")
    )
    assert "All is well" in terminal("doctor").out
    assert not list((isolated.envmagic / "journal").glob("*"))


def test_two_kernels_recording_into_one_file_lose_no_line(
    isolated: Any, terminal: Callable[..., Any], kernel: Callable[..., Any], make_wheel: Any
) -> None:
    many = 100
    names = {letter: [f"{letter}{number:03}" for number in range(many)] for letter in "ab"}
    for name in (*names["a"], *names["b"]):
        make_wheel(name)
    terminal("create", "churn", "--with", *names["a"], *names["b"])
    running = {letter: recording(kernel, isolated.work / f"{letter}.ipynb") for letter in "ab"}
    for number in range(many):
        for letter, session in running.items():
            session.client.execute(f"import {names[letter][number]}")
    for session in running.values():
        assert session.run("6 * 7").result == "42"  # it is answered after all that came before
    block = requirements.read(isolated.work / "requirements.txt").block
    assert block is not None
    found = {entry.text: [m.notebook for m in entry.mentions] for entry in block.entries}
    assert found == {
        f"{name}==1.0": [f"{letter}.ipynb"] for letter in "ab" for name in names[letter]
    }


def recording(kernel: Callable[..., Any], notebook: Path) -> Any:
    """A kernel of `churn` that runs `notebook`, as VS Code tells it, and records it."""
    write_notebook(notebook, [], kernel="churn")
    session = kernel("churn")
    session.run(f"__vsc_ipynb_file__ = {str(notebook)!r}")
    session.run("%env record on")
    return session
