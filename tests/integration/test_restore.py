"""`restore` makes the environment that a notebook had, and says what is otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from support.operate import Operator, prefix_of
from support.simple_index import serving
from support.wheels import build

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import (
    CreateRequest,
    LockRequest,
    RecordRequest,
    RemoveRequest,
    RestoreRequest,
    SyncRequest,
)
from envmagic.environments import backends, inspection
from envmagic.environments.backends import commands

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")

Wheel = Callable[..., Path]
BLOCK = """# >>> envmagic 1 >>> python 3.11, pin exact, recording on
{}
    # n.ipynb
# <<< envmagic <<<"""
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()


@pytest.fixture
def index(isolated: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheel]:
    """Makes wheels for an index, as of 2020 unless another `year` is said; `thing` 1.0 needs
    `other`, 2.0 is of 2024. What uv has seen before, it has not."""
    wheels = isolated.home / "index"

    def make(name: str, version: str = "1.0", *, year: int = 2020, **shape: Any) -> Path:
        wheel = build(wheels, name, version, **shape)
        moment = datetime(year, 1, 1, tzinfo=timezone.utc).timestamp()
        os.utime(wheel, (moment, moment))
        return wheel

    make("thing", requires=["other"])
    make("other")
    make("thing", "2.0", year=2024, requires=["other"])
    monkeypatch.setenv("UV_CACHE_DIR", str(isolated.home / "uv-cache"))
    with serving(wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        house = Path(os.environ["PIP_FIND_LINKS"].split()[0].removeprefix("file://"))
        settings.write_text(
            f'find-links = ["{house.as_uri()}"]\n[[index]]\nurl = "{address}"\ndefault = true\n'
        )
        yield make


def held(prefix: Path) -> dict[str, str]:
    found = inspection.distributions(backends.inspect(prefix))
    return {name: version for name, (version, _) in found.items() if name != "pip"}


def notebook(work: Path, source: str = "import thing", **metadata: object) -> Path:
    path = work / "n.ipynb"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    path.write_text(json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4}))
    return path


def asked(operate: Operator, *lines: str) -> Path:
    file = operate.work / "requirements.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def locked(operate: Operator, *lines: str) -> None:
    """The requirements with a lock beside them, and no environment any more."""
    asked(operate, *lines)
    prefix = prefix_of(operate.create(".venv"))
    operate(LockRequest(), prefix)
    operate(RemoveRequest(str(prefix), yes=True))


def told(report: Any) -> list[tuple[str, str, str]]:
    return [(each["name"], each["was"], each["taken"]) for each in report.data["instead"]]


def test_what_is_locked_comes_back_and_nothing_newer(operate: Operator, index: Wheel) -> None:
    locked(operate, "thing<2")
    asked(operate, "thing")
    before = sorted(operate.work.iterdir())
    plan = operate(RestoreRequest(dry_run=True))
    assert [(c["name"], c["version"]) for c in plan.data["planned"]] == [
        ("other", "1.0"),
        ("thing", "1.0"),
    ]
    assert sorted(operate.work.iterdir()) == before
    report = operate(RestoreRequest())
    prefix = operate.work / ".venv"
    assert held(prefix) == {"thing": "1.0", "other": "1.0"}
    assert (report.data["source"]["kind"], told(report)) == ("lock", [])
    assert not operate(RestoreRequest()).changed
    operate.create(".venv", "thing==2.0")
    assert not told(operate(RestoreRequest())) and held(prefix)["thing"] == "1.0"


def test_another_file_than_was_locked_is_refused(operate: Operator, index: Wheel) -> None:
    locked(operate, "thing<2")
    index("thing", "1.0", files={"thing.py": "other = 1\n"}, requires=["other"])
    subprocess.run([str(commands.find_uv()), "-q", "cache", "clean"], check=True)
    with pytest.raises(EnvmagicError, match="thing that the index has is not the one") as refused:
        operate(RestoreRequest())
    assert refused.value.problem.code == "hash-mismatch"
    assert not (operate.work / ".venv").exists()
    command = refused.value.problem.command
    assert command == ("create", "-r", str(operate.work / "requirements.txt"))
    operate(CreateRequest(files=command[2:]))
    assert "thing" in held(operate.work / ".venv")


def test_a_version_that_is_gone_is_named_with_what_was_taken(
    operate: Operator, index: Wheel
) -> None:
    index("thing", "1.0.1", requires=["other"])
    locked(operate, "thing==1.0")
    subprocess.run([str(commands.find_uv()), "-q", "cache", "clean"], check=True)
    index("thing", "1.0").unlink()
    report = operate(RestoreRequest())
    assert told(report) == [("thing", "1.0", "1.0.1")]
    assert "gone" in report.data["instead"][0]["why"]
    assert held(operate.work / ".venv") == {"thing": "1.0.1", "other": "1.0"}
    (operate.work / "pylock.toml").unlink()
    operate(RemoveRequest(str(operate.work / ".venv"), yes=True))
    report = operate(RestoreRequest())
    assert (report.data["source"]["kind"], told(report)) == ("pins", [("thing", "1.0", "1.0.1")])


def test_without_a_network_the_cache_will_do(
    operate: Operator, index: Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(operate, "thing<2")
    monkeypatch.setenv("UV_OFFLINE", "1")
    operate(RestoreRequest())
    assert held(operate.work / ".venv") == {"thing": "1.0", "other": "1.0"}
    operate(RemoveRequest(str(operate.work / ".venv"), yes=True))
    subprocess.run([str(commands.find_uv()), "-q", "cache", "clean"], check=True)
    with pytest.raises(EnvmagicError) as refused:
        operate(RestoreRequest())
    assert refused.value.problem.code == "no-network"
    assert not (operate.work / ".venv").exists()


def test_what_is_for_other_machines_or_pythons_is_had_otherwise_and_named(
    operate: Operator, index: Wheel
) -> None:
    """What was yanked is what was locked all the same."""
    locked(operate, "thing<2")
    file = operate.work / "pylock.toml"
    made = file.read_text()
    file.write_text(
        made.replace("/thing-1.0-py3-none-any.whl", "/thing-1.0-py3-none-win_arm64.whl").replace(
            'created-by = "envmagic"\n', 'created-by = "other"\n'
        )
        + "\n[[packages]]\nname = 'windows-only'\nversion = '1'\n"
        "marker = \"sys_platform == 'win32'\"\n"
        "wheels = [{name = 'windows_only-1-py3-none-any.whl', url = 'http://127.0.0.1:1/w',"
        " hashes = {sha256 = '0'}}]"
    )
    index("thing", "1.0", requires=["other"]).with_name("thing-1.0-py3-none-any.whl.yanked").touch()
    report = operate(RestoreRequest())
    assert told(report) == [("thing", "1.0", "1.0")]
    assert "for other machines" in report.data["instead"][0]["why"]
    assert "edited" not in str(report.data["notes"])  # another tool made it
    assert held(operate.work / ".venv") == {"thing": "1.0", "other": "1.0"}
    file.write_text(made.replace('requires-python = ">=', 'requires-python = "==3.7.*,>=3.7" # '))
    plan = operate(RestoreRequest(target="./new", dry_run=True))
    assert [name for name, _, _ in told(plan)] == ["python"]
    file.write_text("lock-version = '9'")
    with pytest.raises(EnvmagicError):
        operate(RestoreRequest(target="./new"))


def test_sync_follows_the_lock_and_says_where_the_requirements_are_against_it(
    operate: Operator, index: Wheel
) -> None:
    locked(operate, "thing<2")
    asked(operate, "thing")
    prefix = prefix_of(operate.create(".venv", bare=True))
    operate(SyncRequest(locked=True), prefix)
    assert held(prefix) == {"thing": "1.0", "other": "1.0"}
    index("more")
    asked(operate, "thing>=2", "more")
    with pytest.raises(
        EnvmagicError, match=r"asks for thing>=2, and pylock\.toml has 1\.0"
    ) as refused:
        operate(SyncRequest(locked=True), prefix)
    assert held(prefix) == {"thing": "1.0", "other": "1.0"}
    assert refused.value.problem.command == ("sync",)
    restored = operate(RestoreRequest())
    assert [(p.code, p.command) for p in restored.problems] == [("lock-behind", ("sync",))]
    assert operate(RestoreRequest(dry_run=True)).problems == restored.problems
    own = asked(operate, "thing>=2", "more", BLOCK.format("thing==1.0"))
    twice = operate(RestoreRequest(dry_run=True))
    assert [p.command for p in twice.problems] == [("record",)], "sync could follow neither"
    notebook(operate.work)
    operate(RecordRequest(paths=("n.ipynb",)), prefix)
    assert "thing==1.0" not in own.read_text()
    asked(operate, "thing>=2", "more")
    report = operate(SyncRequest(), prefix)
    assert held(prefix) == {"thing": "2.0", "other": "1.0", "more": "1.0"}
    assert {p.command for p in report.problems} == {("lock",)}
    operate(LockRequest(), prefix)
    operate(SyncRequest(locked=True), prefix)
    (operate.work / "pylock.toml").unlink()
    with pytest.raises(WordsError, match=r"no pylock\.toml") as nothing:
        operate(SyncRequest(locked=True), prefix)
    assert nothing.value.problem.command == ("lock",)


def test_as_of_a_date(operate: Operator, index: Wheel) -> None:
    """Of the notebook's file, of its last commit, or as it is said; what was not there yet then is
    named with what was taken."""
    for version, year in (("1.0", 2020), ("2.0", 2024)):
        index("emoji", version, year=year, requires=["other"])
    path = notebook(operate.work, "import emoji")
    os.utime(path, (LONG_AGO + 9e6, LONG_AGO + 9e6))
    say = RestoreRequest(str(path), "churn", dry_run=True)
    plan = operate(say)
    assert plan.data["source"]["date"].startswith("2020-04")
    assert ("emoji", "1.0") in {(c["name"], c["version"]) for c in plan.data["planned"]}
    git = ["git", "-C", str(operate.work), "-c", "user.name=a", "-c", "user.email=a@b"]
    dated = {**os.environ, "GIT_COMMITTER_DATE": "2025-02-03T00:00:00Z"}
    for words in (["init", "-q"], ["add", "n.ipynb"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True, env=dated)
    plan = operate(say)
    assert plan.data["source"]["date"].startswith("2025-02-03")
    assert ("emoji", "2.0") in {(c["name"], c["version"]) for c in plan.data["planned"]}
    report = operate(RestoreRequest(str(path), "churn", as_of="2023-12-31"))
    prefix = prefix_of(report)
    assert held(prefix) == {"emoji": "1.0", "other": "1.0"} and told(report) == []
    early = operate(RestoreRequest(str(path), "early", as_of="2019-01-01"))
    assert told(early) == [("emoji", "none by 2019-01-01", "1.0")]
    assert held(prefix_of(early))["emoji"] == "1.0", "the nearest to that day"
    with pytest.raises(WordsError, match="2999-01-01 is still to come"):
        operate(RestoreRequest(str(path), as_of="2999-01-01"))
    notebook(operate.work, "%%env churn\nemoji<2\n")
    asked(operate, "emoji")
    plan = operate(RestoreRequest(str(path), "churn", as_of="2025-12-01", dry_run=True))
    assert ("emoji", "1.0") in {(c["name"], c["version"]) for c in plan.data["planned"]}
    with pytest.raises(WordsError, match="'soon' is no date") as refused:
        operate(RestoreRequest(str(path), as_of="soon"))
    command = refused.value.problem.command
    assert operate(RestoreRequest(str(path), as_of=command[2], dry_run=True)).ok


def test_where_the_notebook_says_it_runs(operate: Operator, index: Wheel) -> None:
    asked(operate, "thing==1.0")
    for source, kernel, expected in (
        ("import thing", "python3", ".venv"),
        ("import thing", "churn", "churn"),
        ("%%env other-one\nthing", "churn", "other-one"),
    ):
        path = notebook(operate.work, source, kernelspec={"name": kernel, "language": "python"})
        plan = operate(RestoreRequest(str(path), dry_run=True))
        assert Path(plan.data["environment"]["prefix"]).name == expected
    plan = operate(RestoreRequest(target="./here", dry_run=True))
    assert plan.data["environment"]["prefix"] == str(operate.work / "here")


def test_another_python_than_is_there_is_had_beside_it(
    operate: Operator, index: Wheel, pythons: dict[str, Path]
) -> None:
    """A dry run says so, too; a lock that only another tool reads is named."""
    path = notebook(operate.work)
    (operate.work / "conda-lock.yml").write_text("version: 1\n")
    with pytest.raises(EnvmagicError, match="conda-lock install"):
        operate(RestoreRequest(str(path)))
    index("emoji")
    notebook(operate.work, "import emoji")
    plan = operate(RestoreRequest(str(path), dry_run=True))
    assert [n for n in plan.data["notes"] if "conda-lock install" in n]
    asked(operate, "thing==1.0")
    operate.create(".venv", bare=True)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    other = next(v for v in pythons if v != here)
    for dry_run in (True, False):
        with pytest.raises(EnvmagicError, match="has Python") as refused:
            operate(RestoreRequest(python=other, dry_run=dry_run))
    verb, name, *_ = refused.value.problem.command
    assert verb == "restore"
    assert operate(RestoreRequest(target=name, python=other, dry_run=True)).ok


def test_nothing_that_says_what_it_had(operate: Operator, index: Wheel) -> None:
    path = notebook(operate.work, "1")
    for request in (RestoreRequest(), RestoreRequest(str(path))):
        with pytest.raises(EnvmagicError, match="Nothing says what") as refused:
            operate(request)
        assert refused.value.problem.command == ("create",)
    with pytest.raises(WordsError, match="no notebook"):
        operate(RestoreRequest("gone.ipynb"))
