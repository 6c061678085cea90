"""What the tests on real environments share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.conda_fixtures import channel, conda, conda_cache, conda_env
from support.operate import Operator

__all__ = ["channel", "conda", "conda_cache", "conda_env"]


@pytest.fixture
def operate(isolated: object) -> Operator:
    """The verbs, said in the test's working directory."""
    return Operator(Path(isolated.work))  # type: ignore[attr-defined]


@pytest.fixture
def snapshot(isolated: object):  # type: ignore[no-untyped-def]
    """`snapshot()`: every file below the test's home and working directory, with its content.

    Locks and caches do not count: they hold nothing and are made again.
    """

    def take() -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for root in (Path(isolated.home), Path(isolated.work)):  # type: ignore[attr-defined]
            for path in sorted(root.rglob("*")):
                if {"locks", "cache", ".cache"} & set(path.parts) or path.is_dir():
                    continue
                found[str(path)] = b"" if path.is_symlink() else path.read_bytes()
        return found

    return take
