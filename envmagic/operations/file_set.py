"""Files that are written together, all of them or none, and no file of a person's among them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.schema import ExportedFile
from envmagic.system import files, reading

__all__ = ["held", "put"]


def held(path: Path) -> bytes | None:
    """What `path` holds; None where it is not there. Raises `EnvmagicError` (`unreadable`)."""
    try:
        return reading.content(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.unreadable(path, error) from error


def put(
    wanted: Mapping[Path, bytes],
    is_ours: Callable[[Path], bool],
    refusal: Callable[[Path], EnvmagicError],
    gone: Iterable[Path] = (),
) -> list[ExportedFile]:
    """Make the files hold what they are to hold and take `gone` away; which ones changed.

    Raises what `refusal` makes where one that would change is not ours; nothing has changed then.
    """
    before = {path: held(path) for path in (*wanted, *gone)}
    for path, old in before.items():
        if old is not None and old != wanted.get(path) and not is_ours(path):
            raise refusal(path)
    done: list[Path] = []
    try:
        for path, old in before.items():
            now = wanted.get(path)
            if old == now:
                continue
            if now is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                files.write_atomic(path, now)
            done.append(path)
    except BaseException as error:
        for each in done:
            _put_back(each, before[each])
        if isinstance(error, OSError):
            raise files.unwritable(path, error) from error
        raise
    return [ExportedFile(file=str(path), changed=path in done) for path in before]


def _put_back(path: Path, before: bytes | None) -> None:
    with contextlib.suppress(OSError, EnvmagicError):
        if before is None:
            path.unlink()
        else:
            files.write_atomic(path, before)
