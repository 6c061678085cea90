"""Whatever a person puts where envmagic is at work is there afterwards, whatever happened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.operate import Heard, Operator, prefix_of

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName
from envmagic.core.verbs import AttachRequest, DoctorRequest, RemoveRequest, UninstallRequest
from envmagic.environments import backends, inspection, journal, ownership
from envmagic.environments.backends import staged
from envmagic.jupyter import kernelspecs
from envmagic.operations.doctor import kernels, leftovers
from envmagic.system import locks


@dataclass
class Meanwhile(Heard):
    """A progress that does something of the person's while the installer is at work."""

    act: Callable[[], None] = lambda: None

    def step(self, message: str) -> None:
        super().step(message)
        if message.startswith("Installing"):
            self.act()


@pytest.mark.parametrize("backend", [BackendName.UV, BackendName.VENV, BackendName.VIRTUALENV])
def test_what_is_saved_into_an_environment_that_fails_stays_there(
    operate: Operator, backend: BackendName
) -> None:
    mine = operate.work / "mine"
    mine.mkdir()

    def save() -> None:
        assert (mine / "pyvenv.cfg").exists()
        (mine / "thesis.ipynb").write_text("years")
        (mine / "bin" / "mine.sh").write_text("#!/bin/sh")

    failing = Operator(operate.work, Meanwhile(act=save))
    with pytest.raises(EnvmagicError, match=r"mine keeps bin, thesis\.ipynb: envmagic did not"):
        failing.create("./mine", "no-such-package-xyz-123", backend=backend)
    assert _files(mine) == {"thesis.ipynb": "years", "bin/mine.sh": "#!/bin/sh"}
    assert list(journal.unfinished()) == []


def test_what_is_put_into_a_half_made_environment_stays_there(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    """Killed with its installer; then the directory is used for something else."""
    proj = _half_made(operate, make_wheel)
    (proj / "a.ipynb").write_text("{}")
    (proj / ".git").mkdir()
    (proj / ".git" / "HEAD").write_text("ref")
    found = operate(DoctorRequest()).problems
    assert [p.code for p in found] == ["half-made"]
    fixed = operate(DoctorRequest(fix=True))
    kept = {"a.ipynb": "{}", ".git/HEAD": "ref"}
    assert _files(proj) == kept
    assert [p.message for p in fixed.problems] == [
        f"{proj} keeps .git, a.ipynb: envmagic did not write that."
    ]
    with pytest.raises(EnvmagicError, match="with other things in it"):
        operate.create("./proj")
    assert _files(proj) == kept
    assert operate(DoctorRequest(fix=True)).problems == ()


def test_creating_again_says_what_it_left(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    proj = _half_made(operate, make_wheel)
    (proj / "a.ipynb").write_text("{}")
    with pytest.raises(EnvmagicError, match=r"\(a\.ipynb\), not an environment"):
        operate.create("./proj")
    assert _files(proj) == {"a.ipynb": "{}"}


def test_a_half_made_environment_without_anything_else_is_made_anew(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    proj = _half_made(operate, make_wheel)
    report = operate.create("./proj", "six")
    assert prefix_of(report) == proj and "six" in inspection.distributions(backends.inspect(proj))
    assert list(proj.glob(".envmagic-*")) == []


def test_the_doctor_leaves_alone_what_was_finished_or_made_anew_meanwhile(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    """It decides under the lock: what it found before may be over."""
    proj = _half_made(operate, make_wheel)
    (finding,) = leftovers.of_leftovers(operate.heard)
    report = operate.create("./proj", "six")
    assert finding.mend is not None
    finding.mend()
    assert ownership.is_owned(proj) and kernelspecs.of_prefix(proj) is not None
    assert report.ok and "six" in inspection.distributions(backends.inspect(proj))


def test_an_environment_that_lacks_only_its_kernel_gets_it(operate: Operator) -> None:
    """Killed when all was there but the kernelspec."""
    prefix = prefix_of(operate.create("churn", "six"))
    held = journal.removing(prefix)
    journal._note(replace(held, removing=False))
    kernel = kernelspecs.of_prefix(prefix)
    assert kernel is not None
    kernelspecs.unregister(kernel)
    assert operate(DoctorRequest(fix=True)).data["fixed"]
    assert kernelspecs.of_prefix(prefix) is not None and "six" in inspection.distributions(
        backends.inspect(prefix)
    )
    assert operate(DoctorRequest()).problems == ()


def test_the_doctor_waits_for_nobody_who_is_at_work(operate: Operator) -> None:
    prefix = operate.work / "proj"
    entry = journal.begin(prefix)
    with locks.lock(prefix):
        assert list(leftovers.of_leftovers(operate.heard)) == []
    journal.finish(entry)


def test_a_kernel_that_was_made_anew_meanwhile_is_not_taken_away(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    aside = prefix.with_name("aside")
    prefix.rename(aside)
    kernel = kernelspecs.of_prefix(prefix)
    assert kernel is not None
    (finding,) = kernels.of_kernel(kernel)
    aside.rename(prefix)
    assert finding.mend is not None
    finding.mend()
    assert kernelspecs.of_prefix(prefix) is not None


def test_files_beside_a_kernelspec_stay(operate: Operator, isolated: Any) -> None:
    """A logo of one's own, and anything else: through a new registration and a removal."""
    prefix = prefix_of(operate.create("churn"))
    place = isolated.kernels / "churn"
    (place / "logo-64x64.png").write_bytes(b"my own")
    (place / "notes.txt").write_text("mine")
    operate(AttachRequest(str(prefix)))
    assert (place / "logo-64x64.png").read_bytes() == b"my own"
    operate(RemoveRequest("churn", yes=True))
    assert not prefix.exists() and kernelspecs.find("churn") is None
    assert {p.name for p in place.iterdir()} == {"logo-64x64.png", "notes.txt"}
    assert operate.create("churn").data["environment"]["kernel"] == "churn"
    assert (place / "notes.txt").read_text() == "mine"


def test_a_copy_of_a_kernelspec_is_somebodys(operate: Operator, isolated: Any) -> None:
    prefix = prefix_of(operate.create("churn"))
    copy = isolated.kernels / "a-variant"
    shutil.copytree(isolated.kernels / "churn", copy)
    (copy / "kernel.json").write_text((copy / "kernel.json").read_text() + " ")
    text = (copy / "kernel.json").read_text()
    operate(AttachRequest(str(prefix)))
    operate(RemoveRequest("churn", yes=True))
    assert kernelspecs.find("churn") is None and not prefix.exists()
    assert (copy / "kernel.json").read_text() == text


def test_an_environment_is_not_made_through_a_link(operate: Operator) -> None:
    (operate.work / "real").mkdir()
    (operate.work / "link").symlink_to("real")
    with pytest.raises(EnvmagicError, match="is a link"):
        operate.create("./link")
    assert os.listdir(operate.work / "real") == []


def test_rules_for_git_of_ones_own_stay_in_a_new_environment(operate: Operator) -> None:
    mine = operate.work / "mine"

    def save() -> None:
        (mine / ".gitignore").write_text("rules of my own")

    prefix_of(Operator(operate.work, Meanwhile(act=save)).create("./mine", "six"))
    assert (mine / ".gitignore").read_text() == "rules of my own"


def test_what_an_installer_was_killed_over_while_it_took_it_out_goes_the_next_time(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    """uv removes the RECORD first, and refuses what has none."""
    make_wheel("tidy-tools")
    prefix = prefix_of(operate.create("churn", "tidy-tools"))
    info = next(backends.inspect(prefix).site_packages[0].glob("tidy_tools-*.dist-info"))
    (info / "RECORD").unlink()
    operate(UninstallRequest(("tidy-tools",)), prefix)
    assert "tidy-tools" not in inspection.distributions(backends.inspect(prefix))


def test_half_of_a_kernel_is_none(operate: Operator, isolated: Any) -> None:
    """What an earlier version left when it was killed while it registered one."""
    prefix = prefix_of(operate.create("churn"))
    left = isolated.kernels / ".envmagic-new-abcd1234"
    left.mkdir()
    spec = (isolated.kernels / "churn" / "kernel.json").read_bytes()
    (left / "kernel.json").write_bytes(spec)
    assert [k.name for k in kernelspecs.every() if k.prefix == prefix] == ["churn"]
    assert [p.code for p in operate(DoctorRequest()).problems] == ["half-deleted"]
    assert operate(DoctorRequest(fix=True)).data["fixed"] and not left.exists()
    assert kernelspecs.find("churn") is not None


@pytest.mark.parametrize("taken", [False, True], ids=["", "and the place is taken"])
def test_a_notebook_saved_while_an_environment_is_removed_keeps_it(
    operate: Operator, taken: bool
) -> None:
    """Looked for once more when the directory is out of everybody's reach."""
    prefix = prefix_of(operate.create("churn"))
    times: list[str] = []

    def save(event: str, words: tuple[Any, ...]) -> None:
        """Just before the directory is moved away; and something new is there before it is back."""
        if event != "os.rename" or len(times) == 2:
            return
        if words[0] == str(prefix):
            times.append("away")
            (prefix / "late.ipynb").write_text("mine")
        elif words[1] == str(prefix) and taken:
            times.append("back")
            prefix.mkdir()
            (prefix / "new.txt").write_text("mine")

    sys.addaudithook(save)  # it cannot be taken out again, and does nothing from then on
    with pytest.raises(EnvmagicError, match=r"it holds late\.ipynb"):
        operate(RemoveRequest("churn", yes=True))
    times[:] = ["over", "over"]
    (late,) = prefix.parent.glob("churn*/late.ipynb")
    assert late.read_text() == "mine" and (late.parent / "pyvenv.cfg").exists()
    assert (late.parent == prefix) is not taken
    assert not taken or (prefix / "new.txt").read_text() == "mine"
    assert list(journal.unfinished()) == []


@pytest.mark.parametrize("moment", ["begun", "kernel gone"])
def test_a_removal_that_was_cut_off_is_gone_on_with_only_where_it_had_begun(
    operate: Operator, moment: str
) -> None:
    prefix = prefix_of(operate.create("churn"))
    kernel = kernelspecs.of_prefix(prefix)
    journal.removing(prefix)
    assert kernel is not None
    if moment == "kernel gone":
        kernelspecs.unregister(kernel)
    assert "half-deleted" in {p.code for p in operate(DoctorRequest()).problems}
    operate(DoctorRequest(fix=True))
    assert prefix.exists() is (moment == "begun")
    assert (kernelspecs.find("churn") is not None) is (moment == "begun")
    assert operate(DoctorRequest()).problems == ()


def test_a_file_in_the_way_of_a_package_is_not_written_over(tmp_path: Path) -> None:
    staging, prefix = tmp_path / "staging", tmp_path / "e"
    for root, text in ((staging, "package"), (prefix, "mine")):
        (root / "bin").mkdir(parents=True)
        (root / "bin" / "tool").write_text(text)
    with pytest.raises(EnvmagicError, match="tool is in the way"):
        staged.move_in(staging, prefix)
    assert (prefix / "bin" / "tool").read_text() == "mine"


def _half_made(operate: Operator, make_wheel: Callable[..., Path]) -> Path:
    """An environment whose making was killed, installer and all, while it installed."""
    make_wheel("tidy-tools")
    proj = operate.work / "proj"
    slow = operate.work / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n"
        "[project]\nname = 'slow'\nversion = '1'\n"
    )
    (slow / "slow.py").write_text("import time\nopen('started', 'w')\ntime.sleep(600)\n")
    words = ["-m", "envmagic", "create", "./proj", "--with", "tidy-tools", "./slow"]
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=operate.work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for((slow / "started").exists)
        children = _children(process.pid)
    finally:
        process.kill()
        process.wait(30)
    for pid in children:
        os.kill(pid, 9)
    _wait_for(lambda: locks.is_free(proj))
    assert (proj / "pyvenv.cfg").exists() and len(list(journal.unfinished())) == 1
    assert not ownership.is_owned(proj)
    return proj


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _files(top: Path) -> dict[str, str]:
    found = (p for p in top.rglob("*") if p.is_file() or p.is_symlink())
    return {p.relative_to(top).as_posix(): p.read_text() for p in found}


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_journal_of_an_earlier_version_deletes_nothing(operate: Operator) -> None:
    """Its entries name no token, so nothing tells whose directory that is now."""
    prefix = operate.work / "proj"
    (prefix / "lib").mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")
    status = prefix.stat()
    held = {"prefix": str(prefix), "device": status.st_dev, "inode": status.st_ino}
    journal.finish(journal.begin(operate.work / "other"))
    file = journal._file(prefix)
    file.write_text(json.dumps({**held, "made_directory": True, "pid": 1}))
    operate(DoctorRequest(fix=True))
    assert (prefix / "pyvenv.cfg").exists() and not file.exists()
