"""The hook that `.pre-commit-hooks.yaml` offers, called as pre-commit calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.lab import write_notebook

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"


def test_the_hook_fails_until_the_record_is_up_to_date(
    isolated: Any, terminal: Callable[..., Any]
) -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    command, *words = hook["entry"].split()
    assert (command, hook["types"]) == ("envmagic", ["jupyter"])
    notebooks = [
        write_notebook(isolated.work / name, ["import numpy, yaml"]).name
        for name in ("a.ipynb", "b.ipynb")
    ]
    said = terminal(*words, *notebooks, code=1)
    assert "+pyyaml" in (said.out + said.err).lower()
    assert not (isolated.work / "requirements.txt").exists()
    terminal("record", *notebooks)
    terminal(*words, *notebooks)
    write_notebook(isolated.work / "b.ipynb", ["import pandas"])
    terminal(*words, "b.ipynb", code=1)
