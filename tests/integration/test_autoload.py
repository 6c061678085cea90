"""`autoload`: one start-up file of IPython's, written and taken back, and nobody else's touched."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.operate import Operator

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment
from envmagic.core.verbs import AutoloadRequest, DoctorRequest
from envmagic.environments.early_start import runs_at_start


@pytest.fixture
def file(isolated: Isolated) -> Path:
    return isolated.ipython / "profile_default" / "startup" / "50-envmagic.py"


@pytest.fixture
def say(operate: Operator) -> Callable[..., tuple[str, bool]]:
    def ask(word: str | None = None) -> tuple[str, bool]:
        report = operate(AutoloadRequest(word))
        return report.data["state"], report.changed

    return ask


def test_it_is_turned_on_and_off_and_says_how_it_stands(
    say: Callable[..., tuple[str, bool]], operate: Operator, file: Path
) -> None:
    assert say() == ("off", False)
    assert say("off") == ("off", False)
    assert say("on") == ("on", True)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert say("on") == say() == ("on", False)
    copy = file.parents[2] / "profile_lab" / "startup" / file.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    assert operate(AutoloadRequest()).data["profiles"] == ["default", "lab"]
    assert operate(DoctorRequest()).data["autoload"] == "on"
    assert say("off") == ("off", True)
    assert not file.exists() and not copy.exists()


def test_a_file_that_somebody_edited_stays_and_is_named(
    say: Callable[..., tuple[str, bool]], operate: Operator, file: Path
) -> None:
    say("on")
    edited = file.read_bytes() + b"import numpy as np\n"
    for content in (edited, b"%load_ext envmagic\n"):
        file.write_bytes(content)
        with pytest.raises(EnvmagicError, match=r"50-envmagic\.py is not as envmagic wrote it"):
            say("on")
        report = operate(AutoloadRequest("off"))
        assert (report.ok, report.data["state"], report.changed) == (False, "edited", False)
        assert "50-envmagic.py" in report.problems[0].message
        assert file.read_bytes() == content
        found = operate(DoctorRequest(fix=True)).problems
        assert "edited-autoload" in [problem.code for problem in found]
    file.unlink()
    assert say("on") == ("on", True)


def test_a_file_of_another_version_is_known_and_written_anew(
    say: Callable[..., tuple[str, bool]], operate: Operator, file: Path
) -> None:
    other = b"# envmagic autoload 9e26bf36: of another version\nx = 1\n"
    file.parent.mkdir(parents=True)
    file.write_bytes(other)
    assert "old-autoload" in [problem.code for problem in operate(DoctorRequest()).problems]
    operate(DoctorRequest(fix=True))
    ours = file.read_bytes()
    assert ours != other and say() == ("on", False)
    file.write_bytes(other)
    assert say("on") == ("on", True) and file.read_bytes() == ours
    file.write_bytes(other)
    assert say("off") == ("off", True) and not file.exists()


def test_a_kernel_starts_early_though_ipython_runs_our_file_and_not_where_it_runs_others(
    say: Callable[..., tuple[str, bool]], isolated: Isolated, file: Path
) -> None:
    environment = Environment(isolated.work, isolated.work, "3.12.1", BackendName.VENV, owned=True)
    say("on")
    assert not runs_at_start(environment)
    shared = isolated.work / "etc" / "ipython" / "startup" / "a.ipy"
    for other in (file.with_name("60-mine.py"), shared):
        other.parent.mkdir(parents=True, exist_ok=True)
        other.touch()
        assert runs_at_start(environment)
        other.unlink()
    file.write_bytes(file.read_bytes() + b"import numpy\n")
    assert runs_at_start(environment)


def test_it_loads_quietly_and_is_silent_where_there_is_nothing_to_load(
    say: Callable[..., tuple[str, bool]], file: Path
) -> None:
    say("on")
    names = "*sorted(k for k in globals() if k[0] != '_')"
    ask = f"print(type(get_ipython().find_line_magic('env')).__name__, {names})"
    start = f"import IPython; IPython.start_ipython(['-c', {ask!r}])"
    bare = f"import sys; sys.modules['envmagic'] = None; {start}"
    left = " In Out exit get_ipython open quit\n"
    said = [_said("-c", start), _said("-c", bare), _said(str(file))]
    assert said == [f"Env{left}", f"method{left}", ""]


def _said(*words: str) -> str:
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout
