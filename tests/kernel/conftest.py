"""For the tests of switching: kernels to switch to, and a look at what is left of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.conda_fixtures import channel, conda_cache, conda_env
from support.slow_package import Slow
from support.specs import Specs

__all__ = ["channel", "conda_cache", "conda_env"]


@pytest.fixture
def specs(isolated: Any) -> Specs:
    """`specs("alpha")` registers a kernel of this interpreter with envmagic loaded."""
    return Specs(isolated.kernels)


@pytest.fixture
def short_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of the test's own, with a path short enough for a Unix socket."""
    made = Path(tempfile.mkdtemp(prefix="evm-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(made))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def switching(specs: Specs, short_tmp: Path, kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`switching()`: a running stock kernel with envmagic loaded, and `alpha` and `beta` beside."""

    def start(name: str = "python3", **more: Any) -> Any:
        for spec in ("alpha", "beta"):
            specs(spec)
        running = kernel(name, **more)
        running.run("%load_ext envmagic")
        return running

    return start


@pytest.fixture
def slow(isolated: Any, make_wheel: Callable[..., Path]) -> Callable[..., Slow]:
    """`slow()`: a package whose installation waits until it is told to go on."""

    def make(name: str = "slowly", version: str = "1.0", **shape: Any) -> Slow:
        return Slow(isolated.work / f"{name}-sources", make_wheel(name, version, **shape))

    return make
