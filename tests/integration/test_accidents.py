"""What may be wrong with the machine: one line for each, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.terminal import Said

from envmagic.core.model import Environment
from envmagic.environments import backends
from envmagic.environments.backends import commands, half_done

Terminal = Callable[..., Said]
HAS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def one_line(said: Said) -> str:
    assert said.err.count("\n") == 1 and said.err.startswith("envmagic: "), said.err
    return said.err.removeprefix("envmagic: ").strip()


def test_what_nobody_foresaw_is_one_line_and_a_report(
    isolated: Isolated, terminal: Terminal, tmp_path: Path
) -> None:
    """A module that fails as no code expects; credentials are not in what can be sent."""
    broken = tmp_path / "broken" / "packaging"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise KeyError('https://me:secret@host/')\n")
    path = {"PYTHONPATH": os.pathsep.join([str(broken.parent), os.environ.get("PYTHONPATH", "")])}
    said = one_line(terminal("create", "x", "--with", "six", env=path, code=70))
    assert said.startswith("envmagic did not foresee this: KeyError: 'https://***@host/'")
    assert said.endswith("What to send to its maintainers: envmagic doctor --report")
    report = terminal("doctor", "--report").out
    assert "at: create" in report and "Traceback" in report and "secret" not in report
    assert "unforeseen" in terminal("create", "x", "--with", "six", "--json", env=path, code=70).out


def test_there_is_no_home(isolated: Isolated) -> None:
    """A service account: neither a variable nor an entry of the system says one."""
    code = "import os, pwd, sys; pwd.getpwuid = lambda number: {}[number]\n"
    code += "for name in ('HOME', 'ENVMAGIC_HOME', 'IPYTHONDIR'): del os.environ[name]\n"
    code += "from envmagic.frontends.terminal.cli import main; sys.exit(main(sys.argv[1:]))"
    for verb in ("list", "doctor", "create"):
        ran = subprocess.run([sys.executable, "-c", code, verb], capture_output=True, text=True)
        assert ran.returncode == 1 and "Set HOME to a directory" in ran.stderr, ran.stderr
        assert "Traceback" not in ran.stderr


def test_the_working_directory_is_gone(isolated: Isolated) -> None:
    code = "import os, sys; from envmagic.frontends.terminal.cli import main; os.mkdir('gone');"
    code += "os.chdir('gone'); os.rmdir('../gone'); sys.exit(main(['status']))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stderr.startswith("envmagic: The working directory is not")


@HAS_FULL
@pytest.mark.parametrize("words", ["list", "--help", "list --json", "lst"])
def test_standard_output_is_full_or_closed(isolated: Isolated, words: str) -> None:
    for redirected, code in ((">/dev/full 2>&1", 1), (">&- 2>&-", None)):
        line = f"exec {sys.executable} -m envmagic {words} {redirected}"
        ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
        assert ran.returncode == code or (code is None and ran.returncode in (0, 2))
        assert ran.stderr == ""
    line = f"exec {sys.executable} -m envmagic {words} >/dev/full"
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True).stderr
    assert said.startswith("envmagic: ") and said.count("\n") == 1


def test_requirements_files_that_include_each_other_without_end(
    isolated: Isolated, terminal: Terminal
) -> None:
    for number in range(2000):
        (isolated.work / f"r{number}.txt").write_text(f"-r r{number + 1}.txt\n")
    (isolated.work / "requirements.txt").write_text("-r r0.txt\n")
    for words in (("create", "x", "-r", "r0.txt"), ("plan",)):
        assert "includes more than 100 files" in one_line(terminal(*words, code=1))


def test_a_directory_of_somebody_else_is_one_line(
    isolated: Isolated, terminal: Terminal, without_privileges: list[str]
) -> None:
    """What a umask of 077 leaves: whoever may not look into `.venv` can do all else."""
    venv = isolated.work / ".venv"
    venv.mkdir()
    (venv / "pyvenv.cfg").touch()
    venv.chmod(0)
    for path in (isolated.work, isolated.home, *isolated.home.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o777)
    for verb, code in (("list", 0), ("autoload", 0), ("status", 2), ("install six", 1)):
        said = terminal(*verb.split(), code=code, through=without_privileges)
        assert "Traceback" not in said.err
    assert "is somebody else's and may not be read" in said.err
    venv.chmod(0o700)


def test_what_a_full_disk_left_of_a_package_is_taken_out_and_nothing_else(
    isolated: Isolated,
    terminal: Terminal,
    uv_command: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """uv leaves files of packages without any metadata then; a person's are beside them. What the
    working directory says of uv's own files does not count."""
    terminal("create", "churn")
    prefix = isolated.envmagic / "envs" / "churn"
    environment: Environment = backends.inspect(prefix, owned=True)
    before = half_done.entries(environment)
    (site,) = environment.site_packages
    terminal("install", "humanize", "--env", "churn")
    (info,) = site.glob("humanize-*.dist-info")
    for path in info.iterdir():
        if path.is_file():
            path.unlink()  # which the installer's own copy may be as well: not written into
            if path.name != "RECORD":
                path.touch()
    (site / "humanize" / ".tmpAbCdEf").write_bytes(b"half")
    (site / "humanize" / "mine.py").write_text("mine = 1\n")
    (site / "thesis.py").write_text("years = 3\n")
    assert commands.find_uv() is not None
    own = isolated.home / ".config" / "uv" / "uv.toml"
    own.parent.mkdir(parents=True)
    own.write_text(f"cache-dir = {os.environ['UV_CACHE_DIR']!r}\n")
    (isolated.work / "uv.toml").write_text("cache-dir = 'elsewhere'\n")
    for name in ("UV_CACHE_DIR", "UV_CONFIG_FILE"):
        monkeypatch.delenv(name)
    half_done.clear(environment, before)
    assert [p.name for p in (site / "humanize").rglob("*") if p.is_file()] == ["mine.py"]
    assert (site / "thesis.py").exists() and not info.exists()
