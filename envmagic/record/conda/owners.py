"""Which package of conda's brings which distribution."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.environments import backends
from envmagic.environments.backends.conda import metadata
from envmagic.system import cache

__all__ = ["Owners", "hash_of", "owners_of"]


@dataclass(frozen=True)
class Owners:
    """Which conda package of an environment holds which distribution."""

    prefix: Path
    of: Mapping[str, tuple[str, str]]
    """Normalised distribution or package -> the package's name and version."""
    infos: Mapping[str, Path]
    """Normalised distribution -> its dist-info."""

    def owner(self, name: str) -> tuple[str, str] | None:
        """The conda package with the distribution or package `name`; None where pip put it."""
        info = self.infos.get(normalized(name))
        if info is not None and not metadata.by_conda(info):
            return None
        return self.of.get(normalized(name))

    def is_of_conda_alone(self, name: str) -> bool:
        """Whether `name` is a package without a dist-info: what pip calls it does not say."""
        return normalized(name) in self.of and normalized(name) not in self.infos


def owners_of(prefix: Path) -> Owners | None:
    """The packages of the conda environment at `prefix`; None where it is none."""
    meta = prefix / "conda-meta"
    if not (meta / "history").is_file():
        return None
    try:
        there = metadata.distributions(backends.inspect(prefix))
    except EnvmagicError:
        return None
    infos = {name: info for name, (_, info) in there.items()}
    return Owners(prefix, _owners(prefix, meta.stat().st_mtime_ns), infos)


@lru_cache(maxsize=8)
def _owners(prefix: Path, modified: int) -> Mapping[str, tuple[str, str]]:
    """Read from text, since parsing the records of a large environment takes seconds."""
    name, stamp = f"conda-{hash_of(prefix):x}.json", f"{modified} {prefix}"
    held = cache.load(name, stamp)
    with contextlib.suppress(ValueError, TypeError):
        if held is not None:
            return {name: (package, version) for name, package, version in held}
    found = _read_owners(prefix)
    cache.save(name, stamp, [[name, *owner] for name, owner in found.items()])
    return found


def hash_of(prefix: Path) -> int:
    """A number for `prefix` that is the same in every process."""
    import zlib

    return zlib.crc32(str(prefix).encode("utf-8", "surrogateescape"))


_INFO = re.compile(rb"site-packages/([^/\"\\]+?)-[^/\"\\]*\.(?:dist|egg)-info[/\"]")


def _read_owners(prefix: Path) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for package in metadata.packages(prefix).values():
        owner = (package.name, package.version)
        found.setdefault(normalized(package.name), owner)
        try:
            raw = package.record.read_bytes()
        except OSError:
            continue
        for match in set(_INFO.findall(raw)):
            found[normalized(match.decode("utf-8", "replace"))] = owner
    return found
