"""A program in a pseudo-terminal: typed to, and read until something is said."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time


class Console:
    """A Python program in a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execv(sys.executable, [sys.executable, *words])
        self.said = ""

    def read(self, pattern: str, seconds: float = 60) -> str:
        """What was said up to `pattern`, which is taken."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < end, self.said
            if select.select([self._terminal], [], [], 0.2)[0]:
                chunk = os.read(self._terminal, 65536).decode(errors="replace")
                self.said += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", chunk)
                if "\x1b[6n" in chunk:  # prompt_toolkit asks where the cursor is
                    os.write(self._terminal, b"\x1b[1;1R")
        before, self.said = self.said[: found.end()], self.said[found.end() :]
        return before

    def type(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\r")

    def close(self) -> None:
        self.type("exit")
        os.waitpid(self.pid, 0)
        os.close(self._terminal)
