"""The terminal's frontend: the real command, its exit codes, and what it prints where."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.lab import write_notebook
from support.terminal import Said

from envmagic import __version__

Terminal = Callable[..., Said]


def test_help_goes_to_standard_output_and_no_words_to_standard_error(terminal: Terminal) -> None:
    assert terminal("--help").out.startswith("usage: envmagic VERB")
    assert terminal("help").out == terminal("-h").out
    assert terminal("create", "-h").out.startswith("envmagic create [NAME|PATH]")
    nothing = terminal(code=2)
    assert nothing.out == ""
    assert nothing.err.startswith("usage: envmagic VERB")


def test_version(terminal: Terminal) -> None:
    assert terminal("--version").out == f"envmagic {__version__}\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["creat", "x"], 2, "Did you mean create?"),
        (["version"], 2, "reserved for a later version"),
        (["create", "--nonsense"], 2, "create has no option --nonsense"),
        (["create", "Not A Name"], 2, "'Not A Name' cannot name an environment"),
        (["install", "six"], 2, "--env NAME"),
        (["install", "six", "--env", "nowhere"], 2, "'nowhere'"),
        (["status", "--notebook", "no.ipynb"], 2, "no.ipynb"),
        (["use", "churn"], 2, "in a terminal"),
        (["create", "a.ipynb"], 2, "envmagic create --notebook a.ipynb"),
        (["rm", "churn"], 2, "Did you mean remove?"),
        (["remove", "nowhere"], 2, "'nowhere'"),
        (["create", "./file"], 1, "is a file"),
    ],
)
def test_mistakes_are_one_line_on_standard_error(
    terminal: Terminal, isolated: Isolated, words: list[str], code: int, says: str
) -> None:
    (isolated.work / "file").touch()
    said = terminal(*words, code=code)
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("envmagic: ")
    assert says in said.err


def test_a_mistake_with_json_is_the_envelope_on_standard_output(terminal: Terminal) -> None:
    said = terminal("remove", "nowhere", "--json", code=2)
    assert said.json["ok"] is False
    assert said.json["verb"] == "remove"
    assert said.json["problems"][0]["subject"] == "nowhere"
    assert len(said.err.splitlines()) == 1
    (none,) = terminal("status", "--json", code=2).json["problems"]
    assert none["command"] == "envmagic list" and "%env" not in none["hint"]


def test_an_environment_from_its_making_to_its_end(terminal: Terminal, isolated: Isolated) -> None:
    made = terminal("create", "churn", "--with", "six")
    assert made.out.startswith("✓ Created churn")
    assert "Creating churn" in made.err  # the milestones
    assert "churn" in terminal("list").out
    assert terminal("status", "--env", "churn", "--json").json["data"]["environment"]["owned"]
    assert "attrs" in terminal("install", "attrs", "--env", "churn").out
    assert "Removed from churn: attrs" in terminal("uninstall", "attrs", "--env", "churn").out
    plan = terminal("remove", "churn", code=1)
    assert "envmagic remove churn --yes" in plan.out
    assert terminal("remove", "churn", "--dry-run").out.startswith("· This would go:")
    assert (isolated.envmagic / "envs" / "churn").is_dir()
    assert terminal("remove", "churn", "--yes", "--json").json["changed"]
    assert not (isolated.envmagic / "envs" / "churn").exists()


def test_without_env_the_venv_of_the_working_directory_is_meant(
    terminal: Terminal, isolated: Isolated
) -> None:
    terminal("create")
    assert (isolated.work / ".venv" / "pyvenv.cfg").is_file()
    assert "tabulate" in terminal("install", "tabulate").out
    (isolated.work / "deeper").mkdir()
    terminal("install", "tabulate", cwd=isolated.work / "deeper", code=2)


def test_status_without_a_notebook_is_that_of_the_directory(
    terminal: Terminal, isolated: Isolated
) -> None:
    terminal("create", "--json")
    assert terminal("status").out.startswith("✓ The environment is ")
    write_notebook(isolated.work / "a.ipynb", ["import six"])
    terminal("record", "on", "a.ipynb", "--env", "none")
    said = terminal("status").out
    assert "requirements.txt · 1 requirement · recording on" in said
    assert "session" not in said
    (isolated.work / "deeper").mkdir()
    assert "none" in terminal("status", "--env", "../.venv", cwd=isolated.work / "deeper").out


def test_a_notebook_means_the_environment_of_its_kernel_then_the_venv_beside_it(
    terminal: Terminal, isolated: Isolated
) -> None:
    terminal("create", "churn", "--json")
    there = isolated.work / "there"
    named = write_notebook(there / "named.ipynb", [""], kernel="churn")
    other = write_notebook(there / "other.ipynb", [""])
    terminal("create", "--json", cwd=there)

    def where(notebook: Path) -> str:
        data = terminal("status", "--notebook", notebook, "--json").json["data"]
        assert data["notebook"] == str(notebook)
        return str(data["environment"]["prefix"])

    assert where(named) == str(isolated.envmagic / "envs" / "churn")
    assert where(other) == str(there / ".venv")


def test_relative_paths_count_from_the_working_directory(
    terminal: Terminal, isolated: Isolated
) -> None:
    deeper = isolated.work / "deeper"
    deeper.mkdir()
    terminal("create", "../beside", cwd=deeper)
    assert (isolated.work / "beside" / "pyvenv.cfg").is_file()
    notebook = write_notebook(deeper / "a.ipynb", [""])
    terminal("create", "./again", "--notebook", notebook)
    assert (isolated.work / "again" / "pyvenv.cfg").is_file()


def test_with_json_nothing_but_json_is_on_standard_output(terminal: Terminal) -> None:
    said = terminal("create", "churn", "--json")
    assert said.err == ""
    envelope = json.loads(said.out)
    assert envelope["data"]["action"] == "created"


def test_requirement_lines_for_a_pipe_are_alone_on_standard_output(
    terminal: Terminal, isolated: Isolated
) -> None:
    write_notebook(isolated.work / "a.ipynb", ["import six, no_such_module_at_all"])
    said = terminal("record", "a.ipynb", "--to", "-", "--env", "none")
    assert said.out == "six\n"
    assert "no_such_module_at_all" in said.err
    assert not (isolated.work / "requirements.txt").exists()


def test_a_terminal_without_unicode_shows_question_marks(terminal: Terminal) -> None:
    said = terminal("doctor", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert said.out.startswith("? All is well")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_traceback(
    isolated: Isolated, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    script = f"{sys.executable} -m envmagic list | true"
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stderr == ""


def test_help_imports_nothing_heavy(isolated: Isolated, tmp_path: Path) -> None:
    code = (
        "import sys; from envmagic.frontends.terminal.cli import main; main(['--help']);"
        "print(sorted(set(sys.modules) & {'IPython', 'jupyter_client', 'asyncio', 'subprocess',"
        " 'packaging', 'traitlets', 'envmagic.operations', 'email', 'importlib.metadata'}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.splitlines()[-1] == "[]"


def test_what_is_uninstalled_leaves_the_record(terminal: Terminal, isolated: Isolated) -> None:
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (isolated.work / "a.ipynb").write_text(json.dumps(notebook))
    terminal("create", "churn")
    here = ("--env", "churn", "--notebook", "a.ipynb")
    terminal("install", "attrs", "six", *here)
    file = isolated.work / "requirements.txt"
    assert "attrs==" in file.read_text() and "six==" in file.read_text()
    terminal("uninstall", "attrs", *here)
    assert "attrs" not in file.read_text() and "six==" in file.read_text()


def test_what_the_page_needs_beside_jupyter_is_said(
    terminal: Terminal, isolated: Isolated, make_wheel: Callable[..., Path]
) -> None:
    """Widgets have a half for the page, which is looked for where Jupyter is and nowhere else."""
    extension = "share/jupyter/labextensions/@us/drawn/package.json"
    drawn = {"drawn.py": "", f"drawn-1.0.data/data/{extension}": "{}"}
    make_wheel("drawn", "1.0", files=drawn)
    make_wheel("uses", requires=["drawn"])
    said = terminal("create", "churn", "--with", "uses").out
    assert "drawn shows itself in the page only with drawn beside Jupyter, too." in said
    assert "install" in said.rpartition("loaded again: ")[2]
    assert "beside Jupyter" not in terminal("create", "churn", "--with", "uses").out
    shown = isolated.kernels.parent / "labextensions" / "@us" / "drawn"
    shown.mkdir(parents=True)
    assert "beside Jupyter" not in terminal("create", "other", "--with", "uses").out


def test_status_tells_of_a_block_without_its_end_and_record_mends_it(
    terminal: Terminal, isolated: Isolated
) -> None:
    write_notebook(isolated.work / "a.ipynb", ["import humanize"])
    terminal("record", "a.ipynb", "--env", "none")
    file = isolated.work / "requirements.txt"
    whole = file.read_text()
    assert "bad-block" not in terminal("status", "--notebook", "a.ipynb", "--json").out
    file.write_text(whole.partition("# <<<")[0])
    said = terminal("status", "--notebook", "a.ipynb").out
    assert "has no line '# <<< envmagic <<<' any more" in said and "envmagic record" in said
    terminal("record", "a.ipynb", "--env", "none")
    assert file.read_text() == whole


def test_what_others_need_goes_only_with_yes_and_doctor_tells_of_it(
    terminal: Terminal, isolated: Isolated, make_wheel: Callable[..., Path]
) -> None:
    """Without extras and markers that do not hold here; `--fix` puts it there again."""
    make_wheel("grounds", "1.2")
    make_wheel("uses", requires=["grounds>=1 ; python_version > '3'"])
    make_wheel("may-use", requires=["grounds ; extra == 'more'", "grounds>3; python_version<'3'"])
    terminal("create", "churn", "--with", "uses", "may-use")
    here = ("--env", "churn")
    refused = terminal("uninstall", "grounds", *here, code=1).err
    assert "grounds stays in" in refused and ": uses needs it." in refused
    again = shlex.split(refused.rpartition("all the same: ")[2])
    assert again[:4] == ["envmagic", "uninstall", "grounds", "--yes"]
    assert "All is well" in terminal("doctor").out
    assert "Removed from churn: grounds" in terminal(*again[1:]).out
    assert "uses needs grounds>=1." in terminal("doctor", code=0).out
    assert "Mended" in terminal("doctor", "--fix").out
    assert "All is well" in terminal("doctor").out
    terminal("uninstall", "grounds", "uses", *here)


def test_many_notebooks_are_shared_out_and_each_keeps_its_own(
    isolated: Isolated, terminal: Terminal
) -> None:
    """Enough of them that every core takes some, and the last batch is not a full one."""
    count = 43
    padding = "# " + "x" * 20_000
    for number in range(count):
        cells = [f"import numpy, own_module_{number}", padding]
        write_notebook(isolated.work / f"n{number:02}.ipynb", cells)
    said = terminal("record", ".", "--env", "none", "--to", "-", "--json").json["data"]["notebooks"]
    assert [n["path"] for n in said] == [f"n{number:02}.ipynb" for number in range(count)]
    unresolved = [[u["module"] for u in n["unresolved"]] for n in said]
    assert unresolved == [[f"own_module_{number}"] for number in range(count)]
    assert all([r["name"] for r in n["requirements"]] == ["numpy"] for n in said)
