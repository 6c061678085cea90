"""`%pip`, `!pip` and `%uv` in the kernel of an environment that has no pip or uv of its own.

IPython's `%pip` fails there, and `!pip` may find the pip of another Python along PATH, which then
installs into that one without a word. An environment's own tools may put pip there, or take it
out, at any moment, so this looks each time.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import WordsError
from envmagic.jupyter import launcher
from envmagic.system import import_path, prefix_layout

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["as_magic", "here", "pip", "transform", "uv", "words"]

_SHELL_PIP = re.compile(r"^(\s*)!{1,2}\s*(?:python3?\s+-m\s+)?pip3?(?=\s|$)")
_IGNORED = {
    *("-q", "-qq", "--quiet", "-v", "-vv", "--verbose", "-y", "--yes", "--no-input", "--no-color"),
    *("--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location"),
}
_TAKEN = {"-r": 1, "--requirement": 1, "-U": 0, "--upgrade": 0, "--trust": 0}


def here() -> tuple[bool, Path | None]:
    """Whether this process is the kernel of an environment, and the uv to use there.

    The environment is the one that `VIRTUAL_ENV` or `CONDA_PREFIX` names, which our kernelspecs
    set; in any other kernel nothing is changed.
    """
    named = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if not named or not prefix_layout.same(named, sys.prefix):
        return False, None
    found = os.environ.get("ENVMAGIC_UV")
    uv = Path(found) if found and not _has("uv") and Path(found).is_file() else None
    return True, uv


def pip(
    shell: InteractiveShell, verb: Callable[[Callable[[], tuple[str, ...]]], object]
) -> Callable[[str], object]:
    """The `%pip` for `shell`: `verb` says the words of `%env` that the line means."""

    def run_pip(line: str) -> object:
        """Run pip on the environment this notebook runs in, also where that has none."""
        if _has("pip"):
            from IPython.core.magics.packaging import PackagingMagics

            return PackagingMagics(shell).pip(line)
        try:
            meant = words(line)
        except WordsError:
            behind = launcher.of_this_process()
            if behind is not None and (behind / "pip" / "pip").is_dir():
                command = (sys.executable, str(behind / "pip" / "pip"))
                return shell.system(f"{' '.join(map(_quoted, command))} {line}")
            return verb(lambda: words(line))
        return verb(lambda: meant)

    return run_pip


def uv(shell: InteractiveShell, command: Path) -> Callable[[str], object]:
    """The `%uv` for `shell`: runs the uv that envmagic found, on this environment."""

    def run_uv(line: str) -> object:
        """Run uv on the environment this notebook runs in."""
        return shell.system(f"{_quoted(str(command))} {line}")

    return run_uv


def transform(lines: list[str]) -> list[str]:
    """The lines of a cell, by `as_magic` where the environment has no pip."""
    if not any("pip" in line for line in lines) or _has("pip"):
        return lines
    return as_magic(lines)


def as_magic(lines: list[str]) -> list[str]:
    """The lines of a cell with `!pip …` as `%pip …`; cells of other magics are left alone."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_SHELL_PIP.sub(r"\1%pip", line, count=1) if "pip" in line else line for line in lines]


def words(line: str) -> tuple[str, ...]:
    """The words of `%env` for pip's `line`. Raises `WordsError` for what only pip can do."""
    from envmagic.frontends.grammar import split

    said = list(split(line))
    command = said.pop(0) if said else ""
    if command not in ("install", "uninstall"):
        raise _needs_pip(f"pip {command}".strip())
    meant = [command]
    sure = command == "uninstall" and not {"-y", "--yes"}.isdisjoint(said)
    while said:
        word = said.pop(0)
        if word in _IGNORED:
            continue
        if word.startswith("-") and word.partition("=")[0] not in _TAKEN:
            raise _needs_pip(f"pip {command} {word}")
        meant.append(word)
        for _ in range(_TAKEN.get(word, 0)):
            meant += said[:1]
            del said[:1]
    return (*meant, *(("--yes",) if sure else ()))


def _needs_pip(what: str) -> WordsError:
    return WordsError(
        "no-pip",
        f"This environment has no pip, which {what!r} needs.",
        "To put it there",
        subject="pip",
        command=("install", "pip"),
    )


def _has(module: str) -> bool:
    return import_path.installed(module) is not None


def _quoted(path: str) -> str:
    if os.name == "nt":
        return f'"{path}"'
    from shlex import quote

    return quote(path)
