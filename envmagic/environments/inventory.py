"""What an environment held when it was looked at: read once, and passed on until it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from envmagic.core.model import Environment
from envmagic.environments import integrity
from envmagic.environments.inspection import Distributions

__all__ = ["Inventory"]


@dataclass(frozen=True)
class Inventory:
    """What is installed in `environment`; `backends.look` takes it."""

    environment: Environment
    distributions: Distributions
    others: Mapping[str, str]
    """Normalised name -> version of what is no Python distribution."""
    entries: frozenset[Path] = frozenset()
    """What lay at the top among its modules."""

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Normalised name -> version of everything."""
        return {
            **self.others,
            **{name: version for name, (version, _) in self.distributions.items()},
        }

    def having(self, name: str, version: str, info: Path) -> Inventory:
        """The same with the distribution `name`, which was put there since."""
        return replace(self, distributions={**self.distributions, name: (version, info)})

    def broken(self, names: set[str] | None = None) -> list[str]:
        """Distributions that lack files now, of `names` (default: all); see `integrity`."""
        return integrity.broken_distributions(self.distributions, names)

    def unlisted(self, names: set[str]) -> list[str]:
        """Those of `names` that no installer can take out."""
        return integrity.unlisted_distributions(self.distributions, names)
