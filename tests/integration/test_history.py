"""Every change of an environment is kept, whoever did it, and can be taken back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.operate import Operator, prefix_of

from envmagic import operations
from envmagic.core.errors import EnvmagicError
from envmagic.core.verbs import (
    AttachRequest,
    CellRequest,
    CreateRequest,
    DoctorRequest,
    HistoryRequest,
    InstallRequest,
    ListRequest,
    RemoveRequest,
    UndoRequest,
    UninstallRequest,
)
from envmagic.environments import backends, history, inspection
from envmagic.jupyter import kernelspecs

Wheel = Callable[..., Path]


def held(prefix: Path) -> dict[str, str]:
    found = inspection.distributions(backends.inspect(prefix))
    return {name: version for name, (version, _) in found.items() if name != "pip"}


def told(operate: Operator, prefix: Path) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    data = operate(HistoryRequest(all=True), prefix).data["history"]
    return [(each["what"], each["before"], each["after"]) for each in data]


def test_each_change_is_kept_and_undo_takes_it_back_and_is_undone_by_undo(
    operate: Operator, make_wheel: Wheel, uv_command: list[str]
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel("thing", version)
    make_wheel("needing", requires=["thing"])
    make_wheel("other")
    prefix = prefix_of(operate.create("churn", "thing<2"))
    operate(InstallRequest(("needing", "thing==2.0")), prefix)
    subprocess.run([*uv_command, "pip", "install", "-q", "-p", prefix, "other"], check=True)
    whole = {"needing": "1.0", "thing": "2.0", "other": "1.0"}
    assert told(operate, prefix) == [
        ("create churn thing<2", {}, {"thing": "thing==1.0"}),
        (
            "install needing thing==2.0",
            {"thing": "thing==1.0"},
            {"needing": "needing==1.0", "thing": "thing==2.0"},
        ),
        ("another tool", {}, {"other": "other==1.0"}),
    ]
    assert [c["number"] for c in operate(UndoRequest(2), prefix).data["undone"]] == [2, 3]
    assert held(prefix) == {"thing": "1.0"}
    operate(UndoRequest(), prefix)
    assert held(prefix) == whole
    operate(UndoRequest(), prefix)
    assert held(prefix) == {"thing": "1.0"}
    assert [what for what, _, _ in told(operate, prefix)[3:]] == ["undo 2", "undo", "undo"]


def test_what_cannot_be_taken_back_is_said_and_the_rest_is(
    operate: Operator, make_wheel: Wheel
) -> None:
    gone = make_wheel("thing", "1.0")
    make_wheel("other", "1.0")
    prefix = prefix_of(operate.create("churn", "thing", "other"))
    for name in ("thing", "other"):
        make_wheel(name, "2.0")
    operate(InstallRequest(("thing==2.0", "other==2.0")), prefix)
    gone.unlink()
    report = operate(UndoRequest(), prefix)
    assert held(prefix) == {"thing": "2.0", "other": "1.0"}
    (problem,) = report.problems
    assert problem.message == "thing==1.0 could not be had again; thing==2.0 is there now."
    with pytest.raises(EnvmagicError, match=r"thing==1\.0"):
        operate(InstallRequest(("thing==1.0",)), prefix)


def test_editables_and_what_came_from_git_come_back(
    operate: Operator, make_wheel: Wheel, isolated: Any
) -> None:
    project = isolated.work / "mine"
    project.mkdir()
    (project / "mine.py").write_text("V = 1\n")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.setuptools]\npy-modules = ["mine"]\n'
    )
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    prefix = prefix_of(operate.create("churn", f"mine @ git+{project.as_uri()}"))
    line = f"mine @ git+{project.as_uri()}@{commit.strip()}"
    assert told(operate, prefix)[-1][2] == {"mine": line}
    operate(InstallRequest((f"-e {project}",)), prefix)
    assert told(operate, prefix)[-1][1:] == ({"mine": line}, {"mine": f"-e {project}"})
    operate(UndoRequest(), prefix)
    assert told(operate, prefix)[-1][2] == {"mine": line}
    operate(UndoRequest(), prefix)
    assert told(operate, prefix)[-1][2] == {"mine": f"-e {project}"}


def test_the_record_goes_along(operate: Operator, make_wheel: Wheel) -> None:
    make_wheel("thing", "1.0")
    make_wheel("other", "1.0")
    notebook = operate.work / "n.ipynb"
    cell = {"cell_type": "code", "source": "import thing", "metadata": {}, "outputs": []}
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    record = operate.work / "requirements.txt"

    def say(request: Any, prefix: Path | None = None) -> Any:
        place = operate.place(prefix, notebook)
        return operations.run(request, place, operate.heard)

    prefix = prefix_of(say(CellRequest(CreateRequest(".venv"), "thing")))
    assert "thing==1.0" in record.read_text()
    make_wheel("thing", "2.0")
    say(InstallRequest(("other", "thing==2.0")), prefix)
    assert "other==1.0" in record.read_text() and "thing==2.0" in record.read_text()
    say(UndoRequest(), prefix)
    assert "other" not in record.read_text() and "thing==1.0" in record.read_text()
    say(UninstallRequest(("thing",)), prefix)
    say(UndoRequest(), prefix)
    assert "thing==1.0" in record.read_text()


def test_what_was_killed_is_told_as_cut_off(operate: Operator, make_wheel: Wheel) -> None:
    make_wheel("thing", "1.0")
    prefix = prefix_of(operate.create("churn"))
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from envmagic.environments import changing, clearing, backends, history\n"
        "from envmagic.environments.backends.base import InstallPlan\n"
        "from envmagic.core.model import Silent\n"
        "prefix = Path(sys.argv[1])\n"
        "with history.doing('install thing', None), clearing.locked(prefix):\n"
        "    there = backends.look(backends.inspect(prefix, owned=True))\n"
        "    changing.install_checked(there, InstallPlan(('thing',)), Silent())\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(prefix)])
    assert ran.returncode == -signal.SIGKILL
    operate(ListRequest())  # any verb settles it
    assert not list((operate.work.parent / "home" / "envmagic" / "history").glob("*.doing"))
    (last,) = operate(HistoryRequest(), prefix).data["history"]
    assert (last["what"], last["cut_off"]) == ("install thing", True)
    operate(UndoRequest(), prefix)
    assert held(prefix) == {}


def test_attached_environments_have_a_history_and_nothing_is_written_into_them(
    operate: Operator, bare_venv: Callable[..., Path], make_wheel: Wheel
) -> None:
    make_wheel("thing")
    prefix = bare_venv(operate.work / "venv", "six").parents[1]
    before = sorted(prefix.rglob("*"))
    operate(AttachRequest(str(prefix)))
    assert told(operate, prefix) == [] and sorted(prefix.rglob("*")) == before
    with pytest.raises(EnvmagicError, match="Nothing has changed"):
        operate(UndoRequest(), prefix)
    operate(InstallRequest(("thing",)), prefix)
    operate(UndoRequest(), prefix)
    assert set(held(prefix)) == {"six"}


def test_a_history_follows_its_environment_and_what_lost_its_python_keeps_its_own(
    operate: Operator, make_wheel: Wheel
) -> None:
    """The doctor makes that one anew, with what it held, and clears away what is of none."""
    make_wheel("thing", "1.0")
    make_wheel("other")
    prefix = prefix_of(operate.create("./first/.venv", "thing"))
    make_wheel("thing", "2.0")
    (operate.work / "first").rename(operate.work / "second")
    moved = operate.work / "second" / ".venv"
    operate(AttachRequest(str(moved)))
    assert history.entries(prefix) == ()
    operate(InstallRequest(("other",)), moved)
    known = told(operate, moved)
    assert [what.split()[0] for what, _, _ in known] == ["create", "install"]
    for link in (moved / "bin").glob("python*"):
        link.unlink()
        link.symlink_to(operate.work / "gone")
    (found,) = [p for p in operate(DoctorRequest()).problems if p.code == "no-interpreter"]
    assert "cannot run" in found.message
    report = operate(DoctorRequest(fix=True))
    assert found.message in report.data["fixed"]
    assert any("made anew with what it held" in p.message for p in report.problems)
    assert held(moved) == {"thing": "1.0", "other": "1.0"} and told(operate, moved) == known
    assert operate(DoctorRequest()).problems == ()
    shutil.rmtree(moved)
    (kernel,) = operate(DoctorRequest()).problems
    assert kernel.code == "environment-gone", "that is said, and not its history as well"
    shutil.rmtree(kernelspecs.directory() / kernel.subject)
    (gone,) = [p for p in operate(DoctorRequest()).problems if p.code == "gone-history"]
    assert str(moved) in gone.message
    away = operate.work / "second"
    away.rename(operate.work / "unplugged")
    assert not [p for p in operate(DoctorRequest()).problems if p.code == "gone-history"]
    (operate.work / "unplugged").rename(away)
    operate(DoctorRequest(fix=True))
    assert history.entries(moved) == () and operate(DoctorRequest()).problems == ()


def test_bad_numbers_and_the_beginning(operate: Operator, make_wheel: Wheel) -> None:
    make_wheel("thing")
    prefix = prefix_of(operate.create("churn", "thing"))
    with pytest.raises(EnvmagicError, match=r"There is no change 7 in .*; the last is 1"):
        operate(UndoRequest(7), prefix)
    with pytest.raises(EnvmagicError, match=r"Change 1 made .* itself") as caught:
        operate(UndoRequest(), prefix)
    assert caught.value.problem.command == ("remove", str(prefix))
    operate(RemoveRequest(str(prefix), yes=True))
    assert history.entries(prefix) == ()


def test_secrets_are_not_kept(operate: Operator, make_wheel: Wheel, isolated: Any) -> None:
    make_wheel("thing")
    prefix = prefix_of(operate.create("churn"))
    links = "--find-links=http://u:s3cret@127.0.0.1:1/x"
    operate(InstallRequest((f"--find-links {isolated.wheels}", "thing")), prefix)
    with pytest.raises(EnvmagicError):
        operate(InstallRequest((links, "nothing-of-that-name")), prefix)
    kept = [p.read_text() for p in (isolated.envmagic / "history").rglob("*") if p.is_file()]
    assert kept and not any("s3cret" in text for text in kept)
