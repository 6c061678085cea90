"""Names, files, locks and processes: what everything else stands on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from envmagic import files, home, locks, names, process
from envmagic.errors import EnvmagicError, WordsError


@pytest.mark.parametrize("name", ["churn", "a", "a.b_c-d", "0", "x" * 64])
def test_a_kernel_name_is_lower_cased(name: str) -> None:
    assert names.validate(name.upper()) == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a/b", "a b", "list", "lock", "python3", "Base", "on", "conda-x", "COM1", "x" * 65],
)
def test_other_names_are_refused_with_one_that_is_not(name: str) -> None:
    with pytest.raises(WordsError) as caught:
        names.validate(name)
    suggested = names.suggest(name)
    assert repr(suggested) in caught.value.problem.hint
    assert names.validate(suggested) == suggested


@pytest.mark.parametrize(
    ("word", "is_path"),
    [("churn", False), ("a.b", False), ("./churn", True), ("~/x", True), (".venv", True)],
)
def test_which_words_are_paths(word: str, is_path: bool) -> None:
    assert names.is_path(word) is is_path


def test_a_paths_kernel_is_called_after_it_or_its_parent() -> None:
    assert names.kernel_name_of(Path("/p/Churn Model/.venv")) == "churn-model"
    assert names.kernel_name_of(Path("/p/churn")) == "churn"
    assert names.suffixed("churn", Path("/p/a")) != names.suffixed("churn", Path("/p/b"))


def test_paths_below_the_home_directory_are_shown_with_a_tilde(isolated: object) -> None:
    assert home.user_path(Path.home() / "x") == "~/x"
    assert home.user_path(Path.home()) == "~"
    assert home.user_path(f"{Path.home()}else/x") == f"{Path.home()}else/x"


def test_writing_the_same_again_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert files.write_atomic(file, b"1")
    stamp = file.stat()
    assert not files.write_atomic(file, b"1")
    assert file.stat().st_mtime_ns == stamp.st_mtime_ns and file.stat().st_ino == stamp.st_ino


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"1")
    real.chmod(0o640)
    (tmp_path / "link").symlink_to(real)
    files.write_atomic(tmp_path / "link", b"2")
    assert (tmp_path / "link").is_symlink() and real.read_bytes() == b"2"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["link", "real"]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EnvmagicError, match="cannot be written"):
        files.write_atomic(tmp_path / "no" / "such" / "f", b"")
    (tmp_path / "d").mkdir()
    with pytest.raises(EnvmagicError, match="cannot be written"):
        files.write_atomic(tmp_path / "d", b"")


def test_a_directory_is_replaced_whole(tmp_path: Path) -> None:
    place = tmp_path / "spec"
    files.write_atomic_directory(place, {"a": b"1", "b": b"2"})
    files.write_atomic_directory(place, {"a": b"3"})
    assert {p.name: p.read_bytes() for p in place.iterdir()} == {"a": b"3"}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_one_lock_for_two_ways_to_a_path(tmp_path: Path, isolated: object) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    order: list[str] = []

    def other() -> None:
        with locks.lock(tmp_path / "link"):
            order.append("other")

    with locks.lock(tmp_path / "real"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]


def test_a_lock_outlives_a_killed_holder_while_its_child_works(
    tmp_path: Path, isolated: object
) -> None:
    """An installer goes on when the process that started it is killed; nobody may come between."""
    holder = (
        "import sys; from pathlib import Path; from envmagic import locks, process\n"
        "with locks.lock(Path(sys.argv[1])):\n"
        "    process.run(['sh', '-c', 'echo ready >&2; sleep 1.5'],"
        " on_line=lambda line: print(line, flush=True))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None and parent.stdout.readline().strip() == "ready"
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    with pytest.raises(EnvmagicError), locks.lock(tmp_path, timeout=0.2):
        pass
    with locks.lock(tmp_path, timeout=30):
        pass


def test_a_command_that_fails_tells_what_it_said_without_credentials() -> None:
    with pytest.raises(process.CommandFailed) as caught:
        process.run(["sh", "-c", "echo out; echo https://me:secret@host/x >&2; exit 3"])
    assert (caught.value.code, caught.value.stdout) == (3, "out\n")
    assert caught.value.last_line == "https://host/x"
    with pytest.raises(process.CommandFailed, match="could not be started"):
        process.run(["/no/such/program"])


def test_the_directory_is_named_when_it_is_that_which_is_missing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(process.CommandFailed, match=f"there is no directory {gone}"):
        process.run([sys.executable, "-c", ""], cwd=gone)
    with pytest.raises(process.CommandFailed, match=f"there is no directory {gone}"):
        process.spawn([sys.executable, "-c", ""], env={}, cwd=gone)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("git+https://me:secret@host/x", "git+https://host/x"),
        ("https://token@host http://a:b@c/", "https://host http://c/"),
        ("https://me:p@ss@host/x", "https://host/x"),
        ("https://host/x, written by me@there", "https://host/x, written by me@there"),
        ("me@there", "me@there"),
    ],
)
def test_credentials_are_taken_out(said: str, shown: str) -> None:
    assert process.redact(said) == shown


@pytest.mark.parametrize("part", ["y", "y://", "a.b+", "://y"])
def test_taking_credentials_out_of_a_long_word_takes_no_time(part: str) -> None:
    """A kernel may say anything."""
    start = time.monotonic()
    for text in (part * 300_000, f"x://{part * 300_000}", f"{part * 300_000}://x"):
        assert process.redact(text) == text
    assert time.monotonic() - start < 2


def test_a_command_takes_input_and_its_lines_come_while_it_runs() -> None:
    heard: list[str] = []
    done = process.run(["sh", "-c", "echo one >&2; cat"], input="hello", on_line=heard.append)
    assert (done.stdout, heard) == ("hello", ["one"])


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}; wait"
    with pytest.raises(process.CommandFailed, match="no end"):
        process.run(["sh", "-c", script], timeout=0.5)
    time.sleep(0.1)
    child = int(pid.read_text())
    # an orphan may stay a zombie where nobody reaps; it runs no more
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_children_do_not_see_the_environment_around_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "CONDA_SHLVL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("UV_INDEX_URL", "kept")
    made = process.clean_environment({"EXTRA": "1"})
    assert not {n for n in made if n.startswith(("VIRTUAL_ENV", "CONDA", "PYTHONP", "PYTHONH"))}
    assert (made["UV_INDEX_URL"], made["EXTRA"]) == ("kept", "1")
