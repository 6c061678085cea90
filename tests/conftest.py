"""What every test gets: a home of its own, real packages from disk, real kernels and commands.

`isolated` is there for each test without asking. The shelf a test lies on (its directory) is its
marker: `unit`, `integration`, `kernel`, `browser`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import interpreters, local_index, ports, project_tools, wheelhouse, wheels
from support.terminal import Said, envmagic

REPOSITORY = Path(__file__).parents[1]
SHELVES = ("unit", "integration", "kernel", "browser")
# Whatever of these is set around the tests belongs to the person who runs them.
_LEAKS = (
    "CONDA_",
    "ENVMAGIC_",
    "HATCH_",
    "IPY",
    "JPY_",
    "JUPYTER_",
    "PDM_",
    "PIP_",
    "PIXI_",
    "POETRY_",
    "UV_",
    "VIRTUAL",
    "WORKON_HOME",
    "XDG_",
)
_LEAKING = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONSTARTUP", "MPLBACKEND")


@dataclass(frozen=True)
class Isolated:
    """The directories of one test; all of them exist."""

    home: Path
    work: Path
    """The working directory: where its notebooks and requirement files go."""
    data: Path
    """JUPYTER_DATA_DIR; kernelspecs are in `kernels`."""
    runtime: Path
    ipython: Path
    envmagic: Path
    """ENVMAGIC_HOME."""
    wheels: Path
    """Empty; a wheel put here can be installed, by pip and by uv (`make_wheel` does)."""

    @property
    def kernels(self) -> Path:
        return self.data / "kernels"


def pytest_configure(config: pytest.Config) -> None:
    ports.install()
    # A shell lets its background jobs ignore interrupts, and children would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-python",
        action="store_true",
        help="only the tests that run on each Python: the unit shelf and those marked every_python",
    )
    parser.addoption("--soak", action="store_true", help="the soak tests at their full length")


@pytest.fixture(scope="session")
def full_soak(request: pytest.FixtureRequest) -> bool:
    """Whether the soak tests run at their full length (`nox -s soak`) or in short (CI)."""
    return bool(request.config.getoption("--soak"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        shelf = _shelf(item)
        if shelf:
            item.add_marker(getattr(pytest.mark, shelf))
    if config.getoption("--every-python"):
        kept = [i for i in items if _shelf(i) == "unit" or i.get_closest_marker("every_python")]
        config.hook.pytest_deselected(items=[i for i in items if i not in kept])
        items[:] = kept


def _shelf(item: pytest.Item) -> str:
    inside = item.path.relative_to(Path(__file__).parent).parts[0]
    return inside if inside in SHELVES else ""


@pytest.fixture(scope="session")
def wheelhouse_directory() -> Path:
    """The wheelhouse; downloads it when it is not there yet (`nox -s wheelhouse` does it alone)."""
    return wheelhouse.ensure()


@pytest.fixture(scope="session")
def runtimes_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernels of all tests of one run have their parts: making them takes seconds."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "runtimes"
    place.mkdir(exist_ok=True)
    return place


@pytest.fixture
def own_directory(tmp_path: Path) -> Path:
    """Where a test's home and working directory are; a shelf whose tests share a server says
    another."""
    return tmp_path


@pytest.fixture(autouse=True)
def isolated(
    request: pytest.FixtureRequest,
    own_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    runtimes_directory: Path,
) -> Isolated:
    """A home, data directories and a working directory of the test's own; packages come from disk.

    Nothing of the virtual or conda environment around the tests is seen. `PYTHONPATH` stays: a
    checkout that is not installed is found through it.
    """
    for name in list(os.environ):
        if name.startswith(_LEAKS) or name in _LEAKING:
            monkeypatch.delenv(name)
    home = own_directory / "home"
    made = Isolated(
        home=home,
        work=own_directory / "work",
        data=home / "jupyter",
        runtime=home / "jupyter" / "runtime",
        ipython=home / "ipython",
        envmagic=home / "envmagic",
        wheels=own_directory / "wheels",
    )
    for path in (made.work, made.runtime, made.ipython, made.envmagic, made.wheels):
        path.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(made.data))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(made.runtime))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(home / "jupyter-config"))
    (home / "jupyter-config").mkdir(exist_ok=True)
    (home / "jupyter-config" / "jupyter_config.py").write_text(ports.configuration())
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(made.ipython))
    monkeypatch.setenv("ENVMAGIC_HOME", str(made.envmagic))
    (made.envmagic / "runtimes").symlink_to(runtimes_directory)
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    if _shelf(request.node) != "unit":
        request.getfixturevalue("wheelhouse_directory")
    _packages_from_disk(monkeypatch, made)
    monkeypatch.chdir(made.work)
    return made


def _packages_from_disk(monkeypatch: pytest.MonkeyPatch, made: Isolated) -> None:
    """Point pip, uv and virtualenv at the wheelhouse, and away from every index and the network."""
    places = [wheelhouse.directory(), made.wheels]
    caches = wheelhouse.directory() / "caches"  # shared: unpacking wheels is most of the time
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join(place.as_uri() for place in places))
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    settings = made.home / "uv.toml"
    links = ", ".join(f'"{place.as_uri()}"' for place in places)
    settings.write_text(f"no-index = true\nfind-links = [{links}]\n", encoding="utf-8")
    monkeypatch.setenv("UV_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(caches / "uv"))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("VIRTUALENV_OVERRIDE_APP_DATA", str(caches / "virtualenv"))
    monkeypatch.setenv("VIRTUALENV_NO_PERIODIC_UPDATE", "1")


@pytest.fixture(name="wheelhouse")
def _wheelhouse(wheelhouse_directory: Path) -> Path:
    """The directory with the real wheels; `isolated` has pointed pip and uv at it already."""
    return wheelhouse_directory


@pytest.fixture
def make_wheel(isolated: Isolated) -> Callable[..., Path]:
    """`make_wheel(name, version="1.0", files=…, requires=…, metadata=…)`: an installable wheel.

    It lies in `isolated.wheels`, so `pip install NAME` and `uv pip install NAME` find it.
    """

    def make(name: str, version: str = "1.0", **shape: object) -> Path:
        return wheels.build(isolated.wheels, name, version, **shape)  # type: ignore[arg-type]

    return make


@pytest.fixture
def terminal(isolated: Isolated) -> Callable[..., Said]:
    """`terminal("create", "churn", cwd=…, code=0, env=…)`: the real `envmagic` command."""

    def run(*words: str | Path, cwd: Path | None = None, **more: object) -> Said:
        return envmagic(*words, cwd=cwd or isolated.work, **more)  # type: ignore[arg-type]

    return run


@pytest.fixture
def kernel(isolated: Isolated) -> Iterator[Callable[..., object]]:
    """`kernel(name="python3", cwd=…, env=…, notebook=…)`: starts that kernelspec; `.run(code)`.

    Every kernel is shut down at the end of the test.
    """
    from support.kernels import RunningKernel

    running: list[RunningKernel] = []

    def start(
        name: str = "python3",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        notebook: Path | None = None,
    ) -> RunningKernel:
        running.append(RunningKernel(name, cwd or isolated.work, env, notebook))
        return running[-1]

    yield start
    for started in running:
        started.stop()


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """The supported Pythons of this machine: `3.12` to its interpreter, oldest first."""
    return interpreters.found()


@pytest.fixture
def bare_venv(isolated: Isolated, wheelhouse: Path, uv_command: list[str]) -> Callable[..., Path]:
    """`bare_venv(path, *packages, python=None)`: a venv not made by us; returns its interpreter.

    Made by uv, without pip unless it is among the packages. `python`: that of the tests.
    """

    def make(path: Path, *packages: str, python: str | Path | None = None) -> Path:
        wanted = ["-p", str(python or sys.executable)]
        subprocess.run([*uv_command, "venv", "-q", *wanted, str(path)], check=True)
        interpreter = path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if packages:
            install = [*uv_command, "pip", "install", "-q", "-p", str(interpreter), *packages]
            subprocess.run(install, check=True)
        return interpreter

    return make


@pytest.fixture(scope="session")
def _tools_of_projects() -> Path:
    """Fetched before a test has nothing but what is on the disk."""
    return project_tools.ensure()


@pytest.fixture
def tool_project(
    isolated: Isolated,
    wheelhouse: Path,
    uv_command: list[str],
    _tools_of_projects: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], Path]]:
    """`tool_project()`: the working directory with a pyproject.toml that uv, Poetry and PDM can
    lock; they are on PATH, as people have them."""
    scripts = [str(Path(uv_command[0]).parent), str(_tools_of_projects)]
    monkeypatch.setenv("PATH", os.pathsep.join([*scripts, os.environ["PATH"]]))
    monkeypatch.setenv("POETRY_VIRTUALENVS_IN_PROJECT", "1")
    monkeypatch.delenv("PIP_NO_INDEX")  # else pdm asks nobody at all
    with local_index.serving(wheelhouse) as index:

        def make() -> Path:
            content = project_tools.PROJECT.format(index=index, wheels=wheelhouse.as_uri())
            (isolated.work / "pyproject.toml").write_text(content)
            return isolated.work

        yield make


@pytest.fixture
def without_privileges() -> list[str]:
    """Words before a command that make a file mode count, also for a root that ignores it."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    capabilities = "-dac_override,-dac_read_search,-fowner"
    return ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"]


@pytest.fixture(scope="session")
def uv_command() -> list[str]:
    """The uv of the environment the tests run in."""
    import uv

    return [os.fsdecode(uv.find_uv_bin())]


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser. Without one the test skips, and says so; in CI that is a failure."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    reason = "no Chromium on this machine (`chromium`, `chromium-browser` or `google-chrome`)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
