"""What starts kernels: understood by old Pythons, and alone with the standard library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from envmagic.jupyter import launcher

SOURCE = Path(launcher.__file__)


def test_python_3_8_understands_it_and_it_imports_the_standard_library_only() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"ipykernel"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("tornado-6.5.dist-info", {"tornado": "6.5"}),
        ("Jupyter_Client-8.6.1.dist-info", {"jupyter-client": "8.6.1"}),
        ("six-1.16.0-py3.8.egg-info", {"six": "1.16.0"}),
        ("six-1.16.0.post1+local.dist-info", {"six": "1.16.0.post1+local"}),
        ("~ornado-6.5.dist-info", {}),
        ("numpy-2.0.dist-info", {}),
        ("tornado", {}),
    ],
)
def test_versions_are_read_from_names(tmp_path: Path, entry: str, expected: dict[str, str]) -> None:
    (tmp_path / entry).mkdir()
    names = {"tornado", "jupyter-client", "six"}
    places = [str(tmp_path / "none"), str(tmp_path)]
    assert launcher.distributions(places, names) == expected


def test_the_first_on_the_path_counts(tmp_path: Path) -> None:
    for place, version in (("one", "1.0"), ("two", "2.0")):
        (tmp_path / place / f"six-{version}.dist-info").mkdir(parents=True)
    places = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert launcher.distributions(places, {"six"}) == {"six": "1.0"}


def test_a_digest_stands_for_names_and_versions_in_any_order() -> None:
    one = launcher.digest({"a": "1", "b": "2"})
    assert one == launcher.digest({"b": "2", "a": "1"}) != launcher.digest({"a": "2", "b": "1"})
    assert launcher.digest({}) == ""


def test_the_kind_of_a_python_is_the_same_however_it_is_asked() -> None:
    ask = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "import launcher; print(launcher.kind_of_python())"
    )
    words = [sys.executable, "-I", "-S", "-c", ask, str(SOURCE.parent)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert said == launcher.kind_of_python() and said.startswith("cpython-3")
