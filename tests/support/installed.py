"""Notebooks that run where a given index says what is installed."""

from __future__ import annotations

from envmagic.distributions import Index
from envmagic.record.environments import InstalledIndex, NotebookEnvironments


def running_in(index: Index | None) -> NotebookEnvironments:
    """Every notebook runs where `index` says what there is; None: nothing is known of it."""
    return NotebookEnvironments({None: InstalledIndex(index, "3.12") if index else None})
