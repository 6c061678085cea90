"""Several processes at once: each is served."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.operate import Operator, prefix_of

from envmagic.core.verbs import HistoryRequest, InstallRequest, UndoRequest
from envmagic.environments import backends, inspection, integrity


def test_two_processes_creating_the_same_name_get_one_environment(
    isolated: Any, terminal: Callable[..., Any], kernel: Callable[..., Any]
) -> None:
    command = [sys.executable, "-m", "envmagic", "create", "churn", "--with", "six", "--json"]
    both = [
        subprocess.Popen(command, cwd=isolated.work, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert all(answer["ok"] for answer in answers)
    assert sorted(answer["data"]["action"] for answer in answers) == ["created", "reused"]
    assert [spec.name for spec in isolated.kernels.iterdir()] == ["churn"]
    prefix = isolated.envmagic / "envs" / "churn"
    assert kernel("churn").run("import six, sys; sys.prefix").result == repr(str(prefix))
    assert integrity.broken_distributions(inspection.distributions(backends.inspect(prefix))) == []
    assert "All is well" in terminal("doctor").out
    assert not list((isolated.envmagic / "journal").glob("*"))


def test_two_that_undo_the_same_changes_at_once_leave_what_was_before_them(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel("thing", version)
    make_wheel("other")
    prefix = prefix_of(operate.create("churn", "thing<2"))
    operate(InstallRequest(("thing==2.0", "other")), prefix)
    command = [sys.executable, "-m", "envmagic", "undo", "2", "--env", "churn", "--json"]
    both = [
        subprocess.Popen(command, cwd=operate.work, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert all(answer["ok"] for answer in answers)
    # the one that came second found that nothing was left to be done
    assert sorted(answer["changed"] for answer in answers) == [False, True]
    there = inspection.distributions(backends.inspect(prefix))
    assert {n: v for n, (v, _) in there.items() if n != "pip"} == {"thing": "1.0"}
    assert integrity.broken_distributions(there) == []
    kept = operate(HistoryRequest(), prefix).data["history"]
    assert [(each["number"], each["what"]) for each in kept][2:] == [(3, "undo 2")]
    operate(UndoRequest(), prefix)
    back = inspection.distributions(backends.inspect(prefix))
    assert back["thing"][0] == "2.0" and "other" in back


def test_two_upgrades_and_an_install_at_once_are_all_done_and_each_change_is_kept_once(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    make_wheel("thing", "1.0")
    prefix = prefix_of(operate.create("churn", "thing"))
    make_wheel("thing", "2.0")
    make_wheel("other")
    command = [sys.executable, "-m", "envmagic"]
    said = (("upgrade",), ("install", "other"), ("upgrade",))
    running = [
        subprocess.Popen(
            [*command, *words, "--env", "churn", "--json"],
            cwd=operate.work,
            stdout=subprocess.PIPE,
            text=True,
        )
        for words in said
    ]
    first, install, second = [json.loads(p.communicate(timeout=120)[0]) for p in running]
    assert first["ok"] and install["ok"] and second["ok"]
    assert sorted([first["changed"], second["changed"]]) == [False, True]
    there = inspection.distributions(backends.inspect(prefix))
    held = {name: version for name, (version, _) in there.items() if name != "pip"}
    assert held == {"thing": "2.0", "other": "1.0"}
    assert integrity.broken_distributions(there) == []
    kept = operate(HistoryRequest(), prefix).data["history"]
    assert sorted((each["what"], *each["after"]) for each in kept[1:]) == [
        ("install other", "other"),
        ("upgrade", "thing"),
    ]
    operate(UndoRequest(2), prefix)
    back = inspection.distributions(backends.inspect(prefix))
    assert {n: v for n, (v, _) in back.items() if n != "pip"} == {"thing": "1.0"}
