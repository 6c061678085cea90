"""What code needs besides the distributions that it imports: `data/companions.txt`."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass

from envmagic.system import directories

__all__ = ["Companion", "companions_of"]


@dataclass(frozen=True)
class Companion:
    """A requirement, and what it is needed for."""

    requirement: str
    why: str
    """`pandas.read_excel`."""


@dataclass(frozen=True)
class _Rule:
    kind: str
    what: str
    module: str
    requirements: tuple[str, ...]

    def applies(self, modules: Collection[str], code: str) -> bool:
        if self.module != "*" and self.module not in modules:
            return False
        if self.kind == "import":
            return True
        if self.kind == "call":
            return f"{self.what}(" in code and bool(re.search(rf"\b{self.what}\(", code))
        return re.search(self.what, code) is not None

    @property
    def why(self) -> str:
        return f"{self.module}.{self.what}" if self.kind == "call" else self.module.strip("*")


def companions_of(modules: Collection[str], code: str, names: Collection[str]) -> list[Companion]:
    """What `code`, which imports the dotted `modules`, needs besides the distributions `names`.

    Requirements may repeat a distribution of `names` with an extra.
    """
    above = {m[:end] for m in modules for end in _ends(m)}
    found: dict[str, Companion] = {}
    for rule in _rules():
        if rule.applies(above, code):
            for choice in rule.requirements:
                first, *others = choice.split("|")
                if first not in names and not any(other in names for other in others):
                    found.setdefault(first, Companion(first, rule.why))
    return list(found.values())


def _ends(module: str) -> list[int]:
    """Where the dotted `module` and each module above it end: of `a.b` 1 and 3."""
    return [*(match.start() for match in re.finditer(r"\.", module)), len(module)]


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    rules = []
    file = directories.package() / "distributions" / "data" / "companions.txt"
    for line in file.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        kind, what, *rest = line.split()
        module, requirements = (what, rest) if kind == "import" else (rest[0], rest[1:])
        rules.append(_Rule(kind, what, module, tuple(requirements)))
    return tuple(rules)
