"""Several processes at once: each is served."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

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
