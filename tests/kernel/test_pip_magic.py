"""In an environment without pip, `%pip` and `!pip` mean that environment all the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kernels import RunningKernel
from support.terminal import Said

from envmagic.core.errors import WordsError
from envmagic.frontends.notebook import pip_magic


def test_pip_and_uv_work_on_the_environment_and_never_on_another(
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    tmp_path: Path,
) -> None:
    bare_venv(tmp_path / "theirs", "ipykernel")
    outer = tmp_path / "outer"  # a pip further along PATH, which must stay untouched
    outer.mkdir()
    (outer / "pip").write_text(f"#!/bin/sh\ntouch {outer}/called\n")
    (outer / "pip").chmod(0o755)
    terminal("attach", tmp_path / "theirs", "--no-use")
    own = kernel("theirs", env={"PATH": f"{outer}{os.pathsep}{os.environ['PATH']}"})
    assert own.run("import importlib.util; importlib.util.find_spec('pip')").result == ""

    assert "Installed into theirs: tabulate" in own.run("%pip install -q tabulate").text
    inside = "import sys, tabulate; tabulate.__file__.startswith(sys.prefix)"
    assert own.run(inside).result == "True"
    assert "attrs" in own.run("package = 'attrs'\n!pip install {package}").text
    assert "Removed from theirs: attrs" in own.run("!python -m pip uninstall -y attrs").text
    for line in ("%pip list", "!pip list", "!python3 -m pip list", "%uv pip list"):
        listed = own.run(line).text
        assert "tabulate" in listed and "ipykernel" in listed and "hypothesis" not in listed, line
    found = own.run(
        "import subprocess; print(subprocess.run(['pip', 'list'], "
        "capture_output=True, text=True).stdout)"
    ).text
    assert "tabulate" in found and "envmagic" not in found
    assert not (outer / "called").exists()

    own.run("%env install pip")
    assert "Successfully installed" in own.run("%pip install attrs").text
    own.run("%uv pip uninstall pip")
    assert "Removed from theirs: attrs" in own.run("!pip uninstall -y attrs").text
    assert not (outer / "called").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("install six", ("install", "six")),
        ("install -q --no-cache-dir 'six>=1' attrs", ("install", "six>=1", "attrs")),
        ("install -U -r dev.txt", ("install", "-U", "-r", "dev.txt")),
        ("install --requirement=dev.txt", ("install", "--requirement=dev.txt")),
        ("install --trust six", ("install", "--trust", "six")),
        ("uninstall -y six", ("uninstall", "six", "--yes")),
    ],
)
def test_pips_words_become_ours(line: str, words: tuple[str, ...]) -> None:
    assert pip_magic.words(line) == words


@pytest.mark.parametrize("line", ["", "list", "install -e .", "install --target x six"])
def test_what_only_pip_can_do_is_refused_with_the_way_to_have_it(line: str) -> None:
    with pytest.raises(WordsError, match="has no pip") as refused:
        pip_magic.words(line)
    assert refused.value.problem.command == ("install", "pip")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("!pip install six", "%pip install six"),
        ("  !pip3 install six", "  %pip install six"),
        ("! python -m pip list", "%pip list"),
        ("!pipx install six", "!pipx install six"),
        ("!echo pip install", "!echo pip install"),
        ("x = '!pip install'", "x = '!pip install'"),
    ],
)
def test_only_lines_that_call_pip_are_taken(before: str, after: str) -> None:
    assert pip_magic.as_magic([before]) == [after]
    assert pip_magic.as_magic(["%%bash\n", before]) == ["%%bash\n", before]
