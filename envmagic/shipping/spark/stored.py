"""Where archives and zipped modules lie, what is known of each, and which have had their day."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import zipfile
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import WordsError
from envmagic.shipping.local_modules import LocalModule
from envmagic.system import cache, directories, files, scratch

__all__ = ["check_name", "clear", "load", "place", "save", "use", "zipped"]

ENDINGS = (".tar.gz", ".tgz", ".tar")
_DAYS = 7
_SECONDS = 24 * 3600


def place(prefix: Path, key: str) -> Path:
    """Where the archive of the environment at `prefix` lies that is called `key`."""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in prefix.name.lstrip("."))
    return _directory() / f"{name}-{key[:12]}.tar.gz"


def check_name(path: Path) -> None:
    """Raises `WordsError` where Spark does not take an archive of that name."""
    wrong = [c for c in "#,?" if c in str(path)]
    if path.name.endswith(ENDINGS) and not wrong:
        return
    why = f"has a {wrong[0]!r}, which Spark reads otherwise" if wrong else "is no .tar.gz"
    raise WordsError(
        "option-value",
        f"The archive's name {display.user_path(path)} {why}.",
        "Name it so",
        command=("ship", "spark", "--to", "environment.tar.gz"),
        subject=str(path),
    )


def load(path: Path) -> dict[str, Any] | None:
    """What was saved of the archive at `path`; None where it is another file, or none."""
    held = cache.load(_memory(path), _stamp(path))
    return held if isinstance(held, dict) else None


def save(path: Path, content: dict[str, Any]) -> None:
    """Remember `content` for as long as the file at `path` is the same."""
    cache.save(_memory(path), _stamp(path), content)


def zipped(module: LocalModule) -> Path:
    """`module` as a zip file among ours, which is called after its content: Spark takes each name
    once. Raises `EnvmagicError` where none can be written."""
    path = _directory() / f"{module.name}-{module.digest[:12]}.zip"
    if path.exists():
        _touch(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch.beside(path.parent) as new:
            with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as opened:
                for file in module.files():
                    info = zipfile.ZipInfo(file.relative_to(module.root).as_posix())
                    opened.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)
            files.move_over(new, path)
    except OSError as error:
        raise files.unwritable(path, error) from error
    return path


def use(path: Path) -> None:
    """Say that a file of ours is in use by this process, as long as it lives."""
    if path.parent != _directory():
        return
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        opened = path.open("rb")
        fcntl.flock(opened, fcntl.LOCK_SH)
        _held.append(opened)
        _touch(path)


def clear() -> None:
    """Remove what was last used days ago and no process uses: executors that join late ask the
    driver for it."""
    with contextlib.suppress(OSError):
        for path in _directory().iterdir():
            if time.time() - path.stat().st_atime > _DAYS * _SECONDS and _is_free(path):
                path.unlink()


_held: list[Any] = []


def _touch(path: Path) -> None:
    """It was used now; when it was written stays, for that tells whether it is the same."""
    with contextlib.suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def _is_free(path: Path) -> bool:
    try:
        import fcntl

        with path.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (OSError, ImportError):
        return False
    return True


def _directory() -> Path:
    return directories.home() / "spark"


def _memory(path: Path) -> str:
    return f"spark-{hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:24]}.json"


def _stamp(path: Path) -> str:
    try:
        facts = path.stat()
    except OSError:
        return ""
    return f"{facts.st_size} {facts.st_ino} {facts.st_mtime_ns}"
