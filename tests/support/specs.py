"""Kernelspecs written for a test."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Specs:
    """Writes kernelspecs; they all run this interpreter unless told otherwise."""

    directory: Path

    def __call__(
        self, name: str, *argv: str, python: str | Path = sys.executable, **more: Any
    ) -> str:
        launch = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--ext", "envmagic"]
        spec = {
            "argv": list(argv) or [str(python), *launch],
            "display_name": name,
            "language": "python",
            **more,
        }
        place = self.directory / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return name
