"""The terminal's frontend: `envmagic VERB`, `jupyter env VERB`, `python -m envmagic VERB`.

`envmagic --help` is to be quick, so what it does not need is imported late.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from envmagic.system import import_path

if TYPE_CHECKING:
    from envmagic.core.errors import EnvmagicError, Problem
    from envmagic.core.model import Report
    from envmagic.frontends.grammar.asked import Help, ParsedCommand

__all__ = ["main", "run"]


def run() -> NoReturn:
    """The console scripts: `main` with this process's words, and then its end."""
    # Looking for cycles takes 4 ms of a command that takes 95, and 10 at its end for nothing.
    gc.disable()
    import_path.working_directory_last()  # PYTHONPATH may have put it first
    code = main()
    gc.freeze()
    if "rattler" in sys.modules:
        from envmagic.system import process

        process.leave(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what `argv` says (the command's own words without it) and return the exit code.

    0: done, warnings included. 1: it failed, or `--check` differs. 2: the words were wrong. 70:
    nobody foresaw what happened.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _show_what_can_be_shown()
    try:
        code = _about(words) if not words or words[0] in _ABOUT else _verb(words)
        sys.stdout.flush()  # here, where a closed pipe is not a traceback
        return code
    except KeyboardInterrupt as stopped:  # while ours is still imported nothing has begun
        print(str(stopped) or "Interrupted; nothing was changed.", file=sys.stderr)
        return 1
    except OSError as error:  # `_verb` lets none out but those of writing: `envmagic list | head`
        _say_no_more(error)
        return 1
    except Exception as error:
        return _say_unforeseen(error, words)


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
        done = asked if isinstance(asked, Help) else (_run(asked), asked.json)
    except EnvmagicError as error:
        _say_error(error, words)
        return error.exit_code
    except Exception as error:
        return _say_unforeseen(error, words)
    if isinstance(done, Help):
        print(_help(done), end="")
        return 0
    report, as_json = done
    try:
        _say(report, as_json=as_json)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("Interrupted when it was done.") from error
    return report.exit_code


def _help(asked: Help) -> str:
    from envmagic.frontends.grammar import help

    return help.text(asked, terminal=True)


def _run(asked: ParsedCommand) -> Report[Any]:
    from envmagic import operations
    from envmagic.core.model import Silent
    from envmagic.frontends.progress import Milestones
    from envmagic.frontends.terminal import place as terminal_place

    request, place = terminal_place.from_here(asked), terminal_place.of_terminal(asked)
    if asked.json:
        return operations.run(request, place, Silent())
    progress = Milestones()
    try:
        return operations.run(request, place, progress)
    finally:
        progress.finish()


def _say(report: Report[Any], *, as_json: bool) -> None:
    from envmagic.core.model import Frontend
    from envmagic.frontends import render
    from envmagic.frontends.render.export import printed as exported
    from envmagic.frontends.render.record import lines

    printed = exported(report) if report.verb == "export" else lines(report)
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


def _say_unforeseen(error: Exception, words: Sequence[str]) -> int:
    """What is said of an exception that came from below; returns the exit code."""
    from envmagic.system import unforeseen

    told = unforeseen.told(error, words[0] if words else "")
    _say_error(told, words)
    return told.exit_code


def _say_no_more(error: OSError) -> None:
    """Standard output takes nothing any more; whoever closed a pipe knows it."""
    if not isinstance(error, BrokenPipeError):
        reason = (error.strerror or str(error)).lower()
        with contextlib.suppress(OSError):
            print(f"envmagic: standard output cannot be written: {reason}.", file=sys.stderr)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # Python writes what they hold as it ends
        with contextlib.suppress(OSError):
            stream.flush()
            continue
        os.dup2(nowhere, stream.fileno())


def _say_problem(problem: Problem) -> None:
    from envmagic.core.model import Frontend
    from envmagic.frontends import render

    print(f"envmagic: {render.line(problem, Frontend.TERMINAL)}", file=sys.stderr)


def _show_what_can_be_shown() -> None:
    """A terminal that cannot show a character shows a question mark; a stream that was closed at
    the start takes what is said all the same."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a program may have replaced the stream
        if reconfigure is not None:
            reconfigure(errors="replace")
