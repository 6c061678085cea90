"""Words to requests, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from envmagic._version import __version__
from envmagic.core.display import quoted
from envmagic.core.errors import WordsError
from envmagic.core.model import Frontend
from envmagic.core.verb_names import RESERVED_VERBS
from envmagic.core.verbs import CellRequest, Request
from envmagic.frontends.grammar import meaning
from envmagic.frontends.grammar.asked import Help, ParsedCommand, meant, nearest, prefix
from envmagic.frontends.grammar.meaning import Values, create
from envmagic.frontends.grammar.table import TERMINAL, VERBS, Option, Positional, Verb, options_of
from envmagic.frontends.grammar.words import split

__all__ = ["parse", "parse_cell"]

_OPERATOR = re.compile(r"[<>=!~]=|[<>](?=[\s\d]|$)|,")  # not ~/a/path
_OPEN = re.compile(r"(?:[<>=!~]=|[<>,])$")
_BETWEEN = re.compile(r",(?=[A-Za-z]|$)(?![^\[]*\])")
"""A comma between names, and not in a specifier or among extras."""


_HELP = "For help"


def parse(words: Sequence[str], frontend: Frontend) -> ParsedCommand | Help:
    """The request that `words` make, the verb first. Raises `WordsError` naming what is wrong."""
    if not words or words[0] in ("-h", "--help"):
        return Help()
    name, rest = words[0], words[1:]
    if name == "help":
        if rest and rest[0] not in VERBS:
            raise _unknown(rest[0], frontend)
        return Help(rest[0] if rest else "")
    verb = VERBS.get(name)
    if verb is None:
        raise _unknown(name, frontend)
    return _parse(verb, rest, frontend)


def parse_cell(words: Sequence[str], body: str) -> ParsedCommand | Help:
    """The request of a `%%env` cell: create's words in the line, requirement lines as `body`."""
    verb = VERBS["create"]
    values = _sort(verb, words, Frontend.NOTEBOOK)
    if values.has("--help"):
        return Help(cell=True)
    _count(verb, values, Frontend.NOTEBOOK)
    return ParsedCommand(CellRequest(create(values), body), values.has("--json"))


def _parse(verb: Verb, words: Sequence[str], frontend: Frontend) -> ParsedCommand | Help:
    values = _sort(verb, words, frontend)
    if values.has("--help"):
        return Help(verb.name)
    _count(verb, values, frontend)
    return ParsedCommand(
        _request(verb, values),
        json=values.has("--json"),
        notebook=values.last("--notebook"),
        env=None if verb.name == "record" else values.last("--env"),
    )


def _request(verb: Verb, values: Values) -> Request:
    asked: Request = getattr(meaning, verb.asks)(values)
    return asked


def _sort(verb: Verb, words: Sequence[str], frontend: Frontend) -> Values:
    """The words of `verb` by option; help is looked for first, so that it always answers."""
    if any(word in ("-h", "--help") for word in words):
        return Values((), (("--help", ()),))
    options = {
        flag: option
        for option in options_of(verb, terminal=frontend is Frontend.TERMINAL)
        for flag in option.flags
    }
    free: list[str] = []
    given: list[tuple[str, tuple[str, ...]]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            free += rest
            break
        if not word.startswith("-") or word == "-":
            free.append(word)
            continue
        flag, equals, value = word.partition("=")
        option = options.get(flag)
        if option is None:
            raise _unknown_option(verb, flag, options, frontend)
        given.append((option.key, _taken(option, flag, value if equals else None, rest, verb)))
    return Values(tuple(free), tuple(given))


def _taken(
    option: Option, flag: str, value: str | None, rest: list[str], verb: Verb
) -> tuple[str, ...]:
    """The words that `option` of `verb` takes, removed from `rest`."""
    if not option.metavar:
        if value is not None:
            raise WordsError("option-value", f"{flag} takes no value.", f"Write {flag} alone.")
        return ()
    taken = [] if value is None else [value]
    while rest and (option.many or not taken) and not _is_option(rest[0]):
        taken.append(rest.pop(0))
    if not taken or taken == [""]:
        raise WordsError(
            "option-value",
            f"{flag} needs {option.metavar}: {option.help}.",
            _choices(option) or _HELP,
            command=() if option.choices else (verb.name, "-h"),
        )
    for word in taken:
        if option.choices and word not in option.choices:
            raise WordsError(
                "option-value",
                f"{flag} does not know {quoted(word)}.",
                _choices(option),
                subject=word,
            )
    return tuple(taken)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-"


def _choices(option: Option) -> str:
    if option.choices:
        return f"One of: {', '.join(option.choices)}."
    return ""


def _count(verb: Verb, values: Values, frontend: Frontend) -> None:
    """Raise `WordsError` when there are too few or too many words."""
    expected = verb.positional or Positional("", "", most=0)
    given = values.words
    if verb.name in ("install", "uninstall"):
        _refuse_spaces(given, f"{_typed(frontend)} {verb.name}")
    _refuse_spaces(values.all("--with"), "--with")
    if len(given) < expected.least:
        raise WordsError(
            "missing-word",
            f"{verb.name} needs {expected.metavar}.",
            "For example",
            command=split(verb.examples[0]),
        )
    if verb.name == "install" and not given and not values.has("--requirement"):
        raise WordsError(
            "missing-word",
            "install needs a requirement or -r FILE.",
            "For example",
            command=split(verb.examples[0]),
        )
    unknown = [word for word in given if expected.words and word not in expected.words]
    if unknown:
        raise WordsError(
            "option-value",
            f"{verb.name} does not know {unknown[0]!r}.",
            f"One of: {', '.join(expected.words)}.",
            subject=unknown[0],
        )
    if expected.most is not None and len(given) > expected.most:
        extra = given[expected.most]
        hint, command = _instead(verb, given)
        raise WordsError("extra-word", _too_many(verb, extra), hint, command=command)


def _refuse_spaces(words: tuple[str, ...], before: str) -> None:
    """Raise `WordsError` when a requirement was written with spaces: `pandas >= 2`."""
    whole: list[str] = []
    for word in words:
        if whole and (_OPERATOR.match(word) or _OPEN.search(whole[-1])):
            whole[-1] += word
        else:
            whole.append(word)
    joined = [word for word in whole if word not in words]
    if any(_BETWEEN.search(word) for word in joined):
        parts = [part for word in whole for part in _BETWEEN.split(word) if part]
        apart = [f"'{w}'" if re.search(r"[<>|;&]", w) else w for w in parts]
        raise WordsError(
            "spaced-requirement",
            "Requirements stand beside each other here, without commas.",
            f"Write: {before} {' '.join(apart)}",
            subject=joined[0],
        )
    if joined:
        quoted_words = " ".join(f'"{word}"' for word in joined)
        raise WordsError(
            "spaced-requirement",
            "A space ends a requirement here.",
            f"Quote it: {before} {quoted_words}",
            subject=joined[0],
        )


def _too_many(verb: Verb, extra: str) -> str:
    if verb.positional is None:
        return f"{verb.name} takes no words, only options; it was given {quoted(extra)}."
    one = "one " if verb.positional.most == 1 else ""
    return f"{verb.name} takes {one}{verb.positional.metavar}; {quoted(extra)} is one too many."


def _instead(verb: Verb, given: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    if verb.name == "create":
        return "To install packages", ("create", given[0], "--with", *given[1:])
    return _HELP, (verb.name, "-h")


def _unknown(word: str, frontend: Frontend) -> WordsError:
    if word in RESERVED_VERBS:
        return WordsError(
            "not-yet",
            f"{quoted(word)} is reserved for a later version and does nothing yet"
            f"{f'; this is envmagic {__version__}' * (word == 'version')}.",
            f"Type {_all(frontend)} to see the verbs there are.",
            subject=word,
        )
    near = meant(word)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"The verbs: {', '.join(VERBS)}."
    return WordsError("unknown-verb", f"There is no verb {quoted(word)}.", hint, subject=word)


def _all(frontend: Frontend) -> str:
    return "%envmagic --help" if frontend is Frontend.NOTEBOOK else "envmagic --help"


def _unknown_option(
    verb: Verb, flag: str, options: dict[str, Option], frontend: Frontend
) -> WordsError:
    terminal = {o.key for o in TERMINAL}
    if frontend is Frontend.NOTEBOOK and flag in terminal:
        message = f"{flag} is for a terminal; here {verb.name} means the notebook it is typed in."
        return WordsError("unknown-option", message, f"Leave {flag} out.", subject=flag)
    near = nearest(flag, [o for o in options if o.startswith("--")])
    return WordsError(
        "unknown-option",
        f"{verb.name} has no option {flag}.",
        f"Did you mean {near[0]}?" if near else _HELP,
        command=() if near else (verb.name, "-h"),
        subject=flag,
    )


def _typed(frontend: Frontend) -> str:
    return prefix(terminal=frontend is Frontend.TERMINAL)
