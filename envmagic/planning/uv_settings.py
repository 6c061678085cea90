"""Settings of uv that lie around a notebook and lead it elsewhere than the user's own ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from envmagic.environments.backends import commands, uv_configuration
from envmagic.planning.plan import Kind, Source

__all__ = ["around"]


def around(directory: Path) -> Iterator[tuple[str, Source]]:
    """Each setting that counts when uv is run in `directory` and leads elsewhere, with its value,
    and where it stands."""
    if commands.find_uv() is None:
        return
    for table in uv_configuration.around(directory):
        source = Source(Kind.PROJECT, table.file)
        yield from ((text, source) for text in uv_configuration.leading_away(table))
