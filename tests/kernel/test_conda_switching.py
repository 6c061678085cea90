"""A live switch to a conda environment activates it, and one away from it takes that back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.console import Console
from support.operate import Operator

from envmagic.core.verbs import AttachRequest

ASK = (
    "import json, os, sys\n"
    "names = ('CONDA_PREFIX', 'GEO_DATA', 'LD_LIBRARY_PATH', 'FROM_ENV_VARS_D')\n"
    "print(json.dumps([sys.prefix, *map(os.environ.get, names), os.environ['PATH']]))"
)


def asked(kernel: Any) -> list[Any]:
    answer: list[Any] = json.loads(kernel.run(ASK).stdout)
    return answer


def test_a_switch_activates_and_the_next_takes_it_back(
    switching: Any, isolated: Any, conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio", "activating")
    Operator(isolated.work)(AttachRequest("bio"))
    kernel = switching()
    before = asked(kernel)
    kernel.run("%env use bio")
    there = asked(kernel)
    geo, lib = str(prefix / "share" / "geo"), str(prefix / "lib" / "geo")
    assert there[:5] == [str(prefix), str(prefix), geo, lib, "1"]
    assert there[5].split(":")[0] == str(prefix / "bin")
    kernel.run("%env use alpha")
    assert asked(kernel)[1:5] == [None] * 4
    kernel.run("%env use python3")
    assert asked(kernel) == before


def test_from_a_conda_kernel_nothing_of_its_activation_goes_along(
    switching: Any, isolated: Any, conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio", "activating")
    Operator(isolated.work)(AttachRequest("bio"))
    kernel = switching("bio")
    assert asked(kernel)[1] == str(prefix)
    kernel.run("%env use alpha")
    away = asked(kernel)
    assert away[1:5] == [None] * 4
    assert str(prefix) not in away[5]


def test_ipython_in_a_terminal_is_activated_and_taken_back_too(
    specs: Any, isolated: Any, conda_env: Callable[..., Path]
) -> None:
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio", "activating")
    Operator(isolated.work)(AttachRequest("bio"))
    specs("alpha")
    tell = "import os, sys; print(sys.prefix, os.environ.get('GEO_DATA'))"
    console = Console("-m", "IPython", "--simple-prompt", "--ext", "envmagic")
    try:
        console.read(r"In \[1\]: ")
        console.type("%env use bio")
        console.read(r"In \[1\]: ")
        console.type(tell)
        assert f"{prefix} {prefix / 'share' / 'geo'}" in console.read(r"In \[2\]: ")
        console.type("%env use alpha")
        console.read(r"In \[1\]: ")
        console.type(tell)
        assert f"{sys.prefix} None" in console.read(r"In \[2\]: ")
    finally:
        console.close()
