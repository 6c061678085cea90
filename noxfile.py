"""What can be run on the project: each session sets up all it needs on a fresh machine."""

from __future__ import annotations

import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

from support import interpreters  # noqa: E402

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]

LINT = ("mypy>=2.3,<3", "ruff>=0.17,<0.18")
REAL_CONDA = (
    *("conda-lock==4.0.3", "archspec", "conda-package-handling", "frozendict", "pluggy"),
    *("pycosat", "pip", "tqdm"),
)
# New environments start slowly when their bytecode is not kept; the variable is the machine's.
VARIABLES = {"PYTHONDONTWRITEBYTECODE": None}
# Starting kernels and environments waits as much as it computes: more at a time than two cores.
AT_A_TIME = ("-n", "4", "--dist", "worksteal")


# Of the rooms that pyproject.toml names; it has the floor, too.
COVERED = ("--cov", "--cov-report", "term")


@nox.session
def tests(session: nox.Session) -> None:
    """Lint, types and every test but the soak; `-- ARGS` go to pytest."""
    session.install("-e", ".[test]", "pip", *LINT)
    if session.posargs:
        _download_wheelhouse(session)
        session.run("pytest", *session.posargs, env=VARIABLES)
        return
    with ThreadPoolExecutor(2) as beside:  # the unit tests install nothing
        others = [beside.submit(part, session) for part in (_download_wheelhouse, _check)]
        session.run("pytest", *AT_A_TIME, *COVERED, "tests/unit", env=VARIABLES)
        for other in others:
            other.result()
    rest = ("tests/integration", "tests/kernel", "tests/browser")
    session.run("pytest", *AT_A_TIME, "-m", "not soak", *rest, env=VARIABLES)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff check, ruff format, mypy strict."""
    session.install("-e", ".[test]", *LINT)
    _check(session)


@nox.session
@nox.parametrize("version", interpreters.SUPPORTED)
def versions(session: nox.Session, version: str) -> None:
    """The cross-version subset on one Python, with the latest dependencies."""
    _install_uv(session)
    _subset(session, version, _interpreter(session, version), lowest=False)


@nox.session
def lowest(session: nox.Session) -> None:
    """The cross-version subset on the oldest Python found, with the lowest dependencies."""
    _install_uv(session)
    version, python = next(iter(interpreters.found().items()))
    _subset(session, version, python, lowest=True)


@nox.session
def wheelhouse(session: nox.Session) -> None:
    """Download what the tests install, once; afterwards they need no network."""
    session.install("pip")
    _download_wheelhouse(session)


@nox.session
def demo(session: nox.Session) -> None:
    """Execute the quickstart in a throw-away home and show what it left behind."""
    session.install("-e", ".[uv]", "nbclient")
    session.run("python", "tools/demo.py", *session.posargs, env=VARIABLES)


@nox.session
def corpus(session: nox.Session) -> None:
    """Score the record on a corpus of notebooks, beside other scanners; `-- DIR` names it."""
    session.install("-e", ".[uv]")
    session.run("python", "bench/corpus.py", *session.posargs, env=VARIABLES)


@nox.session
def outcome(session: nox.Session) -> None:
    """Whether the imports of a sample of notebooks work in what is guessed; `-- DIR` names it."""
    session.install("-e", ".[uv]")
    session.run("python", "bench/outcome.py", *session.posargs, env=VARIABLES)


@nox.session
def oracles(session: nox.Session) -> None:
    """Our names of distributions beside what the wheels of other scanners say."""
    session.install("-e", ".[test]", "pip")
    place = ROOT / ".nox" / "oracle-wheels"
    words = ("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(place))
    session.run("pip", "download", *words, "pigar==2.2.0", "pipreqs==0.5.0", "marimo==0.25.2")
    variables = {**VARIABLES, "ENVMAGIC_ORACLES": str(place)}
    session.run("pytest", "tests/unit/test_oracles.py", *session.posargs, env=variables)


@nox.session
def conda(session: nox.Session) -> None:
    """A real conda against ours on a channel on disk; it is the one inside conda-lock's wheel."""
    place = ROOT / ".nox" / "real-conda"
    inside = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    session.install("-e", ".[test]", "pip")
    python = str(_interpreter(session, "3.12"))
    session.run("uv", "venv", "--quiet", "--clear", "-p", python, str(place))
    session.run("uv", "pip", "install", "--quiet", "-p", str(inside), *REAL_CONDA)
    _download_wheelhouse(session)
    variables = {**VARIABLES, "ENVMAGIC_TEST_CONDA_PYTHON": str(inside)}
    test = "tests/integration/test_conda_conformance.py"
    session.run("pytest", test, *session.posargs, env=variables)


@nox.session
def binder(session: nox.Session) -> None:
    """What is exported or shipped for Binder, as repo2docker's own detection takes it."""
    session.install("-e", ".[test]", "pip", "jupyter-repo2docker")
    _download_wheelhouse(session)
    files = ("tests/integration/test_export.py", "tests/integration/test_ship_image.py")
    session.run("pytest", *files, "-k", "binder", *session.posargs, env=VARIABLES)


@nox.session
def hub(session: nox.Session) -> None:
    """The kernel `envmagic` on a real JupyterHub, whose proxy is a program for Node.js."""
    if shutil.which("npm") is None:
        session.skip("npm is not on this machine, and JupyterHub's proxy comes from there")
    session.install("-e", ".[test]", "pip", "jupyterhub>=5")
    place = ROOT / ".nox" / "hub-proxy"
    words = ("install", "--silent", "--prefix", str(place), "configurable-http-proxy")
    session.run("npm", *words, external=True)
    _download_wheelhouse(session)
    program = place / "node_modules" / ".bin" / "configurable-http-proxy"
    variables = {**VARIABLES, "ENVMAGIC_TEST_HUB_PROXY": str(program)}
    session.run("pytest", "tests/integration/test_hub.py", *session.posargs, env=variables)


@nox.session
def soak(session: nox.Session) -> None:
    """The switching tests at full length: minutes of traffic during switches."""
    session.install("-e", ".[test]", "pip")
    _download_wheelhouse(session)
    words = ("-m", "soak", "--soak", "-s", "--timeout", "3600")
    session.run("pytest", *words, *session.posargs, env=VARIABLES)


@nox.session
def busy(session: nox.Session) -> None:
    """`-- TESTS` ten times beside two busy loops per core: which verdicts depend on speed."""
    session.install("-e", ".[test]", "pip")
    _download_wheelhouse(session)
    session.run("python", "tests/support/busy.py", *session.posargs, env=VARIABLES)


@nox.session
def faults(session: nox.Session) -> None:
    """A thousand faults in all verbs: kills, a full disk, …; `-- SCENARIO` or `-- ID` does less."""
    session.install("-e", ".[test]", "pip")
    _download_wheelhouse(session)
    session.run("python", "tests/support/faults/run.py", *session.posargs, env=VARIABLES)


@nox.session
def fuzz(session: nox.Session) -> None:
    """A million mutated files for all that reads people's; `-- KIND:NUMBER` reads one again."""
    session.install("-e", ".[test]")
    session.run("python", "tests/support/fuzz.py", *session.posargs, env=VARIABLES)


@nox.session
def laws(session: nox.Session) -> None:
    """The laws of the record for an hour, on new examples; `-- MINUTES` says otherwise."""
    session.install("-e", ".[test]", "pip")
    session.run("python", "tests/support/laws/run.py", *session.posargs, env=VARIABLES)


@nox.session
def bench(session: nox.Session) -> None:
    """Every benchmark, or those named (`-- create switch`); each prints a table."""
    session.install("-e", ".[test]", "pip")
    every = {path.stem for path in (ROOT / "bench").glob("[!_]*.py")} - {"corpus", "outcome"}
    named = session.posargs or sorted(every)
    for name in named:
        session.run("python", f"bench/{name}.py", env=VARIABLES)


def _check(session: nox.Session) -> None:
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


def _install_uv(session: nox.Session) -> None:
    session.install("uv", "pip")
    _download_wheelhouse(session)


def _download_wheelhouse(session: nox.Session) -> None:
    session.run("python", "tests/support/wheelhouse.py")


def _interpreter(session: nox.Session, version: str) -> Path:
    python = interpreters.found().get(version)
    if python is None:
        session.skip(f"Python {version} is not on this machine")
    return python


def _subset(session: nox.Session, version: str, python: Path, *, lowest: bool) -> None:
    """Make an environment on `python` beside the session's and run the cross-version tests."""
    place = ROOT / ".nox" / f"subset-{version}{'-lowest' if lowest else ''}"
    session.run("uv", "venv", "--quiet", "--clear", "-p", str(python), str(place))
    inside = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = ["-e", ".[test]", "pip", *(_floors() if lowest else ())]
    session.run("uv", "pip", "install", "--quiet", "-p", str(inside), *wanted)
    words = ("-m", "pytest", "-q", "--every-python", *AT_A_TIME)
    session.run(str(inside), *words, external=True, env=VARIABLES)


def _floors() -> list[str]:
    """The lowest versions that pyproject.toml promises, as pins."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert block, "pyproject.toml has no dependencies"
    return [line.replace(">=", "==") for line in re.findall(r'"([^"]+)"', block[1])]
