"""The terminal's frontend: `envmagic VERB`, `jupyter env VERB`, `python -m envmagic VERB`.

`envmagic --help` is to be quick, so what it does not need is imported late.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from envmagic.core.errors import EnvmagicError, Problem
    from envmagic.core.model import Report
    from envmagic.frontends.grammar.asked import Help, ParsedCommand

__all__ = ["main", "run"]


def run() -> NoReturn:
    """The console scripts: `main` with this process's words, and then its end."""
    # Looking for cycles takes 4 ms of a command that takes 95, and 10 at its end for nothing.
    gc.disable()
    code = main()
    gc.freeze()
    if "rattler" in sys.modules:
        from envmagic.system import process

        process.leave(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what `argv` says (the command's own words without it) and return the exit code.

    0: done, warnings included. 1: it failed, or `--check` differs. 2: the words were wrong.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _show_what_can_be_shown()
    try:
        code = _about(words) if not words or words[0] in _ABOUT else _verb(words)
        sys.stdout.flush()  # here, where a closed pipe is not a traceback
        return code
    except BrokenPipeError:  # `envmagic list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


_ABOUT = ("-h", "--help", "--version")


def _about(words: Sequence[str]) -> int:
    if words[:1] == ["--version"]:
        from envmagic._version import __version__

        print(f"envmagic {__version__}")
        return 0
    from envmagic.frontends.grammar.asked import Help

    print(_help(Help()), end="", file=sys.stdout if words else sys.stderr)
    return 0 if words else 2


def _verb(words: Sequence[str]) -> int:
    from envmagic.core.errors import EnvmagicError
    from envmagic.core.model import Frontend
    from envmagic.frontends import grammar
    from envmagic.frontends.grammar.asked import Help

    try:
        asked = grammar.parse(words, Frontend.TERMINAL)
        if isinstance(asked, Help):
            print(_help(asked), end="")
            return 0
        report = _run(asked)
    except EnvmagicError as error:
        _say_error(error, words)
        return error.exit_code
    except KeyboardInterrupt as stopped:
        print(str(stopped) or "Interrupted.", file=sys.stderr)
        return 1
    _say(report, as_json=asked.json)
    return report.exit_code


def _help(asked: Help) -> str:
    from envmagic.frontends.grammar import help

    return help.text(asked, terminal=True)


def _run(asked: ParsedCommand) -> Report[Any]:
    from envmagic import operations
    from envmagic.core.model import Silent
    from envmagic.frontends.progress import Milestones
    from envmagic.frontends.terminal import place as terminal_place

    progress = Silent() if asked.json else Milestones()
    return operations.run(
        terminal_place.from_here(asked), terminal_place.of_terminal(asked), progress
    )


def _say(report: Report[Any], *, as_json: bool) -> None:
    from envmagic.core.model import Frontend
    from envmagic.frontends import render
    from envmagic.frontends.render.record import lines

    printed = lines(report)
    if as_json:
        print(render.json(report, Frontend.TERMINAL))
    elif printed is not None:  # into a pipe or a file: nothing else may be among them
        print(printed, end="\n" if printed else "")
        for problem in report.problems:
            _say_problem(problem)
    else:
        print(render.text(report, Frontend.TERMINAL))


def _say_error(error: EnvmagicError, words: Sequence[str]) -> None:
    """One line on standard error; with `--json` the envelope on standard output as well."""
    from envmagic.core.model import Report

    if "--json" in words:
        verb = next((word for word in words if not word.startswith("-")), "")
        _say(Report(verb, {}, problems=(error.problem,)), as_json=True)
    _say_problem(error.problem)


def _say_problem(problem: Problem) -> None:
    from envmagic.core.model import Frontend
    from envmagic.frontends import render

    print(f"envmagic: {render.line(problem, Frontend.TERMINAL)}", file=sys.stderr)


def _show_what_can_be_shown() -> None:
    """A terminal that cannot show a character shows a question mark."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a program may have replaced the stream
        if reconfigure is not None:
            reconfigure(errors="replace")
