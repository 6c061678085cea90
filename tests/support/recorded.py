"""Notebooks that are saved as Jupyter saves them, and recorded as the terminal does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from envmagic.core.model import Frontend, Place, Report, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.operations.record import record

__all__ = ["said", "save"]


def save(path: Path, *cells: str) -> Path:
    """A notebook with these code cells; `path`."""
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    document = {"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def said(work: Path, *paths: str, **more: Any) -> Report[Any]:
    """What `envmagic record PATHS` in `work` answers; without an environment unless told so."""
    more.setdefault("env", "none")
    return record(RecordRequest(paths=paths, **more), Place(Frontend.TERMINAL, work), Silent())
