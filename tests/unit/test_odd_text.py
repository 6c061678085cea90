"""Numbers that Python makes no integer of, and bytes that are no text: a line, or simply read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from envmagic.core.errors import EnvmagicError, Problem
from envmagic.environments.backends.conda import condarc
from envmagic.frontends import render
from envmagic.requirements import read
from envmagic.requirements.signs import decoded
from envmagic.system import unforeseen
from envmagic.system.toml_files import Settings

DIGITS = "9" * 5000  # more than Python 3.10.7 and later make an integer of


def test_a_format_of_thousands_of_digits_is_newer(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"# >>> envmagic {DIGITS} >>> recording on\n# <<< envmagic <<<\n")
    with pytest.raises(EnvmagicError) as caught:
        read(file)
    assert caught.value.problem.code == "newer-format"


def test_such_numbers_in_settings_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(f"key = {DIGITS}\n")
    Settings(file).value("key")
    pytest.importorskip("ruamel.yaml")
    for text in (f"name: {DIGITS}\n", "[" * 3000):
        file.write_text(text)
        with pytest.raises(EnvmagicError) as caught:
            condarc.read_yaml(file, "bad-condarc")
        assert "\n" not in caught.value.problem.message


def test_a_mention_with_a_byte_of_another_encoding_is_read_back() -> None:
    told = b"100%25 \xff.ipynb".decode("utf-8", "surrogateescape")
    assert decoded(told).notebook.encode("utf-8", "surrogateescape") == b"100% \xff.ipynb"


def test_what_is_shown_can_be_shown() -> None:
    assert render.line(Problem("x", "si\udcffx is wrong.")) == "si?x is wrong."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "no-memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "no-space"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "not-writable"),
        (RuntimeError("Could not determine home directory."), "bad-path"),
        (RecursionError("maximum recursion depth exceeded"), "unforeseen"),
        (KeyError("jedi"), "unforeseen"),
    ],
)
def test_each_accident_has_its_line(error: Exception, code: str) -> None:
    told = unforeseen.told(error, "create")
    assert told.problem.code == code and "\n" not in told.problem.line()
    assert (told.exit_code == 70) is (code == "unforeseen")
    if code == "unforeseen":
        assert type(error).__name__ in unforeseen.report()
        line = unforeseen.logged(error, "the server")
        assert line.endswith(": envmagic doctor --report")
        assert "at: the server" in unforeseen.report()


def test_what_no_disk_takes_is_told_without_a_command(
    isolated: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENVMAGIC_HOME", str(tmp_path / "file" / "below"))
    assert unforeseen.told(KeyError("jedi"), "create").problem.command == ()
    assert "KeyError" in unforeseen.report()
