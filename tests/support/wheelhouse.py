"""The wheels that the tests install from: downloaded once by name, then used without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support import interpreters

REPOSITORY = Path(__file__).parents[2]

# Small on purpose: what an environment of ours holds, what the notebooks import, and a few names
# where the import and the distribution differ.
EVERYWHERE = (
    "attrs",
    "humanize",
    "ipykernel",
    "ipython",
    "jupyter-client",
    "packaging",
    "pip",
    "python-dateutil",
    "python-slugify",
    "pyyaml",
    "six",
    "tabulate",
    "tomli",
    "uv",
    "virtualenv",
)
# For the Python that runs the tests only: building envmagic, executing a notebook elsewhere.
HERE = ("hatchling", "jupyterlab", "nbclient", "nbconvert", "notebook")
# Each with what it needs, for kernels that people have not updated.
OLDER = (
    *(f"ipykernel=={v}" for v in ("6.0.3", "6.29.5", "6.31.0", "7.0.1", "7.1.0")),
    "ipython-genutils",
)


def directory() -> Path:
    """`$ENVMAGIC_WHEELHOUSE`, else `.wheelhouse` in the repository; a worktree shares the main
    checkout's."""
    named = os.environ.get("ENVMAGIC_WHEELHOUSE")
    if named:
        return Path(named).resolve()
    git = REPOSITORY / ".git"
    if git.is_file():  # "gitdir: <checkout>/.git/worktrees/<name>"
        main = Path(git.read_text(encoding="utf-8").partition(":")[2].strip()).parents[2]
        return main / ".wheelhouse"
    return REPOSITORY / ".wheelhouse"


def ensure(*, log: bool = False) -> Path:
    """The wheelhouse, complete for every Python found here. Needs a network the first time only."""
    target = directory()
    target.mkdir(parents=True, exist_ok=True)
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not _complete(target, here, HERE):
        _download(target, Path(sys.executable), here, (*EVERYWHERE, *HERE), log=log)
    if not _complete(target, "older", OLDER):
        version, python = next(iter(interpreters.found().items()))
        for name in OLDER:
            _download(target, python, version, (name,), log=log, stamp=False)
        _stamp(target, "older").write_text("\n".join(OLDER) + "\n", encoding="utf-8")
    if not (target / "all-pythons").exists():
        for version, python in interpreters.found().items():
            if not _complete(target, version, EVERYWHERE):
                _download(target, python, version, EVERYWHERE, log=log)
        (target / "all-pythons").touch()
    return target


def download(
    target: Path, names: Sequence[str], version: str = "", python: Path | None = None
) -> None:
    """Have wheels of `names` and what they need in `target`, for the Python that runs this, else
    for `python`, which is of the minor `version`."""
    version = version or f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not _complete(target, version, tuple(names)):
        target.mkdir(parents=True, exist_ok=True)
        _download(target, python or Path(sys.executable), version, tuple(names), log=False)


def _stamp(target: Path, version: str) -> Path:
    return target / f"packages-{version}.txt"


def _complete(target: Path, version: str, names: tuple[str, ...]) -> bool:
    stamp = _stamp(target, version)
    return stamp.exists() and set(names) <= set(stamp.read_text(encoding="utf-8").split())


def _download(
    target: Path,
    python: Path,
    version: str,
    names: tuple[str, ...],
    *,
    log: bool,
    stamp: bool = True,
) -> None:
    if log:
        print(f"Downloading wheels for Python {version} into {target}", flush=True)
    words = ["download", "--quiet", "--only-binary", ":all:", "--dest", str(target), *names]
    # `--python` runs pip inside that interpreter, so that its markers count and not ours.
    command = [sys.executable, "-m", "pip", "--python", str(python), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    if stamp:
        _stamp(target, version).write_text("\n".join(names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from support import dask_clusters, old_parts, project_tools, ray_clusters, spark

    ensure(log=True)
    dask_clusters.wheels()
    old_parts.ensure()
    project_tools.ensure()
    ray_clusters.wheels()
    if spark.has_java():
        spark.ensure()
