"""What a kernel behind the relay is started with: its words and its variables."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from envmagic.core.errors import EnvmagicError
from envmagic.jupyter import conda_launcher
from envmagic.jupyter.kernelspecs import launcher_in
from envmagic.switching import kernel_names
from envmagic.system import directories, process

if TYPE_CHECKING:
    from envmagic.core.model import Kernel
    from envmagic.switching.relay.setting import LaunchSetting

__all__ = ["command", "environment"]


def command(kernel: Kernel, file: Path, setting: LaunchSetting) -> list[str]:
    """The words that start `kernel` on the connection file `file`, and end it with the relay.

    Raises `EnvmagicError` when what the frontend would put into them cannot be told from here.
    """
    words = _filled(kernel, file, setting)
    words[0] = _interpreter(kernel, setting, words[0])
    bootstrap = str(directories.package() / "switching" / "relay" / "bootstrap.py")
    at = launcher_in(words)
    if at:
        return [*words[:at], bootstrap, *words[at:], f"--Session.session={setting.session}"]
    # conda's come behind a program that activates the environment first
    for place in range(1, len(words) - 1):
        if words[place : place + 2] == ["-m", "ipykernel_launcher"]:
            words[place : place + 2] = [bootstrap]
            return [*words, f"--Session.session={setting.session}"]
    return [sys.executable, "-I", "-S", bootstrap, "--guard", str(file.parent), *words]


def environment(kernel: Kernel, setting: LaunchSetting) -> dict[str, str]:
    """What Jupyter would start the kernel with: the first one's variables and the spec's own.

    What the first kernel's environment and kernelspec had added for themselves is taken out.
    """
    first = dict(setting.environment)
    ours = kernel.metadata.get("envmagic")
    to_conda = isinstance(ours, Mapping) and ours.get("backend") == "conda"
    if to_conda or conda_launcher.UNDO in first:
        first = conda_launcher.deactivated(first)
    first = _before(first, setting)
    outer = first.get("VIRTUAL_ENV")
    if outer:
        scripts = str(Path(outer, "Scripts" if sys.platform == "win32" else "bin"))
        places = first.get("PATH", "").split(os.pathsep)
        if scripts in places:
            places.remove(scripts)
        first["PATH"] = os.pathsep.join(places)
    base = process.clean_environment(base=first)
    if "PYTHONPATH" in first:  # of the shell that started Jupyter; a restart has it too
        base["PYTHONPATH"] = first["PYTHONPATH"]
    before = dict(base)
    for name, value in kernel.env.items():
        base[name] = process.expanded(value, before)
    base["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel ends when that one is gone
    return base


def _filled(kernel: Kernel, file: Path, setting: LaunchSetting) -> list[str]:
    """The kernelspec's words, with what jupyter_client replaces in them."""
    known = {"connection_file": str(file)}
    if any("{resource_dir}" in word for word in kernel.argv):
        if kernel.directory == Path():
            raise _unclear(kernel, "where its kernelspec lies")
        known["resource_dir"] = str(kernel.directory)
    if any("{prefix}" in word for word in kernel.argv):
        python = _front_python(kernel, setting)
        asked = process.run([python, "-I", "-c", "import sys; print(sys.prefix)"], timeout=60)
        known["prefix"] = asked.stdout.rstrip("\r\n")
    braces = re.compile(r"\{(\w+)\}")
    return [braces.sub(lambda found: known.get(found[1], found[0]), w) for w in kernel.argv]


def _interpreter(kernel: Kernel, setting: LaunchSetting, word: str) -> str:
    """The program of a kernel; a bare `python` is the one that the spec was installed with, or
    the frontend's own."""
    if not kernel_names.is_bare(word):
        return word
    return kernel_names.near(kernel) or _front_python(kernel, setting)


def _front_python(kernel: Kernel, setting: LaunchSetting) -> str:
    python = kernel_names.front_python(setting.relay["parent"])
    argv = setting.first.get("argv") or ["python"]
    if not python and kernel_names.is_bare(argv[0]):
        python = sys.executable  # the first kernel was started with it
    if not python:
        raise _unclear(kernel, "which Python Jupyter itself runs in")
    return python


def _unclear(kernel: Kernel, what: str) -> EnvmagicError:
    return EnvmagicError(
        "kernel-cannot-start",
        f"The kernel {kernel.name!r} cannot be started from here: {what} is not known.",
        "Choose it in the kernel menu.",
        subject=kernel.name,
    )


def _before(first: Mapping[str, str], setting: LaunchSetting) -> dict[str, str]:
    """The variables `first` as they were before the first kernel's spec had set its own.

    What is not as the spec says was changed by something else, and stays. Of a variable that was
    only extended, such as PATH, the old value is in it; of another it is the frontend's.
    """
    own: Mapping[str, str] = setting.first.get("env") or {}
    made = dict(first)
    replaced = []
    # those that mention themselves come first: where the rest mention them, the old ones are meant
    for name in sorted(own, key=lambda name: not _mentions(own[name], name)):
        start, extended, end = process.expanded(own[name], {**made, name: "\0"}).partition("\0")
        value = made.get(name, "")
        if extended and value.startswith(start) and value.endswith(end):
            made[name] = value[len(start) : len(value) - len(end)]
            if made[name] in ("", f"${name}", f"${{{name}}}"):  # there was none
                del made[name]
        elif not extended and value == start:
            made.pop(name, None)
            replaced.append(name)
    if replaced:
        front = kernel_names.front_environment(setting.relay["parent"])
        kept = {*process.clean_environment(base=front), "PYTHONPATH"}
        made.update({name: front[name] for name in replaced if name in kept and name in front})
    return made


def _mentions(value: str, name: str) -> bool:
    return "\0" in process.expanded(value, {name: "\0"})
