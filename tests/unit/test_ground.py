"""Names, files, locks and processes: what everything else stands on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import Isolated
from support.processes import eventually, runs

from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, WordsError
from envmagic.system import files, locks, process, scratch


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
    assert display.user_path(Path.home() / "x") == "~/x"
    assert display.user_path(Path.home()) == "~"
    assert display.user_path(f"{Path.home()}else/x") == f"{Path.home()}else/x"


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


def test_a_file_that_was_saved_meanwhile_is_not_written_over(
    tmp_path: Path, isolated: Isolated
) -> None:
    file = tmp_path / "f"
    assert files.write_over(file, b"", b"1") and file.read_bytes() == b"1"
    assert files.write_over(file, b"1", b"2") and file.read_bytes() == b"2"
    file.write_bytes(b"mine")
    for before in (b"2", b""):
        assert not files.write_over(file, before, b"3")
    assert file.read_bytes() == b"mine"


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path, isolated: Isolated) -> None:
    (tmp_path / "link").symlink_to(os.devnull)
    with pytest.raises(EnvmagicError, match="no regular file"):
        files.write_atomic(tmp_path / "link", b"1")
    assert not os.path.isfile(os.devnull)


def test_what_is_written_for_a_moment_is_gone_afterwards(
    tmp_path: Path, isolated: Isolated
) -> None:
    with scratch.beside(tmp_path) as file, scratch.beside(tmp_path) as directory:
        file.write_text("half")
        (directory / "in").mkdir(parents=True)
        scratch.sweep()
        assert file.exists() and directory.exists(), "somebody holds them"
    assert not file.exists() and not directory.exists()
    assert list((isolated.envmagic / "scratch").iterdir()) == []


def test_what_a_killed_process_wrote_for_a_moment_is_swept_away(
    tmp_path: Path, isolated: Isolated
) -> None:
    killed = (
        "import os, sys; from pathlib import Path; from envmagic.system import scratch\n"
        "with scratch.beside(Path(sys.argv[1])) as file, scratch.beside(Path(sys.argv[1])) as d:\n"
        "    file.write_text('half'); d.mkdir(); (d / 'in').write_text('')\n"
        "    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)])
    mine = tmp_path / ".envmagic-0123456789abcdef"  # a name like ours that no note knows
    mine.write_text("mine")
    assert len(list(tmp_path.glob(".envmagic-*"))) == 3
    scratch.sweep()
    assert list(tmp_path.glob(".envmagic-*")) == [mine]
    assert list((isolated.envmagic / "scratch").iterdir()) == []


@pytest.mark.parametrize("note", ["", "{", "[]", '{"path": 3}', '{"path": "MINE"}'])
def test_a_note_that_was_cut_off_or_is_not_ours_clears_nothing(
    note: str, tmp_path: Path, isolated: Isolated
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (isolated.envmagic / "scratch").mkdir()
    file = isolated.envmagic / "scratch" / "0123456789abcdef.json"
    file.write_text(note.replace("MINE", str(mine)))
    other = file.with_name("mine.json")
    other.write_text("mine")
    scratch.sweep()
    assert mine.read_text() == other.read_text() == "mine" and not file.exists()


def test_without_a_place_for_notes_files_are_written_all_the_same(
    tmp_path: Path, isolated: Isolated
) -> None:
    (isolated.envmagic / "runtimes").unlink()
    isolated.envmagic.rmdir()
    isolated.envmagic.write_text("a file where a directory should be")
    assert files.write_atomic(tmp_path / "f", b"1")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith((".envmagic", "f"))] == ["f"]


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
        "import sys; from pathlib import Path; from envmagic.system import locks, process\n"
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
    assert caught.value.last_line == "https://***@host/x"
    heard: list[str] = []
    red = "printf 'a\\033[31mred\\033[0m\\n' >&2; exit 3"
    with pytest.raises(process.CommandFailed) as coloured:
        process.run(["sh", "-c", red], on_line=heard.append)
    assert (coloured.value.stderr, heard) == ("ared\n", ["ared"])
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
        ("git+https://me:secret@host/x", "git+https://***@host/x"),
        ("https://token@host http://a:b@c/", "https://***@host http://***@c/"),
        ("https://me:p@ss@host/x", "https://***@host/x"),
        ("https://host/t/abc-123/channel", "https://host/t/***/channel"),
        ("https://host/?token=abc&x=1", "https://host/?token=***&x=1"),
        ("https://host/x, written by me@there", "https://host/x, written by me@there"),
        ("me@there", "me@there"),
    ],
)
def test_credentials_are_taken_out(said: str, shown: str) -> None:
    assert process.redact(said) == shown
    assert process.redact(shown) == shown
    problem = Problem("code", said, said, subject=said, detail=said, command=("install", said))
    assert {problem.message, problem.hint, problem.subject, problem.detail} == {shown}
    assert problem.command == ("install", shown)


def test_a_problem_has_no_codes_for_a_terminal_and_no_end_of_length() -> None:
    said = "\x1b[31mred\x1b[0m \x1b]8;;https://x\x1b\\link\x1b]8;;\x07 \x1b(B\x9b1mbold\x08\r\nnext"
    assert Problem("code", said, detail=said).detail == "red link bold\nnext"
    assert len(Problem("code", "x" * 3_000_000).message) < 2000
    assert display.quoted("-i https://me:secret@host/ " + "\n\x1b[1ma" * 500_000) == (
        f"'-i https://***@host/ {'a ' * 39}a …'"
    )


@pytest.mark.parametrize("part", ["y", "y://", "a.b+", "://y", "\x1b[1;", "\x1b]0;", "&=key"])
def test_taking_credentials_out_of_a_long_word_takes_no_time(part: str) -> None:
    """A kernel may say anything."""
    start = time.process_time()
    for text in (part * 300_000, f"x://{part * 300_000}", f"{part * 300_000}://x"):
        assert process.redact(text) == text
        display.quoted(text)
    assert time.process_time() - start < 5  # minutes, were it the square of the length


def test_a_command_takes_input_and_its_lines_come_while_it_runs() -> None:
    heard: list[str] = []
    done = process.run(["sh", "-c", "echo one >&2; cat"], input="hello", on_line=heard.append)
    assert (done.stdout, heard) == ("hello", ["one"])
    process.run(["sh", "-c", "echo two"], on_line=heard.append, hears_output=True)
    assert heard == ["one", "two"]


def test_a_timeout_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}; wait"
    with pytest.raises(process.CommandFailed, match="no end"):
        process.run(["sh", "-c", script], timeout=5)
    child = int(pid.read_text())
    eventually(lambda: not runs(child))


@pytest.mark.skipif(sys.platform == "win32", reason="signals go to a thread on POSIX only")
def test_an_interrupt_that_does_not_end_the_wait_ends_the_command(tmp_path: Path) -> None:
    """It is noted in another thread while the main one waits, as when it comes just before that."""
    script = (
        "import os, signal, threading\n"
        "from envmagic.system import process\n"
        "def interrupt(line):\n"
        "    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n"
        "try:\n"
        "    process.run(['sh', '-c', 'echo go >&2; sleep 60; touch ended'], on_line=interrupt)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "interrupted\n", done.stderr
    assert not (tmp_path / "ended").exists()


def test_an_interrupt_while_a_command_is_started_ends_it(tmp_path: Path) -> None:
    """It comes when there is a child already and nobody yet who would end it."""
    script = (
        "import os, signal, subprocess, sys\n"
        "from envmagic.system import process\n"
        "started = subprocess.Popen\n"
        "def interrupted(*words, **more):\n"
        "    child = started(*words, **more)\n"
        "    print(child.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return child\n"
        "subprocess.Popen = interrupted\n"
        "try:\n"
        "    process.run(['sleep', '600'])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    pid, said = done.stdout.split()
    assert said == "interrupted", done.stderr
    eventually(lambda: not runs(int(pid)))


def test_children_do_not_see_the_environment_around_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "CONDA_SHLVL"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("UV_INDEX_URL", "kept")
    made = process.clean_environment({"EXTRA": "1"})
    assert not {n for n in made if n.startswith(("VIRTUAL_ENV", "CONDA", "PYTHONP", "PYTHONH"))}
    assert (made["UV_INDEX_URL"], made["EXTRA"]) == ("kept", "1")
