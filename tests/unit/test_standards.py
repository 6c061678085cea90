"""Lock files are read in a kernel whose environment has an old packaging of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import packaging

_LOCK = """\
lock-version = "1.0"
created-by = "test"
requires-python = ">=3.8"
[[packages]]
name = "six"
version = "1.16.0"
marker = "python_version >= '3.8'"
[[packages.wheels]]
name = "six-1.16.0-py2.py3-none-any.whl"
url = "https://127.0.0.1/six-1.16.0-py2.py3-none-any.whl"
hashes = {sha256 = "00"}
"""
_READS = """\
import sys
from pathlib import Path
from envmagic.core.errors import EnvmagicError
from envmagic.planning.locked import locked_in
try:
    locked = locked_in(Path("pylock.toml"), "3.12.4")
    print(dict(locked.pins), dict(locked.unfit), "packaging.pylock" in sys.modules)
except EnvmagicError as error:
    print(error.problem.code)
"""


def test_a_newer_packaging_behind_it_reads_locks_and_without_one_it_is_said(tmp_path: Path) -> None:
    there = Path(str(packaging.__file__)).parent
    old = tmp_path / "old" / "packaging"
    new = tmp_path / "home" / "runtimes" / "kind" / "id" / "lib" / "packaging"
    shutil.copytree(there, old, ignore=shutil.ignore_patterns("pylock.py", "__pycache__"))
    (tmp_path / "pylock.toml").write_text(_LOCK)
    assert _said(tmp_path) == "packaging-too-old"
    shutil.copytree(there, new)
    assert _said(tmp_path) == "{'six': '1.16.0'} {} False"


def _said(work: Path) -> str:
    paths = os.pathsep.join([str(work / "old"), str(Path(__file__).parents[2])])
    environ = {**os.environ, "PYTHONPATH": paths, "ENVMAGIC_HOME": str(work / "home")}
    command = [sys.executable, "-c", _READS]
    done = subprocess.run(command, cwd=work, env=environ, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr
