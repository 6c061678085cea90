"""What a process imports for itself, and what its user imports, from under the same names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import packaging as theirs
from envmagic.system import import_path

before = list(sys.path)
assert import_path.installed("only_here") is None
assert "packaging" in import_path.installed("packaging").origin
assert import_path.installed("packaging").origin != theirs.__file__
for again in range(2):
    with import_path.installed_first():
        with import_path.installed_first():
            from packaging.version import Version
        import graphlib
        kept = sys.modules["packaging"]
        graphlib.TopologicalSorter
        import only_here
    assert sys.path == before and sys.modules["packaging"] is theirs
    assert "packaging.version" not in sys.modules and "graphlib" not in sys.modules
    assert kept is not theirs and Version("1").major == 1
import graphlib, packaging
assert graphlib.MINE and packaging.MINE and only_here.MINE
assert sys.modules["only_here"] is only_here
with import_path.installed_first():
    import graphlib
    assert sys.modules["packaging"] is kept and not hasattr(graphlib, "MINE")
"""


def test_each_imports_their_own_of_two_modules_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    for file in ("packaging/__init__.py", "graphlib.py", "only_here.py"):
        (tmp_path / file).write_text("MINE = True\n")
    ran = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
