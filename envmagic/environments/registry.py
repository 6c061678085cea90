"""Which environment or kernel a word means."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from envmagic.core import display, names
from envmagic.core.display import quoted
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Environment, Frontend, Kernel, Place
from envmagic.core.schema import EnvironmentData
from envmagic.environments import backends, journal, ownership, renamed
from envmagic.environments.backends.conda import discovery
from envmagic.jupyter import kernelspecs
from envmagic.system import directories, locks, prefix_layout

__all__ = [
    "Target",
    "declared",
    "describe",
    "environment_at",
    "environment_of",
    "existing",
    "is_this_process",
    "known_prefixes",
    "no_such",
    "outside_environment",
    "target",
]


@dataclass(frozen=True)
class Target:
    """A place for an environment: where it is or would be, and what its kernel is called."""

    prefix: Path
    name: str


def target(word: str | None, place: Place) -> Target:
    """Where `create` works for `word`: an existing environment of that NAME, else a new place."""
    if word is not None and word.lower().endswith(".ipynb"):
        by_name = place.frontend is Frontend.TERMINAL
        raise WordsError(
            "is-a-notebook",
            f"{quoted(word)} is a notebook.",
            "" if by_name else "Leave it out: the notebook you type in is meant.",
            command=("create", "--notebook", word) if by_name else (),
            subject=word,
        )
    if word is None:
        prefix = place.directory / ".venv"
        return Target(prefix, names.kernel_name_of(prefix))
    if names.is_path(word):
        prefix = _path(word, place)
        return Target(prefix, names.kernel_name_of(prefix))
    name = names.validate(word)
    found = _by_name(name)
    if found is None and kernelspecs.find(name) is not None:
        raise WordsError(
            "kernel-taken",
            f"A kernel is called {name!r} already, and envmagic did not make it.",
            "Choose another name, or move there",
            subject=name,
            command=("use", name),
        )
    return found or Target(directories.envs() / name, name)


def declared(word: str | None, place: Place) -> Target:
    """As `target`, in a cell that was written before: what it names may have been renamed since."""
    at = target(word, place)
    if word is None or names.is_path(word) or os.path.lexists(at.prefix):
        return at
    known = renamed.called(at.name)
    return Target(Path(known.new), known.name) if known is not None else at


def existing(word: str, place: Place) -> Target:
    """The environment `word` means. Raises `WordsError` when there is none, with close names."""
    if names.is_path(word):
        prefix = _path(word, place)
        return Target(prefix, names.kernel_name_of(prefix))
    found = _by_name(word.lower())
    if found is None:
        raise no_such(word)
    return found


def no_such(word: str) -> WordsError:
    """That nothing is called `word`; the hint has the nearest names."""
    known = {k.name for k in kernelspecs.every() if k.ours} | set(_home_names())
    known |= {discovery.name_of(prefix) for prefix in discovery.prefixes()}
    near = difflib.get_close_matches(word.lower(), known, 3, 0.6)
    return WordsError(
        "no-environment",
        f"No environment is called {quoted(word)}.",
        f"Did you mean {' or '.join(near)}?" if near else "To see those there are",
        command=() if near else ("list",),
        subject=word,
    )


def environment_at(prefix: Path) -> Environment:
    """The environment at `prefix`, with whether it is ours.

    Raises as `backends.inspect`, and where it is half made or half removed.
    """
    entry = journal.unfinished_at(prefix)
    if entry is not None:
        raise _unfinished(entry)
    return backends.inspect(prefix, owned=ownership.is_owned(prefix))


def known_prefixes(place: Place) -> list[Path]:
    """Every environment known: registered, made by NAME, of conda, this notebook's, `.venv`.

    Registered ones are among them even when they are gone from the disk; one that is being made or
    removed is not.
    """
    registered = [k.prefix for k in kernelspecs.every() if k.prefix is not None]
    others = [directories.envs() / name for name in _home_names()]
    others += [*discovery.prefixes(), place.directory / ".venv"]
    if place.prefix is not None:
        others.append(place.prefix)
    found: dict[str, Path] = {}
    for prefix in (*registered, *(p for p in others if backends.is_environment(p))):
        found.setdefault(prefix_layout.identity(prefix), prefix)
    return [prefix for prefix in found.values() if journal.unfinished_at(prefix) is None]


def describe(environment: Environment, kernel: Kernel | None, place: Place) -> EnvironmentData:
    """`environment` as the reports show it."""
    return EnvironmentData(
        name=kernel.name if kernel else names.kernel_name_of(environment.prefix),
        prefix=str(environment.prefix),
        python=environment.version,
        backend=environment.backend.value,
        owned=environment.owned,
        kernel=kernel.name if kernel else None,
        display_name=kernel.display_name if kernel else "",
        current=prefix_layout.same(environment.prefix, place.prefix),
        size=None,
        problem="",
    )


def _unfinished(entry: journal.JournalEntry) -> EnvmagicError:
    what = "removed" if entry.removing else "moved" if entry.to else "made"
    if not locks.is_free(Path(entry.prefix)) and entry.running:
        return EnvmagicError(
            "locked",
            f"{display.user_path(entry.prefix)} is being {what} by another envmagic.",
            "Try again when that is done.",
            subject=entry.prefix,
        )
    return EnvmagicError(
        "half-deleted" if entry.removing else "half-made",
        f"{display.user_path(entry.prefix)} is only half {what}.",
        "To clear it away",
        subject=entry.prefix,
        command=("doctor", "--fix"),
    )


def _path(word: str, place: Place) -> Path:
    expanded = os.path.expanduser(word)
    if expanded.startswith("~"):
        raise WordsError("bad-path", f"{word!r} begins with ~ and no user's name.", subject=word)
    prefix = Path(os.path.abspath(place.directory / expanded))
    if any(ord(c) < 32 for c in str(prefix)):
        raise WordsError("bad-path", f"{quoted(word)} holds a control character.", subject=word)
    if os.pathsep in str(prefix):
        raise WordsError(
            "bad-path",
            f"{quoted(word)} holds {os.pathsep!r}, which separates the directories of PATH.",
            "Choose another directory.",
            subject=word,
        )
    return prefix


def _by_name(name: str) -> Target | None:
    found: dict[str, Path] = {}
    chosen = name
    kernel = kernelspecs.find(name)
    if kernel is not None and kernel.prefix is not None:
        found[prefix_layout.identity(kernel.prefix)] = kernel.prefix
    made = directories.envs() / name
    if backends.is_environment(made):
        found.setdefault(prefix_layout.identity(made), made)
    if not found:
        found = {prefix_layout.identity(p): p for p in discovery.named(name)}
        chosen = names.suggest(name)
    if len(found) > 1:
        listed = " and ".join(display.user_path(p) for p in found.values())
        raise EnvmagicError(
            "ambiguous",
            f"{name!r} is more than one environment: {listed}.",
            "Say which by its path.",
            subject=name,
        )
    return next((Target(prefix, chosen) for prefix in found.values()), None)


def _home_names() -> list[str]:
    try:
        return sorted(e.name for e in directories.envs().iterdir() if not e.name.startswith("."))
    except OSError:
        return []


def outside_environment(place: Place) -> bool:
    """Whether the notebook runs in a Python that is no environment."""
    return place.prefix is None or not backends.is_environment(place.prefix)


def is_this_process(prefix: Path) -> bool:
    """Whether this very process runs in the environment at `prefix`."""
    return prefix_layout.same(prefix, Path(sys.prefix))


def environment_of(kernel: str | None, directory: Path) -> Path | None:
    """The prefix of the notebook's kernelspec, else of `.venv` beside it, else None.

    A kernelspec of the Python this command runs in is there by accident; a `.venv` is not.
    """
    prefix = _of_kernel(kernel) if kernel else None
    ours = prefix_layout.same(prefix, sys.prefix)
    if prefix is not None and not ours and backends.is_environment(prefix):
        return prefix
    beside = directory / ".venv"
    return beside if backends.is_environment(beside) else None


def _of_kernel(name: str) -> Path | None:
    kernel = kernelspecs.find(name)
    if kernel is None or not kernel.argv:
        return None
    if kernel.prefix is not None:
        return kernel.prefix
    python = Path(kernel.argv[0])
    return python.parent.parent if python.is_absolute() else None
