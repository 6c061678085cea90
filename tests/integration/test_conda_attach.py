"""conda environments that exist already: found without conda, attached, and activated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import AttachRequest, ListRequest, RemoveRequest
from envmagic.environments.backends.conda import discovery
from envmagic.jupyter import kernelspecs

MakeEnv = Callable[..., Path]


def listed(operate: Operator) -> dict[str, Any]:
    return {e["prefix"]: e for e in operate(ListRequest()).data["environments"]}


def history(prefix: Path) -> Path:
    """The least that makes a directory a conda environment to those who only look."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").touch()
    return prefix


def test_every_usual_place_is_looked_into(
    isolated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = isolated.home
    wanted = [
        history(tmp_path / "listed"),
        history(home / ".conda" / "envs" / "mine"),
        history(home / "miniforge3"),
        history(home / "miniforge3" / "envs" / "below"),
        history(tmp_path / "mamba" / "envs" / "of-mamba"),
        history(tmp_path / "active"),
        history(tmp_path / "dirs" / "of-condarc"),
    ]
    (tmp_path / "dirs" / "no-environment").mkdir()
    listing = home / ".conda" / "environments.txt"
    listing.write_text(f"{tmp_path / 'listed'}\n{tmp_path / 'gone'}\n\n")
    (home / ".condarc").write_text(f"envs_dirs:\n  - {tmp_path / 'dirs'}\n")
    monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(tmp_path / "mamba"))
    monkeypatch.setenv("CONDA_PREFIX", str(tmp_path / "active"))
    assert set(discovery.prefixes()) == set(wanted)
    assert set(discovery.prefixes()) == set(wanted), "what was remembered of .condarc is the same"
    (home / ".condarc").write_text("envs_dirs: []\n")
    assert set(discovery.prefixes()) == set(wanted[:-1]), "a changed .condarc is read again"


def test_a_broken_condarc_does_not_hide_the_rest(isolated: Any) -> None:
    (isolated.home / ".condarc").write_text("envs_dirs: [unclosed\n")
    prefix = history(isolated.home / "miniforge3" / "envs" / "bio")
    assert discovery.prefixes() == [prefix]


def test_an_environment_is_attached_by_its_name(
    operate: Operator, isolated: Any, conda_env: MakeEnv, kernel: Callable[..., Any]
) -> None:
    """Nothing that was there is changed, and the kernel runs in it, activated."""
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "Bio", "tiny <2", "activating")
    before = {p: p.read_bytes() for p in (prefix / "conda-meta").iterdir()}
    assert listed(operate)[str(prefix)]["python"].count(".") == 2
    report = operate(AttachRequest("Bio"))
    assert (report.data["action"], prefix_of(report)) == ("attached", prefix)
    assert not report.data["environment"]["owned"]
    spec = kernelspecs.of_prefix(prefix)
    assert spec is not None and spec.name == "bio"
    assert {p: p.read_bytes() for p in (prefix / "conda-meta").iterdir()} == before
    running = kernel("bio")
    said = running.run(
        "import json, os, sys, tiny, shutil\n"
        "names = ['CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'GEO_DATA', 'LD_LIBRARY_PATH',"
        " 'FROM_ENV_VARS_D', 'VIRTUAL_ENV']\n"
        "print(json.dumps([sys.prefix, tiny.__version__, shutil.which('where')]))\n"
        "print(json.dumps([os.environ.get(n) for n in names]))"
    ).stdout.splitlines()
    assert json.loads(said[0]) == [str(prefix), "1.5", str(prefix / "bin" / "where")]
    geo, lib = str(prefix / "share/geo"), str(prefix / "lib/geo")
    assert json.loads(said[1]) == [str(prefix), "Bio", geo, lib, "1", None]
    assert running.run("!where").text == str(prefix)
    with pytest.raises(EnvmagicError, match="still runs"):
        operate(RemoveRequest("bio", yes=True))


def test_activation_is_current_at_each_start(
    operate: Operator, isolated: Any, conda_env: MakeEnv, kernel: Callable[..., Any]
) -> None:
    """A package that comes later, `conda env config vars` and an outer environment all count."""
    outer = conda_env(isolated.home / "outer", "activating")
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio")
    operate(AttachRequest("bio"))
    script = prefix / "etc" / "conda" / "activate.d" / "late.sh"
    script.parent.mkdir(parents=True)
    script.write_text('export LATE="$CONDA_DEFAULT_ENV and $FROM_STATE"\n')
    state = {"env_vars": {"FROM_STATE": "state", "UNWANTED": "***unset***"}}
    (prefix / "conda-meta" / "state").write_text(json.dumps(state))
    around = {
        "CONDA_PREFIX": str(outer),
        "GEO_DATA": "of the outer one",
        "UNWANTED": "1",
        "PATH": f"{outer / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    code = (
        "import os, json\n"
        "print(json.dumps([os.environ.get(n) for n in ('LATE', 'UNWANTED', 'GEO_DATA')]),"
        " os.environ['PATH'].split(os.pathsep)[:2])"
    )
    said = kernel("bio", env=around).run(code).stdout
    assert said.startswith('["bio and state", null, null]')
    assert str(prefix / "bin") in said and str(outer) not in said


def test_a_script_that_ends_the_shell_does_not_keep_the_kernel_from_starting(
    operate: Operator, isolated: Any, conda_env: MakeEnv, kernel: Callable[..., Any]
) -> None:
    prefix = conda_env(isolated.home / "it's $HOME" / "envs" / "bio", "activating")
    (prefix / "etc" / "conda" / "activate.d" / "zzz.sh").write_text("exit 1\n")
    operate(AttachRequest(str(prefix)))
    running = kernel("bio")
    assert running.run("import os; print(os.environ['CONDA_PREFIX'])").stdout.strip() == str(prefix)


def test_removing_an_attached_environment_takes_its_kernel_only(
    operate: Operator, isolated: Any, conda_env: MakeEnv
) -> None:
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio")
    operate(AttachRequest("bio"))
    removed = operate(RemoveRequest("bio", yes=True))
    assert removed.data["done"] and not removed.data["delete"]
    assert kernelspecs.of_prefix(prefix) is None
    assert (prefix / "bin" / "python").exists()


def test_what_cannot_be_attached_says_why(
    operate: Operator, isolated: Any, conda_env: MakeEnv
) -> None:
    without = conda_env(isolated.home / "miniforge3" / "envs" / "native", "library", python=False)
    with pytest.raises(EnvmagicError, match="conda environment without Python"):
        operate(AttachRequest("native"))
    foreign = history(isolated.home / "miniforge3" / "envs" / "of-windows")
    record = {"name": "python", "version": "3.12.1", "subdir": "win-64"}
    (foreign / "conda-meta" / "python-3.12.1-h1_0.json").write_text(json.dumps(record))
    with pytest.raises(EnvmagicError, match="was made for win-64 and cannot run here"):
        operate(AttachRequest("of-windows"))
    (without / "conda-meta" / "history").unlink()
    with pytest.raises(WordsError, match="No environment is called 'native'"):
        operate(AttachRequest("native"))
    with pytest.raises(WordsError, match="native is no environment"):
        operate(AttachRequest(str(without)))


def test_sizes_are_added_up_once(operate: Operator, isolated: Any) -> None:
    prefix = history(isolated.home / "miniforge3" / "envs" / "bio")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").write_bytes(b"x" * 1000)

    def size() -> int | None:
        found = operate(ListRequest(size=True)).data["environments"]
        size: int | None = {e["prefix"]: e["size"] for e in found}[str(prefix)]
        return size

    assert size() == 1000
    with (prefix / "bin" / "python").open("ab") as file:
        file.write(b"x")
    assert size() == 1000, "remembered: no directory changed"
    (prefix / "conda-meta" / "tiny-1.0-0.json").write_bytes(b"{}")
    assert size() == 1003


def test_a_name_that_two_environments_have_needs_a_path(operate: Operator, isolated: Any) -> None:
    for root in ("miniforge3", "micromamba"):
        history(isolated.home / root / "envs" / "bio")
    with pytest.raises(EnvmagicError, match=r"more than one environment: .*miniforge3.*micromamba"):
        operate(AttachRequest("bio"))
    with pytest.raises(WordsError, match="Did you mean bio"):
        operate(AttachRequest("boi"))
