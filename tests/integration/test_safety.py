"""Nothing is deleted that we did not make, and whatever ends half-way is undone or finished."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import wheels
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import (
    AttachRequest,
    DoctorRequest,
    InstallRequest,
    RemoveRequest,
    UninstallRequest,
)
from envmagic.environments import backends, clearing, inspection, integrity, journal, ownership
from envmagic.environments.backends import commands
from envmagic.jupyter import kernelspecs
from envmagic.system import locks

REMOVE = RemoveRequest
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def test_an_environment_of_ours_goes_with_its_kernel_once_confirmed(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    plan = operate(REMOVE("churn"))
    assert plan.exit_code == 1 and plan.problems[-1].command == ("remove", "churn", "--yes")
    assert plan.data["delete"] and plan.data["size"] > 1_000_000
    dry = operate(REMOVE("churn", dry_run=True))
    assert dry.exit_code == 0 and not dry.changed and prefix.exists()
    done = operate(REMOVE("churn", yes=True))
    assert done.data["done"] and not prefix.exists() and kernelspecs.find("churn") is None
    assert os.listdir(prefix.parent) == []


def test_an_attached_environment_loses_its_kernel_only(
    operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    prefix = operate.work / "theirs"
    bare_venv(prefix, "six")
    operate(AttachRequest("./theirs"))
    report = operate(REMOVE("theirs", yes=True))
    assert not report.data["delete"] and kernelspecs.of_prefix(prefix) is None
    assert "six" in inspection.distributions(backends.inspect(prefix))


def test_a_spec_that_claims_a_home_directory_authorises_nothing(
    operate: Operator, isolated: Any
) -> None:
    """A kernelspec may say `owned` of any directory; only the mark inside it counts."""
    home = isolated.home / "person"
    home.mkdir()
    (home / "thesis.txt").write_text("years")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.0\n")
    spec = isolated.kernels / "evil"
    spec.mkdir(parents=True)
    entry = {"schema": 1, "prefix": str(home), "owned": True}
    (spec / "kernel.json").write_text(
        json.dumps({"argv": ["x"], "display_name": "x", "metadata": {"envmagic": entry}})
    )
    operate(REMOVE("evil", yes=True))
    assert (home / "thesis.txt").read_text() == "years"
    assert not spec.exists()


def test_a_copied_environment_is_not_ours(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    copy = operate.work / "copy"
    shutil.copytree(prefix, copy, symlinks=True)
    assert not ownership.is_owned(copy)
    with pytest.raises(EnvmagicError, match="envmagic did not make it"):
        ownership.delete(copy, clearing.written_in(copy))
    with pytest.raises(EnvmagicError, match="not made by envmagic"):
        operate(REMOVE("./copy", yes=True))
    assert copy.exists()


def test_a_link_to_an_environment_deletes_nothing(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    link = operate.work / "link"
    link.symlink_to(prefix)
    with pytest.raises(EnvmagicError, match="it is a link"):
        ownership.delete(link, clearing.written_in(link))
    operate(REMOVE("./link", yes=True))
    assert prefix.exists() and link.is_symlink()


@pytest.mark.parametrize(
    "held",
    [
        *("work/analysis.ipynb", "src/.git/HEAD", "data.csv", "mine/notes.txt", "bin/mine.sh"),
        f"lib/{PYTHON}/site-packages/mine.py",
    ],
)
def test_what_a_person_put_inside_keeps_it(operate: Operator, held: str) -> None:
    prefix = prefix_of(operate.create("churn"))
    mine = prefix / held
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(EnvmagicError, match="is not deleted: it holds"):
        operate(REMOVE("churn", yes=True))
    assert mine.read_text() == "mine" and kernelspecs.find("churn") is not None


def test_links_inside_are_not_followed(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    outside = operate.work / "data"
    outside.mkdir()
    (outside / "mine.csv").write_text("1")
    (prefix / "lib" / "data").symlink_to(outside)
    operate(REMOVE("churn", yes=True))
    assert not prefix.exists()
    assert (outside / "mine.csv").read_text() == "1"


def test_a_running_kernel_keeps_its_environment(
    operate: Operator, kernel: Callable[..., Any]
) -> None:
    prefix = prefix_of(operate.create("churn"))
    running = kernel("churn")
    with pytest.raises(EnvmagicError, match="still runs in"):
        operate(REMOVE("churn", yes=True))
    refused = running.run("%env remove churn --yes", check=False)
    assert "This notebook runs there" in refused.text
    assert prefix.exists()


def test_an_environment_with_the_mark_but_no_configuration_stays(operate: Operator) -> None:
    prefix = prefix_of(operate.create("churn"))
    (prefix / "pyvenv.cfg").unlink()
    with pytest.raises(EnvmagicError, match="no environment any more"):
        ownership.delete(prefix, clearing.written_in(prefix))
    assert prefix.exists()


def test_an_interrupt_undoes_everything(operate: Operator, snapshot: Any) -> None:
    before = snapshot()
    process = _create_in_background(operate, "churn")
    _wait_for(lambda: (_envs(operate) / "churn" / "lib").exists())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert snapshot() == before
    assert list(journal.unfinished()) == []


def test_an_interrupted_upgrade_leaves_the_versions_that_were_there(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    """The second requirement is built from source and takes long; the interrupt comes then."""
    make_wheel("tidy-tools", "1.0")
    prefix = prefix_of(operate.create("churn", "tidy-tools"))
    make_wheel("tidy-tools", "2.0")
    slow = operate.work / "slow"
    slow.mkdir()
    (slow / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'slow'\nbackend-path = ['.']\n"
        "[project]\nname = 'slow'\nversion = '1'\n"
    )
    (slow / "slow.py").write_text("import time\nopen('started', 'w')\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [
            sys.executable,
            *["-m", "envmagic", "install", "-U", "tidy-tools", "./slow", "--env", "churn"],
        ],
        cwd=operate.work,
    )
    _wait_for((slow / "started").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 1
    assert inspection.distributions(backends.inspect(prefix))["tidy-tools"][0] == "1.0"


@pytest.mark.parametrize("moment", ["mark", "packages", "late"])
def test_what_was_killed_in_the_middle_is_finished_by_the_next_call(
    operate: Operator, moment: str
) -> None:
    prefix = _envs(operate) / "churn"
    process = _create_in_background(operate, "churn")
    reached = {
        "mark": lambda: (prefix / "bin").exists(),
        "packages": lambda: any(prefix.glob("lib/*/site-packages/humanize*")),
        "late": lambda: any(prefix.glob("lib/*/site-packages/pip-*")),
    }
    _wait_for(reached[moment])
    process.kill()
    process.wait(30)
    _wait_for(lambda: locks.is_free(prefix))  # the installer goes on for a while
    left = list(journal.unfinished())
    if left:  # on a quick machine it may have been ready already
        assert kernelspecs.find("churn") is None or moment == "late"
        found = operate(DoctorRequest()).problems
        assert "half-made" in {p.code for p in found}
    report = operate.create("churn", "six")
    assert integrity.broken_distributions(inspection.distributions(backends.inspect(prefix))) == []
    assert {"six", "pip"} <= set(inspection.distributions(backends.inspect(prefix)))
    assert report.data["environment"]["owned"] and list(journal.unfinished()) == []


def test_an_empty_directory_of_the_users_is_there_again_after_a_failure(
    operate: Operator,
) -> None:
    (operate.work / "mine").mkdir()
    with pytest.raises(EnvmagicError):
        operate.create("./mine", "no-such-thing-at-all")
    assert os.listdir(operate.work / "mine") == []


def test_a_distribution_that_lost_files_is_mended(operate: Operator) -> None:
    """What an installer leaves that was killed while it linked: RECORD whole, files missing."""
    prefix = prefix_of(operate.create("churn", "humanize"))
    environment = backends.inspect(prefix)
    (environment.site_packages[0] / "humanize" / "time.py").unlink()
    assert integrity.broken_distributions(inspection.distributions(environment)) == ["humanize"]
    found = operate(DoctorRequest())
    assert "broken-distribution" in {p.code for p in found.problems}
    fixed = operate(DoctorRequest(fix=True))
    assert fixed.data["fixed"] and fixed.ok
    assert integrity.broken_distributions(inspection.distributions(environment)) == []


def test_what_is_mended_keeps_its_version(operate: Operator, isolated: Any) -> None:
    """A newer one that needs something more is there for the taking."""
    wheels.build(isolated.wheels, "mended", "1.0")
    prefix = prefix_of(operate.create("churn", "mended"))
    wheels.build(isolated.wheels, "mended", "2.0", requires=["six"])
    before = inspection.distributions(backends.inspect(prefix))
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "mended.py").unlink()
    assert operate(DoctorRequest(fix=True)).ok and (site / "mended.py").exists()
    assert inspection.distributions(backends.inspect(prefix)) == before
    (site / "mended.py").unlink()
    operate(UninstallRequest(("mended",)), prefix)
    del before["mended"]
    assert inspection.distributions(backends.inspect(prefix)) == before


LEFT = {
    "files missing": "six.py",
    "no list of files": "six-*.dist-info/RECORD",
    "nothing of who installed it": "six-*.dist-info/RECORD {0}/six-*.dist-info/INSTALLER",
    "an empty directory": "six.py {0}/six-*.dist-info/*",
}


@pytest.mark.parametrize("lost", LEFT.values(), ids=LEFT)
def test_what_is_left_of_a_distribution_is_uninstalled(operate: Operator, lost: str) -> None:
    """By an installer that was killed while it took it out."""
    prefix = prefix_of(operate.create("churn", "six"))
    (site,) = prefix.glob("lib/python*/site-packages")
    before = inspection.distributions(backends.inspect(prefix))
    subprocess.run(["sh", "-c", f"rm -rf {site}/{lost.format(site)}"], check=True)
    assert list(site.glob("six-*.dist-info"))
    report = operate(UninstallRequest(("six",)), prefix)
    assert report.ok and not list(site.glob("six*"))
    assert {*before} - {*inspection.distributions(backends.inspect(prefix))} == {"six"}


@pytest.mark.parametrize("lost", LEFT.values(), ids=LEFT)
def test_what_an_installer_left_that_was_killed_is_taken_out_again(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: str
) -> None:
    """It ends by a signal with its new distribution half there: only its own error is told."""
    prefix = prefix_of(operate.create("churn"))
    (site,) = prefix.glob("lib/python*/site-packages")
    real, once = commands.find_uv(), tmp_path / "once"
    assert real is not None
    killed = tmp_path / "uv"
    killed.write_text(
        f'#!/bin/sh\n"{real}" "$@" || exit\n[ -e "{once}" ] && exit\ntouch "{once}"\n'
        f"rm {site}/{lost.format(site)} && kill -9 $$\n"
    )
    killed.chmod(0o755)
    monkeypatch.setenv("ENVMAGIC_UV", str(killed))
    before = inspection.distributions(backends.inspect(prefix))
    with pytest.raises(EnvmagicError) as error:
        operate(InstallRequest(("six",)), prefix)
    assert error.value.problem.code == "no-memory" and once.exists()
    assert inspection.distributions(backends.inspect(prefix)) == before
    assert not list(site.glob("six*"))
    assert integrity.broken_distributions(inspection.distributions(backends.inspect(prefix))) == []


def test_the_doctor_names_every_broken_kernel_and_mends_ours_alone(
    operate: Operator, isolated: Any, bare_venv: Callable[..., Path]
) -> None:
    gone = prefix_of(operate.create("gone"))
    shutil.rmtree(gone)
    empty = bare_venv(operate.work / "empty")
    _foreign(isolated, "bare", ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    _foreign(isolated, "missing", ["/nope/bin/python", "-m", "ipykernel_launcher"])
    _foreign(isolated, "lacking", [str(empty), "-m", "ipykernel_launcher"])
    codes = {(p.subject, p.code) for p in operate(DoctorRequest()).problems}
    assert codes == {
        ("gone", "environment-gone"),
        ("bare", "bare-python"),
        ("missing", "no-interpreter"),
        ("lacking", "no-ipykernel"),
    }
    report = operate(DoctorRequest(fix=True))
    assert {p.subject for p in report.problems} == {"bare", "missing", "lacking"}
    assert kernelspecs.find("gone") is None and kernelspecs.find("missing") is not None


def test_the_doctor_knows_an_environment_that_was_moved(
    operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    bare_venv(operate.work / "here", "pip")
    operate(AttachRequest("./here"))
    (operate.work / "here").rename(operate.work / ".venv")
    problems = {p.code: p for p in operate(DoctorRequest()).problems}
    assert "environment-gone" in problems and "moved" in problems
    with pytest.raises(WordsError):
        operate(AttachRequest("./here"))


def _foreign(isolated: Any, name: str, argv: list[str]) -> None:
    place = isolated.kernels / name
    place.mkdir(parents=True)
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec))


def _envs(operate: Operator) -> Path:
    return Path(os.environ["ENVMAGIC_HOME"]) / "envs"


def _create_in_background(operate: Operator, name: str) -> subprocess.Popen[bytes]:
    # copied rather than linked, so that there is a middle to be killed in
    return subprocess.Popen(
        [sys.executable, "-m", "envmagic", "create", name, "--with", "humanize"],
        cwd=operate.work,
        env={**os.environ, "UV_LINK_MODE": "copy"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
