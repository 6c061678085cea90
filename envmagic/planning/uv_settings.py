"""Settings of uv that lie around a notebook and lead it elsewhere than the user's own ones."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends import installers
from envmagic.planning.documents import read, toml
from envmagic.planning.plan import Kind, Source

__all__ = ["around"]

_PLACES = (
    "index index-url extra-index-url find-links allow-insecure-host http-proxy https-proxy target"
    " prefix"
).split()
_LINES = "override-dependencies constraint-dependencies extra-build-dependencies".split()
"""These do where a URL is in them."""


def around(directory: Path) -> Iterator[tuple[str, Source]]:
    """Each setting that counts when uv is run in `directory` and leads elsewhere, with its value,
    and where it stands.

    uv takes the nearest `uv.toml`, or `[tool.uv]` of a `pyproject.toml`, however far above.
    """
    if installers.find_uv() is None or {"UV_CONFIG_FILE", "UV_NO_CONFIG"} & os.environ.keys():
        return
    for place in (directory, *directory.parents):
        for file in (place / "uv.toml", place / "pyproject.toml"):
            settings = _settings(file)
            if settings is not None:
                source = Source(Kind.PROJECT, file)
                yield from ((text, source) for text in _leading_away(settings))
                return


def _settings(file: Path) -> dict[str, object] | None:
    """What `file` says to uv; None where it says nothing."""
    if not file.is_file():
        return None
    try:
        said: object = toml(read(file), Source(Kind.PROJECT, file))
    except EnvmagicError:
        return None  # uv cannot read it either
    for name in () if file.name == "uv.toml" else ("tool", "uv"):
        said = said.get(name) if isinstance(said, dict) else None
    return said if isinstance(said, dict) else None


def _leading_away(settings: dict[str, object]) -> Iterator[str]:
    for_pip = settings.get("pip")
    for table in (settings, for_pip if isinstance(for_pip, dict) else {}):
        for name, value in table.items():
            text = json.dumps(value, default=str)
            if name in _PLACES or (name in _LINES and "@" in text):
                yield f"{name} = {text}"
