"""Other scanners, each in an environment of its own: what they say a directory needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Crashed", "Peer", "environments"]

# pipreqs asks an index for versions; asked for names alone it needs no network.
_PIPREQS = """
import sys, warnings; warnings.simplefilter("ignore")
from pipreqs import pipreqs
pipreqs.scan_noteboooks = True
pipreqs.handle_scan_noteboooks()
print("\\n".join(pipreqs.get_pkg_names(pipreqs.get_all_imports(sys.argv[1]))))
"""
# A notebook that it cannot read ends it, so it gets one directory after the other.
_PIPREQS_EACH = """
import pathlib, sys, warnings; warnings.simplefilter("ignore")
from pipreqs import pipreqs
pipreqs.scan_noteboooks = True
pipreqs.handle_scan_noteboooks()
for place in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        print(pipreqs.get_pkg_names(pipreqs.get_all_imports(str(place))))
    except Exception as error:
        print(error)
"""


class Crashed(Exception):
    """The tool ended without an answer."""


@dataclass(frozen=True)
class Peer:
    """A scanner; `names` gives what it finds in a directory, raising `Crashed`."""

    name: str
    packages: tuple[str, ...]
    names: Callable[[Path, Path], set[str]]
    command: Callable[[Path, Path], list[str]]
    """The command line for a whole directory, to be timed; `(bin directory, directory)`."""


def environments(place: Path) -> dict[str, Path]:
    """The `bin` directory of each peer's environment below `place`, made where it is missing."""
    found: dict[str, Path] = {}
    for peer in PEERS:
        prefix = place / peer.name
        if not (prefix / "bin" / peer.name).exists():
            shutil.rmtree(prefix, ignore_errors=True)
            _run([_uv(), "venv", "-q", "-p", sys.executable, str(prefix)])
            _run([_uv(), "pip", "install", "-q", "-p", str(prefix), *peer.packages])
        found[peer.name] = prefix / "bin"
    return found


def _uv() -> str:
    from uv import find_uv_bin

    return str(find_uv_bin())


def _run(words: list[str], cwd: Path | None = None, *, check: bool = True) -> str:
    said = subprocess.run(words, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if check and said.returncode:
        raise Crashed(said.stderr[-300:])
    return said.stdout


def _pipreqs(bins: Path, directory: Path) -> set[str]:
    said = _run([str(bins / "python"), "-c", _PIPREQS, str(directory)])
    return set(said.split())


def _pigar(bins: Path, directory: Path) -> set[str]:
    file = directory / "pigar.txt"
    words = [str(bins / "pigar"), "generate", "--question-answer", "no", "--auto-select"]
    index = ["--index-url", "http://127.0.0.1:9/"]  # nothing is asked of a real one
    _run([*words, *index, "-f", str(file), str(directory)], directory)
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return {m[0] for line in text.splitlines() if (m := re.match(r"[A-Za-z0-9][\w.-]*", line))}


def _fawltydeps(bins: Path, directory: Path) -> set[str]:
    said = _run(
        [str(bins / "fawltydeps"), "--check-undeclared", "--json", "."], directory, check=False
    )
    try:
        found = json.loads(said)["undeclared_deps"]
    except ValueError as error:
        raise Crashed(str(error)) from error
    return {d["name"] for d in found}


def _deptry(bins: Path, directory: Path) -> set[str]:
    out = directory / "deptry.json"
    listed = directory / "requirements.txt"
    listed.touch()
    try:
        _run([str(bins / "deptry"), ".", "--json-output", str(out)], directory, check=False)
        if not out.exists():
            raise Crashed("no output")
        found = json.loads(out.read_text())
    finally:
        out.unlink(missing_ok=True)
        listed.unlink()
    return {d["module"] for d in found if d["error"]["code"] == "DEP001"}


PEERS = (
    Peer(
        "pipreqs",
        ("pipreqs", "nbconvert", "ipython"),
        _pipreqs,
        lambda bins, d: [str(bins / "python"), "-c", _PIPREQS_EACH, str(d)],
    ),
    Peer(
        "pigar",
        ("pigar",),
        _pigar,
        lambda bins, d: [
            *(str(bins / "pigar"), "generate", "--question-answer", "no", "--auto-select"),
            *("--index-url", "http://127.0.0.1:9/", "--dry-run", str(d)),
        ],
    ),
    Peer(
        "fawltydeps",
        ("fawltydeps",),
        _fawltydeps,
        lambda bins, d: [str(bins / "fawltydeps"), "--check-undeclared", "--json", str(d)],
    ),
    Peer("deptry", ("deptry",), _deptry, lambda bins, d: [str(bins / "deptry"), str(d)]),
)
