"""IPython in a terminal starts anew in the environment, in the same terminal."""

from __future__ import annotations

from typing import Any

from support.console import Console


def test_use_replaces_ipython(isolated: Any, specs: Any, bare_venv: Any) -> None:
    specs("alpha", env={"WHICH": "alpha"})
    python = bare_venv(isolated.work / "empty")
    specs("empty", python=python)
    console = Console("-m", "IPython", "--simple-prompt", "--ext", "envmagic")
    try:
        console.read(r"In \[1\]: ")
        console.type("import os; x = 5; pid = os.getpid(); print(pid)")
        pid = console.read(r"In \[2\]: ")
        console.type("%env use empty")
        assert "There is no IPython in 'empty'" in console.read(r"In \[3\]: ")
        console.type("%env use alpha")
        said = console.read(r"In \[1\]: ")
        assert "2 variables are lost" in said
        console.type("import os; print(os.environ['WHICH'], os.getpid(), 'x' in globals())")
        answer = console.read(r"In \[2\]: ").splitlines()
        assert f"alpha {console.pid} False" in answer
        assert str(console.pid) in pid
    finally:
        console.close()
