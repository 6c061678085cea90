"""A kernel is started while its environment is filled, and is the one that the notebook gets."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.kernels import RunningKernel
from support.processes import children, eventually, runs
from support.slow_package import is_kernel
from support.terminal import Said


@pytest.fixture(params=["home", "behind"])
def notebook(
    request: pytest.FixtureRequest,
    switching: Callable[..., RunningKernel],
    isolated: Isolated,
) -> Iterator[RunningKernel]:
    """A kernel with envmagic, on its own or with a relay in front."""
    running = switching(cwd=isolated.work)
    if request.param == "behind":
        running.run("%env use alpha")
    yield running


def _told(running: RunningKernel, request: str) -> Any:
    return running._listen(request, time.monotonic() + 120)


@pytest.mark.every_python
def test_it_is_started_meanwhile_and_taken(notebook: RunningKernel, slow: Any) -> None:
    package = slow()
    request = notebook.begin(f"%%env churn\n./{package.place.name}")
    child = package.begun(notebook)
    package.go_on()
    _told(notebook, request)
    assert notebook.run("import os, slowly; x = 5; os.getpid()").result == str(child)
    notebook.run("%env use churn")
    assert notebook.run("os.getpid()").result == str(child)
    notebook.run("%env use python3")
    notebook.run("%env use churn")
    assert notebook.run("os.getpid()").result == str(child)


@pytest.mark.parametrize(
    ("notebook", "why"),
    [("home", "a hook"), ("behind", "a part of kernels")],
    indirect=["notebook"],
)
def test_one_that_has_loaded_another_thing_is_started_anew(
    notebook: RunningKernel, slow: Any, why: str
) -> None:
    if why == "a hook":
        hook = {"slowly.py": "", "slowly.pth": "import os; os.environ['HOOKED'] = 'yes'\n"}
        package = slow(files=hook)
        look, wanted = "import os; os.environ['HOOKED']", "'yes'"
    else:
        import comm

        here = Path(comm.__file__).parent
        files = {f"comm/{f.name}": f.read_text() for f in here.glob("*.py")}
        package = slow("comm", "99.0", files=files)
        look = "import sys, comm; comm.__file__.startswith(sys.prefix)"
        wanted = "True"
    request = notebook.begin(f"%%env churn\n./{package.place.name}")
    child = package.begun(notebook)
    package.go_on()
    _told(notebook, request)
    assert notebook.run(look).result == wanted
    assert notebook.run("import os; os.getpid()").result != str(child)
    eventually(lambda: not runs(child))


def test_it_ends_with_what_it_was_started_for(
    notebook: RunningKernel, slow: Any, isolated: Isolated
) -> None:
    """An installation that fails, a cell that is interrupted, a notebook that is closed."""
    before = notebook.run("import os; os.getpid()").result
    package = slow("failing")
    request = notebook.begin(f"%env create churn --with ./{package.place.name}")
    child = package.begun(notebook)
    next(package.place.glob("*.whl")).unlink()
    package.go_on()
    _left_as_it_was(notebook, request, child, before, isolated)
    package = slow("interrupted")
    request = notebook.begin(f"%env create churn --with ./{package.place.name}")
    child = package.begun(notebook)
    notebook.interrupt()
    _left_as_it_was(notebook, request, child, before, isolated)
    package = slow("closed")
    notebook.begin(f"%env create churn --with ./{package.place.name}")
    child = package.begun(notebook)
    notebook.stop()
    package.go_on()
    eventually(lambda: not runs(child))


def _left_as_it_was(
    notebook: RunningKernel, request: str, child: int, before: str, isolated: Isolated
) -> None:
    _told(notebook, request)
    eventually(lambda: not runs(child))
    assert notebook.run("os.getpid()").result == before
    assert not (isolated.kernels / "churn").exists()
    assert not [p for p in children(notebook.pid) if is_kernel(p) and str(p) != before]


def test_nothing_is_started_for_an_environment_that_the_notebook_stays_out_of(
    switching: Callable[..., RunningKernel], slow: Any, isolated: Isolated
) -> None:
    running = switching(cwd=isolated.work)
    package = slow()
    request = running.begin(f"%env create churn --with ./{package.place.name} --no-use")
    eventually((package.place / "waiting").exists)
    assert not [p for p in children(running.pid) if is_kernel(p)]
    package.go_on()
    _told(running, request)


def test_in_one_that_is_there_already_it_is_started_meanwhile_too(
    notebook: RunningKernel, slow: Any, terminal: Callable[..., Said]
) -> None:
    terminal("create", "churn")
    package = slow()
    request = notebook.begin(f"%%env churn\n./{package.place.name}")
    child = package.begun(notebook)
    package.go_on()
    _told(notebook, request)
    assert notebook.run("import os, slowly; os.getpid()").result == str(child)
    assert notebook.run("import sys; sys.prefix").result != repr(sys.prefix)


def test_none_is_started_where_something_runs_at_its_start_that_may_need_what_is_installed(
    switching: Callable[..., RunningKernel], slow: Any, isolated: Isolated
) -> None:
    startup = isolated.ipython / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-own.py").write_text("import slowly\nvery_own = 1\n")
    running = switching(cwd=isolated.work)
    package = slow()
    request = running.begin(f"%%env churn\n./{package.place.name}")
    eventually((package.place / "waiting").exists)
    assert not [p for p in children(running.pid) if is_kernel(p)]
    package.go_on()
    _told(running, request)
    assert running.run("very_own").result == "1"


def test_what_kept_a_kernel_from_starting_can_be_mended_from_a_notebook(
    switching: Callable[..., RunningKernel],
    bare_venv: Callable[..., Path],
    make_wheel: Callable[..., Path],
    isolated: Isolated,
) -> None:
    make_wheel("traitlets", "3.0", files={"traitlets/__init__.py": ""})
    bare_venv(isolated.work / "theirs", "traitlets==3.0")
    running = switching(cwd=isolated.work)
    refused = running.run("%env attach ./theirs", check=False)
    assert "traitlets" in refused.text and "3.0" in refused.text
    running.run("%%env ./theirs\ntraitlets>=5.14")
    assert running.run("import sys; sys.prefix").result == repr(str(isolated.work / "theirs"))
