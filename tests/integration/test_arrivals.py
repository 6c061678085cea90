"""What is told while an installer works: which package, how much of how much; nothing is silent."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.operate import Heard, Operator
from support.simple_index import serving

from envmagic.environments.backends import commands
from envmagic.environments.backends.arrivals import Arrivals
from envmagic.system import process

_SOME_MB = {"large.py": "text = '" + "x" * 3_000_000 + "'\n"}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def slow_index(isolated: Any, make_wheel: Callable[..., Path], heard: Heard) -> Iterator[str]:
    """An index that sends the other half of a large file when `heard` was told of the waiting."""
    make_wheel("large", files=_SOME_MB)
    make_wheel("small")

    def halfway() -> None:
        before, end = heard.waits, time.monotonic() + 60
        while heard.waits == before and time.monotonic() < end:
            time.sleep(0.05)

    with serving(isolated.wheels, halfway) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        links = Path(os.environ["UV_CACHE_DIR"]).parents[1].as_uri()
        settings.write_text(
            f'find-links = ["{links}"]\n[[index]]\nurl = "{address}"\ndefault = true\n'
        )
        yield address


@pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")
def test_uv_tells_which_package_and_of_how_much(
    isolated: Any, slow_index: str, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(isolated.home / "cache"))
    (isolated.work / "requirements.txt").write_text("large\n--prefer-binary\nsmall\n")
    Operator(isolated.work, heard).create("one")
    assert "Installing requirements.txt (large, small)" in heard.steps
    assert any(re.match(r"large: 0 of 3\.\d MB", detail) for detail in heard.details)
    if sys.platform == "linux":
        assert any(detail.endswith("MB unpacked so far") for detail in heard.details)
    assert heard.waits


def test_pip_tells_which_package_and_how_much_of_how_much(
    isolated: Any, slow_index: str, heard: Heard
) -> None:
    arrivals = Arrivals(heard)
    options = ["--target", isolated.work / "here", "--index-url", slow_index, "--no-cache-dir"]
    sites = [Path(entry) for entry in sys.path]
    process.run(
        [
            *commands.pip_command(Path(sys.executable), sites),
            *("install", *commands.pip_progress(sites), *options, "large"),
        ],
        env={"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": ""},
        on_line=arrivals.heard,
        on_wait=arrivals.waiting,
        hears_output=True,
    )
    assert any(re.match(r"large: \d.* of 3\.\d MB", detail) for detail in heard.details)
    assert heard.waits
