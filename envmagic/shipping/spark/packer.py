"""Packs an environment and unpacks it again elsewhere, in the Python that has the packer.

Run as a program, its text on the command line: envmagic and the packers need not share a Python.
What is to be done comes as JSON on standard input, and what became of it goes to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from typing import Any

__all__ = ["main"]

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
    environment.pack(output=asked["output"], format=asked["format"], force=True)
    with tarfile.open(asked["output"]) as opened:
        _unpack(opened, asked["elsewhere"])
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


def _unpack(archive: tarfile.TarFile, directory: str) -> None:
    if hasattr(tarfile, "fully_trusted_filter"):
        archive.extractall(directory, filter="fully_trusted")
    else:
        archive.extractall(directory)


if __name__ == "__main__":
    main()
