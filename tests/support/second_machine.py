"""A machine on which nothing of the test's first one is."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["moved_to"]


def moved_to(home: Path, runtimes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on `home` is the only one there is, but for the parts of kernels in `runtimes`,
    which all tests share; returns the working directory in it."""
    for variable, part in {
        "HOME": "",
        "ENVMAGIC_HOME": "envmagic",
        "JUPYTER_DATA_DIR": "jupyter",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
        "IPYTHONDIR": "ipython",
    }.items():
        monkeypatch.setenv(variable, str(home / part))
    work = home / "work"
    work.mkdir(parents=True)
    (home / "envmagic").mkdir()
    (home / "envmagic" / "runtimes").symlink_to(runtimes)
    return work
