"""What ranges come to together, also where the environment's own packaging is old."""

from __future__ import annotations

import itertools

import pytest
from packaging.specifiers import SpecifierSet

from envmagic.record import ranges

_VERSIONS = ("1.0", "1.5", "2.0")
_CLAUSES = [f"{o}{v}" for o in (">=", "<=", ">", "<", "==", "!=", "~=") for v in _VERSIONS]
_CLAUSES += ["==1.*", "!=1.5.*", "==2.0.*", ">=1!2", "<2.0rc1", ">=2.0rc1", "==1.5.post1", "===a"]


def test_an_empty_range_is_told_the_same_without_the_newest_packaging() -> None:
    for one, other in itertools.combinations(_CLAUSES, 2):
        both = SpecifierSet(one) & SpecifierSet(other)
        around = {version for clause in both for version in ranges._around(clause.version)}
        found = any(both.contains(version, prereleases=True) for version in around)
        assert found is not both.is_unsatisfiable(), both


@pytest.mark.parametrize(
    "one, other, both",
    [
        (">=1.5", "<3", "<3,>=1.5"),
        ("<2", ">=3", None),
        (">=1", ">=1.5", ">=1.5"),
        ("==1.5", "<2", "==1.5"),
        ("", "<2", "<2"),
    ],
)
def test_what_two_ranges_come_to(
    one: str, other: str, both: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ranges.joined(one, other) == both
    ranges.joined.cache_clear()
    monkeypatch.delattr(SpecifierSet, "is_unsatisfiable")
    assert ranges.joined(one, other) == both
    ranges.joined.cache_clear()
