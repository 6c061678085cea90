"""What `export` writes is read by what it is for: pip, uv, conda's reader, repo2docker."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.condachannel import Channel
from support.operate import Operator, prefix_of
from support.simple_index import serving
from support.terminal import Said

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Frontend, Report
from envmagic.core.verbs import LockRequest
from envmagic.environments.backends import commands
from envmagic.environments.backends.conda import environment_file
from envmagic.frontends.grammar import parse
from envmagic.frontends.grammar.asked import ParsedCommand

Wheel = Callable[..., Path]

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")


@pytest.fixture
def recorded(operate: Operator, isolated: Any, make_wheel: Wheel) -> Iterator[Path]:
    """A locked record of `thing` 1.0, which needs `other`, though 2.0 is there; its environment."""
    for version in ("1.0", "2.0"):
        make_wheel("thing", version, requires=["other"], files={"thing.py": f"v = '{version}'\n"})
    make_wheel("other", "1.0")
    (operate.work / "requirements.txt").write_text("thing<2\n")
    prefix = prefix_of(
        operate.create(".venv", python=f"{sys.version_info[0]}.{sys.version_info[1]}")
    )
    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        before = settings.read_text()
        settings.write_text(f'[[index]]\nurl = "{address}"\ndefault = true\n')
        operate(LockRequest(), prefix)
        settings.write_text(before)
    yield prefix


def asked(operate: Operator, prefix: Path | None, *words: str) -> Report[Any]:
    """The answer to `export WORDS`."""
    parsed = parse(["export", *words], Frontend.TERMINAL)
    assert isinstance(parsed, ParsedCommand)
    return operate(parsed.request, prefix)


def said(*words: str | Path, cwd: Path) -> str:
    ran = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    return ran.stdout + ran.stderr


def test_pip_takes_what_is_exported_for_it_by_its_hashes(
    operate: Operator, recorded: Path, terminal: Callable[..., Said], isolated: Any
) -> None:
    file = operate.work / "out" / "requirements.txt"
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-r", file)
    for more in ((), ("--hashes",)):
        assert asked(operate, recorded, "requirements", "--to", str(file), *more).changed
        assert "thing-1.0" in said(*pip, cwd=operate.work)
        printed = terminal("export", "requirements", *more).out
        assert printed == file.read_text().partition("\n")[2]
    inode = file.stat().st_ino
    assert not asked(operate, recorded, "requirements", "--hashes", "--to", str(file)).changed
    assert file.stat().st_ino == inode
    for wheel in isolated.wheels.glob("other*"):
        wheel.write_bytes(wheel.read_bytes() + b"\0")
    ran = subprocess.run([*map(str, pip)], capture_output=True, text=True)
    assert ran.returncode and "DO NOT MATCH THE HASHES" in ran.stderr


def test_uv_takes_a_group_a_script_and_the_lock(
    operate: Operator, recorded: Path, uv_command: list[str]
) -> None:
    work = operate.work
    project = work / "project" / "pyproject.toml"
    project.parent.mkdir()
    text = '[project] # mine\nname = "p"\nversion = "1"\nrequires-python = ">=3.10"\n'
    project.write_text(text)
    assert asked(operate, recorded, "pyproject", "--group", "nb", "--to", str(project)).changed
    assert project.read_text().startswith(text)
    uv = [*uv_command, "--no-progress"]
    exported = said(*uv, "export", "--no-hashes", "--only-group", "nb", cwd=project.parent)
    assert "thing==1.0" in exported and "other==1.0" in exported
    said(*uv, "sync", "-q", "--group", "nb", "-p", sys.executable, cwd=project.parent)
    python = project.parent / ".venv" / "bin" / "python"
    assert said(python, "-c", "import thing; print(thing.v)", cwd=work) == "1.0\n"
    assert not asked(operate, recorded, "pyproject", "--group", "nb", "--to", str(project)).changed
    script = work / "plot.py"
    asked(operate, recorded, "pep723", "--to", "plot.py")
    edited = script.read_text() + "import thing\nprint(thing.v)\n"
    (work / "run.py").write_text(edited)
    assert said(*uv, "run", "-q", "--script", "run.py", cwd=work) == "1.0\n"
    asked(operate, recorded, "pylock", "--to", "sub/pylock.toml")
    lock = work / "sub" / "pylock.toml"
    assert "no changes" in said(*uv, "pip", "sync", "--dry-run", "-p", python, lock, cwd=work)


def test_no_text_of_a_persons_is_overwritten_and_what_is_advised_helps(
    operate: Operator, recorded: Path
) -> None:
    work = operate.work
    (work / "binder").mkdir()
    mine = {
        "requirements": work / "requirements.txt",
        "environment.yml": work / "environment.yml",
        "pep723": work / "a.py",
        "docker": work / "docker" / "Dockerfile",
        "binder": work / "binder" / "runtime.txt",
        "pylock": work / "pylock.mine.toml",
    }
    for format, file in mine.items():
        file.parent.mkdir(exist_ok=True)
        if format != "requirements":
            file.write_text("# mine\n")
        before = file.read_bytes()
        to = () if format in ("docker", "binder") else ("--to", str(file))
        with pytest.raises(EnvmagicError) as raised:
            asked(operate, recorded, format, *to)
        problem = raised.value.problem
        assert problem.code == "not-ours" and problem.subject == str(file)
        files = sorted(work.rglob("*"))
        again = asked(operate, recorded, *problem.command[1:])
        assert again.changed and again.ok
        assert file.read_bytes() == before and set(files) < {*work.rglob("*")}
    written = work / "docker-export" / "requirements.txt"
    written.write_text(written.read_text() + "# an edit\n")
    with pytest.raises(EnvmagicError, match="somebody edited it since"):
        asked(operate, recorded, "docker", "--to", "docker-export")


def test_bad_input(operate: Operator, recorded: Path) -> None:
    for words, code in (
        (("requirements", "--to", "a.ipynb"), "bad-export-name"),
        (("pyproject", "--to", "setup.cfg"), "bad-export-name"),
        (("docker", "--to", "requirements.txt"), "bad-export-name"),
        (("docker", "--to", "../elsewhere"), "bad-export-name"),
        (("binder", "--to", "."), "bad-export-name"),
        (("pyproject", "--group", "a b"), "bad-name"),
    ):
        with pytest.raises(WordsError) as raised:
            asked(operate, recorded, *words)
        assert raised.value.problem.code == code
        assert asked(operate, recorded, *raised.value.problem.command[1:]).ok
    for line in ("docker --hashes", "pylock --group a", "requirements --cell", "nonsense", ""):
        with pytest.raises(WordsError):
            asked(operate, recorded, *line.split())
    project = operate.work / "pyproject.toml"
    project.write_text("a = \n")
    with pytest.raises(EnvmagicError, match="no TOML"):
        asked(operate, recorded, "pyproject", "--to", "pyproject.toml")
    project.write_text("dependency-groups = {notebook = ['x']}\n")
    with pytest.raises(EnvmagicError, match="no place") as place:
        asked(operate, recorded, "pyproject", "--to", "pyproject.toml")
    assert place.value.problem.code == "no-place"
    assert asked(operate, recorded, *place.value.problem.command[1:]).changed
    lock = operate.work / "pylock.toml"
    right = lock.read_bytes()
    for wrong, why in ((right.replace(b"1.0", b"1.1"), "edited by hand"), (b"x", "no lock")):
        lock.write_bytes(wrong)
        with pytest.raises(EnvmagicError, match=why):
            asked(operate, recorded, "requirements")
    lock.write_bytes(right)
    (operate.work / "requirements.txt").write_text("thing<2\nother>1\n")
    with pytest.raises(EnvmagicError, match="has not other") as behind:
        asked(operate, recorded, "binder")
    assert behind.value.problem.command == ("lock",)
    lock.unlink()
    with pytest.raises(WordsError, match="which has the hashes"):
        asked(operate, recorded, "requirements", "--hashes")
    (operate.work / "requirements.txt").unlink()
    with pytest.raises(WordsError, match=r"no requirements\.txt") as nothing:
        asked(operate, recorded, "pep723")
    assert nothing.value.problem.command == ("record",)


def test_a_conda_environment_is_made_of_what_is_exported(
    operate: Operator, conda: Channel, terminal: Callable[..., Said]
) -> None:
    options: dict[str, Any] = {"backend": BackendName.CONDA, "channels": (conda.url,)}
    (operate.work / "environment.yml").write_text(
        f"name: bio\nchannels:\n- {conda.url}\nvariables:\n  TOKEN: s3cret\n"
        "dependencies:\n- tiny=1.5\n- pip:\n  - humanize\n"
    )
    asked(operate, None, "environment.yml", "--to", "copy.yml")
    file = operate.work / "copy.yml"
    assert environment_file.read(file).pip == ("humanize",) and "s3cret" not in file.read_text()
    operate.create("copied", files=(str(file),), backend=options["backend"])
    listed = terminal("history", "--env", "copied").out
    assert "tiny" in listed and "humanize" in listed


@pytest.mark.skipif(
    importlib.util.find_spec("repo2docker") is None, reason="repo2docker is not here"
)
def test_binder_builds_what_is_exported(
    operate: Operator, recorded: Path, monkeypatch: Any
) -> None:
    from repo2docker.buildpacks import CondaBuildPack, PythonBuildPack

    work = operate.work
    (work / ".git").mkdir()
    asked(operate, recorded, "binder")
    monkeypatch.chdir(work)
    python = PythonBuildPack("amd64")
    assert python.detect() and not CondaBuildPack("amd64").detect()
    assert python.python_version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    scripts = [
        script for _, script in (*python.get_preassemble_scripts(), *python.get_assemble_scripts())
    ]
    assert any('install --no-cache-dir -r "binder/requirements.txt"' in s for s in scripts)
    assert "thing==1.0" in (work / "binder" / "requirements.txt").read_text()
    (work / "environment.yml").write_text("name: x\ndependencies:\n- tiny\n")
    (work / "requirements.txt").unlink()
    asked(operate, recorded, "binder", "--to", ".binder")
