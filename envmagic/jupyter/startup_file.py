"""The file with which IPython loads envmagic at each start: written, recognised, taken away.

It is as good as nothing where envmagic is not installed, so one file serves every Python. A digest
in its first line tells whether it is as some version of envmagic wrote it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.system import directories, files, reading

__all__ = [
    "Standing",
    "StartupFile",
    "at",
    "edited",
    "every",
    "of_default_profile",
    "remove",
    "write",
]

_NAME = "50-envmagic.py"
# IPython runs it in the user's namespace, so it leaves no name there; any Python can read it.
_CODE = b"""\
try:
    get_ipython().extension_manager.load_extension("envmagic")
except Exception:
    pass
"""
_HEAD = re.compile(rb"# envmagic autoload ([0-9a-f]{8}): [^\n]*\n")
_SAID = b"`envmagic autoload off` takes this file away; one that you edit stays."


class Standing(str, Enum):
    """What is to be said of a start-up file."""

    ABSENT = "absent"
    OURS = "ours"
    """As this version of envmagic writes it."""
    STALE = "stale"
    """As another version wrote it."""
    EDITED = "edited"
    """Somebody changed it, or made it: it stays."""


@dataclass(frozen=True)
class StartupFile:
    """A place for it, in one profile of IPython's."""

    path: Path
    standing: Standing

    @property
    def profile(self) -> str:
        """`default` of `profile_default`."""
        return self.path.parent.parent.name.removeprefix("profile_")

    @property
    def is_ours(self) -> bool:
        """envmagic wrote it as it is, so envmagic may change it."""
        return self.standing in (Standing.OURS, Standing.STALE)


def of_default_profile() -> StartupFile:
    """That of the profile which IPython takes unless it is told another; it need not be there."""
    return at(directories.ipython() / "profile_default" / "startup" / _NAME)


def every() -> list[StartupFile]:
    """Those that are there, in any profile: people copy them."""
    return [at(path) for path in sorted(directories.ipython().glob(f"profile_*/startup/{_NAME}"))]


def at(path: Path) -> StartupFile:
    """What there is at `path`. What cannot be read is nobody's of ours."""
    try:
        return StartupFile(path, _standing(reading.content(path)))
    except FileNotFoundError:
        return StartupFile(path, Standing.ABSENT)
    except OSError:
        return StartupFile(path, Standing.EDITED)


def write(file: StartupFile) -> None:
    """Make `file` what this version writes. Raises `EnvmagicError` where it is edited, or its
    directory may not be written."""
    before = file.path.read_bytes() if file.is_ours else b""
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EnvmagicError(
            "not-writable",
            f"{user_path(file.path.parent)} cannot be made: {reason}.",
            subject=str(file.path),
        ) from error
    if file.standing is not Standing.EDITED:
        files.write_over(file.path, before, _content())
    if at(file.path).standing is not Standing.OURS:
        raise edited(file.path)


def remove(file: StartupFile) -> None:
    """Take `file` away, which is ours. Raises `EnvmagicError` where that may not be done."""
    try:
        file.path.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EnvmagicError(
            "not-writable",
            f"{user_path(file.path)} cannot be taken away: {reason}.",
            subject=str(file.path),
        ) from error


def edited(path: Path) -> EnvmagicError:
    """That the file at `path` is not as envmagic wrote it."""
    return EnvmagicError(
        "edited-autoload",
        f"{user_path(path)} is not as envmagic wrote it, so it stays as it is.",
        "Take it away yourself, then",
        subject=str(path),
        command=("autoload", "on"),
    )


def _standing(raw: bytes) -> Standing:
    head = _HEAD.match(raw)
    if head is None or head[1] != _digest(raw[head.end() :]):
        return Standing.EDITED
    return Standing.OURS if raw == _content() else Standing.STALE


def _content() -> bytes:
    return b"# envmagic autoload " + _digest(_CODE) + b": " + _SAID + b"\n" + _CODE


def _digest(code: bytes) -> bytes:
    return hashlib.sha256(code).hexdigest()[:8].encode()
