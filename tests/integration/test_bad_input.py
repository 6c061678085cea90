"""Bad input: one clear line with the next command, and everything is as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.operate import BACKENDS, Operator

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Frontend
from envmagic.core.verbs import AttachRequest, InstallRequest, RemoveRequest, UseRequest
from envmagic.environments import backends, inspection
from envmagic.frontends import render

Snapshot = Callable[[], dict[str, bytes]]


@pytest.fixture
def refuses(operate: Operator, request: pytest.FixtureRequest) -> Callable[..., EnvmagicError]:
    """`refuses(call, match, code)`: the call raises one line and leaves everything as it was."""

    def check(call: Callable[[], object], match: str, code: int) -> EnvmagicError:
        take: Snapshot = request.getfixturevalue("snapshot")
        before = take()
        with pytest.raises(EnvmagicError, match=match) as caught:
            call()
        assert caught.value.exit_code == code
        shown = render.line(caught.value.problem, Frontend.TERMINAL)
        assert "\n" not in shown
        assert "Traceback" not in shown
        assert take() == before
        return caught.value

    return check


Refuses = Callable[..., EnvmagicError]


def test_no_such_environment(operate: Operator, refuses: Refuses) -> None:
    for request in (AttachRequest("nope"), RemoveRequest("nope"), RemoveRequest("./nope")):
        refuses(lambda request=request: operate(request), "nope", 2)
    operate.create("churn")
    error = refuses(lambda: operate(RemoveRequest("chrun")), "No environment is called", 2)
    assert "Did you mean churn?" in error.problem.hint


def test_use_in_a_terminal_says_where_it_works(operate: Operator, refuses: Refuses) -> None:
    refuses(lambda: operate(UseRequest("churn")), "there is none in a terminal", 2)


def test_a_notebook_is_no_name(operate: Operator, refuses: Refuses) -> None:
    error = refuses(lambda: operate.create("my notes.ipynb"), "is a notebook", 2)
    assert error.problem.command == ("create", "--notebook", "my notes.ipynb")
    refuses(lambda: operate.create("./a.ipynb"), "--notebook ./a.ipynb", 2)


def test_names_with_spaces_are_quoted_in_what_to_type(
    operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    bare_venv(operate.work / "my env")
    report = operate(AttachRequest("./my env"))
    assert not (operate.work / "my env" / "envmagic.json").exists(), report
    plan = operate(RemoveRequest("./my env"))
    assert plan.problems[-1].command == ("remove", "./my env", "--yes")
    with pytest.raises(EnvmagicError) as other:
        operate.create("./my env", python="==3.0.1")
    assert "3.0.1" in other.value.problem.message
    with pytest.raises(EnvmagicError) as backend:
        operate.create("./my env", backend=BackendName.CONDA)
    assert backend.value.problem.command == ()  # nobody's to take away but whose it is


def test_a_path_that_is_a_file(operate: Operator, refuses: Refuses) -> None:
    (operate.work / "thing").write_text("mine")
    refuses(lambda: operate.create("./thing"), "is a file", 1)
    refuses(lambda: operate(AttachRequest("./thing")), "is a file", 2)


def test_a_directory_with_other_things_in_it(operate: Operator, refuses: Refuses) -> None:
    (operate.work / "data").mkdir()
    (operate.work / "data" / "mine.csv").write_text("1")
    refuses(lambda: operate.create("./data"), "other things in it", 1)
    refuses(lambda: operate(AttachRequest("./data")), "no pyvenv.cfg", 2)


def test_a_read_only_directory(
    operate: Operator,
    terminal: Callable[..., Any],
    without_privileges: list[str],
    snapshot: Snapshot,
) -> None:
    locked = operate.work / "locked"
    locked.mkdir(mode=0o555)
    before = snapshot()
    said = terminal("create", "./locked/env", code=1, through=without_privileges)
    assert "cannot be made: permission denied" in said.err
    assert len(said.told) == 1
    assert snapshot() == before


@pytest.mark.parametrize("path", ["./new\nline", "./a:b", "./tab\tbed"])
def test_a_path_with_characters_that_break_things(
    operate: Operator, refuses: Refuses, path: str
) -> None:
    refuses(lambda: operate.create(path), "control character|separates", 2)


@pytest.mark.parametrize(
    "name", ["create", "python3", "base", "conda-x", "a b", "ÄÖ", "nul", "-x", "x" * 65]
)
def test_a_name_that_cannot_be_a_kernels(operate: Operator, refuses: Refuses, name: str) -> None:
    error = refuses(lambda: operate.create(name), "cannot name an environment", 2)
    suggested = error.problem.hint.split("'")[1]
    from envmagic.core import names

    assert names.validate(suggested) == suggested


def test_a_python_that_is_not_there_lists_those_that_are(
    operate: Operator, refuses: Refuses
) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    refuses(lambda: operate.create("x", python="3.99"), f"there are .*{here}", 1)
    for version in ("2.7", "9.9", "3.99.1"):
        error = refuses(
            lambda v=version: operate.create("x", python=v), f"Python {version} is not", 1
        )
        assert here in error.problem.message
        assert not re.search(r"\b3\.[0-9]\b", error.problem.message.partition("there are")[2])
    for other in ("pypy3.10", "3.14t", "python3.14t"):
        refuses(lambda v=other: operate.create("x", python=v), "not the usual CPython", 2)
    refuses(lambda: operate.create("x", python="new"), "is no Python version", 2)
    refuses(lambda: operate.create("x", python="/nope/python"), "is no Python interpreter", 1)


def test_a_python_that_can_be_had_is_named_with_its_command_and_taken_when_it_has_come(
    operate: Operator,
    refuses: Refuses,
    pythons: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uv_command: list[str],
) -> None:
    from envmagic.environments.backends import pythons as sources

    others = [v for v in pythons if not sys.version.startswith(f"{v}.")]
    if not others:
        pytest.skip("only one Python on this machine")
    short = others[-1]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))

    def helps(wanted: str) -> tuple[str, ...]:
        error = refuses(lambda: operate.create("x", python=wanted), "is not on this machine", 1)
        return error.problem.tool_command

    assert helps(short) == (), "downloads are forbidden"
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS")
    (uv,) = uv_command
    assert helps(short) == (uv, "python", "install", short)
    full = helps(f">={short}.0,<{short}.99")[-1]
    assert re.fullmatch(rf"{re.escape(short)}\.\d+", full)
    monkeypatch.setenv("PATH", str(Path(uv).parent))
    assert helps(f"=={short}") == ("uv", "python", "install", short)
    assert helps("3.99") == helps("3.9") == ()
    there = tmp_path / "pythons" / f"cpython-{full}-x-y" / "bin" / "python3"
    there.parent.mkdir(parents=True)
    there.symlink_to(pythons[short])
    assert sources.find(short).executable == sources.find(f"~={full}").executable == there


def test_a_python_too_old_for_envmagic_is_refused(operate: Operator, refuses: Refuses) -> None:
    """Its kernel would have no %env to leave it with."""
    from envmagic.environments import interpreters

    old = [p for p in interpreters.installed() if p.parts[:2] < (3, 10)]
    if not old:
        pytest.skip("no Python older than 3.10 on this machine")
    refuses(lambda: operate.create("x", python=str(old[0].executable)), "too old", 1)


@pytest.mark.parametrize("backend", [b.value for b in BACKENDS if b is not BackendName.CONDA])
def test_an_unknown_package(operate: Operator, refuses: Refuses, backend: str) -> None:
    def call() -> object:
        return operate.create("x", "no-such-thing-at-all", backend=BackendName(backend))

    refuses(call, "no-such-thing-at-all", 1)
    assert not (operate.work.parent / "home" / "envmagic" / "envs" / "x").exists()


def test_conflicting_requirements(
    operate: Operator, refuses: Refuses, make_wheel: Callable[..., Path]
) -> None:
    make_wheel("tidy-tools", "1.0")
    make_wheel("tidy-tools", "2.0")
    refuses(
        lambda: operate.create("x", "tidy-tools<2", "tidy-tools>1"), "tidy-tools.*unsatisfiable", 1
    )


def test_no_network(operate: Operator, refuses: Refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index on a port where nobody listens."""
    _index(operate, monkeypatch, "http://127.0.0.1:9/simple")
    asked = ("--pre", "six>=1", "six", "-i http://127.0.0.1:9/", "attrs")
    refuses(lambda: operate.create("x", *asked), "cannot be reached, so six, attrs could not", 1)
    assert "Installing six, attrs" in operate.heard.steps


def test_credentials_of_an_index_never_reach_the_screen(
    operate: Operator, refuses: Refuses, monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot
) -> None:
    _index(operate, monkeypatch, "http://127.0.0.1:9/simple")
    index = "--index-url http://someone:s3cret@127.0.0.1:9/simple"
    error = refuses(lambda: operate.create("x", index, "six"), "cannot be reached", 1)
    assert "s3cret" not in str(error) + "".join(operate.heard.steps + operate.heard.details)
    assert not any(b"s3cret" in content for content in snapshot().values())


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small tmpfs")
def test_no_space_left(operate: Operator, refuses: Refuses) -> None:
    """A file system of a few megabytes, in a mount namespace of its own."""
    script = (
        f"mount -t tmpfs -o size=6m none {operate.work} && cd {operate.work} && "
        f"{sys.executable} -m envmagic create ./env; code=$?; ls -A {operate.work}; exit $code"
    )
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed on this machine")
    env = {**os.environ, "UV_LINK_MODE": "copy"}
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, env=env
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "No space left" in ran.stderr
    assert ran.stdout.strip() == ""


def test_a_malformed_requirement_line_is_named_by_its_number(
    operate: Operator, refuses: Refuses
) -> None:
    refuses(lambda: operate.cell("x", "six\n\n=nonsense=\n"), "Line 4 of the cell", 1)
    (operate.work / "reqs.txt").write_text("six\n??\n")
    refuses(lambda: operate.create("x", files=("reqs.txt",)), "Line 2 of .*reqs.txt", 1)
    refuses(lambda: operate.create("x", "--target=/tmp/elsewhere"), "install elsewhere", 1)
    refuses(lambda: operate.create("x", files=("gone.txt",)), "does not exist", 2)


def test_an_environment_whose_python_is_too_old(operate: Operator, refuses: Refuses) -> None:
    prefix = operate.work / "ancient"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib" / "python3.6" / "site-packages").mkdir(parents=True)
    (prefix / "bin" / "python").touch()
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.6.9\n")
    refuses(lambda: operate(AttachRequest("./ancient")), "too old for ipykernel", 1)


def test_an_environment_whose_base_interpreter_is_gone(
    operate: Operator, refuses: Refuses, bare_venv: Callable[..., Path]
) -> None:
    prefix = operate.work / "orphan"
    python = bare_venv(prefix)
    python.unlink()
    python.symlink_to("/gone/python3.12")
    refuses(lambda: operate(AttachRequest("./orphan")), "is gone", 1)
    python.unlink()
    refuses(lambda: operate(AttachRequest("./orphan")), "is missing", 1)


def test_installing_into_no_environment(operate: Operator, refuses: Refuses) -> None:
    refuses(lambda: operate(InstallRequest(("six",))), "No environment was named", 2)
    base = Path(sys.base_prefix)
    refuses(lambda: operate(InstallRequest(("six",)), base), "no environment of its own", 1)


def test_what_is_installed_stays_when_an_install_fails(operate: Operator) -> None:
    report = operate.create("churn", "six")
    prefix = Path(report.data["environment"]["prefix"])
    before = inspection.distributions(backends.inspect(prefix))
    with pytest.raises(EnvmagicError):
        operate(InstallRequest(("attrs", "no-such-thing-at-all")), prefix)
    assert inspection.distributions(backends.inspect(prefix)) == before
    with pytest.raises(WordsError):
        operate(InstallRequest(()), prefix)
    assert shutil.which("python", path=str(prefix / "bin"))


def _index(operate: Operator, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have uv ask the index `url` only, with nothing cached and no second try."""
    settings = operate.work.parent / "index.toml"
    settings.write_text(f'[[index]]\nurl = "{url}"\ndefault = true\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(operate.work.parent / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
