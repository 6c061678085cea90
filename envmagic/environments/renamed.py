"""What environments were called before, and the links for kernels that run from their old place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from envmagic.system import directories, files

__all__ = [
    "Renamed",
    "called",
    "clear_links",
    "is_elsewhere",
    "link",
    "note",
    "now_at",
    "places_of",
    "unlink",
    "was_at",
]


@dataclass(frozen=True)
class Renamed:
    """An environment that is elsewhere now."""

    old: str
    new: str
    before: str
    """What its kernel was called."""
    name: str


def note(old: Path, new: Path, before: str, name: str) -> None:
    """Keep that the environment at `old`, called `before`, is at `new` and called `name` now."""
    directories.renamed().mkdir(parents=True, exist_ok=True)
    for known in list(_every()):
        if known.new == str(old):
            _keep(replace(known, new=str(new), name=name))
            if unlink(Path(known.old), new) or _leads_to(Path(known.old), old):
                link(Path(known.old), new)
    _keep(Renamed(str(old), str(new), before, name))
    with contextlib.suppress(OSError):
        _file(new).unlink()  # it is there again


def called(before: str) -> Renamed | None:
    """What became of the environment that was called `before`, if it is still there."""
    return next((r for r in _every() if r.before == before and os.path.isdir(r.new)), None)


def places_of(prefix: Path) -> list[str]:
    """Where the environment at `prefix` was before; what runs there was started from those."""
    known = (r.old for r in _every() if r.new == str(prefix))
    return [old for old in known if os.path.islink(old)]


def now_at(prefix: Path) -> Path:
    """Where the environment at `prefix` is now: a link of ours may stand there."""
    known = (each.new for each in _every() if each.old == str(prefix)) if _is_ours(prefix) else ()
    return next((Path(new) for new in known if _leads(prefix, new)), prefix)


def was_at(prefix: Path, place: Path) -> bool:
    """Whether the environment at `prefix` was at `place` before."""
    return any(known.old == str(place) and known.new == str(prefix) for known in _every())


def is_elsewhere(place: Path) -> bool:
    """Whether the environment that was at `place` is at another one now."""
    return any(known.old == str(place) and os.path.isdir(known.new) for known in _every())


def link(old: Path, new: Path) -> None:
    """Have `old` lead to `new` as long as processes of this notebook run from there."""
    with contextlib.suppress(OSError):
        old.symlink_to(_told(new), target_is_directory=True)


def unlink(link: Path, to: Path) -> bool:
    """Take the `link` away if it is one of ours that leads `to` an environment; whether it was."""
    with contextlib.suppress(OSError):
        if _is_ours(link) and os.path.samefile(link, to):
            link.unlink()
            return True
    return False


def clear_links() -> None:
    """Take away the links that nothing runs from any more, and forget what is gone."""
    for known in list(_every()):
        old = Path(known.old)
        with contextlib.suppress(OSError):
            if _leads(old, known.new) and not _runs_from(old):
                old.unlink()
            if not os.path.isdir(known.new) and Path(known.new).parent.is_dir():
                _file(old).unlink()


def _keep(known: Renamed) -> None:
    files.write_atomic(_file(Path(known.old)), json.dumps(asdict(known)).encode())


def _leads_to(link: Path, to: Path) -> bool:
    """Whether it is a link there, where nothing is any more; it is taken away then."""
    with contextlib.suppress(OSError):
        if _leads(link, str(to)):
            link.unlink()
            return True
    return False


def _told(place: Path | str) -> str:
    """What is in a link of ours to `place`; nobody else writes it like that."""
    return os.path.join(place, ".")


def _is_ours(link: Path) -> bool:
    return link.is_symlink() and os.readlink(link).endswith(f"{os.sep}.")


def _leads(link: Path, to: str) -> bool:
    return link.is_symlink() and os.readlink(link) == _told(to)


def _runs_from(place: Path) -> bool:
    import psutil  # comes with ipykernel

    inside = str(place) + os.sep
    lines = (process.info.get("cmdline") or [""] for process in psutil.process_iter(["cmdline"]))
    return any(words[0].startswith(inside) for words in lines)


def _every() -> Iterator[Renamed]:
    for file in sorted(directories.renamed().glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            yield Renamed(**json.loads(file.read_bytes()))


def _file(old: Path) -> Path:
    name = hashlib.sha256(os.fsencode(os.path.abspath(old))).hexdigest()[:32]
    return directories.renamed() / f"{name}.json"
