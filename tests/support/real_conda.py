"""The conda that is vendored in the wheel of conda-lock, as a program: `python real_conda.py ARGS`.

Run by an interpreter that has conda-lock and what conda itself needs (`nox -s conda` makes one).
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path

VENDORED = "conda_lock._vendor."


class Alias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`conda.…` is the vendored module: conda names some of its modules in full."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name == "conda" or name.startswith("conda."):
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return importlib.import_module(VENDORED + spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """It was executed when it was imported by its other name."""


def write_command(directory: Path, python: Path) -> Path:
    """An executable `conda` in `directory` that runs this file by `python`; its path."""
    directory.mkdir(parents=True, exist_ok=True)
    command = directory / "conda"
    command.write_text(f'#!/bin/sh\nexec "{python}" "{Path(__file__).resolve()}" "$@"\n')
    command.chmod(0o755)
    return command


if __name__ == "__main__":
    sys.meta_path.insert(0, Alias())
    sys.exit(importlib.import_module(f"{VENDORED}conda.cli.main").main())
