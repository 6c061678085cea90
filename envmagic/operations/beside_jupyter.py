"""Packages with a half that the page needs: widgets are drawn by what lies beside Jupyter."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Frontend, Place
from envmagic.environments import inspection
from envmagic.environments.inspection import Distributions
from envmagic.jupyter import connection, kernelspecs
from envmagic.switching import kernel_names

__all__ = ["lacking"]

_SERVER = "jupyter-server"
_EXTENSION = re.compile(r"share/jupyter/(labextensions/(?:@[^/,]+/)?[^/,]+)/package\.json\b")
_FOR = {"jupyterlab-widgets": "ipywidgets", "jupyter-leaflet": "ipyleaflet"}
"""Halves of packages that are called otherwise; most packages are both in one."""
_EVERYWHERE = ("/usr/local/share/jupyter", "/usr/share/jupyter")


def lacking(names: Iterable[str], there: Distributions, place: Place) -> tuple[Problem, ...]:
    """The command that installs beside Jupyter what of the distributions `names`, which an
    environment has, shows itself in the page; none where it is there, or no page is known."""
    python = _jupyters_python(place) if not place.executing else None
    if python is None:
        return ()
    prefix = python.parent.parent if python.parent.name in ("bin", "Scripts") else python.parent
    places = [prefix / "share" / "jupyter", kernelspecs.directory().parent]
    places += map(Path, _EVERYWHERE)
    halves = [
        name
        for name in sorted(names)
        if name in there
        and any(
            not any((place / extension).is_dir() for place in places)
            for extension in _extensions(there[name][1])
        )
    ]
    if not halves:
        return ()
    has_pip = "pip" in inspection.distributions_in(inspection.site_packages(prefix))
    tool = (str(python), "-m", "pip", "install") if has_pip else ("uv", "pip", "install", "-p")
    words = (*tool, *(() if has_pip else (str(python),)), *halves)
    shown = " and ".join(_FOR.get(name, name) for name in halves)
    verb = "shows itself" if len(halves) == 1 else "show themselves"
    message = f"{shown} {verb} in the page only with {' and '.join(halves)} beside Jupyter, too."
    hint = "To install it there, before the page is loaded again"
    return (Problem("beside-jupyter", message, hint, Severity.INFO, halves[0], tool_command=words),)


def _jupyters_python(place: Place) -> Path | None:
    """The Python of the server that shows this notebook; in a terminal ours, if it has one."""
    if place.frontend is Frontend.NOTEBOOK:
        front = connection.connection()
        if front is None or front.kernel_id is None:  # no server, so no page
            return None
        found = kernel_names.front_python(front.parent)
        return Path(found) if found else None
    ours = inspection.site_packages(Path(sys.prefix))
    return Path(sys.executable) if _SERVER in inspection.distributions_in(ours) else None


def _extensions(info: Path) -> Iterator[str]:
    try:
        record = (info / "RECORD").read_text("utf-8", "replace")
    except OSError:
        return
    for found in _EXTENSION.finditer(record):
        yield found[1]
