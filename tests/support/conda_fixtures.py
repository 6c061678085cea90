"""Fixtures for tests with conda environments; a shelf's conftest imports those it uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import condachannel


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> condachannel.Channel:
    """A conda channel on disk with a Python and small packages; see `condachannel.build`."""
    return condachannel.build(tmp_path_factory.mktemp("channel"))


@pytest.fixture(scope="session")
def conda_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where unpacked conda packages are kept, for all tests of a session together."""
    return tmp_path_factory.mktemp("conda-cache")


@pytest.fixture
def conda_env(channel: condachannel.Channel, conda_cache: Path) -> Callable[..., Path]:
    """`conda_env(prefix, *specs)`: a conda environment not made by us; returns its prefix.

    It holds Python unless `python=False`.
    """

    def make(prefix: Path, *specs: str, python: bool = True) -> Path:
        wanted = [*specs, *(["python"] if python else [])]
        condachannel.create(prefix, channel, wanted, conda_cache)
        return prefix

    return make


@pytest.fixture
def conda(
    channel: condachannel.Channel, conda_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> condachannel.Channel:
    """The channel, with rattler as the engine and its packages unpacked once a session."""
    monkeypatch.setenv("ENVMAGIC_CONDA", "rattler")
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(conda_cache))
    return channel
