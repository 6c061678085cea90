"""Packs an environment and unpacks it again elsewhere, in the Python that has the packer.

Run as a program, its text on the command line: envmagic and the packers need not share a Python.
What is to be done comes as JSON on standard input, and what became of it goes to standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import tarfile
import tempfile
import time
from typing import Any, BinaryIO

__all__ = ["main"]

_PAUSE = 0.01  # seconds
# Where the packages came from, with the credentials of channels; no program reads it.
_LEFT_OUT = ("conda-meta/",)


def main() -> None:
    asked = json.load(sys.stdin)
    sys.path += asked["path"]
    try:
        packed = _conda if asked["tool"] == "conda_pack" else _venv
        environment = packed(asked)
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}))
        return
    tempfile.tempdir = asked["grows"]  # where nothing else is written
    ends, packs = os.pipe()
    unpacks = os.fork()
    if unpacks == 0:
        os.close(packs)
        os._exit(_unpacked(asked, ends))
    environment.pack(output=asked["output"], format=asked["format"], force=True)
    os.close(packs)
    _, status = os.waitpid(unpacks, 0)
    if status:
        sys.exit("It was packed, but cannot be unpacked.")
    print(json.dumps({"files": len(environment.files)}))


def _venv(asked: dict[str, Any]) -> Any:
    """The environment at `prefix`, which holds nothing but its Python, with the files beside it."""
    import venv_pack

    environment = venv_pack.Env(asked["prefix"])
    added = [venv_pack.File(source, target) for source, target in asked["files"]]
    environment.files = [*environment.files, *added]
    return environment


def _conda(asked: dict[str, Any]) -> Any:
    """The environment at `prefix` as it is, without what is left out."""
    import conda_pack
    from conda_pack.core import File

    found = conda_pack.CondaEnv.from_prefix(
        asked["prefix"], on_missing_cache="ignore", ignore_editable_packages=True
    )
    left = set(asked["without"])
    added = [File(source, target, is_conda=False) for source, target in asked["files"]]
    kept = [file for file in found.files if _is_kept(file.target.replace(os.sep, "/"), left)]
    return conda_pack.CondaEnv(asked["prefix"], [*kept, *added])


def _is_kept(target: str, left: set[str]) -> bool:
    return target not in left and not target.endswith(".pyc") and not target.startswith(_LEFT_OUT)


def _unpacked(asked: dict[str, Any], ends: int) -> int:
    """Unpack the archive while it is packed, in a process of its own; the exit code."""
    mode = "r|" if asked["format"] == "tar" else "r|gz"
    try:
        with _begun(asked) as file:
            growing: Any = _Growing(file, ends)
            with tarfile.open(mode=mode, fileobj=growing) as tar:  # type: ignore[call-overload]
                if hasattr(tarfile, "fully_trusted_filter"):
                    tar.extractall(asked["elsewhere"], filter="fully_trusted")
                else:
                    tar.extractall(asked["elsewhere"])
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _begun(asked: dict[str, Any]) -> BinaryIO:
    """The archive, once there is something of it: where it grows, else where it was moved to."""
    while True:
        growing = [os.path.join(asked["grows"], name) for name in os.listdir(asked["grows"])]
        for path in (*growing, asked["output"]):
            with contextlib.suppress(FileNotFoundError):
                return open(path, "rb")
        time.sleep(_PAUSE)


class _Growing:
    """A file that is written meanwhile, read to its end; who writes it closes the other end of the
    pipe `ends` when it is whole."""

    def __init__(self, file: BinaryIO, ends: int) -> None:
        self._file = file
        self._ends = ends

    def read(self, size: int) -> bytes:
        while True:
            whole = bool(select.select([self._ends], [], [], 0)[0])
            data = self._file.read(size)
            if data or whole:
                return data
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main()
