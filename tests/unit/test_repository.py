"""What no file of the repository may hold: a registry's host, a path of somebody's machine."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

import envmagic

REPOSITORY = Path(__file__).parents[2]
# Written so that this file does not hold them itself.
HOSTS = (
    r"pypi\." + "org",
    "python" + r"hosted\.org",
    r"npmjs\." + "(org|com)",
    r"(deb|security)\.debian\." + "org",
)
PATHS = ("/" + "root/", "/" + "farm/", "/work" + r"/(main|shared|\.)")
TEXTS = set(".py .md .toml .ipynb .yml .yaml .json .txt .ts .js".split()) | {""}


def tracked() -> list[Path]:
    """The files git knows, or every file where there is no git (an unpacked sdist)."""
    asked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True
    )
    if asked.returncode:
        return [p for p in REPOSITORY.rglob("*") if p.is_file()]
    return [REPOSITORY / name for name in asked.stdout.split("\0") if name]


def finds(pattern: str) -> list[str]:
    """`path:line` of everything that matches, in the texts of the repository."""
    search = re.compile(pattern)
    found = []
    for path in tracked():
        if path.suffix not in TEXTS or not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        hits = (n for n, line in enumerate(lines, 1) if search.search(line))
        found += [f"{path.relative_to(REPOSITORY)}:{n}" for n in hits]
    return found


@pytest.mark.parametrize("pattern", [*HOSTS, *PATHS])
def test_no_file_holds_a_registry_host_or_a_machine_path(pattern: str) -> None:
    assert not finds(pattern)


def test_the_search_finds_what_is_there() -> None:
    assert any(hit.startswith("LICENSE:") for hit in finds("BSD 3-Clause|Redistribution and use"))


def test_the_pages_extension_has_our_version() -> None:
    package = REPOSITORY / "envmagic" / "jupyter" / "labextension" / "package.json"
    described = json.loads(package.read_text("utf-8"))
    assert described["version"] == envmagic.__version__
    assert (package.parent / described["jupyterlab"]["_build"]["load"]).is_file()
