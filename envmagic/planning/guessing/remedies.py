"""What may help where something imported is not there, or its import fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from envmagic.core.model import Progress
from envmagic.core.names import normalized
from envmagic.distributions import Index, is_standard, known
from envmagic.planning.guessing.guess import Asked, Wish, dotted
from envmagic.planning.guessing.offers import Limits
from envmagic.planning.guessing.older import Found, newest_with
from envmagic.planning.guessing.settling import Setting, Settler
from envmagic.planning.guessing.trial import Failure

__all__ = ["Lack", "Remedies"]

# What came with Python or setuptools and no longer does: what holds it.
_FORMER: Mapping[str, str] = {"pkg_resources": "setuptools<81", "distutils": "setuptools<81"}
# After its release a distribution's own requirements went on for a while: how long is tried.
_LATER = (timedelta(days=60), timedelta(days=365), timedelta(days=730), timedelta(days=1460))
_BUILD_TOOLS = frozenset({"setuptools", "wheel", "pip"})


@dataclass(frozen=True)
class Lack:
    """What an older version of a distribution is looked for with."""

    asked: tuple[Asked, ...]
    """All that it is to have."""
    gone: tuple[str, ...]
    """What of it the version that is there lacks, dotted."""


@dataclass
class Remedies:
    """Changed settings for what is wrong with one; none is given twice."""

    settler: Settler
    progress: Progress
    as_of: datetime | None = None
    """When what the notebook imports was last changed."""

    def __post_init__(self) -> None:
        self._given: set[object] = set()

    def for_missing(self, missing: Mapping[str, Lack], setting: Setting) -> Setting | None:
        """Older versions of the distributions, by name, that lack something."""
        fixed = dict(setting.fixed)
        reasons = list(setting.reasons)
        python = setting.python
        for name, lack in missing.items():
            chosen = self._older(name, lack, replace(setting, python=python))
            if chosen is not None:
                where = "" if chosen.python == python else f" on Python {chosen.python.version}"
                python, fixed[name] = chosen.python, str(chosen.offer.version)
                what = ", ".join(lack.gone)
                reasons.append(f"{name} {fixed[name]}{where}, since newer ones have no {what}.")
        if fixed == setting.fixed:
            return None
        changed = replace(setting, fixed=fixed, python=python, reasons=tuple(reasons))
        return self._going_together(changed)

    def for_failures(
        self, failures: Iterable[Failure], setting: Setting, index: Index
    ) -> Setting | None:
        """The first change that may mend one of `failures`."""
        for failure in failures:
            for changed in self._for_failure(failure, setting, index):
                if changed is not None:
                    return changed
        broken = [failure for failure in failures if not failure.is_of_itself]
        for way in (self._of_its_time, self._for_older_python):
            for failure in broken:
                changed = way(failure.asked, setting)
                if changed is not None:
                    return changed
        return self._as_of(setting)

    def _as_of(self, setting: Setting) -> Setting | None:
        """Everything as it was when the notebook was written: the last that is tried."""
        if self.as_of is None or not self.settler.offers.dated or not self._first("as of"):
            return None
        limits = Limits(self.as_of, _BUILD_TOOLS)
        wish = Wish("setuptools<81", "pkg_resources", True)  # much of that time counts on it
        wishes = setting.wishes
        if not any(held.name == wish.name for held in wishes):
            wishes = (*wishes, wish)
        reason = f"Everything as of {self.as_of:%Y-%m-%d}, since it fails with newer versions."
        return self.settler.anywhere(
            replace(setting, wishes=wishes, fixed={}, limits=limits, reasons=(reason,))
        )

    def _for_failure(
        self, failure: Failure, setting: Setting, index: Index
    ) -> Iterator[Setting | None]:
        if failure.library:
            yield self._headless(failure, setting)
        elif failure.module:
            yield self._with_module(failure, setting, index)
        elif failure.name is not None:
            module, name = failure.name
            yield self._with_name(Asked(module, (name,)), failure, setting, index)

    def _with_module(self, failure: Failure, setting: Setting, index: Index) -> Setting | None:
        """With what holds a module that was not found."""
        module = failure.module
        top = module.partition(".")[0]
        if top in _FORMER:
            return self._companion(_FORMER[top], failure, setting)
        if is_standard(top):
            return self._older_python(f"{top} went out of newer ones", setting)
        row = known().distribution_of(module)
        owners = index.owners(module) if index.owners(top) else ()
        name = owners[0] if owners else row[0].distribution if row else None
        if name is None:
            return None
        if setting.offer(name) is not None:  # it is there, and no longer has it
            return self._with_name(Asked(module), failure, setting, index)
        return self._companion(name, failure, setting)

    def _with_name(
        self, asked: Asked, failure: Failure, setting: Setting, index: Index
    ) -> Setting | None:
        """With an older version of what lacks a module or name."""
        top = asked.module.partition(".")[0]
        if is_standard(top):
            return self._older_python(f"{dotted(asked)[0]} went out of newer ones", setting)
        owners = [o for o in index.owners(asked.module) if setting.offer(o) is not None]
        name = owners[0] if owners else failure.asked.distribution
        whole = [failure.asked] if name == failure.asked.distribution else []
        return self.for_missing({name: Lack((*whole, asked), dotted(asked))}, setting)

    def _companion(self, requirement: str, failure: Failure, setting: Setting) -> Setting | None:
        wish = Wish(requirement, failure.asked.module, True)
        if not self._first(("companion", wish.name)):
            return None
        if any(held.name == wish.name for held in setting.wishes):
            return None
        reason = f"{wish.name}, since {failure.asked.module} needs it and does not say so."
        return self.settler.anywhere(
            replace(setting, wishes=(*setting.wishes, wish), reasons=(*setting.reasons, reason))
        )

    def _headless(self, failure: Failure, setting: Setting) -> Setting | None:
        """Its variant that needs no library of the system, where there is one."""
        name = failure.asked.distribution
        other = f"{name}-headless"
        if other not in known().distributions or not self._first(("headless", name)):
            return None
        wishes = tuple(
            replace(wish, requirement=other) if wish.name == name else wish
            for wish in setting.wishes
        )
        reason = f"{other}, since {failure.library} is not on this machine."
        return self.settler.anywhere(
            replace(setting, wishes=wishes, reasons=(*setting.reasons, reason))
        )

    def _for_older_python(self, asked: Asked, setting: Setting) -> Setting | None:
        return self._older_python(f"{asked.module} fails on newer ones", setting)

    def _older_python(self, why: str, setting: Setting) -> Setting | None:
        older = [p for p in self.settler.pythons if p.parts[:2] < setting.python.parts[:2]]
        for python in sorted(older, key=lambda p: p.parts, reverse=True):
            if self._first(("python", python.version)):
                reason = f"Python {python.version}, since {why}."
                changed = replace(setting, python=python, reasons=(*setting.reasons, reason))
                found = self.settler.on(changed)
                if found is not None:
                    return found
        return None

    def _of_its_time(self, asked: Asked, setting: Setting) -> Setting | None:
        """With what was there when the distribution of `asked` was uploaded, as early as there are
        wheels of it: one that nobody cares for works with what it was made for."""
        name = asked.distribution
        offer = setting.offer(name)
        if offer is None or offer.uploaded is None or not self.settler.offers.dated:
            return None
        others = frozenset(wish.name for wish in setting.wishes) | {normalized(name)}
        for exempt in (others | _BUILD_TOOLS, frozenset({name}) | _BUILD_TOOLS):
            if not self._first(("time", name, exempt)):
                continue
            for later in _LATER:
                limits = Limits(offer.uploaded + later, exempt)
                found = self._limited(name, replace(setting, limits=limits))
                if found is not None and found.offers != setting.offers:
                    return found
        return None

    def _limited(self, name: str, setting: Setting) -> Setting | None:
        until = setting.limits.until
        fixed = {**setting.fixed}
        offer = setting.offer(name)
        if offer is not None:
            fixed[name] = str(offer.version)
        assert until is not None
        reason = f"What {name} needs as of {until:%Y-%m-%d}, since it fails with newer versions."
        return self.settler.anywhere(
            replace(setting, fixed=fixed, reasons=(*setting.reasons, reason))
        )

    def _older(self, name: str, lack: Lack, setting: Setting) -> Found | None:
        now = setting.offer(name)
        if now is None or not self._first(("older", name, now.version, lack.asked)):
            return None
        pythons = (setting.python, *(p for p in self.settler.pythons if p != setting.python))
        self.progress.step(f"Looking for a version of {name} with {', '.join(lack.gone)}")
        return newest_with(lack.asked, now, self.settler.offers, pythons, self.progress)

    def _going_together(self, setting: Setting) -> Setting | None:
        """With versions of the rest that fit the chosen ones; those of their time at last."""
        found = self.settler.anywhere(setting)
        if found is not None:
            return found
        wishes = tuple(w for w in setting.wishes if not w.companion or w.name in setting.fixed)
        return self.settler.anywhere(replace(setting, wishes=wishes))

    def _first(self, key: object) -> bool:
        new = key not in self._given
        self._given.add(key)
        return new
