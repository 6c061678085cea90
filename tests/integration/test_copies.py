"""A copy of an environment has the very same in it, and is an environment of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.condachannel import Channel
from support.operate import Operator, prefix_of

from envmagic import operations
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Frontend
from envmagic.core.verbs import (
    AttachRequest,
    CloneRequest,
    DoctorRequest,
    HistoryRequest,
    InstallRequest,
    ListRequest,
    RemoveRequest,
    RenameRequest,
    UndoRequest,
)
from envmagic.environments import backends, clearing, history, inspection, ownership
from envmagic.environments.backends.conda import metadata
from envmagic.frontends.grammar import parse
from envmagic.frontends.grammar.asked import ParsedCommand
from envmagic.jupyter import kernelspecs
from envmagic.system import directories

Wheel = Callable[..., Path]
KILLED = """
import os, signal, sys
from pathlib import Path
from envmagic import operations
from envmagic.core.model import Frontend, Place, Silent
from envmagic.core.verbs import CloneRequest, RenameRequest

def heard(event, values):
    if event == "os.rename" and {when!r} in str(values[1]):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(heard)
operations.run({request}, Place(Frontend.TERMINAL, Path.cwd()), Silent())
"""
COMMAND = "import sys\n\ndef main():\n    print(sys.prefix)\n"


def held(prefix: Path) -> dict[str, str]:
    found = history.lines_of(backends.look(backends.inspect(prefix)))
    return {name: line for name, line in found.items() if name != "pip"}


def said(prefix: Path, *words: str) -> str:
    ran = subprocess.run([prefix / "bin" / words[0], *words[1:]], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
def project(isolated: Any) -> Path:
    """A directory that is installed editable."""
    place = Path(isolated.work) / "mine"
    place.mkdir()
    (place / "mine.py").write_text("V = 1\n")
    (place / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.setuptools]\npy-modules = ["mine"]\n'
    )
    return place


def test_a_clone_holds_the_same_without_asking_anybody_and_stands_alone(
    operate: Operator, make_wheel: Wheel, project: Path
) -> None:
    """Also a version that nobody has any more, an editable one, and a module of the user's."""
    points = "[console_scripts]\nthing-cmd = thing:main\n"
    gone = make_wheel(
        "thing", files={"thing.py": COMMAND, "thing-1.0.dist-info/entry_points.txt": points}
    )
    source = prefix_of(operate.create("churn", "thing", f"-e {project}"))
    gone.unlink()
    site = inspection.site_packages(source)[0]
    (site / "mine_too.py").write_text("V = 2\n")
    report = operate(CloneRequest("churn", "trial"))
    copy = prefix_of(report)
    assert report.problems == () and held(copy) == held(source)
    assert held(copy)["mine"] == f"-e {project}"
    assert said(copy, "thing-cmd") == str(copy) and said(source, "thing-cmd") == str(source)
    assert said(copy, "python", "-Ic", "import mine, mine_too; print(mine.V, mine_too.V)") == "1 2"
    assert str(copy) in said(copy, "pip", "--version")
    assert os.path.realpath(copy / "bin/python") == os.path.realpath(source / "bin/python")
    foreign = {path.name.partition(".")[0] for path in clearing.written_in(copy).foreign()}
    assert foreign == {"mine_too"}, "its RECORDs say what its files hold"
    kernel = kernelspecs.of_prefix(copy)
    assert kernel is not None and kernel.name == "trial" and ownership.is_owned(copy)
    (entry,) = operate(HistoryRequest(), copy).data["history"]
    assert (entry["what"], entry["before"]) == ("clone churn trial", {})
    with pytest.raises(EnvmagicError, match=r"Change 1 made .* itself"):
        operate(UndoRequest(), copy)
    (inspection.site_packages(copy)[0] / "mine_too.py").unlink()
    operate(RemoveRequest("trial", yes=True))
    assert not copy.exists() and said(source, "thing-cmd") == str(source)


def test_an_environment_of_anybodys_is_copied_and_an_edit_stays_where_it_was_made(
    operate: Operator, make_wheel: Wheel, isolated: Any
) -> None:
    """Made by `python -m venv`, filled by nobody's cache, with what its Python sees besides."""
    theirs = isolated.work / "theirs"
    words = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", theirs]
    subprocess.run(words, check=True)
    make_wheel("thing")
    operate(InstallRequest(("thing",)), theirs)
    mine = inspection.site_packages(theirs)[0] / "thing.py"
    content = mine.read_bytes()
    mine.unlink()
    mine.write_bytes(content + b"EDITED = 1\n")
    copy = prefix_of(operate(CloneRequest(str(theirs), "./trial")))
    environment = backends.inspect(copy)
    assert environment.backend is BackendName.VENV
    assert len(environment.site_packages) == len(backends.inspect(theirs).site_packages) > 1
    assert said(copy, "python", "-Ic", "import thing; print(thing.EDITED)") == "1"
    mine.write_bytes(content + b"EDITED = 2\n")
    assert said(copy, "python", "-Ic", "import thing; print(thing.EDITED)") == "1"


def test_what_cannot_be_copied_is_one_line_and_what_is_advised_helps(
    operate: Operator, isolated: Any
) -> None:
    operate.create("churn")
    operate.create("trial")
    full = isolated.work / "full"
    full.mkdir()
    (full / "notes.txt").write_text("mine")
    for target, says in (("churn", "itself"), ("./full", "notes.txt"), ("trial", "already")):
        with pytest.raises(EnvmagicError, match=says) as caught:
            operate(CloneRequest("churn", target))
    asked = parse(caught.value.problem.command, Frontend.TERMINAL)
    assert isinstance(asked, ParsedCommand)
    operate(asked.request)
    operate(CloneRequest("churn", "trial"))
    with pytest.raises(EnvmagicError, match=r"called 'chrn'") as caught:
        operate(CloneRequest("chrn", "other"))
    assert "churn" in caught.value.problem.hint
    (prefix_of(operate(CloneRequest("churn", "third"))) / "bin" / "python").unlink()
    with pytest.raises(EnvmagicError, match="cannot run") as caught:
        operate(CloneRequest("third", "fourth"))
    asked = parse(caught.value.problem.command, Frontend.TERMINAL)
    assert isinstance(asked, ParsedCommand)
    operate(asked.request)
    operate(CloneRequest("third", "fourth"))


def test_a_clone_that_was_killed_is_cleared_away_by_the_next(
    operate: Operator, make_wheel: Wheel
) -> None:
    make_wheel("thing")
    source = prefix_of(operate.create("churn", "thing"))
    script = KILLED.format(when="trial/bin/pip", request="CloneRequest('churn', 'trial')")
    ran = subprocess.run([sys.executable, "-c", script])
    assert ran.returncode == -signal.SIGKILL
    assert kernelspecs.find("trial") is None
    assert held(prefix_of(operate(CloneRequest("churn", "trial")))) == held(source)


def test_a_renamed_environment_is_found_by_its_new_name_alone(
    operate: Operator, make_wheel: Wheel
) -> None:
    """With its commands, its kernel, its history, and the cells that say the old name."""
    points = "[console_scripts]\nthing-cmd = thing:main\n"
    make_wheel("thing", files={"thing.py": COMMAND, "thing-1.0.dist-info/entry_points.txt": points})
    old = prefix_of(operate.create("churn", "thing"))
    cell = {"cell_type": "code", "source": "%%env churn\nthing", "metadata": {}, "outputs": []}
    notebook = operate.work / "n.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    place = operate.place(old, notebook)
    report = operations.run(RenameRequest("churn", "leavers"), place, operate.heard)
    new = prefix_of(report)
    assert (new.parent, new.name) == (old.parent, "leavers") and not os.path.lexists(old)
    assert report.data["mentions"] == ["n.ipynb, cell 1"] and "%%env churn" in notebook.read_text()
    assert said(new, "thing-cmd") == str(new) and ownership.is_owned(new)
    kernel = kernelspecs.of_prefix(new)
    assert kernel is not None and kernel.display_name.startswith("leavers (Python")
    assert kernelspecs.find("churn") is None and kernel.argv[0] == str(new / "bin" / "python")
    old.symlink_to(new)  # by hand, for what names the old place
    first, last = operate(HistoryRequest(), new).data["history"]
    assert old.is_symlink(), "it is not ours"
    old.unlink()
    assert (first["what"], last["what"]) == ("create churn thing", "rename churn leavers")
    assert (last["changes"], last["traits"]["name"]) == ([], ["churn", "leavers"])
    assert history.entries(old) == ()
    with pytest.raises(EnvmagicError, match="leavers was churn") as refused:
        operate(UndoRequest(), new)
    assert refused.value.problem.command == ("rename", "leavers", "churn")
    again = operate.cell("churn", "thing")
    assert prefix_of(again) == new
    assert "churn is called leavers now; write that here." in again.data["notes"]
    moved = prefix_of(operate(RenameRequest("leavers", "./here/.venv")))
    assert said(moved, "thing-cmd") == str(moved) == str(operate.work / "here" / ".venv")
    kernel = kernelspecs.of_prefix(moved)
    assert kernel is not None and kernel.name == "here"
    assert prefix_of(operate(RenameRequest("here", "another"))) == moved, "it is the user's place"
    assert operate(DoctorRequest()).problems == ()
    operate(RemoveRequest("another", yes=True))
    assert not moved.exists()


def test_what_cannot_be_renamed_is_one_line_and_what_is_advised_helps(
    operate: Operator, bare_venv: Callable[..., Path], make_wheel: Wheel, isolated: Any
) -> None:
    prefix = prefix_of(operate.create("churn"))
    operate.create("trial")
    theirs = bare_venv(isolated.work / "theirs").parents[1]
    operate(AttachRequest(str(theirs)))
    for source, target, says in (
        ("churn", "churn", "already"),
        ("churn", "con", "device"),
        ("churn", "trial", "Another environment is called trial"),
        ("theirs", "./other", "was not made by envmagic"),
    ):
        with pytest.raises(EnvmagicError, match=says) as caught:
            operate(RenameRequest(source, target))
        asked = parse(caught.value.problem.command or ["list"], Frontend.TERMINAL)
        assert isinstance(asked, ParsedCommand)
        operate(asked.request)
    assert backends.is_environment(isolated.work / "other"), "a clone was advised"
    assert prefix_of(operate(RenameRequest("theirs", "ours"))) == theirs
    runs = subprocess.Popen(
        [prefix / "bin" / "python", "-c", "input()"],
        stdin=subprocess.PIPE,
        env={**os.environ, "JPY_SESSION_NAME": "/there/open.ipynb"},
    )
    with runs, pytest.raises(EnvmagicError, match=rf"pid {runs.pid}, open\.ipynb"):
        operate(RenameRequest("churn", "trial"))
    operate(RenameRequest("churn", "trial"))


@pytest.mark.parametrize("when", ["envs/trial", "kernels/trial", "renamed/"])
def test_a_rename_that_was_killed_is_brought_to_its_end_by_the_next_call(
    operate: Operator, make_wheel: Wheel, when: str
) -> None:
    make_wheel("thing")
    old = prefix_of(operate.create("churn", "thing"))
    script = KILLED.format(when=when, request="RenameRequest('churn', 'trial')")
    ran = subprocess.run([sys.executable, "-c", script])
    assert ran.returncode == -signal.SIGKILL
    operate(ListRequest())
    now = old if when == "envs/trial" else old.with_name("trial")
    kernel = kernelspecs.of_prefix(now)
    assert kernel is not None and kernel.name == now.name
    assert len([k for k in kernelspecs.every() if k.ours and k.prefix is not None]) == 1
    assert ownership.is_owned(now) and operate(DoctorRequest()).problems == ()
    whats = [entry.what for entry in history.entries(now)]
    assert whats == ["create churn thing", "rename churn trial"][: 1 if now == old else 2]
    assert not list(directories.journal().iterdir())


def test_a_conda_environment_is_made_again_with_its_builds(
    operate: Operator, conda: Channel, make_wheel: Wheel
) -> None:
    make_wheel("thing")
    source = prefix_of(
        operate.create("bio", "tiny<2", "thing", backend=BackendName.CONDA, channels=(conda.url,))
    )
    report = operate(CloneRequest("bio", "trial"))
    copy = prefix_of(report)
    dists = [{p.dist for p in metadata.packages(at).values()} for at in (copy, source)]
    assert dists[0] == dists[1] and held(copy) == held(source) and not report.problems
    assert set(metadata.requested(copy)) == set(metadata.requested(source))
