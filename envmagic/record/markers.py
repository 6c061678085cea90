"""Environment markers: where one holds, whether several hold everywhere, and where none does."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from envmagic.requirements import RequirementLine

__all__ = ["elsewhere", "everywhere", "holds", "of", "on_every_machine"]

# What markers are tried on to tell whether they hold everywhere.
_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 17))
_MACHINES = (
    ("linux", "Linux", "posix", "x86_64"),
    ("linux", "Linux", "posix", "aarch64"),
    ("darwin", "Darwin", "posix", "x86_64"),
    ("darwin", "Darwin", "posix", "arm64"),
    ("win32", "Windows", "nt", "AMD64"),
)
_IMPLEMENTATIONS = (("cpython", "CPython"), ("pypy", "PyPy"))
_COMPARISON = re.compile(
    r"(?P<left>\w+|\"[^\"]*\") (?P<operator>[<>=!]=|[<>]|not in|in) (?P<right>\w+|\"[^\"]*\")"
)
_OPPOSITE = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
}


def of(lines: Iterable[RequirementLine]) -> list[str]:
    """The markers of `lines`."""
    found = (line.requirement.marker for line in lines if line.requirement is not None)
    return [str(marker) for marker in found if marker is not None]


def holds(marker: str, python: str) -> bool:
    """Whether `marker` is true on this machine for the Python with the version `python`."""
    from packaging.markers import Marker

    return Marker(marker).evaluate({**_versions(python), "extra": ""})


@lru_cache(maxsize=256)
def everywhere(markers: frozenset[str]) -> bool:
    """Whether one of `markers` holds wherever Python runs."""
    from packaging.markers import Marker

    parsed = [Marker(marker) for marker in markers]
    return all(any(m.evaluate(there) for m in parsed) for there in _places())


@lru_cache(maxsize=256)
def on_every_machine(markers: frozenset[str], python: str | None) -> bool:
    """Whether one of `markers` holds on each kind of machine for `python`, or without one for some
    Python: what a file asks for of today's Pythons alone says nothing of machines."""
    from packaging.markers import Marker

    parsed = [Marker(marker) for marker in markers]
    usual = [p for p in _places() if p["implementation_name"] == "cpython"]
    pythons = _PYTHONS if python is None else (".".join(python.split(".")[:2]),)
    return any(
        all(
            any(m.evaluate({**there, **_versions(version)}) for m in parsed)
            for there in usual
            if there["python_version"] == _PYTHONS[0]
        )
        for version in pythons
    )


def elsewhere(markers: Iterable[str]) -> str:
    """The marker for where none of `markers` holds; empty where that cannot be written simply."""
    from packaging.markers import Marker

    found: list[str] = []
    for marker in markers:
        opposite = _opposite(str(Marker(marker)))
        if not opposite:
            return ""
        found.append(opposite)
    if len(found) > 1:
        found = [f"({text})" if " or " in text else text for text in found]
    return str(Marker(" and ".join(dict.fromkeys(found)))) if found else ""


def _opposite(marker: str) -> str:
    both = " or " if " or " in marker else " and "
    parts = marker.split(both)
    matches = [_COMPARISON.fullmatch(part) for part in parts]
    said = [f"{m['left']} {_OPPOSITE[m['operator']]} {m['right']}" for m in matches if m]
    other = " and " if both == " or " else " or "
    return other.join(said) if len(said) == len(parts) else ""


def _versions(python: str) -> dict[str, str]:
    full = python if python.count(".") > 1 else f"{python}.0"
    return {"python_version": ".".join(python.split(".")[:2]), "python_full_version": full}


@lru_cache(maxsize=1)
def _places() -> tuple[Mapping[str, str], ...]:
    return tuple(
        {
            **_versions(python),
            "sys_platform": platform,
            "platform_system": system,
            "os_name": name,
            "platform_machine": machine,
            "implementation_name": implementation,
            "platform_python_implementation": called,
            "extra": "",
        }
        for python, (platform, system, name, machine), (
            implementation,
            called,
        ) in itertools.product(_PYTHONS, _MACHINES, _IMPLEMENTATIONS)
    )
