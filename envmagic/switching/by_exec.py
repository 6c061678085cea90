"""IPython in a terminal: it starts anew in the environment, in the same terminal."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any

from envmagic._version import REQUIRES_PYTHON
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import How, Kernel, Progress, Switch, Switched
from envmagic.jupyter import conda_launcher, kernelspecs
from envmagic.switching import kernel_names, shell_state
from envmagic.switching.carried import NOTHING, UNPACK, Carried, taken_from
from envmagic.switching.start_remedy import start_remedy
from envmagic.switching.variables import variables
from envmagic.system import process

__all__ = ["ByExec", "arrive"]

_HELD = "ENVMAGIC_CARRIED"
"""The variable that names the open file with what came along."""


@dataclass
class ByExec(Switch):
    """A `model.Switch` that replaces the running IPython by the environment's own."""

    shell: Any

    def check(self) -> None:
        """Refuses where a process cannot take another's place in a terminal."""
        if sys.platform == "win32":
            raise EnvmagicError(
                "cannot-switch",
                "On Windows IPython cannot be replaced within its terminal.",
                "Start the environment's own: python -m IPython.",
            )

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        """Returns what is lost; IPython is replaced when the magic has said so (`leave`)."""
        environment = _environment(kernel)
        words = [_interpreter(kernel, environment), *_launcher(kernel), "-m", "IPython"]
        try:
            process.run([*words, "--version"], timeout=600, env=environment)
        except process.CommandFailed as error:
            helps = start_remedy(kernel)
            raise EnvmagicError(
                "kernel-cannot-start",
                f"There is no IPython in {kernel.name!r}: {error.last_line}.",
                helps.hint,
                command=helps.command,
                tool_command=helps.tool_command,
                subject=kernel.name,
            ) from error
        words += ["--ext", "envmagic"] if _has_us(kernel) else []
        along = taken_from(self.shell) if carry and _has_us(kernel) else NOTHING
        shell_state.of(self.shell).leave = partial(
            _leave, self.shell, words, environment, along.packed
        )
        return Switched(How.RELAY, kernel.name, _said(self.shell, along))


def _said(shell: Any, along: Carried) -> str:
    """What becomes of the variables; those of the environment stay with the process anyway."""
    lost = len([name for name in variables(shell) if name not in along.values])
    words = [replace(along, environment=0).said.rstrip(".")] if along.values else []
    if lost:
        words.append(f"{lost} {'variable is' if lost == 1 else 'variables are'} lost")
    return f"IPython starts anew there; {', '.join(words)}." if words else ""


def _launcher(kernel: Kernel) -> tuple[str, ...]:
    """What stands before the module that is run, in a kernel of ours; conda's activates first."""
    at = kernelspecs.launcher_in(kernel.argv)
    return kernel.argv[1 : at + 2] if at else ()


def _has_us(kernel: Kernel) -> bool:
    """Whether envmagic can be loaded there, as far as its spec tells."""
    entry = kernel.metadata.get("envmagic")
    python = str(entry.get("python", "")) if isinstance(entry, Mapping) else ""
    parts = tuple(int(part) for part in python.split(".")[:2] if part.isdigit())
    return "--ext" in kernel.argv or bool(_launcher(kernel) and parts >= REQUIRES_PYTHON)


def _interpreter(kernel: Kernel, environment: Mapping[str, str]) -> str:
    """The kernel's program as a path, since `execve` searches none; as it is when there is none."""
    program = kernel.argv[0]
    if kernel_names.is_bare(program):
        program = kernel_names.near(kernel) or sys.executable
    return shutil.which(program, path=environment.get("PATH")) or program


def _environment(kernel: Kernel) -> dict[str, str]:
    """The variables for IPython in `kernel`, with what undoes them when it is left again."""
    here: Mapping[str, str] = os.environ
    if conda_launcher.UNDO in here:
        here = conda_launcher.deactivated(here)
    before = process.clean_environment(base=here)
    made = dict(before)
    for name, value in kernel.env.items():
        made[name] = process.expanded(value, before)
    if kernelspecs.launcher_in(kernel.argv) <= 1:  # else conda's notes what it does itself
        made[conda_launcher.UNDO] = json.dumps({name: before.get(name) for name in kernel.env})
    return made


def arrive(shell: Any) -> None:
    """Take what came along from the IPython that was in the place of this one, if anything did."""
    held = os.environ.pop(_HELD, "")
    # what does not arrive is noticed when it is used
    with contextlib.suppress(Exception), open(int(held), encoding="ascii") as file:
        file.seek(0)
        exec(UNPACK, {"shell": shell, "carried": file.read()})


def _leave(shell: Any, words: Sequence[str], environment: Mapping[str, str], carried: str) -> None:
    """Replace this process by IPython in the environment that was chosen.

    Returns never; raises `UsageError` when it cannot be started after all, and IPython goes on.
    """
    from IPython.core.error import UsageError

    # not `atexit_operations`, from which there is no way back
    shell.history_manager.end_session()
    for directory in shell.tempdirs:  # of %edit
        shutil.rmtree(directory, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    variables = dict(environment)
    try:
        # of memory, or at least without a name: what comes along may be a secret
        with _nameless() as file:
            if carried:
                file.write(carried)
                file.flush()
                os.set_inheritable(file.fileno(), True)
                variables[_HELD] = str(file.fileno())
            os.execve(words[0], list(words), variables)
    except (OSError, ValueError) as error:
        shell.history_manager.new_session()
        raise UsageError(f"{words[0]} could not be started, so IPython goes on: {error}") from None


def _nameless() -> IO[str]:
    """A file that is in no directory; where the system has it, in memory alone."""
    if sys.platform == "linux":
        return open(os.memfd_create("envmagic"), "w", encoding="ascii")
    return tempfile.TemporaryFile("w", encoding="ascii")
