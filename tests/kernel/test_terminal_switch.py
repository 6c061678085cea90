"""IPython in a terminal starts anew in the environment, in the same terminal."""

from __future__ import annotations

import os
from typing import Any

from support.console import Console


def test_use_replaces_ipython(isolated: Any, specs: Any, bare_venv: Any) -> None:
    specs("alpha", env={"WHICH": "alpha"})
    specs("stock")
    python = bare_venv(isolated.work / "empty")
    specs("empty", python=python)
    console = Console("-m", "IPython", "--simple-prompt", "--ext", "envmagic")
    try:
        console.read(r"In \[1\]: ")
        console.type("import os; x = {5: None}; pid = os.getpid(); print(pid); f = print")
        pid = console.read(r"In \[2\]: ")
        console.type("%env use empty")
        assert "There is no IPython in 'empty'" in console.read(r"In \[3\]: ")
        console.type("%env use alpha")
        said = console.read(r"In \[1\]: ")
        assert "2 variables came along, 1 variable is lost." in said
        console.type("import os; print(os.environ['WHICH'], os.getpid(), x, 'f' in globals())")
        answer = console.read(r"In \[2\]: ").splitlines()
        assert f"alpha {console.pid} {{5: None}} False" in answer
        console.type("%env use stock --leave")
        console.read(r"In \[1\]: ")
        console.type("print('x' in globals())")
        assert "False" in console.read(r"In \[2\]: ").splitlines()
        assert str(console.pid) in pid
    finally:
        console.close()


def test_what_cannot_be_started_leaves_ipython_as_it_is(isolated: Any, specs: Any) -> None:
    """Its program is not there, or is gone when it is to take this one's place."""
    specs("gone", "no-such-program", "-f", "{connection_file}")
    once = isolated.work / "once"
    once.write_text('#!/bin/sh\nrm -- "$0"\n')
    once.chmod(0o755)
    specs("once", str(once), "-f", "{connection_file}")
    console = Console("-m", "IPython", "--simple-prompt", "--ext", "envmagic")
    try:
        console.read(r"In \[1\]: ")
        console.type("x = 5")
        console.read(r"In \[2\]: ")
        console.type("%env use gone")
        assert "no-such-program could not be started" in console.read(r"In \[3\]: ")
        console.type("%env use once")
        assert "could not be started, so IPython goes on" in console.read(r"In \[4\]: ")
        console.type("print(x, 6 * 7)")
        said = console.read(r"In \[5\]: ")
        assert "5 42" in said and "Error" not in said
        console.type("%history -g -l 2")
        assert "print(x" in console.read(r"In \[6\]: ")
    finally:
        console.close()


def test_the_stock_kernel_and_what_a_kernelspec_sets(isolated: Any, specs: Any) -> None:
    """A bare `python` is found, and what the kernel before has set is gone."""
    alpha = {"WHICH": "alpha", "PATH": f"{isolated.work}{os.pathsep}${{PATH}}"}
    specs("alpha", env=alpha)
    specs("stock", "python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    tell = "import os; print(os.environ.get('WHICH'), os.environ['PATH'].count(os.getcwd()))"
    console = Console("-m", "IPython", "--simple-prompt", "--ext", "envmagic")
    try:
        console.read(r"In \[1\]: ")
        console.type("%env use alpha")
        console.read(r"In \[1\]: ")
        console.type(tell)
        assert "alpha 1" in console.read(r"In \[2\]: ").splitlines()
        console.type("%load_ext envmagic")
        console.read(r"In \[3\]: ")
        console.type("%env use stock")
        console.read(r"In \[1\]: ")
        console.type(tell)
        assert "None 0" in console.read(r"In \[2\]: ").splitlines()
    finally:
        console.close()
