"""Our table beside the mappings of other scanners, where those are installed (`bench/_peers.py`).

Opt-in, because it needs them: ENVMAGIC_ORACLES names the directory with their environments. They
are asked what they say and are no source: where they differ from us, a person has to look.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from envmagic.distributions import Resolver

ORACLES = os.environ.get("ENVMAGIC_ORACLES", "")
# Where we differ on purpose: they name an old distribution, a squatted one or one of several.
DIFFERENT = 0.12

pytestmark = pytest.mark.skipif(not ORACLES, reason="ENVMAGIC_ORACLES is not set")


def mapping() -> dict[str, str]:
    """pipreqs's `module:distribution` lines."""
    (path,) = Path(ORACLES).glob("pipreqs/lib/python*/site-packages/pipreqs/mapping")
    lines = (line.strip().partition(":") for line in path.read_text().splitlines())
    return {module: name for module, _, name in lines if module.isidentifier() and name}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_most_answers_are_theirs_too() -> None:
    resolver = Resolver(None)
    both, differ = 0, []
    for module, name in mapping().items():
        found = resolver.resolve(module)
        if found is None or found.evidence.value != "table":
            continue
        both += 1
        if normalized(name) not in (found.name, *found.alternatives):
            differ.append(f"{module}: {found.name}, not {name}")
    assert both > 120
    assert len(differ) <= DIFFERENT * both, "\n".join(differ)
