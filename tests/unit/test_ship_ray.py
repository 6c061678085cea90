"""What Ray is told of a payload, and what is said of what it answers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support import wheels

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment, Silent
from envmagic.shipping.local_modules import LocalModule
from envmagic.shipping.payload import Payload, Pin
from envmagic.shipping.ray import failures, runtime_env, session, unpacked

MISMATCH = """Version mismatch: The cluster was started with:
    Ray: {0}
    Python: {1}
This process on node 127.0.0.2 was started with:
    Ray: 2.60.0
    Python: 3.10.13
"""
FAILED = """Failed to set up runtime environment.
[Node 127.0.0.2] Traceback (most recent call last):
  File "ray/_private/runtime_env/utils.py", line 105, in check_output_cmd
    raise SubprocessCalledProcessError(
ray._private.runtime_env.utils.SubprocessCalledProcessError: Run cmd[21] failed.
Command '['python', '-m', 'uv', 'pip', 'install']' returned non-zero exit status 1.
Last 50 lines of stdout:
    Using Python 3.11.7 environment at: /tmp/ray/virtualenv
    error: No solution found when resolving dependencies
      cause: Because no-such-dist was not found in the package registry and you require
      no-such-dist==1.0, we can conclude that your requirements are unsatisfiable.
"""
RuntimeEnvSetupError = type("RuntimeEnvSetupError", (Exception,), {})


def environment(place: Path) -> Environment:
    return Environment(place, place / "bin/python", "3.11.7", BackendName.UV, True, (place,))


def payload(place: Path, **more: object) -> Payload:
    told = {
        "pins": (Pin("six", "1.17.0"), Pin("near-by", "1.0", url="git+https://host/near@abc")),
        "modules": (LocalModule("lab", place / "lab", "d", 1),),
        "variables": {"TOKEN": "a-secret"},
        **more,
    }
    return Payload(environment(place), **told)  # type: ignore[arg-type]


def test_a_runtime_env_is_what_json_can_hold_and_has_nothing_else(tmp_path: Path) -> None:
    told = runtime_env.built(payload(tmp_path), [tmp_path / "lab"])
    assert json.loads(json.dumps(told)) == {
        "uv": ["six==1.17.0", "near-by @ git+https://host/near@abc"],
        "py_modules": [str(tmp_path / "lab")],
        "excludes": ["__pycache__"],
        "env_vars": {"TOKEN": "a-secret"},
    }
    bare = payload(tmp_path, pins=(), modules=(), variables={})
    assert runtime_env.built(bare, []) == {}
    assert runtime_env.built(bare, [], conda="there") == {"conda": "there"}


def test_what_is_shown_of_it_has_no_value_and_no_password(tmp_path: Path) -> None:
    index = "https://a-name:a-password@host/simple"
    for installer in runtime_env.INSTALLERS:
        told = runtime_env.built(payload(tmp_path), [], installer=installer, index=index)
        assert told[installer][runtime_env.INSTALLERS[installer][0]][-1] == index
        shown = json.dumps(runtime_env.shown(told))
        assert "a-secret" not in shown and "a-password" not in shown and "TOKEN" in shown


def test_an_installation_that_a_session_began_with_is_asked_for_in_its_own_words() -> None:
    began = {"uv": {"packages": ["six==1.17.0"], "uv_check": False}, "env_vars": {"A": "1"}}
    again = runtime_env.like({"uv": ["six==1.17.0"], "env_vars": {"A": "2"}}, began)
    assert again == {"uv": began["uv"], "env_vars": {"A": "2"}}
    other = {"uv": ["six==1.16.0"]}
    assert runtime_env.like(other, began) == other


def test_uv_installs_where_the_ray_that_is_here_takes_it(tmp_path: Path) -> None:
    here = environment(tmp_path)
    assert runtime_env.installer_of(here) == "uv"
    plugins = tmp_path / "ray/_private/runtime_env"
    plugins.mkdir(parents=True)
    assert runtime_env.installer_of(here) == "pip"
    (plugins / "uv.py").touch()
    assert runtime_env.installer_of(here) == "uv"


def test_what_is_installed_from_a_directory_goes_as_modules(tmp_path: Path) -> None:
    files = {"near_by/__init__.py": "", "one.py": "A = 1"}
    wheel = wheels.build(tmp_path / "wheels", "near-by", "1.0", files=files)
    of_it = payload(tmp_path, pins=(Pin("near-by", "1.0", directory=wheel),), modules=())
    found = unpacked.modules_of(of_it, Silent())
    assert [path.name for path in found] == ["near_by", "near_by-1.0.dist-info", "one.py"]
    assert runtime_env.built(of_it, found)["py_modules"] == [str(path) for path in found]
    before = found[0].stat().st_ino
    assert unpacked.modules_of(of_it, Silent())[0].stat().st_ino == before, "not again"


def test_only_what_ray_alone_needs_is_left_to_the_cluster(tmp_path: Path) -> None:
    needs = {"ray": frozenset({"ray", "click"}), "near-by": frozenset({"near-by", "six"})}
    assert payload(tmp_path, needs=needs).only_for(["ray"]) == {"ray", "click"}
    needs["near-by"] |= {"click"}
    assert payload(tmp_path, needs=needs).only_for(["ray"]) == {"ray"}


@pytest.mark.parametrize(
    ("error", "code", "said", "command"),
    [
        (
            RuntimeError(MISMATCH.format("2.60.0", "3.11.7")),
            "another-python",
            "3.11.7",
            ("create", "py311", "--python", "3.11"),
        ),
        (
            RuntimeError(MISMATCH.format("2.60.0", "3.10.14")),
            "another-python",
            "MATCH_LEVEL",
            ("create", "py31014", "--python", "3.10.14"),
        ),
        (
            RuntimeError(MISMATCH.format("2.59.0", "3.10.13")),
            "another-engine",
            "Ray 2.59.0",
            ("install", "ray[default]==2.59.0"),
        ),
        (
            ValueError("Ray Client requires pip package `ray[client]`."),
            "no-engine",
            "ray://",
            ("install", "ray[client]"),
        ),
        (
            RuntimeEnvSetupError("ModuleNotFoundError: No module named 'virtualenv'"),
            "no-installer",
            "has no virtualenv",
            (),
        ),
        (
            RuntimeEnvSetupError("/w/bin/python: No module named pip"),
            "no-installer",
            "has no pip",
            (),
        ),
        (RuntimeEnvSetupError(FAILED), "install-failed", "no-such-dist was not found", ()),
        (ConnectionError("ray client connection timeout"), "engine-failed", "timeout", ()),
        (
            ConnectionError("Could not find any"),
            "no-cluster",
            "no Ray cluster",
            ("ship", "ray", "local"),
        ),
    ],
)
def test_what_ray_cannot_do_is_one_line(
    error: Exception, code: str, said: str, command: tuple[str, ...]
) -> None:
    address = "auto" if code == "no-cluster" else "127.0.0.2:7"
    with pytest.raises(EnvmagicError) as raised, failures.explained(address):
        raise error
    told = raised.value.problem
    assert (told.code, told.command) == (code, command)
    assert said in told.line() and "\n" not in told.line()


@pytest.mark.parametrize("address", ["127.0.0.2:9", "ray://127.0.0.2:9", "auto"])
def test_a_cluster_that_is_gone_is_said_before_ray_tries(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "RAY_ADDRESS", "127.0.0.2:9")
    with pytest.raises(EnvmagicError) as raised:
        session.reach(address)
    assert raised.value.problem.code == "no-cluster"
