"""What files of a record are called, and what the block of ours in them begins and ends with."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["BEGIN", "END", "ENVIRONMENTS", "LOCK", "REQUIREMENTS", "lock_of"]

REQUIREMENTS = "requirements.txt"
LOCK = "pylock.toml"
ENVIRONMENTS = ("environment.yml", "environment.yaml")
BEGIN = "# >>> envmagic "
"""Then the format's number, `>>>` and the record's state."""
END = "# <<< envmagic <<<"


def lock_of(notebook: Path) -> Path:
    """The lock of one notebook beside it; PEP 751 wants no dot in the name."""
    return notebook.with_name(f"pylock.{re.sub(r'[.]+', '-', notebook.stem)}.toml")
