"""Lines of a record without their signs: what most tests are about."""

from __future__ import annotations

import re


def unsigned(text: str) -> str:
    """`text` with the sign at the end of each line that has one taken away."""
    return re.sub(r" #[0-9a-f]{4}$", "", text, flags=re.MULTILINE)
