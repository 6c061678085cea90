"""What to ask for and what to look at afterwards, from a notebook's cells alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement

from envmagic.core.names import normalized
from envmagic.distributions import Evidence, is_provided, is_standard, known
from envmagic.distributions.companions import companions_of
from envmagic.imports import ImportSite
from envmagic.jupyter import notebook_file
from envmagic.record.need import Need, Needs, Surroundings
from envmagic.record.needs import needs_of

__all__ = ["Asked", "Guess", "Wish", "dotted", "guess_of"]


@dataclass(frozen=True)
class Wish:
    """A requirement that is guessed."""

    requirement: str
    why: str
    """The module or call that it is for."""
    companion: bool = False
    """Nothing imports it, so that no other Python is taken for it."""

    @property
    def name(self) -> str:
        """Normalised, of the distribution."""
        return normalized(Requirement(self.requirement).name)


@dataclass(frozen=True)
class Asked:
    """A module that the notebook imports, and the names that it takes from it."""

    module: str
    names: tuple[str, ...] = ()
    distribution: str = ""
    """Normalised name of what is to hold it; empty where nothing is known."""

    @property
    def statement(self) -> str:
        """The import as it is typed."""
        if self.names:
            return f"from {self.module} import {', '.join(self.names)}"
        return f"import {self.module}"


def dotted(asked: Asked) -> tuple[str, ...]:
    """The modules and names that are asked for, `a.b.name`."""
    return tuple(f"{asked.module}.{name}" for name in asked.names) or (asked.module,)


@dataclass(frozen=True)
class Guess:
    """What a notebook that declares nothing is to be given."""

    wishes: tuple[Wish, ...] = ()
    unresolved: tuple[str, ...] = ()
    """Modules of which nothing is known."""
    left_out: tuple[str, ...] = ()
    """What it installs from elsewhere than an index, and names that nothing confirms."""
    imports: tuple[Asked, ...] = ()
    """To be looked at in what was installed; optional ones are not among them."""


def guess_of(path: Path, sources: Surroundings | None = None) -> Guess:
    """What the notebook `path` is to be given: nothing is installed, run or asked for that.

    Raises `EnvmagicError` when it cannot be read.
    """
    sources = sources or Surroundings()
    needs = needs_of(path, sources)
    saved = notebook_file.read(path).cells if sources.saved else ()
    code = "\n".join([*(cell.source for cell in saved), *sources.cells])
    taken, left = _taken(needs.needs)
    imports = _imports(needs)
    modules = {f"{a.module}.{n}" for a in imports for n in a.names} | {a.module for a in imports}
    names = {wish.name for wish in taken}
    more = [Wish(c.requirement, c.why, True) for c in companions_of(modules, code, names)]
    left += [name for name, _ in needs.unconfirmed]
    return Guess(
        _joined([*taken, *more]),
        tuple(module for module, _ in needs.unresolved),
        tuple(sorted(set(left))),
        imports,
    )


def _taken(needs: Iterable[Need]) -> tuple[list[Wish], list[str]]:
    """What an index can be asked for, and the rest."""
    wishes: list[Wish] = []
    left: list[str] = []
    install_line = Evidence.INSTALL_LINE.value
    for need in needs:
        if need.optional:
            continue
        if need.url:
            left.append(need.url)
        elif need.evidence == install_line and need.name not in known().distributions:
            left.append(need.name)
        else:
            extras = f"[{','.join(sorted(need.extras))}]" if need.extras else ""
            used = need.evidence == Evidence.USED_AS.value
            said = "a string in it" if used else "an install line"
            why = next((module for module, _ in need.sites if module), said)
            line = f"{need.name}{extras}{need.specifier}"
            wishes.append(Wish(line, why, companion=used or not need.imported))
    return wishes, left


def _joined(wishes: Iterable[Wish]) -> tuple[Wish, ...]:
    """One wish for each distribution, with the extras and versions of all."""
    found: dict[str, Wish] = {}
    for wish in wishes:
        held = found.get(wish.name)
        if held is None:
            found[wish.name] = wish
            continue
        both, more = Requirement(held.requirement), Requirement(wish.requirement)
        both.extras |= more.extras
        both.specifier &= more.specifier
        found[wish.name] = replace(held, requirement=str(both))
    return tuple(found.values())


def _imports(needs: Needs) -> tuple[Asked, ...]:
    local = set(needs.local)
    holders = {module: need.name for need in needs.needs for module, _ in need.sites}
    found: dict[tuple[str, str], set[str]] = {}
    for site in needs.imports:
        if not _counts(site) or site.module in local:
            continue
        if site.module in holders or not known().is_namespace(site.module) or not site.names:
            key = site.module, holders.get(site.module, "")
            found.setdefault(key, set()).update(n for n in site.names if n != "*")
            continue
        for name in site.names:  # in a namespace each is a module of some distribution
            dotted = f"{site.module}.{name}"
            found.setdefault((dotted, holders.get(dotted, "")), set())
    return tuple(Asked(m, tuple(sorted(names)), held) for (m, held), names in found.items())


def _counts(site: ImportSite) -> bool:
    if site.optional or site.level or not site.module or site.extension:
        return False
    return not is_standard(site.top) and not is_provided(site.module) and site.top != "envmagic"
