"""Kernelspecs written for a test."""

from __future__ import annotations

import json
import subprocess
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


def venv(prefix: Path, generation: str = "") -> Path:
    """An environment that sees the packages of this one, and what it was made for."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(prefix)]
    subprocess.run(command, check=True)
    (packages,) = prefix.glob("lib/python*/site-packages")
    seen = [p for p in sys.path if p.endswith("site-packages")]
    (packages / "seen.pth").write_text("\n".join([*seen, str(Path(__file__).parents[2])]))
    (packages / "generation.py").write_text(f"name = {generation!r}\n")
    return prefix / "bin" / "python"


def register(specs: Specs, name: str, prefix: Path) -> None:
    entry = {"schema": 1, "prefix": str(prefix), "owned": False, "backend": "venv", "version": "1"}
    metadata = {"envmagic": {**entry, "python": "3.11"}}
    specs(name, python=prefix / "bin" / "python", metadata=metadata)
