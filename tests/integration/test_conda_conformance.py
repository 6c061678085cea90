"""A real conda and envmagic at each other's environments; `nox -s conda` sets it up and runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import condachannel, real_conda
from support.condachannel import Channel
from support.lab import write_notebook
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName
from envmagic.core.verbs import (
    AttachRequest,
    InstallRequest,
    ListRequest,
    LockRequest,
    RecordRequest,
    UninstallRequest,
)
from envmagic.environments import backends, inspection
from envmagic.environments.backends.conda import metadata
from envmagic.jupyter import conda_launcher

PYTHON = os.environ.get("ENVMAGIC_TEST_CONDA_PYTHON")
pytestmark = pytest.mark.skipif(not PYTHON, reason="opt-in: nox -s conda")
Conda = Callable[..., Any]


@pytest.fixture
def program(tmp_path: Path, isolated: Any, conda: Channel, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `conda` command, configured for the channel on disk alone, which has no pip."""
    settings = {
        "channels": [conda.url],
        "default_channels": [conda.url],
        "solver": "classic",
        "pkgs_dirs": [str(tmp_path / "pkgs")],
        "add_pip_as_python_dependency": False,
        "report_errors": False,
    }
    (isolated.home / ".condarc").write_text(json.dumps(settings))
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "")
    return real_conda.write_command(tmp_path / "bin", Path(str(PYTHON)))


@pytest.fixture
def say(program: Path) -> Conda:
    """`say(*words)`: what conda answers, as JSON."""

    def call(*words: str | Path) -> Any:
        command = [program, *words, "--json"]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    return call


def test_conda_makes_again_what_was_locked(
    operate: Operator, conda: Channel, program: Path, isolated: Any
) -> None:
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.create("bio", "tiny<2", "library", **options))
    operate(LockRequest(), prefix)
    (file,) = operate.work.glob("conda-*.lock")
    again = isolated.home / "again"
    # it answers with lines for people here, whatever is asked for
    command = [program, "create", "--yes", "--prefix", again, "--file", file]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = {package.dist for package in metadata.packages(again).values()}
    assert made == {package.dist for package in metadata.packages(prefix).values()}
    assert "tiny-1.5-py_0" in made


def test_conda_lists_what_we_made_and_keeps_what_was_asked(
    operate: Operator, conda: Channel, say: Conda, isolated: Any
) -> None:
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.create("bio", "tiny<2", "activating", **options))
    if os.geteuid() != 0:  # for root conda looks into the homes of the machine's users instead
        assert str(prefix) in say("env", "list")["envs"]
    assert str(prefix) in (isolated.home / ".conda" / "environments.txt").read_text().split()
    assert {p["name"] for p in say("list", "--prefix", prefix)} >= {"python", "tiny", "activating"}
    say("install", "--yes", "--prefix", prefix, "library")
    there = {n: p.version for n, p in metadata.packages(prefix).items()}
    assert there["library"] == "3.1" and there["tiny"] == "1.5", "conda reads our history"
    assert "library" in metadata.requested(prefix), "and we read its"


def test_conda_activates_what_we_made_and_our_kernels_see_the_same(
    operate: Operator, conda: Channel, program: Path
) -> None:
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.create("bio", "activating", **options))
    state = {"env_vars": {"FROM_STATE": "1", "BOTH": "state"}}
    (prefix / "conda-meta" / "state").write_text(json.dumps(state))
    script = subprocess.run(
        [program, "shell.posix", "activate", prefix], capture_output=True, text=True, check=True
    ).stdout
    dump = f'{sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    said = subprocess.run(
        ["/bin/bash", "-c", f"{script}\n{dump}"], capture_output=True, text=True, check=True
    ).stdout
    theirs = json.loads(said.splitlines()[-1])
    ours = conda_launcher.activated(os.environ, str(prefix))
    bookkeeping = (
        "CONDA_EXE",
        "CONDA_PYTHON_EXE",
        "_CE_",
        "CONDA_ROOT",
        "PS1",
        "_CONDA",
        "__CONDA",
    )
    names = {n for n in {*theirs, *ours} if not n.startswith((*bookkeeping, "_"))}
    different = {n: (theirs.get(n), ours.get(n)) for n in names if theirs.get(n) != ours.get(n)}
    for name in ("SHLVL", "COLUMNS", "LINES", "PWD", "OLDPWD"):  # bash's own
        different.pop(name, None)
    path, other = (text or "" for text in different.pop("PATH", ("", "")))
    assert path.split(os.pathsep)[0] == other.split(os.pathsep)[0]
    assert different == {}


def test_we_attach_what_conda_made(
    operate: Operator, isolated: Any, say: Conda, kernel: Callable[..., Any]
) -> None:
    prefix = isolated.home / "somewhere" / "bio"
    say("create", "--yes", "--prefix", prefix, "python", "tiny<2")
    listed = {e["prefix"] for e in operate(ListRequest()).data["environments"]}
    assert str(prefix) in listed, "through environments.txt"
    operate(AttachRequest("bio"))
    assert kernel("bio").run("import tiny; print(tiny.__version__)").stdout.strip() == "1.5"


def test_the_user_s_conda_is_an_engine(
    operate: Operator,
    conda: Channel,
    program: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVMAGIC_CONDA", str(program))
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    report = operate.create("bio", "tiny<2", "humanize", **options)
    prefix = prefix_of(report)
    assert metadata.packages(prefix)["tiny"].version == "1.5"
    assert "humanize" in inspection.distributions(backends.inspect(prefix))
    assert any("humanize is not in the conda channels" in note for note in report.data["notes"])
    with pytest.raises(EnvmagicError, match=r"(?s)conda cannot solve this.*needs-new"):
        operate(InstallRequest(("needs-old", "needs-new")), prefix)
    operate(InstallRequest(("library",)), prefix)
    assert metadata.packages(prefix)["tiny"].version == "1.5"
    operate(UninstallRequest(("library",)), prefix)
    assert "library" not in metadata.packages(prefix)


def test_conda_makes_an_environment_from_the_record(
    operate: Operator, conda: Channel, program: Path, isolated: Any, wheelhouse: Path
) -> None:
    (pip,) = condachannel.wheels_of(wheelhouse, "pip")
    conda.add_wheel(pip)  # which conda runs for the file's `pip:` section
    conda.index()
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    operate.create("bio", "tiny=1.5", "humanize", **options)
    write_notebook(operate.work / "maps.ipynb", ["import tiny, humanize"], kernel="bio")
    operate(RecordRequest(paths=("maps.ipynb",), state="on"))
    prefix = isolated.home / "again"
    words = ["env", "create", "--prefix", prefix, "--file", operate.work / "environment.yml"]
    ran = subprocess.run([program, *words], cwd=operate.work, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Could not find" not in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    assert metadata.packages(prefix)["tiny"].version == "1.5", ran.stdout + ran.stderr
    assert "humanize" in inspection.distributions(backends.inspect(prefix))


def test_what_conda_prunes_the_kernel_does_without(
    operate: Operator,
    conda: Channel,
    program: Path,
    kernel: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.create("bio", "tiny<2", "library", **options))
    file = operate.work / "environment.yml"
    file.write_text(f"channels: [{conda.url}]\ndependencies: [python, tiny]\n")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    running = kernel("bio")
    running.run("x = 1")
    said = running.run(f"!conda env update --prune -p {prefix} -f {file}").text
    assert "library" not in metadata.packages(prefix) and "tiny" in metadata.packages(prefix), said
    assert running.run("import sqlite3; x").result == "1"
    assert "bio" in running.run("%env status").text
    again = kernel("bio")
    assert again.run("import sys; sys.prefix").result == repr(str(prefix))
    assert "bio" in again.run("%env status").text
