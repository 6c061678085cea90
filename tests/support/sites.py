"""A site-packages directory as installers leave it, without installing."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["install"]


def install(
    site: Path, name: str, *files: str, version: str = "1.0", metadata: str = "", **more: str
) -> None:
    """What an installer leaves behind: the files, and a `dist-info` that lists them."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    texts = {f"{info}/METADATA": f"Name: {name}\nVersion: {version}\n{metadata}\n", **more}
    listed = [*files, *texts, f"{info}/RECORD"]
    for file in listed:
        path = site / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(file, ""))
    with (site / info / "RECORD").open("w", newline="") as record:
        csv.writer(record).writerows([file, "", ""] for file in listed)
