"""The notebook's frontend: `%env`, `%%env` and `%envmagic`, put over IPython's own `%env`.

Loaded into running kernels, so importing this imports next to nothing; the rest waits for a verb.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.verb_names import RESERVED_VERBS, VERBS
from envmagic.frontends.notebook import recorder
from envmagic.jupyter import spare_parts
from envmagic.system import import_path

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from envmagic.core.model import Report
    from envmagic.frontends.grammar.asked import Help, ParsedCommand

__all__ = ["Env", "load", "unload"]

_OURS = frozenset((*VERBS, *RESERVED_VERBS))
# `%env create=1` and `%env create = 1` set a variable
_FIRST_WORD = re.compile(r"\s*([^\s=]+)(?!\s*=)(?=\s|$)")
_CELL = re.compile(r"%%env(?:magic)?(?=\s|$)")
_NAME = "envmagic"
_REPORT = "envmagic.core.model.Report"
_SHOWN = "envmagic.frontends.notebook.answer.Shown"


def load(shell: InteractiveShell) -> None:
    """Put the magics, the completion and the recording into `shell`; twice is once."""
    if shell not in _loaded:
        _loaded[shell] = _Loaded(shell)
        if "ENVMAGIC_CARRIED" in os.environ:
            from envmagic.switching.by_exec import arrive

            arrive(shell)


def unload(shell: InteractiveShell) -> None:
    """Take out of `shell` what `load` put in; IPython's `%env` is back as it was."""
    loaded = _loaded.pop(shell, None)
    if loaded is not None:
        loaded.undo()


class Env:
    """`%env VERB` and `%%env NAME` for environments; IPython's own %env for everything else.

    Type `%env help` for the verbs, `%env VERB -h` for one of them.
    """

    def __init__(self, shell: InteractiveShell, builtin: Callable[[str], Any] | None) -> None:
        self._shell = shell
        self._builtin = builtin

    def __call__(self, line: str, cell: str | None = None) -> object:
        if cell is not None:
            return _cell(self._shell, line, cell)
        first = _FIRST_WORD.match(line)
        if self._builtin is None or (first is not None and first[1] in (*_OURS, "-h", "--help")):
            return _line(self._shell, line)
        return self._built_in(line, first[1] if first else "")

    def getdoc(self) -> str:
        """What `%env?` shows; IPython asks for it by this name."""
        from envmagic.frontends.grammar import help
        from envmagic.frontends.grammar.asked import Help

        text = help.text(Help(), terminal=False)
        own = getattr(self._builtin, "__doc__", None)
        return f"{text}\nIPython's own %env\n{own}" if own else text

    def _built_in(self, line: str, word: str) -> object:
        """IPython's answer; after it, what may have been meant."""
        from IPython.core.error import UsageError

        assert self._builtin is not None
        meant = _meant(word)
        try:
            result = self._builtin(line)
        except UsageError as error:
            if not meant:
                raise
            raise UsageError(f"{error}\nDid you mean %env {meant}?") from None
        if meant and line.strip() != word:
            print(f"{word!r} is an environment variable now. Did you mean %env {meant}?")
        return result


class _Loaded:
    """What was put into one shell, and how to take it out again."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._undo: list[Callable[[], object]] = []
        self._shown = id(getattr(sys, "last_value", None))
        tables = shell.magics_manager.magics
        env = Env(shell, shell.find_line_magic("env"))  # loads it where IPython has not yet
        own = Env(shell, None)
        for kind in ("line", "cell"):
            self._put(tables[kind], "env", env)
            self._put(tables[kind], "envmagic", own)
        for name in ("env", "envmagic"):
            self._put(tables["line"], f"%{name}", partial(_not_first, name))
        self._put(tables["line"], "load_ext", _quiet(shell))
        self._append(shell.input_transformers_cleanup, _comments_below)
        self._append(shell.input_transformers_cleanup, _give_body)
        self._packaging(tables["line"])
        with contextlib.suppress(ImportError):  # an IPython before 8.6 completes without us
            self._append(shell.Completer.custom_matchers, _matcher(shell))
        recorder.install(shell)
        self._undo.append(lambda: recorder.uninstall(shell))
        self._register("post_run_cell", self._after_cell)
        spare_parts.install()
        self._undo.append(spare_parts.uninstall)
        self._format()

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _put(self, table: dict[str, Any], name: str, value: object) -> None:
        if name in table:
            old = table[name]
            self._undo.append(lambda: table.__setitem__(name, old))
        else:
            self._undo.append(lambda: table.pop(name, None))
        table[name] = value

    def _append(self, items: list[Any], item: object) -> None:
        items.append(item)
        self._undo.append(lambda: items.remove(item) if item in items else None)

    def _register(self, event: str, call: Callable[[Any], object]) -> None:
        self._shell.events.register(event, call)
        self._undo.append(lambda: self._shell.events.unregister(event, call))

    def _after_cell(self, result: Any) -> None:
        """Below the traceback of an import that failed, what installs it; never raises."""
        error, shown = result.error_in_exec, getattr(sys, "last_value", None)
        if error is None and id(shown) != self._shown:
            error = shown  # by `%run`, after which the cell goes on
        self._shown = id(shown)
        if isinstance(error, ModuleNotFoundError):
            with contextlib.suppress(Exception):
                if result.info.silent:
                    return
                with import_path.installed_first():
                    from envmagic.frontends.notebook import failed_import

                    failed_import.say(self._shell, error)

    def _packaging(self, table: dict[str, Any]) -> None:
        """In an environment without pip or uv, `%pip`, `!pip` and `%uv` mean it all the same."""
        if not (os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")):
            return
        from envmagic.frontends.notebook import pip_magic

        is_environment, uv = pip_magic.here()
        if is_environment:
            say = partial(_words, self._shell)
            self._put(table, "pip", pip_magic.pip(self._shell, say))
            self._append(self._shell.input_transformers_cleanup, pip_magic.transform)
        if uv is not None:
            self._put(table, "uv", pip_magic.uv(self._shell, uv))

    def _format(self) -> None:
        """Reports show themselves; by name, so that nothing is imported for it now."""
        formatter = self._shell.display_formatter
        bundles, displays = formatter.mimebundle_formatter, formatter.ipython_display_formatter
        bundles.for_type_by_name(*_REPORT.rsplit(".", 1), _bundle)
        displays.for_type_by_name(*_SHOWN.rsplit(".", 1), self._display)
        self._undo.append(lambda: bundles.pop(_REPORT, None))
        self._undo.append(lambda: displays.pop(_SHOWN, None))

    def _display(self, shown: Any) -> None:
        shown.display(self._shell)


_loaded: weakref.WeakKeyDictionary[InteractiveShell, _Loaded] = weakref.WeakKeyDictionary()


def _line(shell: InteractiveShell, line: str) -> object:
    def ask() -> ParsedCommand | Help:
        from envmagic.core.model import Frontend
        from envmagic.frontends import grammar

        return grammar.parse(grammar.split(line), Frontend.NOTEBOOK)

    return _answer(shell, ask, line)


def _words(shell: InteractiveShell, words: Callable[[], tuple[str, ...]]) -> object:
    """The verb that `words` gives; it may raise `EnvmagicError` itself."""

    def ask() -> ParsedCommand | Help:
        from envmagic.core.model import Frontend
        from envmagic.frontends import grammar

        return grammar.parse(words(), Frontend.NOTEBOOK)

    return _answer(shell, ask, "")


def _cell(shell: InteractiveShell, line: str, body: str) -> object:
    def ask() -> ParsedCommand | Help:
        from envmagic.frontends import grammar

        return grammar.parse_cell(grammar.split(line), body)

    return _answer(shell, ask, f"%%env {line}")


def _answer(shell: InteractiveShell, ask: Callable[[], ParsedCommand | Help], said: str) -> object:
    """What the verb returns; `said` are its words, the verb first.

    A user's mistake is IPython's own `UsageError`: one line.
    """
    with import_path.installed_first():
        return _answered(shell, ask, said)


def _answered(
    shell: InteractiveShell, ask: Callable[[], ParsedCommand | Help], said: str
) -> object:
    from IPython.core.error import UsageError

    try:
        from envmagic import switching
        from envmagic.frontends.notebook import answer

        given = answer.give(shell, ask())
    except EnvmagicError as error:
        raise UsageError(_told(error, said)) from None
    except Exception as error:
        raise UsageError(_unforeseen(error, said)) from None
    except KeyboardInterrupt as stopped:
        raise UsageError(str(stopped) or "Interrupted; nothing was changed.") from None
    if switching.leaves_cell(shell):
        answer.show(shell, given)
        switching.leave_cell(shell)
    return given


def _told(error: EnvmagicError, said: str) -> str:
    """The line for `error`; with `--json` its envelope is shown, too."""
    from envmagic.frontends import render
    from envmagic.frontends.notebook import answer

    if "--json" in said.split():
        print(answer.error_json(said.split()[0], error))
    return render.line(error.problem)


def _unforeseen(error: Exception, said: str) -> str:
    """The line for an exception that came from below."""
    try:
        from envmagic.system import unforeseen

        return _told(unforeseen.told(error, " ".join(said.split()[:1])), said)
    except Exception:  # what says it is gone, too
        return f"{type(error).__name__}: {error}. Restart the kernel."


def _meant(word: str) -> str:
    """The verb that `word` may have been meant to be; variables are mostly in capitals."""
    if not word or word in _OURS:
        return ""
    if word.lower() in VERBS:
        return word.lower()
    if not (word.islower() or word.istitle()):
        return ""
    from envmagic.frontends.grammar.asked import meant

    near = meant(word, closeness=0.75)
    return near[0] if near else ""


def _not_first(name: str, line: str) -> None:
    """`%%env` below other code: to IPython a line magic with the name `%env`."""
    from IPython.core.error import UsageError

    raise UsageError(f"%%{name} must be the first line of its cell; comments may stand above it.")


def _quiet(shell: InteractiveShell) -> Callable[[str], object]:
    """`%load_ext` that says nothing where envmagic is loaded: our kernels load it as they start,
    and a notebook that says so for all others is right."""
    load_ext: Callable[[str], object] = shell.find_line_magic("load_ext")

    @wraps(load_ext)
    def quiet(line: str) -> object:
        if line.strip() == _NAME and _NAME in shell.extension_manager.loaded:
            return None
        return load_ext(line)

    return quiet


def _comments_below(lines: list[str]) -> list[str]:
    """Comments and blank lines above `%%env` go into its body, so that it is a cell magic.

    Turned round like that, each line of the body keeps its number.
    """
    for above, line in enumerate(lines):
        if _CELL.match(line):
            return [line.rstrip("\n") + "\n", *lines[:above], *lines[above + 1 :]]
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return lines


def _give_body(lines: list[str]) -> list[str]:
    """An empty `%%env` cell gets a blank line; IPython refuses a cell magic without a body."""
    if lines and _CELL.match(lines[0]) and not any(line.strip() for line in lines[1:]):
        return [lines[0].rstrip("\n") + "\n", "\n"]
    return lines


# Not when IPython asks whether a cell is complete: a body may be about to be typed.
_give_body.has_side_effects = True  # type: ignore[attr-defined]


def _matcher(shell: InteractiveShell) -> Callable[[CompletionContext], SimpleMatcherResult]:
    from IPython.core.completer import context_matcher

    @context_matcher(identifier="envmagic")  # type: ignore[untyped-decorator]
    def envmagic_matcher(context: CompletionContext) -> SimpleMatcherResult:
        with import_path.installed_first():
            from envmagic.frontends.notebook import completion

            return completion.match(shell, context)

    return envmagic_matcher  # type: ignore[no-any-return]


def _bundle(report: Report[Any]) -> Mapping[str, str]:
    from envmagic.frontends import render

    return render.bundle(report)
