"""What an environment holds, as lines that install it again, and when to look at it again."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment
from envmagic.distributions.origin import origin_of
from envmagic.environments import backends, inspection, ownership
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import own_copy
from envmagic.system import prefix_layout

__all__ = ["lines_at", "lines_of", "stamp"]


def lines_at(prefix: Path) -> Mapping[str, str]:
    """As `lines_of`, of the environment at `prefix`, also where its interpreter is gone."""
    owned = ownership.is_owned(prefix)
    try:
        environment = backends.inspect(prefix, owned=owned)
    except EnvmagicError:
        python, name = prefix_layout.interpreter(prefix), backends.at(prefix).name
        sites = inspection.site_packages(prefix)
        environment = Environment(prefix, python, "", name, owned, sites)
    return lines_of(backends.look(environment))


def lines_of(there: Inventory) -> Mapping[str, str]:
    """Normalised name -> `name==1.2`, `name @ git+…@COMMIT` or `-e DIRECTORY`, of all that `there`
    holds but for what we put there ourselves (pip, in an environment of ours); by name."""
    found = {name: f"{name}=={version}" for name, version in there.others.items()}
    for name, (version, info) in there.distributions.items():
        if not own_copy.is_ours(info) and not (name == "pip" and there.environment.owned):
            found[name] = _line(name, version, info)
    return dict(sorted(found.items()))


def stamp(prefix: Path) -> str:
    """Text that is another when distributions came or went at `prefix` since; it costs a look at
    the directories that hold them, and no more."""
    times = []
    for place in (*inspection.site_packages(prefix), prefix / "conda-meta"):
        try:
            times.append(str(os.stat(place).st_mtime_ns))
        except OSError:
            times.append("-")
    return " ".join(times)


def _line(name: str, version: str, info: Path) -> str:
    url, directory = origin_of(str(info / "direct_url.json"))
    if directory is not None:
        return f"-e {directory}"
    return f"{name} @ {url}" if url is not None else f"{name}=={version}"
