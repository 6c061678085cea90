"""What files of a record are called, and what the block of ours in them begins and ends with."""

from __future__ import annotations

__all__ = ["BEGIN", "END", "ENVIRONMENTS", "LOCK", "REQUIREMENTS"]

REQUIREMENTS = "requirements.txt"
LOCK = "pylock.toml"
ENVIRONMENTS = ("environment.yml", "environment.yaml")
BEGIN = "# >>> envmagic "
"""Then the format's number, `>>>` and the record's state."""
END = "# <<< envmagic <<<"
