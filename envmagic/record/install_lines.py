"""The lines of a notebook that install: what they tell of what it needs."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.distributions import (
    Evidence,
    Index,
    known,
    meant_distribution,
)
from envmagic.imports import Install, Scan, Where
from envmagic.jupyter.notebook_file import NotebookFile
from envmagic.record import evidence
from envmagic.record.conditions import with_conditional, with_line
from envmagic.record.need import Need, Surroundings, Taken
from envmagic.record.user_lines import project_name
from envmagic.system import reading

__all__ = [
    "installs_of",
    "is_elsewhere",
    "is_python",
    "modules_of",
    "take_install",
    "taken_out",
    "that_worked",
    "told_by",
    "url_of",
]

# What a notebook installs only to install with.
_INSTALLERS = frozenset(
    """
    pip pip3 install envmagic ipykernel setuptools wheel uv virtualenv pipenv poetry conda mamba
    pip-tools condacolab build
    """.split()
)


_HTTP_USER = re.compile(r"(?<=https://)[^/@\s]+@|(?<=http://)[^/@\s]+@")


_COMMAND_END = re.compile(r"\n|;|&&|\|\|")


_INSTALLING = re.compile(r"\s*(?:[%!]|pip|python|uv|conda|mamba).*?\b(un)?install\s")


def that_worked(
    installs: Iterable[Install], notebook: NotebookFile, sources: Surroundings, index: Index | None
) -> list[Install]:
    """Those that nothing says of that they failed."""
    if index is not None and sources.live is not None:
        return evidence.there(installs, index, sources.live)
    complaints = {c.number: c.complaint for c in notebook.cells if c.complaint}
    return evidence.unfailed(list(installs), complaints)


def taken_out(cells: Iterable[str]) -> frozenset[str]:
    """Distributions that an uninstall command takes out and no later one installs again."""
    out: set[str] = set()
    for source in cells:
        if "uninstall" not in source and not (out and "install" in source):
            continue
        for command in _COMMAND_END.split(source):
            told = _INSTALLING.match(command)
            if told is not None:
                words = {_normalized(word) for word in command[told.end() :].split()}
                out = out | words if told[1] == "un" else out - words
    return frozenset(out)


def _normalized(word: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~;@]", word.strip("\"'"))[0]).lower()


def installs_of(
    scan: Scan, directory: Path, sources: Surroundings, files: set[str]
) -> list[Install]:
    """Install lines, files they name and `%%env` bodies, as one list.

    What is named in files that somebody wrote is added to `files`.
    """
    found: list[Install] = []
    for install in scan.installs:
        if install.file is None:
            found.append(install)
        elif install.file in scan.written:
            found += _of_text(scan.written[install.file], install.where)
        else:
            listed = _of_file(directory / install.file, install.where, sources.target)
            files.update(i.name for i in listed if i.name is not None)
            found += listed
    for where, body in scan.requirements:
        found += _of_text(body, where)
    return [_named(i, directory) if _is_path(i) else _meant(i) for i in found]


def modules_of(installs: Iterable[Install], directory: Path) -> dict[str, str]:
    """What the projects hold that `installs` install from a path: modules, and the projects."""
    found: dict[str, str] = {}
    for install in installs:
        if install.project and not is_elsewhere(install):
            root = directory / _path_of(install)
            for place in (root, root / "src"):
                for init in [*place.glob("*/__init__.py"), *place.glob("*.py")]:
                    module = init.parent.name if init.name == "__init__.py" else init.stem
                    found.setdefault(module, install.project)
    return found


def _named(install: Install, directory: Path) -> Install:
    """`pip install -e .` with the name of the project there."""
    name = project_name(directory / _path_of(install)) if install.file is None else None
    return replace(install, project=name) if name else install


def _meant(install: Install) -> Install:
    """`pip install sklearn` as what that placeholder stands for."""
    requirement, name = install.requirement, install.name
    if requirement is None or name is None or install.conda:
        return install
    meant = meant_distribution(name, versioned=bool(requirement.specifier))
    if meant is None:
        return install
    other = copy.copy(requirement)
    other.name, other.specifier = meant, type(requirement.specifier)()
    return replace(install, text=meant, requirement=other)


def _path_of(install: Install) -> str:
    """The path without the extras: of `.[dev]` it is `.`."""
    return re.sub(r"\[[^\]]*\]$", "", install.text)


def told_by(installed: Sequence[str]) -> list[Install]:
    return [i for text in installed for i in _of_text(text, Where())]


def _of_file(path: Path, where: Where, target: Path | None) -> list[Install]:
    try:
        if target is not None and path.resolve() == target.resolve():
            return []
        return _of_text(requirements.decode(reading.content(path))[0], where)
    except (OSError, ValueError):
        return []


def _of_text(text: str, where: Where) -> list[Install]:
    try:
        lines = requirements.parse_lines(text, "")
    except EnvmagicError:
        lines = _as_conda(text)
    return [
        Install(line.text, where, line.requirement)
        for line in lines
        if not line.is_option and not line.is_editable
    ]


def _as_conda(text: str) -> tuple[requirements.RequirementLine, ...]:
    """The lines of a body that is written as conda does, as pip would write them."""
    from envmagic.environments.backends.conda import specs

    try:
        meant = [specs.for_pip(line) for line in specs.lines_of(text, "")]
        return requirements.parse_lines("\n".join(meant), "")
    except EnvmagicError:
        return ()


def take_install(install: Install, taken: Taken, confirmed: Callable[[str], bool]) -> None:
    """An install line says extras and versions of what is imported, and names more, where it is
    `confirmed` that there is such a distribution."""
    name = install.name
    if name is None:
        return
    if _is_path(install):
        _take_path(name, install, taken)
        return
    url = url_of(install)
    held = taken.needs.get(name) or (_of_module(name, taken) if url else None)
    if held is None:
        # `pip install sklearn`: the name of a module that another distribution holds
        mistaken = any(
            m.partition(".")[0] == name for n in taken.needs.values() for m, _ in n.sites
        )
        if mistaken or name in _INSTALLERS or (install.conda and not is_python(name)):
            return
        if name in sys.stdlib_module_names:  # `pip install json`
            return
        if not url and not confirmed(name):
            taken.unconfirmed.setdefault(name, install.where)
            return
        held = Need(name, Evidence.INSTALL_LINE.value, imported=False)
    if install.requirement is not None and not install.conda:
        if install.requirement.marker is not None:
            sites = held.sites if held.imported else (*held.sites, ("", install.where))
            found = with_conditional(held, install.requirement, url)
            taken.needs[held.name] = replace(found, sites=sites)
            return
        held = with_line(held, install.requirement)
    sites = held.sites if held.imported else (*held.sites, ("", install.where))
    named = held.named and (not url or _says_name(install) or _known(held))
    # a module that may be missing is there when the notebook itself installs it
    taken.needs[held.name] = replace(
        held, url=url or held.url, named=named, sites=sites, optional=False, plain=True
    )


def _take_path(name: str, install: Install, taken: Taken) -> None:
    """`pip install -e ./mine` says where a module comes from that is imported, if it does so for
    every machine. What the index has is rather a copy of that (`git clone`, then a path)."""
    held = taken.needs.get(name)
    if held is None or held.evidence != Evidence.INSTALL_LINE.value or is_elsewhere(install):
        return
    if _known(held):
        return
    line = f"-e {install.text}" if install.editable else install.text
    taken.needs[name] = replace(held, url=line, named=False, optional=False)


def is_elsewhere(install: Install) -> bool:
    """A path that means something on this machine only."""
    return _is_path(install) and not re.match(r"\.{1,2}(?:[/\\\[]|$)", install.text)


def is_python(name: str) -> bool:
    """Whether what conda calls `name` is a distribution that pip calls so too."""
    return name in known().distributions


def _of_module(name: str, taken: Taken) -> Need | None:
    """The need for the module that a repository is called after: `acme`, which dm-acme holds."""
    for need in taken.needs.values():
        if any(_normalized(module.partition(".")[0]) == name for module, _ in need.sites):
            return need
    return None


def _says_name(install: Install) -> bool:
    return install.requirement is not None or "egg=" in install.text


def _known(need: Need) -> bool:
    """Whether the module that is imported is known to be in the distribution of that name."""
    found = (known().distribution_of(module) for module, _ in need.sites)
    return any(held is not None and held[0].distribution == need.name for held in found)


def url_of(install: Install) -> str:
    text = install.text
    if install.requirement is not None:
        text = install.requirement.url or ""
    elif _is_path(install):
        return ""
    return _HTTP_USER.sub("", text) if "://" in text else ""


def _is_path(install: Install) -> bool:
    return install.requirement is None and "://" not in install.text
