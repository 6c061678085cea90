"""Lines, URLs and channels without the secrets that stand in them."""

from __future__ import annotations

import re

from envmagic.distributions.origin import public_url

__all__ = ["without_secrets"]

_TOKEN = re.compile(
    r"(?<=[^:/\s])/t/[^/\s\"']+(?=/)"
)  # as the addresses of conda's channels have one
_QUERY = re.compile(
    r"([?&])(?:(?:access_)?token|api_?key|auth|key|pass(?:word|wd)?|secret|sig(?:nature)?)"
    r"=[^&#\s'\"]*(&?)",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """`text` with no user, password or token in its URLs; names of variables, which pip fills in,
    and the `git@` of ssh stay."""
    if "://" not in text:
        return text
    text = _TOKEN.sub("", public_url(text))
    return _QUERY.sub(lambda found: found[1] if found[2] else "", text)
