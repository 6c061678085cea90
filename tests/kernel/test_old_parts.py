"""Kernels of environments that hold parts of kernels in old versions, and of old Pythons."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from packaging.pylock import Pylock
from support import old_parts, wheelhouse
from support.kernels import RunningKernel
from support.simple_index import serving
from support.terminal import Said

from envmagic.environments import backends, inspection
from envmagic.system import toml_files


@pytest.fixture(scope="session")
def old_wheels() -> Path:
    """Fetched before a test has nothing but what is on the disk."""
    return old_parts.ensure()


@pytest.fixture
def from_old_wheels(isolated: Isolated, old_wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip and uv find those, too."""
    places = [p.as_uri() for p in (wheelhouse.directory(), isolated.wheels, old_wheels)]
    Path(os.environ["UV_CONFIG_FILE"]).write_text(f"no-index = true\nfind-links = {places}\n")
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join(places))


@pytest.mark.parametrize("parts", old_parts.PARTS)
def test_a_kernel_starts_beside_old_parts_of_the_environment_s_own(
    isolated: Isolated,
    from_old_wheels: None,
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    parts: str,
) -> None:
    if not old_parts.fits(parts):
        pytest.skip("there are no such wheels for this Python")
    prefix = isolated.work / "theirs"
    wanted = old_parts.PARTS[parts]
    bare_venv(prefix, *wanted)
    before = set(inspection.distributions(backends.inspect(prefix)))
    terminal("attach", prefix)
    after = set(inspection.distributions(backends.inspect(prefix)))
    assert after == before, "nothing is written into it"
    running = kernel("theirs")
    for requirement in wanted:
        name, _, version = requirement.partition("==")
        said = running.run(f"import importlib.metadata as m; m.version({name!r})").result
        assert said == repr(version)
    module = wanted[0].partition("==")[0].replace("-", "_").replace("ipython", "IPython")
    assert repr(str(prefix))[:-1] in running.run(f"import {module}; {module}.__file__").result
    if "packaging==20.9" in wanted and sys.version_info >= (3, 12):
        assert running.run("%env status", check=False).status == "error"  # it cannot be imported
        return
    assert "theirs" in running.run("%env status").text
    if "packaging==20.9" in wanted:  # it is the one that a cell would have, too
        _is_locked_there(isolated, running)


def _is_locked_there(isolated: Isolated, running: RunningKernel) -> None:
    """The environment's own packaging reads no lock; a newer one does, and no cell gets that."""
    (isolated.work / "requirements.txt").write_text("comm==0.1.2\n")
    with serving(old_parts.ensure()) as (address, _):
        Path(os.environ["UV_CONFIG_FILE"]).write_text(f'index-url = "{address}"\n')
        assert "with hashes" in running.run("%env lock").text
        assert "pylock.toml" in running.run("%env plan").text
        assert "2 requirements" in running.run("%env export requirements --to all.txt").text
        assert "nothing would change" in running.run("%env restore --dry-run").text
    assert running.run("import packaging; packaging.__version__").result == "'20.9'"
    lock = Pylock.from_dict(toml_files.parsed((isolated.work / "pylock.toml").read_text()))
    assert "comm" in {str(package.name) for package in lock.packages}


def test_a_kernel_that_started_before_does_not_keep_another_version_than_was_installed(
    isolated: Isolated, from_old_wheels: None, switching: Callable[..., RunningKernel]
) -> None:
    """psutil is loaded by a kernel when it begins to serve."""
    running = switching(cwd=isolated.work)
    running.run("%%env churn\npsutil==5.9.8")
    assert running.run("import psutil; psutil.__version__").result == "'5.9.8'"


@pytest.mark.parametrize("version", old_parts.OLDER)
def test_a_kernel_starts_on_a_python_too_old_for_envmagic(
    isolated: Isolated,
    from_old_wheels: None,
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
    version: str,
) -> None:
    python = old_parts.older_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    bare_venv(isolated.work / "theirs", python=python)
    said = terminal("attach", "./theirs")
    assert f"Python {version} is too old for envmagic" in said.out
    running = kernel("theirs")
    assert running.run("import sys; '%d.%d' % sys.version_info[:2]").result == repr(version)
    running.run("%env PYTHON_OF=tests")  # IPython's own
    assert running.run("import os; os.environ['PYTHON_OF']").result == "'tests'"


def test_what_is_too_new_for_every_kernel_is_named_and_nothing_changes(
    isolated: Isolated,
    bare_venv: Callable[..., Path],
    make_wheel: Callable[..., Path],
    terminal: Callable[..., Said],
) -> None:
    make_wheel("prompt-toolkit", "99.0", files={"prompt_toolkit/__init__.py": ""})
    prefix = isolated.work / "theirs"
    bare_venv(prefix, "prompt-toolkit==99.0")
    before = sorted(prefix.rglob("*"))
    said = terminal("attach", prefix, code=1)
    (why,) = said.told
    assert "needs prompt_toolkit" in why and "99.0" in why
    assert sorted(prefix.rglob("*")) == before
    assert not isolated.kernels.exists() or not any(isolated.kernels.iterdir())
