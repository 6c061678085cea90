"""The terminal's frontend, driven as a person drives it: the real command in a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Said:
    """What the command answered."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """The lines of standard error without those that say how the work goes on."""
        lines = self.err.splitlines()
        return [line for line in lines if not (line.endswith("…") or line.startswith("  "))]

    @property
    def json(self) -> dict[str, Any]:
        """The envelope that `--json` printed."""
        envelope: dict[str, Any] = json.loads(self.out)
        return envelope


def envmagic(
    *words: str | Path,
    cwd: Path,
    code: int | None = 0,
    env: dict[str, str] | None = None,
    timeout: float = 180,
    through: list[str] | None = None,
) -> Said:
    """Run `envmagic WORDS` and return what it said.

    `through`: words before the command, such as `without_privileges`. Another exit code than
    `code` is an AssertionError that shows the output; None takes any.
    """
    ran = subprocess.run(
        [*(through or ()), sys.executable, "-m", "envmagic", *(str(word) for word in words)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    said = Said(ran.returncode, ran.stdout, ran.stderr)
    assert code is None or said.code == code, (
        f"envmagic {' '.join(map(str, words))}: exit code {said.code}, not {code}\n"
        f"{said.out}\n{said.err}"
    )
    return said
