"""What `upgrade` asks for: what is there, what holds it, and the words that name some of it."""

from __future__ import annotations

import re

from envmagic.core import display
from envmagic.core.errors import WordsError
from envmagic.core.model import Place
from envmagic.core.names import normalized
from envmagic.core.verbs import UpgradeRequest
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.operations.pins import as_found_beside
from envmagic.operations.upgrading.limits import Limits
from envmagic.operations.upgrading.resolving import Asked, elsewhere, names_in

__all__ = ["asked", "check"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def asked(request: UpgradeRequest, there: Inventory, place: Place) -> Asked:
    """What is asked of the environment that holds what is `there`.

    Raises `WordsError` where a word is no name of what is there.
    """
    sources = elsewhere(there)
    for word in request.packages:
        check(word, there, sources.get(normalized(word), ""))
    environment = there.environment
    wanted = InstallPlan(tuple(names_in(there)), directory=place.directory)
    return Asked(
        there,
        Limits.of(place, environment.version),
        place.directory,
        environment.python,
        environment.version,
        frozenset(map(normalized, request.packages)),
        as_found_beside(wanted, place).finding,
        sources=sources,
    )


def check(word: str, there: Inventory, source: str) -> None:
    """Raise `WordsError` where `word` is no name of what is `there`, or it has another `source`
    than an index."""
    shown = display.quoted(word)
    where = display.user_path(there.environment.prefix)
    if not _NAME.fullmatch(word):
        raise WordsError(
            "bad-requirement",
            f"upgrade takes names of packages, and {shown} is none.",
            "To install a certain version",
            command=("install", word),
            subject=word,
        )
    if normalized(word) not in names_in(there):
        raise WordsError(
            "not-installed",
            f"{word} is not installed in {where}.",
            "To install it",
            command=("install", word),
            subject=word,
        )
    if source:
        line = word if "+" in source.rpartition("==")[2] else source
        raise WordsError(
            "not-from-index",
            f"{word} comes from no index ({display.shortened(source)}), so it stays as it is.",
            "To install it anew",
            command=("install", "-U", line),
            subject=word,
        )
