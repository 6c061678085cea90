"""How a verb shows what it is doing: one display in a notebook, milestones in a terminal."""

from __future__ import annotations

import contextlib
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
_UPDATES = 5  # a second; more make JupyterLab lag behind


class Milestones:
    """A `model.Progress` that prints each step as a line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr

    def step(self, message: str) -> None:
        with contextlib.suppress(OSError):  # what is done does not hang on who hears of it
            print(f"{message}…", file=self._stream, flush=True)

    def detail(self, message: str) -> None:
        """The tools' own words are not shown in a terminal."""


class Display:
    """A `model.Progress` in a notebook: one display, replaced by each step and then the result.

    Nothing is displayed by a verb that takes no steps. No thread moves it: what a kernel displays
    from another thread lands in the wrong cell.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._handle: DisplayHandle | None = None
        self._step = ""
        self._sent: deque[float] = deque(maxlen=_UPDATES)

    @property
    def shown(self) -> bool:
        """Something is on the page, and waits for `finish` or `stop`."""
        return self._handle is not None

    def step(self, message: str) -> None:
        self._step = message
        if self._room() > 0:
            self._show("")

    def detail(self, message: str) -> None:
        # a step must find room, so the details leave some
        if self._step and self._room() > 2:
            self._show(user_text(message))

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

    def _show(self, detail: str) -> None:
        from IPython.display import display

        from envmagic.frontends.render import markup

        now = self._clock()
        self._sent.append(now)
        bundle: dict[str, Any] = {
            "text/plain": f"{self._step}…",
            "text/html": markup.progress(self._step, detail, int(now - self._started)),
        }
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)
