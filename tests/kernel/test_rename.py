"""A notebook whose environment is renamed goes on with all that it has, asleep or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.kernels import RunningKernel
from support.terminal import Said


def test_what_runs_and_what_sleeps_goes_on_under_the_new_name(
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    isolated: Any,
    make_wheel: Callable[..., Path],
) -> None:
    """Its variables stay, what it imports later is found, and `use` finds it by the new name."""
    terminal("create", "alpha", "--with", "six", "tabulate")
    envs = isolated.envmagic / "envs"
    home = kernel("python3")
    home.run("%load_ext envmagic")
    home.run("%env use alpha")
    home.run("import six; kept = object(); number = id(kept)")
    assert "alpha is called beta now" in home.run("%env rename alpha beta").text
    assert home.run("import tabulate; number == id(kept)").result == "True"
    assert "beta" in home.run("%env status").text
    said = home.run("%env history").text
    assert said.startswith("beta\n") and "alpha → beta" in said
    make_wheel("churnlib")
    home.run("%pip install churnlib")
    said = home.run("%env history").text
    assert "+churnlib 1.0" in said and "+pip" not in said, "pip is not the user's there either"
    home.run("%env use python3")
    assert "gamma" in home.run("%env rename beta gamma").text
    home.run("%env use gamma")
    assert home.run("number == id(kept)").result == "True"
    refused = terminal("rename", "gamma", "delta", code=1)
    assert "still runs in" in refused.out + refused.err
    assert (envs / "alpha").is_symlink()
    home.stop()
    terminal("list")
    assert [entry.name for entry in envs.iterdir()] == ["gamma"]
    terminal("rename", "gamma", "delta")
    again = kernel("delta")
    assert "delta" in again.run("import sys, six; sys.prefix").result
