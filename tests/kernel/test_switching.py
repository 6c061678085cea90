"""The notebook moves, and nothing is lost: variables, queued cells, output, prompt numbers."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import zmq
from support.processes import children, eventually, runs

WHO = "import os; print(os.getpid())"


def pid_of(kernel: Any) -> int:
    return int(kernel.run(WHO).stdout)


@pytest.mark.every_python
def test_there_and_back_with_variables_and_prompt_numbers(switching: Any, short_tmp: Path) -> None:
    kernel = switching()
    kernel.run("x = [object()]")
    moved = kernel.run("%env use alpha")
    assert "1 variable stays in python3; %env use python3 goes back to it." in moved.text
    there = kernel.run(WHO)
    assert int(there.stdout) != kernel.pid
    assert there.count == moved.count + 1
    assert kernel.run("'x' in globals()").result == "False"
    kernel.run("y = 6")
    inputs = kernel.run("len(In), In[-1]")
    assert inputs.result == f"({inputs.count + 1}, 'len(In), In[-1]')"
    back = kernel.run("%env use python3")
    assert "has its variable again." in back.text
    assert kernel.run("len(x)").result == "1"
    kernel.run("%env use beta")
    kernel.run("%env use alpha")
    assert kernel.run("y").result == "6"
    kernel.client.shutdown()
    eventually(lambda: kernel.manager.provisioner.process.poll() is not None)
    eventually(lambda: not runs(int(there.stdout)))
    eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))


def test_the_stock_kernel_knows_the_verbs_when_the_session_began_elsewhere(
    switching: Any, specs: Any
) -> None:
    """A notebook that was opened on its own kernel goes to python3 and comes back."""
    specs("alpha")
    kernel = switching("alpha")
    kernel.run("x = 5")
    kernel.run("%env use python3 --leave")
    assert kernel.run("'x' in globals()").result == "False"
    kernel.run("%env use alpha")
    assert kernel.run("x").result == "5"


def test_a_kernel_that_sleeps_is_named_when_its_environment_is_to_go(
    switching: Any, terminal: Any
) -> None:
    terminal("create", "gamma")
    kernel = switching()
    kernel.run("%env use gamma")
    kernel.run("y = 1")
    kernel.run("%env use python3")
    refused = kernel.run("%env remove gamma --yes", check=False)
    assert "sleeps there with 1 variable" in refused.text
    assert "use python3 --drop" in refused.text and "%env use gamma" in refused.text
    kernel.run("%env use gamma")
    kernel.run("%env use python3 --drop")
    kernel.run("%env remove gamma --yes")


def test_what_is_left_empty_ends(switching: Any) -> None:
    """Only where nothing but verbs and imports ran: a module may have been given state."""
    kernel = switching()
    kernel.run("import os\nx = 1\n%env use alpha")
    (alpha,) = children(kernel.pid)
    kernel.run("import json as j; from math import pi\n%env status\n%env use python3\nleft = x")
    eventually(lambda: not runs(alpha))
    kernel.run("%env use alpha")
    alpha = pid_of(kernel)
    kernel.run("%env use beta")
    kernel.run("import json")
    kernel.run("json.told = 5\n%env use python3")
    assert runs(alpha)
    told = kernel.run("%env use beta\nimport json; print(json.told)")
    assert told.stdout == "5\n"
    kernel.run("z = 1")
    beta = pid_of(kernel)
    kernel.run("%env use python3")
    assert runs(beta)
    kernel.run("%env use beta")
    kernel.run("%env use alpha --drop")
    eventually(lambda: not runs(beta))
    kernel.run("%env use beta")
    assert kernel.run("'z' in globals()").result == "False"


@pytest.mark.every_python
def test_what_is_dropped_ends_while_the_next_cell_runs(switching: Any) -> None:
    """As `%env remove` right behind `%env use python3 --drop` wants it."""
    waits = (
        "import psutil, time\nend = time.monotonic() + 60\n"
        "while psutil.pid_exists(pid) and time.monotonic() < end: time.sleep(0.01)\n"
        "print('left' if time.monotonic() < end else 'runs')"
    )
    kernel = switching()
    for _ in range(5):
        kernel.run("%env use alpha")
        alpha = pid_of(kernel)
        kernel.run("y = 1")
        kernel.client.execute("%env use python3 --drop")
        assert kernel.run(f"pid = {alpha}\n{waits}").stdout.strip() == "left"


def test_dropping_the_first_kernel_forgets_its_variables(switching: Any) -> None:
    kernel = switching()
    kernel.run("x = 5")
    kernel.run("%env use alpha --drop")
    kernel.run("%env use python3")
    assert kernel.run("'x' in globals()").result == "False"


@pytest.mark.every_python
def test_the_rest_of_the_cell_travels(switching: Any) -> None:
    """Its output and error belong to the same cell, with the right lines; also when it awaits."""
    kernel = switching()
    kernel.run("%env use alpha")
    alpha = pid_of(kernel)
    kernel.run("keep = 1\n%env use python3")
    ran = kernel.run(f"%env use alpha\n{WHO}\n'value'")
    assert ran.stdout.strip() == str(alpha)
    assert ran.result == "'value'"
    assert kernel.run("1").count == ran.count + 1
    kernel.run("%env use python3")
    failed = kernel.run("a = 1\n%env use alpha\n\n1 / 0", check=False)
    assert (failed.status, failed.error) == ("error", "ZeroDivisionError: division by zero")
    assert "line 4" in failed.traceback
    awaited = kernel.run(
        "import asyncio\nawait asyncio.sleep(0)\n%env use beta\n"
        f"import asyncio\nawait asyncio.sleep(0.01)\n{WHO}"
    )
    assert int(awaited.stdout) not in (alpha, kernel.pid)
    count = awaited.count
    both = kernel.run(f"%env use alpha\n{WHO}\n%env use python3\n{WHO}")
    assert both.count == count + 1
    assert both.stdout.split() == [str(alpha), str(kernel.pid)]
    # IPython would complain about a number that is in its history already, a moment later
    later = kernel.run("import time; time.sleep(0.3); len(In)")
    assert later.text == str(later.count + 1)


BOUND = {
    "block": "if True:\n    %env use alpha\n    print('never')",
    "function": "def f():\n    %env use alpha\nf()",
    "thread": "import threading\nt = threading.Thread(target=get_ipython().run_line_magic,"
    " args=('env', 'use alpha'))\nt.start(); t.join()",
    "capture": "%%capture out\n%env use alpha",
    "nested": "for i in range(2):\n    get_ipython().run_cell('%env use alpha')",
}


def test_a_magic_that_cannot_take_the_rest_along_refuses_first(switching: Any) -> None:
    kernel = switching()
    for where, code in BOUND.items():
        kernel.run(code, check=False)
        assert pid_of(kernel) == kernel.pid, where
        assert not [p for p in children(kernel.pid) if "bootstrap" in _command(p)], where


@pytest.mark.every_python
def test_queued_requests_go_to_the_new_kernel_in_order(switching: Any) -> None:
    """Sent at once, as Run All does; the switch is the second of them."""
    kernel = switching()
    cells = [WHO, "%env use alpha", *[f"{WHO}; n{i} = {i}; print(n{i})" for i in range(20)]]
    requests = [kernel.client.execute(cell) for cell in cells]
    replies: list[Any] = []
    printed = dict.fromkeys(requests, "")
    idle = 0
    while idle < len(requests):
        message = kernel.client.get_iopub_msg(timeout=60)
        parent = message["parent_header"].get("msg_id")
        if message["msg_type"] == "stream" and parent in printed:
            printed[parent] += message["content"]["text"]
        idle += message["content"].get("execution_state") == "idle" and parent in printed
    while len(replies) < len(requests):
        replies.append(kernel.client.get_shell_msg(timeout=60))
    assert [r["parent_header"]["msg_id"] for r in replies] == requests
    counts = [r["content"]["execution_count"] for r in replies]
    assert counts == list(range(counts[0], counts[0] + len(cells)))
    there = {printed[r].split()[0] for r in requests[2:]}
    assert len(there) == 1 and there != {str(kernel.pid)}
    assert [printed[r].split()[1] for r in requests[2:]] == [str(i) for i in range(20)]


def test_a_cell_that_fails_after_the_switch_was_agreed_stays(switching: Any, specs: Any) -> None:
    kernel = switching()
    # a hook that fails makes the reply an error; the started kernel goes again
    kernel.run("x = 1")
    code = "get_ipython().run_line_magic('env', 'use alpha') and 1 / 0"
    assert kernel.run(code, check=False).status == "error"
    assert kernel.run("x").result == "1"
    eventually(lambda: not [p for p in children(kernel.pid) if "bootstrap" in _command(p)])


BROKEN = {
    "exit code 1 (no luck)": "import sys; sys.exit('no luck')",
    "SIGSEGV": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "No module named ipykernel": "",
    "no such file": None,
    "no answer within 5 s": "import time; time.sleep(600)",
}


@pytest.mark.parametrize("where", ["python3", "alpha"])
def test_a_kernel_that_does_not_come_up_changes_nothing(
    switching: Any, specs: Any, bare_venv: Any, isolated: Any, short_tmp: Path, where: str
) -> None:
    """From the first kernel, and from one behind the relay."""
    kernel = switching()
    kernel.run(f"%env use {where}")  # may take its time
    for says, program in BROKEN.items():
        if program is None:
            specs("broken", str(isolated.work / "gone" / "python"), "-f", "{connection_file}")
        elif program:
            specs("broken", os.environ.get("PYTHON", "python3"), "-c", program, "{connection_file}")
        else:
            specs("broken", python=bare_venv(isolated.work / "bare"))
        if "5 s" in says:
            kernel.run("keep = 1\n%env use python3")
            kernel.run("import os\nos.environ['ENVMAGIC_KERNEL_TIMEOUT'] = '5'")
            kernel.run(f"%env use {where}")
        before = pid_of(kernel)
        kernel.run("x = 5")
        failed = kernel.run("%env use broken\nprint('never')", check=False)
        assert says in failed.text and "never" not in failed.text
        assert kernel.run("x").result == "5" and pid_of(kernel) == before
        assert len(list(short_tmp.glob("envmagic-relay-*"))) == (where != "python3")


def test_interrupting_the_start_leaves_everything(switching: Any, specs: Any) -> None:
    kernel = switching()
    specs("slow", "python3", "-c", "import time; time.sleep(600)", "{connection_file}")
    for where in ("python3", "alpha"):
        kernel.run(f"%env use {where}")
        before = pid_of(kernel)
        request = kernel.begin("%env use slow")
        starting = eventually(lambda: [p for p in children(kernel.pid) if "600" in _command(p)])
        time.sleep(0.2)
        kernel.interrupt()
        assert kernel._reply(request)["status"] == "error"
        eventually(lambda: not runs(starting[0]))  # noqa: B023
        assert pid_of(kernel) == before


def test_an_interrupt_arrives_exactly_once(switching: Any) -> None:
    kernel = switching()
    for way in ("group", "process", "message"):
        _interrupted(kernel, way)


def _interrupted(kernel: Any, way: str) -> None:
    """Behind the relay, and then at home as a front end does it."""
    kernel.run("%env use alpha")
    request = kernel.begin_and_hear(
        "import time\nn = 0\nfor i in (300, 1):\n  try:\n"
        "    print('go', flush=True); time.sleep(i)\n"
        "  except KeyboardInterrupt:\n    n += 1\nprint('caught', n)",
        "go",
    )
    time.sleep(0.1)
    if way == "group":
        os.killpg(kernel.pid, signal.SIGINT)
    elif way == "process":
        os.kill(kernel.pid, signal.SIGINT)
    else:
        kernel.client.control_channel.send(kernel.client.session.msg("interrupt_request", {}))
    assert kernel._reply(request)["status"] == "ok"
    said = ""
    while "caught" not in said:
        said += kernel.client.get_iopub_msg(timeout=60)["content"].get("text", "")
    assert "caught 1" in said
    kernel.run("keep = 1\n%env use python3")
    assert kernel.run("6 * 7").result == "42"
    waiting = kernel.begin_and_hear("import time; print('go', flush=True); time.sleep(300)", "go")
    kernel.interrupt()
    assert kernel._reply(waiting)["ename"] == "KeyboardInterrupt"


def test_input_is_answered_by_the_front_end(switching: Any) -> None:
    kernel = switching()
    for where in ("alpha", "python3", "beta"):
        kernel.run(f"keep = 1\n%env use {where}")
        request = kernel.client.execute("print('got', input('name? '))", allow_stdin=True)
        question = kernel.client.get_stdin_msg(timeout=60)
        assert question["content"]["prompt"] == "name? "
        kernel.client.input("Ada")
        assert kernel._listen(request, time.monotonic() + 60).stdout == "got Ada\n"
        assert kernel._reply(request)["status"] == "ok"


def test_strangers_on_its_ports_break_no_cell(switching: Any) -> None:
    """Ports are given anew at once: who still believes that a port is his talks to this kernel."""
    kernel = switching()
    kernel.run("x = 5\n%env use alpha")
    with zmq.Context() as context:
        for port in (kernel.client.stdin_port, kernel.client.shell_port):
            with context.socket(zmq.REQ) as stranger:
                stranger.linger = 1000
                stranger.connect(f"tcp://127.0.0.1:{port}")
                stranger.send(b"ping")
    for _ in range(5):
        asleep = json.loads(kernel.run("%env status --json").result)
        assert [kernel["kernel"] for kernel in asleep["data"]["asleep"]] == ["python3"]
    kernel.run("%env use python3")
    assert kernel.run("x").result == "5"


@pytest.mark.parametrize(("code", "status"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9)])
def test_a_kernel_that_dies_ends_the_process_as_it_ended(
    switching: Any, short_tmp: Path, code: str, status: int
) -> None:
    kernel = switching()
    kernel.run("x = 1\n%env use alpha")
    kernel.client.execute(f"import os; {code}")
    process = kernel.manager.provisioner.process
    eventually(lambda: process.poll() is not None)
    assert process.returncode == status
    eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))


def test_a_sleeping_kernel_that_dies_is_forgotten(switching: Any) -> None:
    kernel = switching()
    kernel.run("%env use alpha")
    kernel.run("x = 1")
    alpha = pid_of(kernel)
    kernel.run("%env use beta --leave\ny = 2")
    os.kill(alpha, signal.SIGKILL)
    eventually(lambda: not runs(alpha))
    assert kernel.run("y").result == "2"
    kernel.run("%env use alpha --leave")
    assert kernel.run("'x' in globals()").result == "False"


def test_a_killed_relay_leaves_nothing(switching: Any, short_tmp: Path) -> None:
    kernel = switching()
    kernel.run("x = 1\n%env use alpha")
    kernel.run("x = 1\nimport subprocess; p = subprocess.Popen(['sleep', '600'])")
    alpha, sleep = pid_of(kernel), int(kernel.run("p.pid").result)
    kernel.run("%env use beta")
    beta = pid_of(kernel)
    os.kill(kernel.pid, signal.SIGKILL)
    eventually(lambda: not any(map(runs, (alpha, beta, sleep))))
    eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))


def test_a_restart_ends_them_all_and_answers_again(switching: Any, short_tmp: Path) -> None:
    kernel = switching()
    kernel.run("x = 1\n%env use alpha")
    kernel.run("import atexit, pathlib\natexit.register(pathlib.Path('ended').touch)")
    alpha = pid_of(kernel)
    kernel.restart()
    eventually(lambda: not runs(alpha))
    assert Path("ended").exists()  # it was shut down, not killed
    assert kernel.run("6 * 7").result == "42"
    eventually(lambda: not list(short_tmp.glob("envmagic-relay-*")))


def test_nothing_of_the_old_environment_leaks(switching: Any, specs: Any, isolated: Any) -> None:
    first = isolated.work / "first"
    path = f"{first / 'bin'}{os.pathsep}${{PATH}}"
    specs("first", env={"VIRTUAL_ENV": str(first), "PATH": path, "CONDA_PREFIX": "/conda"})
    second = isolated.work / "second"
    path = f"{second / 'bin'}{os.pathsep}${{PATH}}"
    specs("second", env={"VIRTUAL_ENV": str(second), "PATH": path})
    kernel = switching("first")
    kernel.run(
        "import os, sys; os.environ['LATER'] = '1'; sys.path.append('/later'); os.chdir('/')"
    )
    kernel.run("%env use second --leave")
    told = kernel.run(
        "import os, sys\nprint(os.environ['PATH'])\nprint(os.environ['VIRTUAL_ENV'])\n"
        "print('CONDA_PREFIX' in os.environ, 'LATER' in os.environ, '/later' in sys.path)\n"
        "print(os.getcwd())"
    ).stdout.splitlines()
    assert told[0] == f"{second / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert told[1:] == [str(second), "False False False", str(isolated.work)]


def test_nothing_of_the_old_kernelspec_leaks(switching: Any, specs: Any, isolated: Any) -> None:
    """As after a restart; what it only extended is what it was, and what was changed stays."""
    path = f"{isolated.work}{os.pathsep}${{PATH}}"
    old = isolated.work / "old"
    mine = {"WHICH": "first", "PYTHONPATH": str(old), "PATH": path, "DOLLAR": "$$x", "ON": "$PATH"}
    specs("first", env={**mine, "ALONE": "${ALONE}:a", "TWICE": "b${TWICE}"})
    specs("second", env={"SEEN": "${WHICH}-${PATH}"})
    outer = {"PATH": os.environ["PATH"], "TWICE": "bc", "KEPT": "1"}
    running = switching("first", env=outer)
    assert running.run("import os; print(os.environ['WHICH'])").stdout == "first\n"
    running.run("%env use second")
    told = running.run(
        "import os, sys\nnames = 'WHICH DOLLAR ON ALONE TWICE KEPT SEEN'.split()\n"
        f"print([os.environ.get(n) for n in names], {str(old)!r} in sys.path)"
    ).stdout
    seen = f"${{WHICH}}-{os.environ['PATH']}"
    assert told == f"{[None, None, None, None, 'bc', '1', seen]} False\n"


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().decode().replace("\0", " ")
    except OSError:
        return ""
