"""A Dockerfile's steps, carried out in a directory that stands for the root of the image."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dockerfile_parse import DockerfileParser

WORK = "home/jovyan/work"
_PLACES = re.compile(r"/(?:opt/envs|tmp|home/jovyan)(?=[/\s:]|$)")


def steps(folder: Path) -> list[tuple[str, str]]:
    """Instruction and value of each step of the Dockerfile in `folder`."""
    read = DockerfileParser(path=str(folder), cache_content=True)
    return [(s["instruction"], s["value"]) for s in read.structure if s["instruction"] != "COMMENT"]


def carry_out(
    folder: Path, root: Path, instead: Mapping[str, str] = {}
) -> tuple[Path, dict[str, str]]:
    """Do below `root` what the Dockerfile in `folder` says; where the work is, and the variables.

    `instead`: text -> what is typed for it. The Python is that of these tests. Nothing around is on
    PATH, and pip installs into no Python that is not the image's own.
    """
    for place in ("bin", "tmp", "opt/envs", WORK):
        (root / place).mkdir(parents=True)
    base = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (root / "bin" / "python").symlink_to(base)
    passed = ("PIP_", "UV_", "LANG", "PYTHONNOUSERSITE")
    env = {name: value for name, value in os.environ.items() if name.startswith(passed)}
    env |= {"HOME": str(root / "home" / "jovyan"), "PATH": f"{root / 'bin'}:/usr/bin:/bin"}
    env["PIP_REQUIRE_VIRTUALENV"] = "1"
    for instruction, value in steps(folder):
        if instruction == "RUN" and not value.startswith("useradd"):
            value = _below(value, root)
            for old, new in instead.items():
                value = value.replace(old, new)
            run(value, root / WORK, env)
        elif instruction == "ENV":
            first = Path(_below(value.removeprefix("PATH="), root).removesuffix(":$PATH"))
            assert first.is_dir() and first.is_relative_to(root), first
            env["PATH"] = f"{first}:{env['PATH']}"
        elif instruction == "COPY":
            _copy(folder, root / WORK, value.removeprefix("--chown=jovyan "))
    return root / WORK, env


def run(command: str, cwd: Path, env: Mapping[str, str]) -> str:
    """What `command` prints, as a shell runs it; an AssertionError where it fails."""
    ran = subprocess.run(
        ["bash", "-ec", command], cwd=cwd, env=dict(env), capture_output=True, text=True
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def _below(value: str, root: Path) -> str:
    return _PLACES.sub(lambda found: f"{root}{found[0]}", value)


def _copy(folder: Path, work: Path, value: str) -> None:
    *sources, target = json.loads(value) if value.startswith("[") else value.split()
    for source in sources:
        if (folder / source).is_dir():
            shutil.copytree(folder / source, work / target, dirs_exist_ok=True)
        else:
            shutil.copy(folder / source, work / target)
