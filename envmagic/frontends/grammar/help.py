"""The help texts, made from the table."""

from __future__ import annotations

from collections.abc import Iterable

from envmagic.frontends.grammar.asked import Help, prefix
from envmagic.frontends.grammar.table import VERBS, Option, Verb, options_of

__all__ = ["text"]

_CELL = """\
%%env [NAME|PATH] [options]
REQUIREMENTS, one a line

What this notebook needs at least. The environment is created, reused or attached, what is missing
is installed, and the notebook moves there. With nothing to do it does nothing.

For example
  %%env churn --python 3.12
  pandas>=2
  scikit-learn
"""


def text(asked: Help, *, terminal: bool) -> str:
    """The help that was asked for, ending in a newline."""
    if asked.cell:
        options = _table(
            (_names(o), _told(o)) for o in options_of(VERBS["create"], terminal=terminal)
        )
        return f"{_CELL}\nOptions\n{options}"
    return (
        _verb(VERBS[asked.verb], terminal=terminal)
        if asked.verb
        else _everything(terminal=terminal)
    )


def _everything(*, terminal: bool) -> str:
    if terminal:
        head = (
            "usage: envmagic VERB [words]\n\n"
            "Environments for notebooks: create one, register it as a kernel, keep its record.\n"
            "In a notebook: %load_ext envmagic, then %env VERB or a %%env cell.\n"
        )
        more = "`envmagic VERB -h` tells the rest; `envmagic --version` which one this is."
    else:
        head = (
            "%env VERB [words]        one of the verbs below\n"
            "%%env [NAME|PATH]        requirement lines as the cell's body\n"
            "%env, %env VAR, %env VAR=value   IPython's own, as ever\n\n"
            "%envmagic VERB is the same as %env VERB, with nothing of IPython's behind it.\n"
        )
        more = "`%env VERB -h` tells the rest; `%%env -h` about the cell."
    verbs = _table((v.name, _summary(v, terminal=terminal)) for v in VERBS.values())
    return f"{head}\nVerbs\n{verbs}\n{more}\n"


def _verb(verb: Verb, *, terminal: bool) -> str:
    usage = [prefix(terminal=terminal), verb.name]
    if verb.positional:
        usage.append(verb.positional.usage)
    options = [o for o in options_of(verb, terminal=terminal) if o.in_terminal or not terminal]
    usage += [f"[{_usage(o)}]" for o in options if o.key not in ("--help", "--json")]
    lines = _wrapped(usage)
    lines += ["", _sentence(_summary(verb, terminal=terminal))]
    lines += [*([_here(verb.notes, terminal=terminal)] if verb.notes else []), ""]
    rows = [(_names(o), _here(_told(o), terminal=terminal)) for o in options]
    if verb.positional:
        told = _here(verb.positional.help, terminal=terminal)
        rows.insert(0, (verb.positional.metavar, told))
    lines += [_table(rows), "For example"]
    lines += [f"  {prefix(terminal=terminal)} {example}" for example in verb.examples]
    return "\n".join(lines) + "\n"


def _summary(verb: Verb, *, terminal: bool) -> str:
    return (verb.terminal if terminal else "") or _here(verb.summary, terminal=terminal)


def _here(text: str, *, terminal: bool) -> str:
    """`text` for the frontend: without a notebook, a terminal means the working directory."""
    return text.replace("beside the notebook", "here") if terminal else text


def _wrapped(groups: Iterable[str]) -> list[str]:
    """The usage in lines; a group in brackets stays on one of them."""
    lines = [""]
    for group in groups:
        if len(lines[-1]) + len(group) > 95:
            lines.append("   ")
        lines[-1] = f"{lines[-1]} {group}" if lines[-1] else group
    return lines


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _usage(option: Option) -> str:
    return f"{option.flags[0]} {_metavar(option)}".strip()


def _names(option: Option) -> str:
    return f"{', '.join(option.flags)} {_metavar(option)}".strip()


def _told(option: Option) -> str:
    return option.help + (f": {', '.join(option.choices)}" if option.choices else "")


def _metavar(option: Option) -> str:
    return option.metavar + ("…" if option.many else "")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    pairs = list(rows)
    width = min(max(len(a) for a, _ in pairs), 28)
    lines = []
    for name, told in pairs:
        gap = f"  {name:<{width}}  "
        first = "" if len(name) <= width else "\n" + " " * (width + 4)
        lines.append(f"{gap.rstrip() if first else gap}{first}{told}")
    return "\n".join(lines) + "\n"
