"""How a verb shows what it is doing: one display in a notebook, milestones in a terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from envmagic.core.display import user_text

if TYPE_CHECKING:
    from IPython.core.display_functions import DisplayHandle

__all__ = ["Display", "Milestones"]

_SECOND = 1.0
_QUIET = 1.5  # seconds without a word, where words are lines
_VERY_QUIET = 10.0  # the same, of a step that has nothing new to say for _LONG
_LONG = 20.0
_UPDATES = 5  # a second; more make JupyterLab lag behind


class Milestones:
    """A `model.Progress` that prints each step as a line, and below it how a long one goes on: in
    a line that is written over in a terminal, in more lines where it goes to a file or a pipe."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._step = ""
        self._detail = self._shown = ""
        self._started = self._spoke = clock()
        self._is_open = False  # the line that is written over

    def step(self, message: str) -> None:
        self.finish()
        self._step, self._detail = message, ""
        self._started = self._spoke = self._clock()
        self._write(f"{message}…\n")

    def detail(self, message: str) -> None:
        self._detail = user_text(message)
        self.waiting()

    def waiting(self) -> None:
        """Say how the step goes on, if nothing has been said for a while."""
        now = self._clock()
        seconds = int(now - self._started)
        is_new = self._detail != self._shown
        patience = _QUIET if is_new or seconds < _LONG else _VERY_QUIET
        if not self._step or now - self._spoke < (_SECOND if self._overwrites() else patience):
            return
        self._spoke, self._shown = now, self._detail
        text = "  " + (f"{self._detail}, {seconds} s" if self._detail else f"{seconds} s")
        if self._overwrites():
            self._is_open = True
            self._write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")
        else:
            self._write(f"{text}\n")

    def finish(self) -> None:
        """Take the line away that is written over."""
        if self._is_open:
            self._is_open = False
            self._write("\r\x1b[K")

    def _overwrites(self) -> bool:
        return self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # what is done does not hang on who hears of it
            self._stream.write(text)
            self._stream.flush()


class Display:
    """A `model.Progress` in a notebook: one display, replaced by each step and then the result.

    Nothing is displayed by a verb that takes no steps. No thread moves it: what a kernel displays
    from another thread lands in the wrong cell.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._handle: DisplayHandle | None = None
        self._step = self._detail = ""
        self._sent: deque[float] = deque(maxlen=_UPDATES)

    @property
    def shown(self) -> bool:
        """Something is on the page, and waits for `finish` or `stop`."""
        return self._handle is not None

    def step(self, message: str) -> None:
        self._step, self._detail = message, ""
        if self._room() > 0:
            self._show()

    def detail(self, message: str) -> None:
        self._detail = user_text(message)
        # a step must find room, so the details leave some
        if self._step and self._room() > 2:
            self._show()

    def waiting(self) -> None:
        """Let the seconds go on."""
        if self._step and not (self._sent and self._clock() - self._sent[-1] < 0.9 * _SECOND):
            self._show()

    def finish(self, bundle: dict[str, str]) -> None:
        """Replace the progress with the result."""
        if self._handle is not None:
            self._handle.update(bundle, raw=True)

    def stop(self) -> None:
        """Replace the progress with the step that did not succeed."""
        from envmagic.frontends.render import markup, plain
        from envmagic.frontends.render.parts import Line, Tone

        parts = (Line(self._step, tone=Tone.BAD),)
        self.finish({"text/plain": plain.write(parts), "text/html": markup.write(parts)})

    def _room(self) -> int:
        """How many updates may still be sent in this second."""
        now = self._clock()
        return _UPDATES - sum(now - sent < _SECOND for sent in self._sent)

    def _show(self) -> None:
        from IPython.display import display

        from envmagic.frontends.render import markup

        now = self._clock()
        self._sent.append(now)
        bundle: dict[str, Any] = {
            "text/plain": f"{self._step}…",
            "text/html": markup.progress(self._step, self._detail, int(now - self._started)),
        }
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
