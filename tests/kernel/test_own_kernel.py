"""The kernel `envmagic`: a notebook's own environment, found or made, whatever is around it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.kernels import Ran, RunningKernel
from support.processes import children
from support.slow_package import Slow

from envmagic.environments import ownership
from envmagic.jupyter import kernelspecs

WHERE = "import sys; print(sys.prefix)"
VERSION = "{}.{}.{}".format(*sys.version_info[:3])


@pytest.fixture
def opened(isolated: Isolated, kernel: Callable[..., RunningKernel]) -> Callable[..., Any]:
    """`opened(source, ...)`: the kernel of a notebook with these cells, and its path."""

    def start(*cells: str, name: str = "own.ipynb") -> tuple[RunningKernel, Path]:
        path = write(isolated.work / name, *cells)
        return kernel("envmagic", cwd=path.parent, notebook=path), path

    return start


def write(path: Path, *cells: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    said = [
        {"cell_type": "code", "id": f"c{n}", "source": source, "metadata": {}, "outputs": []}
        for n, source in enumerate(cells)
    ]
    metadata = {
        "kernelspec": {"name": "envmagic", "display_name": "Notebook's own environment"},
        "language_info": {"name": "python", "version": VERSION},
    }
    content = {"cells": said, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content))
    return path


def mistake(ran: Ran) -> str:
    """The one line of a cell that could not run."""
    assert (ran.status, ran.traceback) == ("error", "")
    (line,) = [line for line in ran.stderr.splitlines() if line.strip()]
    return line


def test_the_first_cell_makes_the_environment_and_all_run_there(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    for name in ("re.py", "types.py", "sitecustomize.py", "envmagic/__init__.py"):  # not for us
        (isolated.work / name).parent.mkdir(exist_ok=True)
        (isolated.work / name).write_text(f"raise SystemError('{name} was imported')\n")
    own, _ = opened("%%time\nimport six\nprint(six.__name__)", WHERE)
    first = own.begin("%%time\nimport six\nprint(six.__name__)")
    second = own.begin(WHERE)
    said = own._listen(first, time.monotonic() + 300)
    assert "six" in said.stdout.splitlines() and "Wall time" in said.stdout
    assert "This notebook runs in work now." in said.text
    place = isolated.work / ".venv"
    assert own._listen(second, time.monotonic() + 300).stdout.strip() == str(place)
    for request in (first, second):
        assert own._reply(request)["status"] == "ok"
    assert (isolated.work / "requirements.txt").read_text() == "six\n"
    status = json.loads(own.run("%env status --json").result)["data"]
    assert (status["kernel"], status["asleep"]) == ("work", []), "home held nothing"
    own.restart()  # now it is ready: the process is its kernel
    assert own.run(WHERE).stdout.strip() == str(place)
    assert children(own.pid) == []
    status = json.loads(own.run("%env status --json").result)["data"]
    assert (status["kernel"], status["asleep"]) == ("work", [])


def test_what_a_notebook_imports_is_guessed_and_recorded(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    own, path = opened("x = 1", "import six")
    ran = own.run("x = 1\nx")
    assert ran.result == "1"
    assert own.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "own")
    assert "six" in (path.parent / "requirements.txt").read_text()
    assert own.run("import six; six.__name__").result == "'six'"


def test_opening_completing_inspecting_and_checking_install_nothing(
    opened: Callable[..., Any], isolated: Isolated, pythons: dict[str, Path]
) -> None:
    planned = next(iter(pythons))  # another one, mostly, than the kernel at home runs on
    (isolated.work / ".python-version").write_text(planned)
    own, _ = opened("import six")
    client = own.client
    asked = client.kernel_info()
    assert own._reply(asked)["language_info"]["version"].startswith(planned)
    for request in (
        client.complete("impo", 4),
        client.inspect("print", 2),
        client.is_complete("import six"),
        client.execute("6 * 7", silent=True),
        client.execute("6 * 7", store_history=False),
        client.execute("# nothing"),
    ):
        own._reply(request)
    assert "own" in own.run("%env plan").text
    assert own.run("%env status").status == "ok"
    assert not (isolated.envmagic / "envs").exists()


def test_a_plan_that_fails_is_tried_again_when_something_has_changed(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    file = isolated.work / "requirements.txt"
    file.write_text("no-such-thing-anywhere\n")
    own, _ = opened("1 + 1")
    said = mistake(own.run("1 + 1", check=False))
    assert "no-such-thing-anywhere" in said
    again = mistake(own.run("1 + 1", check=False))
    assert again.split(".")[0] == said.split(".")[0] and "%env sync" in again
    assert "no-such-thing-anywhere" in mistake(own.run("%env sync", check=False))
    assert not (isolated.work / ".venv").exists()
    file.write_text("six\n")
    assert own.run("import six; six.__name__").result == "'six'"


def test_what_reaches_beyond_the_index_is_asked_for_once(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    elsewhere = isolated.home / "elsewhere"
    elsewhere.mkdir()
    (isolated.work / "requirements.txt").write_text(f"--find-links {elsewhere}\nsix\n")
    own, _ = opened("1 + 1")
    said = mistake(own.run("1 + 1", check=False))
    assert f"--find-links {elsewhere}" in said and "%env sync --trust" in said
    assert not (isolated.work / ".venv").exists()
    own.run("%env sync --trust")
    assert own.run(WHERE).stdout.strip() == str(isolated.work / ".venv")
    shutil.rmtree(isolated.work / ".venv")
    other, _ = opened("1 + 1", name="other.ipynb")
    assert other.run("1 + 1").result == "2"


def test_an_environment_that_is_there_is_used_as_it_is(
    opened: Callable[..., Any], isolated: Isolated, bare_venv: Callable[..., Path]
) -> None:
    python = bare_venv(isolated.work / ".venv", "six")
    own, _ = opened("import six")
    assert own.run(WHERE).stdout.strip() == str(python.parent.parent)
    assert "six" in own.run("import six; six.__name__").result
    (isolated.work / "requirements.txt").write_text("six\nidna\n")
    lacking, _ = opened("import idna", name="more.ipynb")
    said = lacking.run("1 + 1").text
    assert ".venv lacks idna" in said and "%env install idna" in said
    lacking.run("%env install idna")
    assert lacking.run("import idna; idna.__name__").result == "'idna'"


@pytest.mark.skipif(os.name == "nt", reason="there the interpreter is no link")
def test_an_environment_that_broke_is_made_anew(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    own, _ = opened("1 + 1")
    own.run("1 + 1")
    own.stop()
    place = isolated.work / ".venv"
    for link in place.glob("bin/python*"):
        link.unlink()
        link.symlink_to(isolated.home / "gone")
    again, _ = opened("1 + 1")
    assert again.run("import six; six.__name__").result == "'six'"
    again.stop()
    shutil.rmtree(next(place.glob("lib/python*/site-packages")) / "six-1.17.0.dist-info")
    third, _ = opened("1 + 1")
    third.run("1 + 1")
    assert list(place.glob("lib/python*/site-packages/six-*.dist-info"))


@pytest.mark.skipif(os.name == "nt", reason="there a command is no text")
def test_an_environment_that_was_moved_or_copied_is_used_where_it_is_now(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    was = isolated.work / "was"
    was.mkdir()
    (was / "requirements.txt").write_text("six\n")
    opened("1 + 1", name="was/own.ipynb")[0].run("%pip list")
    shutil.copytree(was, isolated.work / "a copy", symlinks=True)
    was.rename(isolated.work / "is")
    for directory, owned in (("is", True), ("a copy", False)):
        prefix = isolated.work / directory / ".venv"
        own, _ = opened("1 + 1", name=f"{directory}/own.ipynb")
        said = own.run("1 + 1").text
        assert f"copied from {was / '.venv'}; its commands belong to it again" in said
        assert own.run(WHERE).stdout.strip() == str(prefix)
        assert str(prefix) in own.run("!pip --version").stdout
        assert "'six'" in own.run("import six; six.__name__").result
        assert ownership.is_owned(prefix) is owned
        own.stop()
        again, _ = opened("1 + 1", name=f"{directory}/own.ipynb")
        assert again.run("1 + 1").text == "2"
    assert kernelspecs.of_prefix(was / ".venv") is None


@pytest.mark.skipif(os.name == "nt", reason="there the interpreter is no link")
def test_an_environment_whose_python_was_upgraded_is_made_anew(
    opened: Callable[..., Any], isolated: Isolated, bare_venv: Callable[..., Path]
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    own, _ = opened("1 + 1")
    own.run("1 + 1")
    own.stop()
    theirs = isolated.work / "theirs" / ".venv"
    bare_venv(theirs)
    upgraded = shutil.copy(Path(sys.executable).resolve(), isolated.home / "python3.99")
    for prefix in (isolated.work / ".venv", theirs):
        (prefix / "bin" / "python").unlink()
        (prefix / "bin" / "python").symlink_to(upgraded)
    own, _ = opened("1 + 1")
    assert own.run("import six; six.__name__").result == "'six'"
    other, _ = opened("1 + 1", name="theirs/own.ipynb")
    assert "its Python is 3.99 now" in mistake(other.run("1 + 1", check=False))


def test_one_that_broke_and_is_not_ours_is_left_alone(
    opened: Callable[..., Any], isolated: Isolated, bare_venv: Callable[..., Path]
) -> None:
    python = bare_venv(isolated.work / ".venv")
    for link in python.parent.glob("python*"):
        link.unlink()
        link.symlink_to(isolated.home / "gone")
    before = sorted(path.name for path in (isolated.work / ".venv").rglob("*"))
    own, _ = opened("1 + 1")
    assert ".venv" in mistake(own.run("1 + 1", check=False))
    assert before == sorted(path.name for path in (isolated.work / ".venv").rglob("*"))


def test_what_is_in_the_place_of_the_environment_is_named_and_left_alone(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    own, _ = opened("1 + 1")
    place = isolated.work / ".venv"
    for what in ("link", "file", "other things"):
        if what == "link":
            place.symlink_to(place)  # to itself
        elif what == "file":
            place.write_text("mine")
        else:
            (place / "mine").mkdir(parents=True)
        said = mistake(own.run("1 + 1", check=False))
        assert ".venv" in said and what in said and "Move it away; then: %env sync" in said
        place.rename(isolated.work / what)
    assert own.run(WHERE).stdout.strip() == str(place)


def test_an_interrupt_leaves_everything_as_before(
    opened: Callable[..., Any], isolated: Isolated, slow: Callable[..., Slow]
) -> None:
    package = slow()
    (isolated.work / "requirements.txt").write_text(f"./{package.place.name}\n")
    own, _ = opened("1 + 1")
    waiting = own.begin(WHERE)
    package.begun(own)
    own.interrupt()
    assert own._reply(waiting, 120)["status"] == "error"
    assert not (isolated.work / ".venv").exists()
    package.go_on()
    assert own.run(WHERE).stdout.strip() == str(isolated.work / ".venv")


def test_an_installation_that_was_killed_is_finished_by_the_next_start(
    opened: Callable[..., Any], isolated: Isolated, slow: Callable[..., Slow]
) -> None:
    package = slow()
    (isolated.work / "requirements.txt").write_text(f"./{package.place.name}\n")
    own, path = opened("1 + 1")
    own.begin(WHERE)
    package.begun(own)
    os.kill(own.pid, signal.SIGKILL)
    package.go_on()
    again, _ = opened("1 + 1")
    assert again.run(WHERE).stdout.strip() == str(isolated.work / ".venv")
    told = json.loads(again.run("%env status --json").result)["data"]["declared"]
    assert told["kind"] == "requirements" and Path(told["file"]) == path.parent / "requirements.txt"
    listed = json.loads(again.run("%env list --json").result)["data"]["environments"]
    assert [e["notebooks"] for e in listed if e["current"]] == [[str(path)]]


def test_two_notebooks_with_one_plan_share_what_they_make_at_the_same_moment(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    (isolated.work / "requirements.txt").write_text("six\n")
    one, two = (opened("1 + 1", name=name)[0] for name in ("one.ipynb", "<b>$(two)&'.ipynb"))
    requests = [(own, own.begin(WHERE)) for own in (one, two)]
    for own, request in requests:
        ran = own._listen(request, time.monotonic() + 300)
        assert ran.stdout.strip().endswith(str(isolated.work / ".venv")), ran.text
        assert own._reply(request)["status"] == "ok"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own.ipynb", "this is no notebook", "own.ipynb"),
        ("pyproject.toml", "[project\n", "ine 1 of"),
        (".python-version", "3.99\n", ".python-version"),
    ],
)
def test_what_cannot_be_read_is_said_by_the_first_cell_and_mended_there(
    opened: Callable[..., Any], isolated: Isolated, name: str, content: str, said: str
) -> None:
    own, path = opened("1 + 1")
    whole = path.read_text()
    (isolated.work / name).write_text(content)
    assert said in mistake(own.run("1 + 1", check=False))
    if name == path.name:
        path.write_text(whole)
    else:
        (isolated.work / name).unlink()
    assert own.run("1 + 1").result == "2"
    assert own.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "own")


def test_a_notebook_may_lie_where_nothing_can_be_written(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    own, path = opened("import six", name="only/read.ipynb")
    path.parent.chmod(0o500)
    try:
        assert own.run("import six; six.__name__").result == "'six'"
    finally:
        path.parent.chmod(0o700)


def test_without_a_notebook_or_with_a_cell_of_its_own_it_is_as_before(
    opened: Callable[..., Any], kernel: Callable[..., RunningKernel], isolated: Isolated
) -> None:
    console = kernel("envmagic")
    assert console.run("6 * 7").result == "42"
    assert console.run(WHERE).stdout.strip() == sys.prefix
    own, _ = opened("%%env churn\nsix", "import six")
    own.run("%%env churn\nsix")
    assert own.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "churn")
    own.restart()
    assert own.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "churn")
    own.run("%env use envmagic")
    assert own.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "churn")


def test_an_environment_that_holds_jupyter_itself_is_where_its_kernel_runs(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    (isolated.work / ".venv").write_text(f"{sys.prefix}\n")  # a file, as PEP 832 has it
    (isolated.work / "requirements.txt").write_text("nobody-has-this\n")
    own, _ = opened("1 + 1")
    ran = own.run("1 + 1")
    assert ran.result == "2"
    assert "lacks nobody-has-this. To install it: %env install nobody-has-this" in ran.stdout
    again = own.run(WHERE)
    assert again.stdout.strip() == sys.prefix


def test_what_is_imported_later_comes_with_the_next_start_as_far_as_it_can_be_had(
    opened: Callable[..., Any], isolated: Isolated
) -> None:
    own, path = opened("import six")
    own.run("import six")
    own.stop()
    (path.parent / "requirements.txt").unlink()
    more, _ = opened("import six, idna, torch")  # there is no torch in the wheelhouse
    ran = more.run("import six, idna; idna.__name__")
    assert ran.result == "'idna'" and "%env install torch" in ran.text
    assert more.run(WHERE).stdout.strip() == str(isolated.envmagic / "envs" / "own")
    more.stop()
    again, _ = opened("import six, idna, torch")
    assert again.run(WHERE).text == str(isolated.envmagic / "envs" / "own"), "nothing is tried anew"


@pytest.mark.skipif(os.name == "nt", reason="there a program is no script")
def test_an_interpreter_that_came_with_the_notebook_does_not_run_before_a_cell(
    opened: Callable[..., Any], isolated: Isolated, bare_venv: Callable[..., Path]
) -> None:
    python, ran = bare_venv(isolated.work / ".venv", "six"), isolated.home / "it-ran"
    real = python.resolve()
    python.unlink()
    python.write_text(f'#!/bin/sh\ntouch "{ran}"\nexec "{real}" "$@"\n')
    python.chmod(0o755)
    own, _ = opened("1 + 1")
    for request in (own.client.complete("impo", 4), own.client.execute("6 * 7", silent=True)):
        own._reply(request)
    assert ".venv" in own.run("%env plan").text
    assert not ran.exists()
    own.run("1 + 1", check=False)
    assert ran.exists()
