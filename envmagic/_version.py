"""Which envmagic this is, and where it lies."""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"
PACKAGE = Path(__file__).parent
"""The package's directory."""
REQUIRES_PYTHON = (3, 10)
"""The oldest Python that envmagic runs on; as in pyproject.toml, a test compares them."""
