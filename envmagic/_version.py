"""Which envmagic this is."""

from __future__ import annotations

__version__ = "0.1.0"
REQUIRES_PYTHON = (3, 10)
"""The oldest Python that envmagic runs on; as in pyproject.toml, a test compares them."""
