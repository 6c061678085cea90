"""What surrounds a verb is not what one expects: the directory that it is said in, the variables of
Python, pip and uv, their files, the mask of file modes. All verbs in one process for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from support import local_index, wheels
from support.lab import write_notebook
from support.operate import Operator, prefix_of
from support.terminal import Said

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Report
from envmagic.core.verbs import DoctorRequest, InstallRequest, SyncRequest, UninstallRequest
from envmagic.planning.guessing.offers import offers_here

REPOSITORY = Path(__file__).parents[2]
SAY = """\
import contextlib, io, json, os, sys
os.umask(int(sys.argv[2], 8))
from envmagic.environments.backends import (commands)
from envmagic.frontends.terminal import cli
assert bool(commands.find_uv()) is (sys.argv[3] == "uv")
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    print(json.dumps([words, code, out.getvalue(), err.getvalue()]), flush=True)
"""
VERBS = (
    "create ./env --with six",
    "create ./env --with six humanize",
    "attach ./env",
    "install attrs --env ./env",
    "status --env ./env",
    "sync --env ./env",
    "record n.ipynb --env ./env",
    "record --check n.ipynb --env ./env",
    "plan n.ipynb",
    "list --all",
    "uninstall attrs --env ./env",
    "doctor --fix",
)
AWAY = ("stolen", "elsewhere", "root")
"""Directories that settings send an installation to."""
OTHER_HOME = "../other-home"
"""What a Python takes for its own directory; one that does and is not the verbs' says so."""
LIKE_MODULES = (
    "calendar code queue random secrets statistics string types fractions difflib graphlib token"
    " ipykernel IPython jupyter_client pip psutil rattler traitlets uv venv virtualenv yaml zmq"
    " distutils sitecustomize"
).split()


@dataclass(frozen=True)
class Around:
    """One row of the table."""

    variables: dict[str, str] = field(default_factory=dict)
    pip: str = ""
    """pip's own file."""
    uv: str = ""
    """uv's, the user's."""
    mask: str = "022"
    with_uv: bool = True


TABLE = {
    "python": Around(
        {
            "LC_ALL": "C",
            "PYTHONHOME": sys.base_prefix,
            "PYTHONIOENCODING": "ascii",
            "PYTHONNOUSERSITE": "1",
            "PYTHONOPTIMIZE": "2",
            "PYTHONPYCACHEPREFIX": "/proc/nowhere",
            "PYTHONSAFEPATH": "1",
            "PYTHONSTARTUP": "/nowhere/start.py",
            "PYTHONUSERBASE": "/nowhere",
            "PYTHONUTF8": "0",
            "PYTHONWARNINGS": "error",
        },
        mask="077",
    ),
    "uv": Around(
        {
            "PYTHONHOME": OTHER_HOME,
            "UV_LINK_MODE": "copy",
            "UV_MANAGED_PYTHON": "1",
            "UV_PYTHON": "3.10",
            "UV_RESOLUTION": "lowest-direct",
            "UV_SYSTEM_PYTHON": "1",
        },
        uv='[pip]\ntarget = "stolen"\nprefix = "elsewhere"\ncompile-bytecode = false\n',
        mask="000",
    ),
    "pip": Around(
        {
            "PIP_DRY_RUN": "1",
            "PIP_ROOT": "root",
            "PIP_TARGET": "stolen",
            "PYTHONHOME": OTHER_HOME,
            "PYTHONWARNINGS": "error",
        },
        pip="[global]\nrequire-virtualenv = true\n"
        "[install]\nuser = true\nprefix = elsewhere\nonly-binary = :all:\n",
        with_uv=False,
    ),
}


@pytest.mark.parametrize("row", TABLE)
def test_every_verb_does_what_it_says_whatever_is_around(
    row: str, isolated: Any, monkeypatch: pytest.MonkeyPatch, bare_venv: Callable[..., Path]
) -> None:
    around, work = TABLE[row], isolated.work
    write_notebook(work / "n.ipynb", ["import six, humanize"])
    (work / "requirements.txt").write_text("six\n")
    _like_modules(work, *LIKE_MODULES)
    settings = Path(os.environ["UV_CONFIG_FILE"])
    settings.write_text(settings.read_text() + around.uv)
    if around.pip:
        (isolated.home / "pip.conf").write_text(around.pip)
        monkeypatch.setenv("PIP_CONFIG_FILE", str(isolated.home / "pip.conf"))
    python = Path(sys.executable)
    if not around.with_uv:
        python = bare_venv(work.parent / "jupyter", "ipykernel", "packaging", "pip", "tomli")
        monkeypatch.setenv("PATH", "/usr/bin:/bin")
    _other_home(work)
    for name, value in around.variables.items():
        monkeypatch.setenv(name, value)

    said = _say(python, around, work, VERBS)
    codes = {words: code for words, (code, _) in said.items()}
    assert codes == dict.fromkeys(VERBS, 0), said
    assert not [text for _, text in said.values() if "Traceback" in text]
    found = {info.name.partition("-")[0] for info in (work / "env").rglob("*.dist-info")}
    assert found == {"six", "humanize", "pip"}
    assert not (work / "taken").exists(), (work / "taken").read_text()
    assert not [name for name in AWAY if list(work.parent.rglob(name))]


def test_python_runs_envmagic_among_files_that_are_called_like_modules(
    isolated: Any, terminal: Callable[..., Said], bare_venv: Callable[..., Path]
) -> None:
    """`python -m` puts the working directory first."""
    _like_modules(isolated.work, *"calendar code queue random secrets typing logging".split())
    bare_venv(isolated.work / "v")
    assert "Attached v" in terminal("attach", "./v").out
    assert not (isolated.work / "taken").exists()


def _like_modules(work: Path, *names: str) -> None:
    """Files and a package that say in `taken` that they were imported."""
    for name in names:
        says = f"open({str(work / 'taken')!r}, 'a').write({name + ' '!r})\n"
        (work / f"{name}.py").write_text(says)
    (work / "packaging").mkdir()
    (work / "packaging" / "__init__.py").write_text("raise ImportError('not that one')\n")


def _other_home(work: Path) -> None:
    library = Path(os.__file__).parent
    place = work / OTHER_HOME / "lib" / library.name
    place.mkdir(parents=True)
    for entry in library.iterdir():
        (place / entry.name).symlink_to(entry)
    says = f"open({str(work / 'taken')!r}, 'a').write(f'{{sys.orig_argv}} ')\n"
    unless = "import sys\nif 'say.py' not in str(sys.argv): "
    (place / "sitecustomize.py").write_text(unless + says)


def _say(
    python: Path, around: Around, work: Path, verbs: Sequence[str]
) -> dict[str, tuple[int, str]]:
    """The exit code of each of `verbs` and all that it said, said by one process."""
    script = work.parent / "say" / "say.py"  # nothing else lies there
    script.parent.mkdir(exist_ok=True)
    script.write_text(SAY)
    words = json.dumps([verb.split() for verb in verbs])
    ran = subprocess.run(
        [python, script, words, around.mask, "uv" if around.with_uv else "pip"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    answers = map(json.loads, ran.stdout.splitlines())
    return {" ".join(words): (code, out + err) for words, code, out, err in answers}


def test_an_index_that_only_pip_knows_is_uvs_too(
    operate: Operator, isolated: Any, monkeypatch: pytest.MonkeyPatch, snapshot: Callable[..., Any]
) -> None:
    wheels.build(isolated.home / "corp", "corpthing")
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.delenv("PIP_NO_INDEX")
    conf = isolated.home / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(conf))
    with local_index.serving(isolated.home / "corp") as index:
        conf.write_text(f"[global]\nindex-url = {index.replace('//', '//u:s3cret@')}\n")
        report = operate.create("churn", "corpthing")
        assert "corpthing" in {change["name"] for change in report.data["changes"]}
        data = operate(DoctorRequest()).data
        with pytest.raises(EnvmagicError) as missing:
            operate(InstallRequest(("corpthin",)), prefix_of(report))
        monkeypatch.setenv("UV_NO_INDEX", "1")  # uv is told itself now
        with pytest.raises(EnvmagicError):
            operate.create("other", "corpthing")
    shown = index.replace("//", "//***@")
    assert {"option": "index-url", "url": shown, "said": str(conf)} in data["indexes"]
    assert data["installer"] == "uv"
    assert "s3cret" not in repr((data, missing.value.problem, operate.heard))
    conf.unlink()
    assert not any(b"s3cret" in content for content in snapshot().values())


def test_where_a_directory_sends_uv_is_asked_once_and_where_to_never_counts(
    operate: Operator, isolated: Any, monkeypatch: pytest.MonkeyPatch, wheelhouse: Path
) -> None:
    monkeypatch.delenv("UV_CONFIG_FILE")
    own = isolated.home / ".config" / "uv" / "uv.toml"
    own.parent.mkdir(parents=True)
    wheels.build(isolated.home / "theirs", "six", "9.9")
    (operate.work / "requirements.txt").write_text("six\n")
    with (
        local_index.serving(isolated.home / "nothing") as mine,
        local_index.serving(isolated.home / "theirs") as theirs,
    ):
        own.write_text(f"index-url = '{mine}'\nfind-links = ['{wheelhouse.as_uri()}']\n")
        settings = operate.work / "uv.toml"
        settings.write_text(f"[[index]]\nurl = '{theirs}'\ndefault = true\n")
        bare = prefix_of(operate.create("./bare", bare=True))
        asking = (
            partial(operate.create, "./a", "six"),
            partial(operate.cell, "./a", "six"),
            partial(operate, InstallRequest(("six",)), bare),
            partial(operate, SyncRequest(), bare),
        )
        for say in asking:
            with pytest.raises(EnvmagicError, match=r"127\.0\.0\.1.*uv\.toml reaches") as asked:
                say()
            assert asked.value.problem.code == "not-trusted"
            assert "--trust" in asked.value.problem.hint
        assert not (operate.work / "a").exists()
        (offer,) = offers_here().resolved(["six"], Path(sys.executable)) or ()
        assert offer.version < Version("9")

        agreed = operate(InstallRequest(("six",), trust=True), bare)
        assert _version(agreed, "six") == "9.9"
        assert _version(operate.create("./a", "six"), "six") == "9.9"
        settings.write_text(f"{settings.read_text()}[pip]\ntarget = 'stolen'\nprefix = 'gone'\n")
        assert _version(operate.cell("./b", "six"), "six") == "9.9"
        operate(UninstallRequest(("six",)), operate.work / "b")
    assert sorted(p.name for p in operate.work.iterdir() if p.is_dir()) == ["a", "b", "bare"]
    assert not list((operate.work / "b").rglob("six.py"))


def _version(report: Report[Any], name: str) -> str:
    changes = report.data["changes"]
    return str(next(c["version"] for c in changes if c["name"] == name))
