"""The record of a notebook that runs in a conda environment: `environment.yml` beside it.

What conda installed is listed there, under the name that conda has for it; what pip installed
stays in requirements.txt, which the file's `pip:` section includes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from envmagic import requirements
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError, Problem, Severity
from envmagic.distributions import known
from envmagic.environments import inspection
from envmagic.environments.backends.conda import condarc, edits, environment_file, metadata, specs
from envmagic.operations.entries import Held
from envmagic.operations.succession import Succession, stem
from envmagic.requirements import Block, Entry, Kind, Pin, condafile
from envmagic.requirements.condafile import CondaFile
from envmagic.requirements.lines import encode
from envmagic.system import directories, files, locks

__all__ = ["Owners", "Part", "as_pip", "beside", "owners_of", "split", "update"]


@dataclass(frozen=True)
class Owners:
    """Which conda package of an environment holds which distribution."""

    prefix: Path
    of: Mapping[str, tuple[str, str]]
    """Normalised distribution or package -> the package's name and version."""
    infos: Mapping[str, Path]
    """Normalised distribution -> its dist-info."""

    def owner(self, name: str) -> tuple[str, str] | None:
        """The conda package with the distribution or package `name`; None where pip put it."""
        info = self.infos.get(metadata.normalized(name))
        if info is not None and not metadata.by_conda(info):
            return None
        return self.of.get(metadata.normalized(name))

    def is_of_conda_alone(self, name: str) -> bool:
        """Whether `name` is a package without a dist-info: what pip calls it does not say."""
        return metadata.normalized(name) in self.of and metadata.normalized(name) not in self.infos


@dataclass(frozen=True)
class Part:
    """What conda has of a notebook's needs."""

    notebook: str
    entries: tuple[Entry, ...]
    owners: Owners | None
    """None where the notebook runs elsewhere."""
    keep: bool = False
    """Nothing that the notebook has in the block leaves it."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The line for each distribution by the name that pip has for it."""


def owners_of(prefix: Path) -> Owners | None:
    """The packages of the conda environment at `prefix`; None where it is none."""
    meta = prefix / "conda-meta"
    if not (meta / "history").is_file():
        return None
    try:
        there = metadata.distributions(inspection.inspect(prefix))
    except EnvmagicError:
        return None
    infos = {name: info for name, (_, info) in there.items()}
    return Owners(prefix, _owners(prefix, meta.stat().st_mtime_ns), infos)


@lru_cache(maxsize=8)
def _owners(prefix: Path, stamp: int) -> Mapping[str, tuple[str, str]]:
    """Read from text, since parsing the records of a large environment takes seconds."""
    remembered = directories.cache() / f"conda-{abs(hash_of(prefix)):x}.json"
    try:
        held = json.loads(remembered.read_bytes())
        if held["stamp"] == stamp and held["prefix"] == str(prefix):
            return {name: (package, version) for name, package, version in held["owners"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _read_owners(prefix)
    try:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        rows = [[name, *owner] for name, owner in found.items()]
        content = {"stamp": stamp, "prefix": str(prefix), "owners": rows}
        files.write_atomic(remembered, json.dumps(content).encode())
    except (OSError, EnvmagicError):
        pass  # a cache that cannot be written is made again
    return found


def hash_of(prefix: Path) -> int:
    """A number for `prefix` that is the same in every process."""
    import zlib

    return zlib.crc32(str(prefix).encode("utf-8", "surrogateescape"))


_INFO = re.compile(rb"site-packages/([^/\"\\]+?)-[^/\"\\]*\.(?:dist|egg)-info[/\"]")


def _read_owners(prefix: Path) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for package in metadata.packages(prefix).values():
        owner = (package.name, package.version)
        found.setdefault(metadata.normalized(package.name), owner)
        try:
            raw = package.record.read_bytes()
        except OSError:
            continue
        for match in set(_INFO.findall(raw)):
            found[metadata.normalized(match.decode("utf-8", "replace"))] = owner
    return found


def beside(directory: Path) -> CondaFile | None:
    """The `environment.yml` in `directory`, where it can be read as far as a record needs it.

    Raises `EnvmagicError` (`bad-block`) where it cannot be told what is recorded there: all of it
    would go to requirements.txt.
    """
    path = environment_file.beside(directory)
    try:
        return condafile.read(path) if path is not None else None
    except EnvmagicError as error:
        if error.problem.code == "bad-block":
            raise
        return None  # said when it is to be written


def split(
    notebook: str,
    entries: Sequence[Entry],
    prefix: Path | None,
    pin: Pin,
    beside: CondaFile | None,
    held: Held,
    *,
    keep: bool,
) -> tuple[list[Entry], Part, list[Problem]] | None:
    """Entries that stay in requirements.txt, those for `environment.yml`, and what is to be said.

    `prefix` is where the notebook runs; without it, what `beside` lists for the notebook stays
    there. `held` is what requirements.txt has. None where conda has nothing to do with the
    notebook.
    """
    owners = owners_of(prefix) if prefix is not None else None
    if owners is None and (beside is None or beside.block is None):
        return None
    if owners is None:
        assert beside is not None
        kept, theirs = _as_listed(notebook, entries, beside, held)
        # an import that the file explains may not be the only one
        keep = keep or any(e.kind is Kind.UNRESOLVED and e not in kept for e in entries)
        return kept, Part(notebook, tuple(theirs.values()), None, keep, _lines(theirs)), []
    kept, theirs, problems = [], {}, []
    for entry in entries:
        name = entry.key.partition(";")[0]
        owner = owners.owner(name)
        if entry.kind is not Kind.REQUIREMENT or owner is None:
            kept.append(entry)
            continue
        package, version = owner
        theirs[name] = replace(entry, text=f"{package}{_specifier(pin, version)}")
        if metadata.normalized(package) != name:
            problems.append(_other_name(package, name))
    part = Part(notebook, tuple(theirs.values()), owners, keep, _lines(theirs))
    return kept, part, problems


def _lines(entries: Mapping[str, Entry]) -> dict[str, str]:
    return {name: entry.text for name, entry in entries.items()}


def _as_listed(
    notebook: str, entries: Sequence[Entry], beside: CondaFile, held: Held
) -> tuple[list[Entry], dict[str, Entry]]:
    """What stays for pip, and what `beside` lists for the notebook by the name that pip has for it.

    A line of `beside` that nothing here is called like explains what is called almost like it, and
    then an import that belongs to no known distribution.
    """
    listed = _listed(beside, notebook)
    names = {entry: metadata.normalized(entry.key.partition(";")[0]) for entry in entries}
    found = {entry: listed[name] for entry, name in names.items() if name in listed}
    left = {e.text: e for e in listed.values() if e not in found.values()}
    stems = {stem(name): e for name, e in listed.items() if e.text in left}
    pinned = {e.key.partition(";")[0] for e in held.of(notebook)}
    for entry, name in names.items():
        if entry in found or entry.kind is not Kind.REQUIREMENT or name in pinned:
            continue
        if stem(name) in stems:
            found[entry] = stems[stem(name)]
            left.pop(found[entry].text, None)
    kept: list[Entry] = []
    theirs: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind is Kind.REQUIREMENT and entry in found:
            theirs[names[entry]] = replace(found[entry], mentions=entry.mentions)
        elif entry.kind is not Kind.UNRESOLVED or not (
            entry in found or (left and not held.lists(entry.text, notebook))
        ):
            kept.append(entry)
    return kept, theirs


def as_pip(
    entries: Sequence[Entry], modules: Mapping[str, Sequence[str]], prefix: Path | None
) -> tuple[list[Entry], list[Problem]]:
    """`entries` as pip can install them, where conda alone knows what is installed at `prefix`.

    `modules` are those imported of each distribution. Conda's versions are not pip's, so such a
    line has none; where no distribution is known a comment says the import.
    """
    owners = owners_of(prefix) if prefix is not None else None
    if owners is None:
        return list(entries), []
    found: list[Entry] = []
    problems: list[Problem] = []
    for entry in entries:
        name = entry.key.partition(";")[0]
        if entry.kind is not Kind.REQUIREMENT or not owners.is_of_conda_alone(name):
            found.append(entry)
            continue
        called = _called_by_pip(name, modules.get(name, ()))
        if called is not None:
            found.append(replace(entry, text=called))
            continue
        text = next(iter(modules.get(name, ())), name)
        found.append(Entry(Kind.UNRESOLVED, text, entry.mentions))
        problems.append(_conda_alone(name))
    return found, problems


def _called_by_pip(package: str, modules: Sequence[str]) -> str | None:
    for module in modules:
        row = known().distribution_of(module)
        if row is not None and row[0].distribution:
            return row[0].distribution
    name = metadata.normalized(specs.python_name(package))
    return name if name in known().distributions else None


def update(
    directory: Path,
    parts: Sequence[Part],
    block: Block,
    same_environment: Callable[[str, str], bool],
    *,
    succession: Succession,
    check: bool,
) -> tuple[Path | None, str, list[Problem]]:
    """Bring `environment.yml` in `directory` up to date with `parts`; `block` is the one in
    requirements.txt, whose state holds here too.

    Returns the file if it changed (or, with `check`, would), its diff, and warnings.
    """
    path = environment_file.beside(directory) or directory / environment_file.NAMES[0]
    try:
        with locks.lock(path):
            return _updated(path, parts, block, same_environment, succession, check=check)
    except EnvmagicError as error:
        return None, "", [replace(error.problem, severity=Severity.WARNING)]


def _updated(
    path: Path,
    parts: Sequence[Part],
    block: Block,
    same_environment: Callable[[str, str], bool],
    succession: Succession,
    *,
    check: bool,
) -> tuple[Path | None, str, list[Problem]]:
    present = condafile.read(path)
    old = present.block if present is not None else None
    if old is None and not any(part.entries for part in parts):
        return None, "", []
    file = present or _fresh(path, parts)
    python = old.python if check and old is not None else block.python  # as in requirements.txt
    base = succession.of(old or Block()).restyled(block.pin, exact="=")
    base = replace(base, pin=block.pin, recording=block.recording, python=python)
    while True:
        merged, problems = _merged(file, parts, base, same_environment, succession)
        settled = file.settled(merged)
        if settled is file:
            break
        file = settled
    include = (path.parent / "requirements.txt").is_file() or bool(block.entries)
    content = file.with_block(merged, include=include)
    if include and file.pip_section is not None and condafile.INCLUDE not in file.pip_section:
        problems.append(_own_section(path))
    current = file.raw
    if file.is_current(merged, include=include):
        return None, "", problems
    _verify(file, current, content, merged)
    if check:
        return path, _diff(path, current, content), problems
    if not files.write_over(path, current, content):  # somebody has saved it meanwhile
        return _updated(path, parts, block, same_environment, succession, check=check)
    return path, "", problems


def _merged(
    file: CondaFile,
    parts: Sequence[Part],
    merged: Block,
    same_environment: Callable[[str, str], bool],
    succession: Succession,
) -> tuple[Block, list[Problem]]:
    """The block with `parts`, where `file` is what the user has; and what is to be said."""
    problems: list[Problem] = []
    found: list[Entry] = []
    for part in parts:
        mine = [e for e in part.entries if specs.conda_name(e.text) not in file.names]
        settled = [_settled(e, merged, part, same_environment, problems) for e in mine]
        settled += _staying(settled, file.proven(merged, ()), part)
        merged = merged.replaced({part.notebook: settled})
        found += settled
    merged = file.proven(merged, found)
    listed = {e.name for e in merged.entries if specs.conda_name(e.text) in file.names}
    return merged.without(succession.lost).without_names(listed), problems


def _fresh(path: Path, parts: Sequence[Part]) -> CondaFile:
    owners = next(part.owners for part in parts if part.owners is not None)
    prefix = owners.prefix
    generic = prefix.name.startswith(".") or prefix.name in {"venv", "env"}
    name = names.kernel_name_of(prefix) if generic else prefix.name
    channels = [_short(channel) for channel in metadata.channels(prefix)]
    return condafile.new(path, name, channels or [condarc.CONDA_FORGE])


def _short(channel: str) -> str:
    """A channel of the public server by its name alone, as everybody writes it."""
    match = re.fullmatch(r"https://conda\.anaconda\.org/([\w.-]+)", channel)
    return match[1] if match else channel


def _staying(entries: Sequence[Entry], block: Block, part: Part) -> list[Entry]:
    """What was installed by name and is there still, though nothing in the notebook says so."""
    found = {entry.key for entry in entries}
    stay: list[Entry] = []
    for entry in block.entries:
        there = part.owners is None or part.owners.owner(specs.conda_name(entry.text)) is not None
        for mention in entry.mentions:
            mine = mention.notebook == part.notebook and entry.key not in found
            if mine and (part.keep or (mention.installed and there)):
                stay.append(replace(entry, mentions=(mention,)))
    return stay


def _settled(
    entry: Entry,
    block: Block,
    part: Part,
    same_environment: Callable[[str, str], bool],
    problems: list[Problem],
) -> Entry:
    """`entry`, or with the text that other notebooks hold, as requirements.txt does it."""
    held = next((e for e in block.entries if e.key == entry.key and e.mentions), None)
    if held is None or held.text == entry.text or part.owners is None:
        return entry
    others = [m.notebook for m in held.mentions if m.notebook != part.notebook]
    spec, owner = specs.parse(held.text), part.owners.owner(specs.conda_name(entry.text))
    if not others or all(same_environment(part.notebook, other) for other in others):
        return entry
    if spec is not None and owner is not None and spec.accepts(owner[1]):
        return replace(entry, text=held.text)
    problems.append(
        Problem(
            "record-conflict",
            f"{part.notebook} has {entry.text}, but {held.text} stays in environment.yml"
            f" for {', '.join(others)}.",
            "Install the same version in both environments, or keep the notebooks apart.",
            Severity.WARNING,
            entry.key,
        )
    )
    return replace(entry, text=held.text)


def _listed(beside: CondaFile | None, notebook: str) -> dict[str, Entry]:
    """What the file lists for `notebook`: distribution -> entry."""
    if beside is None or beside.block is None:
        return {}
    found: dict[str, Entry] = {}
    for entry in beside.block.entries:
        if any(m.notebook == notebook for m in entry.mentions):
            package = specs.conda_name(entry.text)
            found[metadata.normalized(package)] = entry
            found[metadata.normalized(specs.python_name(package))] = entry
    return found


def _specifier(pin: Pin, version: str) -> str:
    if pin is Pin.NONE:
        return ""
    if pin is Pin.EXACT:
        return f"={version}"  # what `conda env export` writes
    return pin.specifier(version)


def _verify(file: CondaFile, current: bytes, content: bytes, block: Block) -> None:
    """Refuse to write what conda would read otherwise, or what nobody here can tell."""
    edits.prove(
        edits.Edit(
            file.path,
            current,
            content,
            file.mark + encode(file.before + file.after, file.encoding),
            _requirements(file.block or Block()),
            _requirements(block),
            condafile.INCLUDE,
        )
    )


def _requirements(block: Block) -> tuple[str, ...]:
    return tuple(entry.text for entry in block.entries if entry.kind is Kind.REQUIREMENT)


def _diff(path: Path, old: bytes, content: bytes) -> str:
    import difflib

    name = display.user_path(path)
    before, after = (
        requirements.decode(raw)[0].splitlines(keepends=True) for raw in (old, content)
    )
    return "".join(difflib.unified_diff(before, after, name, f"{name} (as it should be)"))


def _other_name(package: str, name: str) -> Problem:
    return Problem(
        "conda-name",
        f"environment.yml says {package}, which is conda's name for what pip calls {name}.",
        severity=Severity.INFO,
        subject=name,
    )


def _conda_alone(package: str) -> Problem:
    return Problem(
        "conda-alone",
        f"{package} is conda's, and no distribution is known that pip could install instead.",
        "environment.yml can list it: %env record",
        Severity.WARNING,
        package,
    )


def _own_section(path: Path) -> Problem:
    return Problem(
        "pip-section",
        f"{display.user_path(path)} has a pip: section of its own, and conda takes only one.",
        f"Add this line to it: - {condafile.INCLUDE}",
        Severity.WARNING,
        str(path),
    )
