"""Inline script metadata (PEP 723), as `uv run` and a notebook's own kernel read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from envmagic.record.export.groups import quoted
from envmagic.record.export.wanted import Wanted
from envmagic.requirements import Pin
from envmagic.requirements.options import given

__all__ = ["block"]


def block(wanted: Wanted, requirements: Sequence[str], directory: Path) -> tuple[str, list[str]]:
    """The block, and the options that it cannot say; paths in it count from `directory`."""
    lines = []
    if wanted.python:
        exact = wanted.pin is Pin.EXACT and wanted.python.count(".") == 1
        python = f"=={wanted.python}.*" if exact else f">={wanted.python}"
        lines.append(f"requires-python = {quoted(python)}")
    lines += ["dependencies = [", *(f"    {quoted(each)}," for each in requirements), "]"]
    left_out: list[str] = []
    lines += _of_uv(wanted.options_from(directory), left_out)
    text = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return f"# /// script\n{text}# ///\n", left_out


def _of_uv(options: Sequence[str], left_out: list[str]) -> Iterator[str]:
    """Where uv finds packages, since the standard has no words for it."""
    indexes: list[str] = []
    own: list[str] = []
    links: list[str] = []
    for option in options:
        (each,) = given(option)
        if each.option.name == "--extra-index-url":
            indexes += ["", "[[tool.uv.index]]", f"url = {quoted(each.value)}"]
        elif each.option.name == "--index-url":
            own = ["", "[[tool.uv.index]]", f"url = {quoted(each.value)}", "default = true"]
        elif each.option.name == "--find-links":
            links.append(quoted(each.value))
        else:
            left_out.append(option)
    if links:
        yield from ("", "[tool.uv]", f"find-links = [{', '.join(links)}]")
    yield from (*indexes, *own)
