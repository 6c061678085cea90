"""Which servers a kernel believes and gives its user's tokens to: those that its user runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from envmagic.jupyter import connection, server_api

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture
def file(isolated: Any) -> Path:
    """Describes a server of this user, whose process is this one."""
    isolated.runtime.chmod(0o700)
    made: Path = isolated.runtime / f"jpserver-{os.getpid()}.json"
    describe(made, os.getpid())
    return made


def describe(file: Path, pid: object) -> None:
    info = {"url": "http://127.0.0.1:1/", "root_dir": "/", "token": "t", "pid": pid}
    file.write_text(json.dumps(info), encoding="utf-8")
    file.chmod(0o600)


def believed(file: Path) -> bool:
    front = connection.Connection(file.parent / "kernel-0.json", None)
    return [server.token for server in server_api.servers(front)] == ["t"]


def test_a_server_of_this_user_is_believed(file: Path) -> None:
    assert believed(file)
    file.chmod(0o644)  # others may read it
    file.parent.chmod(0o775)  # its group is trusted with the directory, as docker-stacks has it
    assert believed(file)


def test_a_file_that_others_may_write_is_not_believed(file: Path) -> None:
    for mode in (0o620, 0o602):
        file.chmod(mode)
        assert not believed(file)


def test_a_directory_that_everyone_may_write_to_is_not_looked_into(file: Path) -> None:
    """As the temporary directory is, where nbconvert and papermill put connection files."""
    file.parent.chmod(0o1777)
    assert not believed(file)


def test_a_link_is_not_followed(file: Path, tmp_path: Path) -> None:
    there = file.rename(tmp_path / "there.json")
    file.symlink_to(there)
    assert not believed(file)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away")
def test_a_file_or_directory_of_somebody_else_is_not_believed(file: Path) -> None:
    os.chown(file, 65534, 65534)
    assert not believed(file)
    os.chown(file, 0, 0)
    os.chown(file.parent, 65534, 65534)
    assert not believed(file)


@pytest.mark.parametrize("pid", [None, 0, -1, "1", "gone"])
def test_a_server_that_does_not_run_is_not_asked(file: Path, pid: object) -> None:
    """Its port may be anybody's by now."""
    if pid == "gone":
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait(20)
        pid = ended.pid
    describe(file, pid)
    assert not believed(file)
