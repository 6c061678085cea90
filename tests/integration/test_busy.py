"""What `nox -s busy` reports of tests that fail now and then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BUSY = Path(__file__).parents[1] / "support" / "busy.py"


def test_what_failed_is_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "from pathlib import Path\n"
        "def test_good(): pass\n"
        "def test_each_second(tmp_path):\n"
        "    seen = Path(__file__).with_name('seen')\n"
        "    if seen.exists():\n        seen.unlink()\n        raise AssertionError('too slow')\n"
        "    seen.touch()\n"
    )
    command = [sys.executable, str(BUSY), "--times", "2", "--loops", "0", "-q", "test_it.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    *_, first, said = ran.stdout.splitlines()
    assert first.split() == ["1", "of", "2", "test_it::test_each_second"]
    assert said.strip() == "AssertionError: too slow"


def test_no_test_at_all_is_no_success(tmp_path: Path) -> None:
    command = [sys.executable, str(BUSY), "--times", "1", "--loops", "1", "gone.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode != 0
