"""What is there before a verb is killed: made by the real verbs, with the person's files in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from support import wheels
from support.faults.belongings import LINES, PROJECT, Belongings, notebook
from support.faults.world import World

__all__ = [
    "NAMED",
    "RECORD",
    "asking_for_beta",
    "attached",
    "broken",
    "build_packages",
    "directory",
    "empty_directory",
    "environment",
    "lines",
    "locked",
    "locked_and_changed",
    "no_record",
    "no_runtime",
    "old_record",
    "theirs",
    "to_be_locked",
    "to_be_removed",
    "with_a_project",
    "with_an_older_gamma",
    "without_alpha",
]

NAMED = "churn"
"""The environment that most verbs work on."""
RECORD = ("record", "a.ipynb", "--env", "none")


def build_packages(directory: Path) -> None:
    """The packages that the verbs install: small, of several files each."""
    for name in ("alpha", "beta"):
        modules = {f"{name}/part_{number}.py": f"N = {number}\n" for number in range(30)}
        files = {f"{name}/__init__.py": f"__version__ = '1.0'\n# {name}\n", **modules}
        wheels.build(directory, name, files=files)
    for version in ("1.0", "2.0"):
        wheels.build(directory, "gamma", version, files={"gamma.py": f"V = {version!r}\n"})


def directory(world: World, prefix: str) -> Path:
    """Where an environment is: a name in `envs`, or a path in the working directory."""
    return world.work / prefix if prefix.startswith(".") else world.envmagic / "envs" / prefix


def lines(world: World, mine: Belongings) -> None:
    """A requirements.txt of the person's."""
    mine.put_lines(world.work / "requirements.txt", LINES)


def no_runtime(world: World, mine: Belongings) -> None:
    """On a machine where no kernel was ever made."""
    lines(world, mine)
    (world.envmagic / "runtimes").unlink()


def empty_directory(world: World, mine: Belongings) -> None:
    """That, and a directory with nothing in it."""
    lines(world, mine)
    (world.work / "mine").mkdir()
    mine.directories.add(world.work / "mine")


def environment(world: World, mine: Belongings) -> None:
    """An environment of ours in use, with the person's files in it and beside its kernelspec."""
    lines(world, mine)
    world.prepare("create", NAMED, "--with", "alpha", "--notebook", "a.ipynb")
    prefix = directory(world, NAMED)
    mine.put(prefix / "notes.txt")
    mine.put(prefix / "bin" / "mytool", "#!/bin/sh\n")
    mine.put(_site(prefix) / "mine.py", "MINE = 1\n")
    mine.put(world.kernels / NAMED / "kernel.js", "define([], () => ({}))\n")


def asking_for_beta(world: World, mine: Belongings) -> None:
    """A requirements.txt that asks for more than the environment has."""
    environment(world, mine)
    file = world.work / "requirements.txt"
    file.write_text(file.read_text("utf-8") + "beta\n", encoding="utf-8")


def without_alpha(world: World, mine: Belongings) -> None:
    """An environment whose second change took alpha out."""
    environment(world, mine)
    world.prepare("uninstall", "alpha", "--env", NAMED, "--notebook", "a.ipynb")


def to_be_locked(world: World, mine: Belongings) -> None:
    """An environment that has all that the person's requirements.txt asks for."""
    environment(world, mine)
    world.prepare("sync", "--env", NAMED, "--notebook", "a.ipynb")


def locked(world: World, mine: Belongings) -> None:
    """That, and its lock."""
    to_be_locked(world, mine)
    world.prepare("lock", "--env", NAMED)


def locked_and_changed(world: World, mine: Belongings) -> None:
    """That, and since then alpha was taken out."""
    locked(world, mine)
    world.prepare("uninstall", "alpha", "--env", NAMED, "--notebook", "a.ipynb")


def with_a_project(world: World, mine: Belongings) -> None:
    """An environment, and a pyproject.toml of the person's."""
    locked(world, mine)
    mine.put_lines(world.work / "pyproject.toml", PROJECT)


def with_an_older_gamma(world: World, mine: Belongings) -> None:
    """An environment with something that there is a newer version of."""
    environment(world, mine)
    world.prepare("install", "gamma==1.0", "--env", NAMED, "--notebook", "a.ipynb")


def to_be_removed(world: World, mine: Belongings) -> None:
    """An environment with nothing of the person's in it."""
    environment(world, mine)
    for path in mine.below(directory(world, NAMED)):
        del mine.files[path]
        path.unlink()


def theirs(world: World, mine: Belongings) -> None:
    """An environment of the person's own: every file in it stays."""
    lines(world, mine)
    prefix = world.work / "theirs"
    variables = world.variables()
    uv = _uv()
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, str(prefix)], env=variables, check=True)
    python = prefix / "bin" / "python"
    words = (uv, "pip", "install", "-q", "-p", str(python), "alpha")
    subprocess.run(words, env=variables, check=True)
    mine.put(prefix / "notes.txt")
    mine.put(prefix / "bin" / "mytool", "#!/bin/sh\n")
    mine.put(_site(prefix) / "mine.py", "MINE = 1\n")
    mine.know_tree(prefix)


def attached(world: World, mine: Belongings) -> None:
    """Such a one with a kernel of ours."""
    theirs(world, mine)
    world.prepare("attach", "./theirs")


def no_record(world: World, mine: Belongings) -> None:
    """No requirements.txt yet."""
    mine.put(world.work / "a.ipynb", notebook("humanize"))


def old_record(world: World, mine: Belongings) -> None:
    """A record that another import has joined since."""
    lines(world, mine)
    world.prepare(*RECORD)
    mine.put(world.work / "a.ipynb", notebook("alpha", "humanize"))


def broken(world: World, mine: Belongings) -> None:
    """One of each that `doctor --fix` mends: made by the real verbs, and broken or killed."""
    environment(world, mine)
    (_site(directory(world, NAMED)) / "alpha" / "part_7.py").unlink()
    world.prepare("create", "gone")
    shutil.rmtree(directory(world, "gone"))
    mine.put(world.kernels / "gone" / "kernel.js", "define([], () => ({}))\n")
    _killed(world, "subprocess.Popen@any#2", "create", "./half")
    mine.put(world.work / "half" / "essay.ipynb", notebook("math"))
    world.prepare("create", "old")
    _killed(world, "os.remove@any#100", "remove", "old", "--yes")


def _killed(world: World, at: str, *words: str) -> None:
    said = world.run(*words, plan={"at": at})
    assert said.code == -signal.SIGKILL, f"{' '.join(words)} was not killed\n{said.out}{said.err}"


def _site(prefix: Path) -> Path:
    return next(prefix.glob("lib/python*/site-packages"))


def _uv() -> str:
    import uv

    return os.fsdecode(uv.find_uv_bin())
