"""Starts a program in a conda environment as `conda activate` would, read anew at every start.

A copy of this file lies beside each kernelspec of a conda environment and is run by that
environment's Python, so it imports the standard library only and needs nothing of us there:

    PREFIX/bin/python -I -S activation.py launcher.py RUNTIMES -f CONNECTION_FILE

Order, as conda documents it: PATH, CONDA_PREFIX and CONDA_DEFAULT_ENV, `etc/conda/env_vars.d`,
`conda-meta/state`, then `etc/conda/activate.d`. What was active before is deactivated first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["UNDO", "activated", "deactivated", "default_name", "directories", "variables"]

WINDOWS = os.name == "nt"
UNDO = "ENVMAGIC_DEACTIVATE"
"""Holds, as JSON, what the variables were before this activation: name -> value or null."""
_SHELLS_OWN = ("_", "SHLVL", "PWD", "OLDPWD", UNDO)
_UNSET = "***unset***"  # how conda-meta/state says that a variable is to be taken away
_SECONDS = 60.0
_DUMP = "import json,os,sys; os.write(int(sys.argv[1]), json.dumps(dict(os.environ)).encode())"


def main(arguments: list[str]) -> None:
    """Replace this process by the environment's Python with `arguments`, activated."""
    before = dict(os.environ)
    environ = deactivated(before)
    plain = dict(environ)
    environ = activated(environ, _prefix())
    changed = {k for k in {*plain, *environ} if plain.get(k) != environ.get(k)} - {UNDO}
    environ[UNDO] = json.dumps({name: plain.get(name) for name in sorted(changed)})
    if not WINDOWS:
        # a new start, since the dynamic loader reads LD_LIBRARY_PATH only once
        os.execve(sys.executable, [sys.executable, *arguments], environ)
    os.environ.clear()
    os.environ.update(environ)
    sys.exit(subprocess.call([sys.executable, *arguments]))


def _prefix() -> str:
    # not sys.prefix, which is another one where conda's Python is a link (`-S` skips pyvenv.cfg)
    directory = os.path.dirname(sys.executable)
    return directory if WINDOWS else os.path.dirname(directory)


def activated(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """`environ` with the environment at `prefix` activated."""
    made = dict(environ)
    for name in ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONHOME"):
        made.pop(name, None)
    own = directories(prefix)
    path = [p for p in made.get("PATH", os.defpath).split(os.pathsep) if p not in own]
    made["PATH"] = os.pathsep.join([*own, *path])
    name = default_name(prefix)
    made.update(
        CONDA_PREFIX=prefix,
        CONDA_DEFAULT_ENV=name,
        CONDA_SHLVL="1",
        CONDA_PROMPT_MODIFIER=f"({name}) ",
    )
    for variable, value in variables(prefix).items():
        if value == _UNSET:
            made.pop(variable, None)
        else:
            made[variable] = value
    return run_scripts(made, prefix, "activate.d")


def deactivated(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` as it was before an activation, ours or conda's own."""
    made = dict(environ)
    undo = _json(made.pop(UNDO, ""))
    if undo:
        for name, value in undo.items():
            if value is None:
                made.pop(name, None)
            else:
                made[name] = value
        return made
    prefix = made.get("CONDA_PREFIX")
    if not prefix or not os.path.isdir(prefix):
        return made
    made = run_scripts(made, prefix, "deactivate.d", last_first=True)
    for variable, value in variables(prefix).items():
        if made.get(variable) == value:
            made.pop(variable)
    own = directories(prefix)
    kept = [p for p in made.get("PATH", "").split(os.pathsep) if p not in own]
    made["PATH"] = os.pathsep.join(kept)
    for name in ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_PROMPT_MODIFIER", "CONDA_SHLVL"):
        made.pop(name, None)
    return made


def directories(prefix: str) -> list[str]:
    """What activation puts in front of PATH."""
    if not WINDOWS:
        return [os.path.join(prefix, "bin")]
    below = ("Library\\mingw-w64\\bin", "Library\\usr\\bin", "Library\\bin", "Scripts", "bin")
    return [prefix, *(os.path.join(prefix, part) for part in below)]


def default_name(prefix: str) -> str:
    """CONDA_DEFAULT_ENV: `base`, the name in an `envs` directory, or the path."""
    if os.path.isdir(os.path.join(prefix, "condabin")):
        return "base"
    parent, name = os.path.split(prefix)
    return name if os.path.basename(parent) == "envs" else prefix


def variables(prefix: str) -> dict[str, str]:
    """What `etc/conda/env_vars.d/*.json` and `conda-meta/state` set; the state wins."""
    found = {}
    directory = os.path.join(prefix, "etc", "conda", "env_vars.d")
    for file in _sorted(directory):
        if file.endswith(".json"):
            found.update(_json(_text(os.path.join(directory, file))))
    state = _json(_text(os.path.join(prefix, "conda-meta", "state")))
    own = state.get("env_vars")
    found.update(own if isinstance(own, dict) else {})
    return {str(name): str(value) for name, value in found.items()}


def run_scripts(
    environ: Mapping[str, str], prefix: str, directory: str, *, last_first: bool = False
) -> dict[str, str]:
    """`environ` after the shell scripts in `etc/conda/DIRECTORY` of `prefix` have run in it.

    A script that ends the shell or takes too long leaves `environ` as it was, with a word on
    standard error, which is where a server keeps its log.
    """
    place = os.path.join(prefix, "etc", "conda", directory)
    ending = ".bat" if WINDOWS else ".sh"
    scripts = [os.path.join(place, n) for n in _sorted(place) if n.endswith(ending)]
    if not scripts:
        return dict(environ)
    if last_first:
        scripts.reverse()
    after = _after(environ, scripts)
    if after is None:
        said = f"envmagic: the scripts in {place} failed; their variables are not set"
        print(said, file=sys.stderr)
        return dict(environ)
    kept = {name: environ[name] for name in _SHELLS_OWN if name in environ}
    return {**{k: v for k, v in after.items() if k not in _SHELLS_OWN}, **kept}


def _after(environ: Mapping[str, str], scripts: list[str]) -> dict[str, str] | None:
    """The variables after `scripts`, asked of the shell that ran them; None when that failed."""
    if WINDOWS:
        lines = ["@echo off", *(f'call "{script}"' for script in scripts), "set"]
        return _after_batch(environ, lines)
    read, write = os.pipe()
    source = "".join(f". {_quoted(script)} 1>&2\n" for script in scripts)
    source += 'exec "$0" -I -S -c "$1" "$2"\n'
    # packages are tried with bash by their makers, although sh is what is promised
    shell = ["/bin/bash", "--noprofile", "--norc"] if os.path.exists("/bin/bash") else ["/bin/sh"]
    child = subprocess.Popen(
        [*shell, "-c", source, sys.executable, _DUMP, str(write)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=2,
        pass_fds=[write],
    )
    os.close(write)
    return _answer(child, read)


def _answer(child: subprocess.Popen[bytes], read: int) -> dict[str, str] | None:
    import threading

    timer = threading.Timer(_SECONDS, child.kill)
    timer.start()
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    child.wait()
    timer.cancel()
    return _json(data.decode("utf-8", "surrogateescape")) or None


def _after_batch(environ: Mapping[str, str], lines: Iterable[str]) -> dict[str, str] | None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "activate.bat")
        with open(file, "w") as batch:
            batch.write("\r\n".join(lines) + "\r\n")
        try:
            said = subprocess.run(
                ["cmd.exe", "/d", "/c", file],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=_SECONDS,
                check=True,
                text=True,
            )
        except (OSError, subprocess.SubprocessError):
            return None
    pairs = (line.partition("=") for line in said.stdout.splitlines())
    return {name: value for name, equal, value in pairs if equal and name}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def _sorted(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, ValueError):
        return ""


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


if __name__ == "__main__":
    main(sys.argv[1:])
