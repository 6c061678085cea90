"""`lock` writes what is installed, whole, with hashes, and the same bytes when nothing changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock
from support.operate import Operator, prefix_of
from support.simple_index import serving

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import InstallRequest, LockRequest
from envmagic.environments.backends import commands
from envmagic.system import toml_files

Wheel = Callable[..., Path]

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")


@pytest.fixture
def index(isolated: Any, make_wheel: Wheel) -> Iterator[str]:
    """An index with `thing` 1.0 and 2.0, which needs `other`."""
    for version in ("1.0", "2.0"):
        make_wheel("thing", version, requires=["other"])
    make_wheel("other", "1.0")
    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        links = Path(os.environ["UV_CACHE_DIR"]).parents[1].as_uri()
        user = address.replace("://", "://u:s3cret@")
        settings.write_text(
            f'find-links = ["{links}"]\n[[index]]\nurl = "{user}"\ndefault = true\n'
        )
        yield address


def asking(operate: Operator, *lines: str) -> Path:
    """An environment `.venv` that has what a requirements file with `lines` asks for."""
    (operate.work / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    return prefix_of(operate.create(".venv"))


def read(file: Path) -> dict[str, Any]:
    lock = Pylock.from_dict(toml_files.parsed(file.read_text()))
    return {str(package.name): package for package in lock.packages}


def test_what_is_installed_is_locked_and_nothing_newer(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    operate(InstallRequest(("thing==1.0",)), prefix)
    (operate.work / "requirements.txt").write_text("thing\n")
    file = operate.work / "pylock.toml"
    assert operate(LockRequest(), prefix).changed
    packages = read(file)
    assert {name: str(p.version) for name, p in packages.items()} == {
        "thing": "1.0",
        "other": "1.0",
    }
    for package in packages.values():
        (wheel,) = package.wheels
        assert wheel.hashes["sha256"] and wheel.url.startswith(index.rpartition("/simple")[0])
    assert "s3cret" not in file.read_text() and "u:" not in file.read_text()
    raw, inode = file.read_bytes(), file.stat().st_ino
    assert not operate(LockRequest(), prefix).changed
    assert (file.read_bytes(), file.stat().st_ino) == (raw, inode)
    file.unlink()
    operate(LockRequest(), prefix)
    assert file.read_bytes() == raw


def test_check_shows_what_differs_and_names_what_helps(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    operate(LockRequest(), prefix)
    assert operate(LockRequest(check=True), prefix).exit_code == 0
    (operate.work / "requirements.txt").write_text("thing\n")
    told = operate(InstallRequest(("thing==2.0",)), prefix)
    report = operate(LockRequest(check=True), prefix)
    (problem,) = report.problems
    assert [(p.code, p.command) for p in told.problems] == [("lock-behind", ("lock",))]
    assert report.exit_code == 1 and problem.command == ("lock",)
    (told,) = report.data["locks"]
    assert '-version = "1.0"' in told["diff"] and '+version = "2.0"' in told["diff"]
    operate(LockRequest(), prefix)
    assert operate(LockRequest(check=True), prefix).exit_code == 0


def test_one_that_was_edited_by_hand_is_behind(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing")
    operate(LockRequest(), prefix)
    file = operate.work / "pylock.toml"
    right = file.read_bytes()
    file.write_bytes(right.replace(b"2.0", b"2.1"))
    assert operate(LockRequest(check=True), prefix).exit_code == 1
    operate(LockRequest(), prefix)
    assert file.read_bytes() == right


def test_what_comes_from_no_index_is_locked_where_it_is(
    operate: Operator, index: str, isolated: Any
) -> None:
    for name in ("mine", "theirs"):
        project = operate.work / name
        project.mkdir()
        (project / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            f'[project]\nname = "{name}"\nversion = "1"\n[tool.setuptools]\npy-modules = []\n'
        )
    theirs = operate.work / "theirs"
    git = ["git", "-C", str(theirs), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    prefix = asking(operate, "-e ./mine", f"theirs @ git+{theirs.as_uri()}")
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "two"], check=True)
    operate(LockRequest(), prefix)
    packages = read(operate.work / "pylock.toml")
    assert packages["theirs"].vcs.commit_id == commit.strip()
    assert packages["mine"].directory.editable and packages["mine"].directory.path == "mine"


def test_for_all_platforms(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2", "other; sys_platform == 'win32'")
    operate(LockRequest(universal=True), prefix)
    file = operate.work / "pylock.toml"
    assert "universal = true" in file.read_text()
    before = file.read_bytes()
    operate(LockRequest(), prefix)  # stays what it is
    assert file.read_bytes() == before


def test_bad_input(operate: Operator, index: str) -> None:
    prefix = asking(operate, "thing<2")
    with pytest.raises(WordsError, match=r"lock\.toml is no name") as name:
        operate(LockRequest(to="lock.toml"), prefix)
    assert name.value.problem.command == ("lock", "--to", "pylock.lock.toml")
    (operate.work / "requirements.txt").write_text("thing>=2\n")
    with pytest.raises(EnvmagicError, match="asks for thing") as lacking:
        operate(LockRequest(), prefix)
    assert lacking.value.problem.command == ("sync",)
    with pytest.raises(WordsError, match="x is no notebook") as path:
        operate(LockRequest(("x",)), prefix)
    assert path.value.problem.command == ("lock",)
    (operate.work / "requirements.txt").unlink()
    with pytest.raises(WordsError, match=r"no requirements\.txt") as nothing:
        operate(LockRequest(), prefix)
    assert nothing.value.problem.command == ("record",)
    assert not list(operate.work.glob("*lock*"))


def test_a_version_that_the_index_has_no_more(operate: Operator, index: str, isolated: Any) -> None:
    prefix = asking(operate, "thing<2")
    for wheel in isolated.wheels.glob("thing-1*"):
        wheel.unlink()
    with pytest.raises(EnvmagicError, match=r"thing==1\.0"):
        operate(LockRequest(), prefix)
    assert not (operate.work / "pylock.toml").exists()
