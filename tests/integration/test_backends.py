"""One contract over the whole table of backends: what `create` promises, whatever makes it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.operate import BACKENDS, Operator, prefix_of

from envmagic.core.model import BackendName
from envmagic.core.verbs import InstallRequest, UninstallRequest
from envmagic.environments import backends, inspection, integrity, ownership
from envmagic.jupyter import kernelspecs
from envmagic.system import directories

# Spaces, letters beyond ASCII, what a shell would replace, and longer than a `#!` line may be.
PLACE = f"my projects/größe-数据/price$PATH/{'d' * 60}/{'e' * 50}/churn model-é"


@pytest.fixture(params=[b.value for b in BACKENDS])
def backend(request: pytest.FixtureRequest, isolated: Any) -> BackendName:
    """Each backend in turn; conda with a channel on disk, as its user would configure it."""
    name = BackendName(request.param)
    if name is BackendName.CONDA:
        channel = request.getfixturevalue("conda")
        (isolated.home / ".condarc").write_text(f"channels: ['{channel.url}']\n")
    return name


def test_a_named_environment_is_whole_registered_and_clean(
    operate: Operator, backend: BackendName
) -> None:
    report = operate.create("churn", "six", backend=backend)
    prefix = prefix_of(report)
    environment = backends.inspect(prefix, owned=ownership.is_owned(prefix))
    assert (environment.backend, environment.owned) == (backend, True)
    found = set(inspection.distributions(environment))
    assert {"six", "pip"} <= found and not {"ipykernel", "envmagic", "tornado"} & found
    assert integrity.broken_distributions(inspection.distributions(environment)) == []
    check = _run(prefix, "-m", "pip", "check")
    assert check.returncode == 0, check.stdout + check.stderr
    assert (prefix / ".gitignore").read_text() == "*\n"
    kernel = kernelspecs.of_prefix(prefix)
    assert kernel is not None and kernel.name == "churn"
    assert kernel.display_name == f"churn (Python {environment.short_version})"
    assert kernel.argv[0] == str(environment.python)


def test_a_kernel_starts_in_any_directory(
    operate: Operator, backend: BackendName, kernel: Callable[..., Any]
) -> None:
    """The kernel itself says where it runs; its `python`, `pip` and `%env` are that place's."""
    prefix = prefix_of(operate.create(f"./{PLACE}", backend=backend))
    registered = kernelspecs.of_prefix(prefix)
    assert registered is not None
    running = kernel(registered.name)
    variable = "CONDA_PREFIX" if backend is BackendName.CONDA else "VIRTUAL_ENV"
    said = running.run(
        "import sys, shutil, os, json\n"
        f"print(json.dumps([sys.prefix, shutil.which('python'), os.environ['{variable}']]))"
    ).stdout
    assert json.loads(said) == [str(prefix), str(prefix / "bin" / "python"), str(prefix)]
    assert str(prefix) in running.run("!pip --version").text.replace("\n", "")
    assert str(directories.runtimes()) in running.run("import envmagic; envmagic.__file__").result
    assert running.run(f"%env {variable}").result == repr(str(prefix))


def test_install_and_uninstall_change_that_environment_only(
    operate: Operator, backend: BackendName, make_wheel: Callable[..., Path]
) -> None:
    make_wheel("tidy-tools", "1.0")
    make_wheel("tidy-tools", "2.0")
    prefix = prefix_of(operate.create("churn", backend=backend))
    report = operate(InstallRequest(("tidy-tools<2", "attrs")), prefix)
    assert [c["name"] for c in report.data["changes"]] == ["attrs", "tidy-tools"]
    assert _run(prefix, "-c", "import tidy_tools, attr").returncode == 0
    upgraded = operate(InstallRequest(("tidy-tools",), upgrade=True), prefix)
    assert [(c["version"], c["action"]) for c in upgraded.data["changes"]] == [
        ("1.0", "removed"),
        ("2.0", "installed"),
    ]
    operate(UninstallRequest(("attrs",)), prefix)
    assert _run(prefix, "-c", "import attr").returncode == 1


def test_the_asked_python_is_used(
    operate: Operator, backend: BackendName, pythons: dict[str, Path]
) -> None:
    version = next(iter(pythons))
    prefix = prefix_of(operate.create("older", backend=backend, python=version))
    said = _run(prefix, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    assert said.stdout.strip() == version


def test_a_cell_said_again_changes_nothing(operate: Operator, backend: BackendName) -> None:
    first = operate.cell("churn", "six\n# a comment\nattrs>=20\n", backend=backend)
    assert first.changed
    again = operate.cell("churn", "six\nattrs>=20\n", backend=backend)
    assert not again.changed and again.data["changes"] == []
    more = operate.cell("churn", "humanize\n", backend=backend)
    assert [c["name"] for c in more.data["changes"]] == ["humanize"]
    names = set(inspection.distributions(backends.inspect(prefix_of(more))))
    assert {"six", "attrs", "humanize"} <= names


def _run(prefix: Path, *words: str) -> subprocess.CompletedProcess[str]:
    python = str(prefix / "bin" / "python")
    return subprocess.run([python, *words], capture_output=True, text=True, cwd="/")
