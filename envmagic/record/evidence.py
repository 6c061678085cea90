"""Which install lines of a notebook are evidence: those that failed are not."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic.core.names import normalized
from envmagic.distributions import Index
from envmagic.environments.backends.conda import metadata
from envmagic.imports import Install, Where

__all__ = ["there", "unfailed"]

_VCS = re.compile(r"(?:git|hg|svn|bzr)\+", re.IGNORECASE)


def there(installs: Iterable[Install], index: Index, prefix: Path) -> list[Install]:
    """Those of `installs` whose distributions are in the environment at `prefix`, with `index`.

    An archive or path counts, since nothing says what came from it, and so does what is for other
    machines.
    """
    conda = frozenset[str]()
    found: list[Install] = []
    for install in installs:
        name = install.name
        if name is None or _is_for_others(install):
            found.append(install)
        elif install.requirement is None:
            found += [install] if _came(install, name, index) else []
        elif name in index.distributions:
            found.append(_as_there(install, index.distributions[name].version))
        elif install.conda:
            conda = conda or _packages(prefix)
            found += [install] if name in conda else []
    return found


def unfailed(installs: Sequence[Install], complaints: Mapping[int, str]) -> list[Install]:
    """`installs` without the lines that a saved output says failed; `complaints` are by cell.

    One name that is not there makes a whole line fail. Where the output names nothing that the cell
    installs, it is about its only line.
    """
    failed: set[Where] = set()
    for number, said in complaints.items():
        mine = [i for i in installs if i.where.cell == number and not i.where.file]
        places = {i.where for i in mine}
        named = {i.where for i in mine if i.name is not None and _names(said, i.name)}
        if not named and len(places) == 1 and not said.startswith("UsageError"):
            named = places
        failed |= named
    return [i for i in installs if i.where not in failed] if failed else list(installs)


def _names(said: str, name: str) -> bool:
    pattern = r"[-_.]+".join(map(re.escape, name.split("-")))
    return re.search(rf"(?<![\w.-]){pattern}(?![\w-])", said, re.IGNORECASE) is not None


def _is_for_others(install: Install) -> bool:
    """Whether the line installs nothing here: `pywin32; sys_platform == 'win32'`."""
    marker = install.requirement.marker if install.requirement is not None else None
    return marker is not None and not marker.evaluate({"extra": ""})


def _came(install: Install, name: str, index: Index) -> bool:
    """Whether something is installed from that URL, as far as that can be told."""
    if install.editable or not _VCS.match(install.text) or name in index.distributions:
        return True
    place = _place(install.text)
    return any(d.url is not None and _place(d.url) == place for d in index.distributions.values())


def _place(url: str) -> str:
    """The repository that `url` means, without user and commit."""
    path = re.split(r"[#?]", url)[0].partition("://")[2].rstrip("/")
    host, _, rest = path.partition("/")
    return f"{host.rpartition('@')[2]}/{rest.partition('@')[0].removesuffix('.git')}".lower()


def _as_there(install: Install, version: str) -> Install:
    """`install` without a specifier that what is there contradicts: it did not do that."""
    requirement = install.requirement
    if requirement is None or requirement.specifier.contains(version, prereleases=True):
        return install
    bare = copy.copy(requirement)
    bare.specifier = type(requirement.specifier)()
    return replace(install, requirement=bare)


def _packages(prefix: Path) -> frozenset[str]:
    return frozenset(map(normalized, metadata.packages(prefix)))
