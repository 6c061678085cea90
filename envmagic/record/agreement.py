"""What the block has of a distribution and what one more notebook needs: one line for both."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core import display
from envmagic.core.display import user_path
from envmagic.core.errors import Problem, Severity
from envmagic.distributions import Distribution
from envmagic.record.held import RecordContext
from envmagic.record.need import Need
from envmagic.record.ranges import accepts, joined
from envmagic.requirements import Entry, Pin

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["kept"]

_EXTRAS = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\s*\[[^\]]*\])?")

_MOST = 3  # notebooks that are named


def kept(
    text: str,
    held: Entry,
    need: Need,
    installed: Distribution | None,
    context: RecordContext,
    problems: list[Problem],
) -> str:
    """`text`, or the line that the block has, where that one has to stay."""
    if installed is None and held.text.startswith("-e "):
        return held.text
    old = held.requirement
    if held.is_bare or old is None:
        return text
    others = {m.notebook: None for m in held.mentions if m.notebook != context.notebook}
    if not old.specifier and not old.url:
        if installed is None and not need.specifier and not need.url:
            return _with_extras(held.text, old.extras, need.extras)
        # without a version too, the extras are those of all
        return _with_extras(text, need.extras, old.extras) if others else text
    unpinned = context.pin is Pin.NONE and not need.url and not (installed and installed.url)
    if installed is None or (unpinned and not text.startswith("-e ")):
        return _agreed(text, held, old, need, context, problems)
    if not others:
        return text
    if text.startswith("-e "):
        pass  # a pin that others hold is not what is here
    elif old.url is None and old.specifier.contains(installed.version, prereleases=True):
        return _with_extras(held.text, old.extras, need.extras)
    if all(context.same_environment(other) for other in others):
        return text
    problems.append(_conflict(f"has {_here(text, installed)}", held, others, context, need.name))
    return held.text


def _agreed(
    text: str,
    held: Entry,
    old: Requirement,
    need: Need,
    context: RecordContext,
    problems: list[Problem],
) -> str:
    """The line that the block has, in the versions that the notebook asks for too."""
    stays = _with_extras(held.text, old.extras, need.extras)
    if old.url or need.url or not need.specifier:
        return stays
    pinned = context.held.is_pin(need.name, need.marker)
    if pinned and _is_within(held, need.specifier):
        return stays
    others = {m.notebook: None for m in held.mentions if m.notebook != context.notebook}
    # what was installed where it was recorded says more than the notebook's own lines
    own = pinned and len(others) < len(held.mentions) and context.index is None
    both = joined(str(old.specifier), need.specifier)
    if both is not None and not own:
        marker = f" ; {need.marker}" if need.marker else ""
        extras = ",".join(sorted({*old.extras, *need.extras}))
        return need.name + (f"[{extras}]" if extras else "") + both + marker
    if not others and not own:
        return text
    asks = f"asks for {need.name}{need.specifier}"
    problems.append(_conflict(asks, held, others, context, need.name))
    return stays


def _is_within(pin: Entry, specifier: str) -> bool:
    """Whether the version that `pin` says is in the range `specifier`."""
    requirement = pin.requirement
    versions = [clause.version for clause in requirement.specifier] if requirement else []
    return len(versions) == 1 and accepts(specifier, versions[0])


def _conflict(
    what: str, held: Entry, others: Iterable[str], context: RecordContext, name: str
) -> Problem:
    here = context.environment is not None
    all_of_them = list(others)
    shown = [other + _in(context.environment_of(other)) for other in all_of_them[:_MOST]]
    more = [f"{len(all_of_them) - _MOST} more"] if len(all_of_them) > _MOST else []
    stays = display.joined([*shown, *more])
    return Problem(
        "record-conflict",
        f"{context.notebook}{_in(context.environment)} {what}, but {held.text} stays in the record"
        + (f" for {stays}." if stays else ", as it was installed."),
        _hint(several=bool(stays), here=here),
        Severity.WARNING,
        name,
        command=("install", held.text) if here else (),
    )


def _hint(*, several: bool, here: bool) -> str:
    if not several:
        return "Record it where its environment is."
    apart = "Keep the notebooks in directories of their own, or "
    return apart + ("take the recorded one here" if here else "have them install the same.")


def _here(text: str, installed: Distribution) -> str:
    return text if text.startswith("-e ") else f"{installed.name} {installed.version}"


def _in(prefix: Path | None) -> str:
    return f" ({user_path(prefix)})" if prefix is not None else ""


def _with_extras(text: str, has: Collection[str], more: Collection[str]) -> str:
    """The requirement `text`, which has the extras `has`, with `more`; otherwise as it is."""
    if set(more) <= set(has):
        return text
    extras = ",".join(sorted({*has, *more}))
    return _EXTRAS.sub(rf"\1[{extras}]", text, count=1)
