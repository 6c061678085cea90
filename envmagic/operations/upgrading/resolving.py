"""The newest versions that go together, asked of the installer, which installs nothing for it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.core.names import normalized
from envmagic.environments import history, satisfaction
from envmagic.environments.backends import commands, installers, settings, tool_errors
from envmagic.environments.backends.arrivals import Arrivals
from envmagic.environments.inventory import Inventory
from envmagic.environments.runtimes import own_copy
from envmagic.operations.upgrading.limits import Limits
from envmagic.requirements.options import given
from envmagic.system import process, scratch

__all__ = ["Asked", "elsewhere", "names_in", "resolved"]

_WHAT = "newer versions"
_WHEELS_ONLY = ("--only-binary", ":all:")


@dataclass(frozen=True)
class Asked:
    """What is to be upgraded, within which limits, for which Python."""

    there: Inventory
    limits: Limits
    directory: Path
    python: Path
    version: str
    """Of that Python, `3.12.4`."""
    packages: frozenset[str] = frozenset()
    """Normalised names of what alone is to be newer; empty: everything."""
    finding: tuple[str, ...] = ()
    """As in `InstallPlan`."""
    others_stay: bool = False
    """What is not among the `packages` keeps its version where it can, also without any."""
    wheels_only: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    """Of what comes from no index: normalised name -> the line that installs it."""

    @property
    def names(self) -> list[str]:
        """What comes from the user's index, in the order in which it is asked for."""
        found = [name for name in names_in(self.there) if name not in self.sources]
        return sorted(found, key=lambda name: (name not in self.packages, name))

    @cached_property
    def outgrown(self) -> frozenset[str]:
        """The names of what is there in a version that nothing which was written allows."""
        versions = self.there.versions
        return frozenset(n for n in self.names if not self.limits.allow(n, versions[n]))

    @property
    def is_here(self) -> bool:
        """Whether it is for the environment's own Python."""
        return self.python == self.there.environment.python


def names_in(there: Inventory) -> list[str]:
    """The distributions in an environment that are its own: without pip, and what we put there."""
    return [
        name
        for name, (_, info) in sorted(there.distributions.items())
        if name != "pip" and not own_copy.is_ours(info)
    ]


def elsewhere(there: Inventory) -> dict[str, str]:
    """Normalised name -> line of what came from a URL, a repository or a directory, and of what
    has a local version (`2.1+cu118`), which the user's index need not have."""
    lines = history.lines_of(there)
    return {
        name: lines[name]
        for name in names_in(there)
        if lines[name].startswith("-e ") or " @ " in lines[name] or "+" in lines[name]
    }


def resolved(asked: Asked, progress: Progress) -> Mapping[str, str]:
    """Normalised name -> version of all that goes together, the newest of what is to be newer.

    Nothing becomes older where that can be, not even where the user wrote an older version than is
    there. Raises `EnvmagicError` where there is no such set, or
    an index cannot be reached.
    """
    run = _by_pip if commands.find_uv() is None else _by_uv
    roots = _roots(asked, from_now=True)
    try:
        within = replace(asked, limits=asked.limits.without(asked.outgrown))
        return run(within, roots, progress)
    except process.CommandFailed:
        try:
            return run(asked, _roots(asked, from_now=False), progress)
        except process.CommandFailed as error:
            raise tool_errors.explain(error, _WHAT) from error


def _roots(asked: Asked, *, from_now: bool) -> list[str]:
    """A line for each distribution that is there; of what comes from no index what it needs."""
    roots = []
    for name in asked.names:
        now = asked.there.versions[name]
        extras = asked.limits.extras.get(name)
        bound = from_now and satisfaction.is_version(now)
        least = "==" if name in asked.outgrown else ">="
        shown = f"[{','.join(sorted(extras))}]" if extras else ""
        roots.append(f"{name}{shown}" + (f"{least}{now}" if bound else ""))
    needed = set()
    for name in names_in(asked.there):
        info = asked.there.distributions[name][1]
        for requirement in satisfaction.requirements_of(info, asked.version):
            needed.add(normalized(requirement.name))
            if name in asked.sources:
                requirement.marker = None
                roots.append(str(requirement))
    roots += [line for name, line in asked.sources.items() if name in needed and "==" not in line]
    return roots


def _by_uv(asked: Asked, roots: Sequence[str], progress: Progress) -> Mapping[str, str]:
    uv = commands.find_uv()
    assert uv is not None
    words = commands.uv_command(uv, "pip", "compile", "-", "--quiet", "--no-header")
    words += ["--no-annotate", "-p", asked.python, *_WHEELS_ONLY * asked.wheels_only]
    if asked.packages:
        words += [word for name in sorted(asked.packages) for word in ("-P", name)]
    elif not asked.others_stay:
        words.append("--upgrade")
    with scratch.beside(Path(tempfile.gettempdir())) as place:
        place.mkdir(0o700)
        file = place / "requirements.txt"  # what stands there is kept where it can be
        held = [f"{name}=={asked.there.versions[name]}\n" for name in asked.names]
        file.write_text("".join(held), "utf-8")
        _run([*words, "-o", file], asked, [*_finding(asked), *roots], progress)
        return _pins(file.read_text("utf-8"))


def _by_pip(asked: Asked, roots: Sequence[str], progress: Progress) -> Mapping[str, str]:
    sites = asked.there.environment.site_packages if asked.is_here else ()
    words = [*commands.pip_command(asked.python, sites), "install", "--dry-run", "--quiet"]
    words += ["--report", "-", *_WHEELS_ONLY * asked.wheels_only]
    words += [] if asked.is_here else ["--ignore-installed"]
    if not asked.others_stay:
        words += ["--upgrade", "--upgrade-strategy"]
        words.append("only-if-needed" if asked.packages else "eager")
    more: list[str] = []
    if asked.packages and asked.is_here:
        more = _needed_by_others(asked)  # it takes no notice of what it is not asked for
        roots = [root for root in roots if _named(root) in asked.packages]
    said = _run([*words, *_finding(asked), *roots], asked, [], progress, more)
    held = {name: asked.there.versions[name] for name in asked.names} if asked.is_here else {}
    try:
        items = json.loads(said)["install"]
        came = {normalized(i["metadata"]["name"]): str(i["metadata"]["version"]) for i in items}
    except (ValueError, KeyError, TypeError) as error:
        raise EnvmagicError("install-failed", "pip did not say what it would install.") from error
    return {**held, **came}


def _needed_by_others(asked: Asked) -> list[str]:
    """What those that are not asked for need, as constraints."""
    found = []
    for name in names_in(asked.there):
        if name not in asked.packages:
            info = asked.there.distributions[name][1]
            needed = satisfaction.requirements_of(info, asked.version)
            found += [f"{r.name}{r.specifier}" for r in needed if r.specifier]
    return found


def _run(
    words: Sequence[str | Path],
    asked: Asked,
    lines: Sequence[str],
    progress: Progress,
    more: Sequence[str] = (),
) -> str:
    """What the installer says that is asked by `words`, and gets `lines`, within the limits."""
    prefix = asked.there.environment.prefix
    constraints = (*asked.limits.constraints({*asked.names, *asked.packages}), *more)
    with (
        installers.written(constraints) as file,
        settings.told(asked.directory, prefix) as variables,
    ):
        return process.run(
            [*words, *(("-c", file) if file is not None else ())],
            env=variables,
            cwd=asked.directory,
            input="".join(f"{line}\n" for line in lines),
            on_line=Arrivals(progress).heard,
            on_wait=lambda _: progress.waiting(),
        ).stdout


def _finding(asked: Asked) -> list[str]:
    """The options that hold: lines for uv, words for pip."""
    options = [each for line in asked.finding for each in given(line)]
    if commands.find_uv() is not None:
        return [each.line for each in options if each.option.uv_knows]
    return [w for each in options for w in (each.option.name, each.value) if w]


def _pins(text: str) -> dict[str, str]:
    found = {}
    for line in requirements.parse_lines(text, ""):
        version = next(iter(line.requirement.specifier), None) if line.requirement else None
        if line.name is not None and version is not None:
            found[line.name] = version.version
    return found


def _named(root: str) -> str:
    requirement = requirements.requirement(root)
    return normalized(requirement.name) if requirement is not None else ""
