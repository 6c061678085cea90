"""The hook that `.pre-commit-hooks.yaml` offers, called as pre-commit calls it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from support.lab import write_notebook
from support.signs import unsigned

HOOKS = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"


def entry() -> list[str]:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    command, *words = hook["entry"].split()
    assert command == "envmagic"
    return list(words)


def test_the_hook_runs_for_notebooks_and_for_their_records() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    named = re.compile(hook["files"])  # pre-commit searches, and passes what is found
    for name in ("a b.ipynb", "x/a.ipynb", "requirements.txt", "x/requirements.txt"):
        assert named.search(name)
    assert named.search("environment.yml") and named.search("x/environment.yaml")
    for name in ("a.py", "my-requirements.txt", "requirements.txt.bak", "a.ipynb~"):
        assert not named.search(name)


def test_the_hook_checks_a_record_that_was_edited(
    isolated: Any, terminal: Callable[..., Any]
) -> None:
    """Its notebooks are those beside it; one without notebooks is nothing to complain of."""
    words = entry()
    write_notebook(isolated.work / "nb" / "a.ipynb", ["import numpy, yaml"])
    write_notebook(isolated.work / "nb" / "below" / "b.ipynb", ["import pandas"])
    (isolated.work / "requirements.txt").write_text("numpy\n")
    terminal("record", "nb/a.ipynb")
    terminal(*words, "nb/requirements.txt", "requirements.txt")
    record = isolated.work / "nb" / "requirements.txt"
    record.write_text(record.read_text().replace("pyyaml", "pyyaml-include"))
    said = terminal(*words, "nb/requirements.txt", "requirements.txt", code=1)
    assert "+pyyaml\n" in unsigned(said.out + said.err)
    assert "envmagic record nb/requirements.txt requirements.txt" in said.out + said.err


def test_the_hook_fails_until_the_record_is_up_to_date(
    isolated: Any, terminal: Callable[..., Any]
) -> None:
    words = entry()
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
