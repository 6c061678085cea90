"""Tab in a `%env` line: verbs, options, environments, kernels and paths."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic._version import REQUIRES_PYTHON
from envmagic.core import display, names
from envmagic.core.errors import EnvmagicError
from envmagic.core.verbs import ENGINES, IMAGES
from envmagic.environments import backends, discovery, inspection, interpreters
from envmagic.environments.backends.conda import condarc
from envmagic.frontends.grammar.table import VERBS, Option, Verb, options_of
from envmagic.jupyter import kernelspecs
from envmagic.system import directories

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["candidates", "match"]

# `%env cr`, `x = %env cr`, `%%env ch`, and `env cr` where automagic is on
_LINE = re.compile(r"^\s*(?:[\w.,][\w.,\s]*=\s*)?(?P<mark>%{0,2})env(?:magic)?\s+(?P<words>.*)$")


def match(shell: InteractiveShell, context: CompletionContext) -> SimpleMatcherResult:
    """The completions at the cursor; nothing else is offered where there are any."""
    from IPython.core.completer import SimpleCompletion

    found: list[tuple[str, str]] = []
    fragment = ""
    line = context.line_with_cursor[: context.cursor_position]
    said = _LINE.match(line)
    if said is not None and (said["mark"] or shell.automagic):
        *before, fragment = re.split(r"(?<!\\)\s+", said["words"])
        directory = Path(shell.starting_dir)
        with contextlib.suppress(Exception):  # nobody typed a verb yet that could say it
            found = list(candidates(before, fragment, directory, cell=said["mark"] == "%%"))
        # Nothing of Python's is meant in a line of ours; IPython leaves it out only where there is
        # something else, which is what was typed then.
        ours = said["mark"] == "%%" or (before[:1] or [""])[0] in VERBS
        if ours and fragment and not found:
            found = [(fragment, "value")]
    return {
        "completions": [SimpleCompletion(text=text, type=kind) for text, kind in found],
        "suppress": bool(found),
        "matched_fragment": fragment,
        "ordered": True,
    }


def candidates(
    before: list[str], fragment: str, directory: Path, *, cell: bool = False
) -> Iterator[tuple[str, str]]:
    """What may follow the words `before` and starts with `fragment`, each with its kind."""
    if not cell and not before:
        yield from _starting(fragment, VERBS, "verb")
        return
    verb = VERBS.get("create" if cell else before[0])
    if verb is None:
        return
    words = before if cell else before[1:]
    options = {flag: option for option in options_of(verb, terminal=False) for flag in option.flags}
    option = _open_option(words, options)
    if option is not None:
        yield from _starting(fragment, option.choices, "value")
        yield from _values(option.kind, fragment, directory)
        if not option.many:
            return
    if fragment.startswith("-") or option is not None:
        yield from _starting(fragment, (flag for flag in options if flag not in words), "option")
        return
    yield from _words(verb, words, fragment, directory)


def _words(
    verb: Verb, words: list[str], fragment: str, directory: Path
) -> Iterator[tuple[str, str]]:
    """The words of `verb` that belong to no option; with none left, its options."""
    expected = verb.positional
    if expected is not None and (expected.most != 1 or not words):
        if expected.words:
            yield from _starting(fragment, expected.words, "value")
        elif expected.kind == "record":
            yield from _starting(fragment, ("on", "off") if not words else (), "value")
            yield from _paths(fragment, directory)
        elif expected.kind == "engine":
            yield from _starting(fragment, (*ENGINES, *IMAGES) if not words else (), "value")
            if words and words[0] in IMAGES:
                yield from _paths(fragment, directory)
        else:
            yield from _values(expected.kind, fragment, directory)
            if verb.name == "attach" and not fragment:  # what is begun is a NAME, or looked up
                yield from ((path, "path") for path in _attachable(directory))
        if fragment:
            return
    flags = (option.key for option in options_of(verb, terminal=False) if option.key not in words)
    yield from _starting(fragment, flags, "option")


def _open_option(words: list[str], options: dict[str, Option]) -> Option | None:
    """The option that still takes the word at the cursor."""
    for index in range(len(words) - 1, -1, -1):
        option = options.get(words[index])
        if option is not None:
            taken = len(words) - 1 - index
            return option if option.metavar and (option.many or not taken) else None
    return None


def _values(kind: str, fragment: str, directory: Path) -> Iterator[tuple[str, str]]:
    if kind in ("environment", "kernel") and not names.is_path(fragment):
        yield from _starting(fragment, _environments(kind), kind)
    if kind == "python" and not names.is_path(fragment):
        yield from _starting(fragment, _pythons(), kind)
    elif kind in ("package", "channel"):
        known = _packages() if kind == "package" else _channels()
        yield from _starting(fragment, known, kind)
    if kind == "path" or (kind == "python" and names.is_path(fragment)):
        yield from _paths(fragment, directory)
    elif kind in ("environment", "kernel", "record") and names.is_path(fragment):
        yield from _paths(fragment, directory, environments=True)


def _pythons() -> list[str]:
    """The versions of the Pythons here that environments can be made from, the newest first."""
    usable = {p.parts[:2] for p in interpreters.installed() if p.parts >= REQUIRES_PYTHON}
    return [".".join(map(str, parts)) for parts in sorted(usable, reverse=True)]


def _packages() -> list[str]:
    """What is installed where this notebook runs."""
    with contextlib.suppress(EnvmagicError):
        return sorted(inspection.distributions(backends.inspect(Path(sys.prefix))))
    return []


def _channels() -> list[str]:
    """The channels that conda's settings name, then those that most people mean."""
    named: tuple[str, ...] = ()
    with contextlib.suppress(EnvmagicError):
        named = condarc.load().channels
    return list(dict.fromkeys((*named, "conda-forge", "bioconda", "defaults")))


def _environments(kind: str) -> list[str]:
    """Names of environments; with `kernel` those of every kernel."""
    found = {k.name for k in kernelspecs.every() if k.ours or kind == "kernel"}
    with contextlib.suppress(OSError):
        found |= {
            entry.name for entry in directories.envs().iterdir() if not entry.name.startswith(".")
        }
    return sorted(found)


def _attachable(directory: Path) -> Iterator[str]:
    """The paths of environments that have no kernel yet, of this project first."""
    registered = kernelspecs.by_prefix(kernelspecs.every())
    for identity, found in discovery.found(directory).items():
        if identity not in registered:
            path = display.user_path(found.prefix)
            yield path.replace(" ", "\\ ") if os.name != "nt" else path


def _paths(
    fragment: str, directory: Path, *, environments: bool = False
) -> Iterator[tuple[str, str]]:
    """Files and directories; a space in one is escaped as in a shell.

    Where `environments` are meant: directories only, hidden ones too, for many are called `.venv`.
    """
    plain = fragment.replace("\\ ", " ") if os.name != "nt" else fragment
    head, slash, start = plain.rpartition("/")
    place = directory / Path(f"{head}{slash}").expanduser()
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".") and not start
        wanted = entry.is_dir() if environments else not hidden
        if wanted and entry.name.startswith(start):
            name = f"{head}{slash}{entry.name}" + ("/" if entry.is_dir() else "")
            yield name.replace(" ", "\\ ") if os.name != "nt" else name, "path"


def _starting(fragment: str, words: Iterable[str], kind: str) -> Iterator[tuple[str, str]]:
    return ((word, kind) for word in words if word.startswith(fragment))
