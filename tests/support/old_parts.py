"""Wheels of what kernels consist of, as people have them who do not update: fetched once by name.

They lie apart from the other wheels, and only the tests of such environments install from them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from support import wheelhouse

PARTS = {
    "traitlets and tornado": ("traitlets==5.1.1", "tornado==6.1"),
    "IPython": ("ipython==7.34.0",),
    "jupyter_client and pyzmq": ("jupyter-client==6.1.12", "pyzmq==25.1.2"),
    "packaging, psutil and comm": ("packaging==20.9", "psutil==5.9.8", "comm==0.1.2"),
}
"""What an environment holds; a kernel that agrees with it is among the wheels, too."""
OLDER = ("3.8", "3.9")
"""Pythons that envmagic itself does not run on."""
_KERNEL = ("ipykernel", "ipython", "jupyter-client", "packaging")


def fits(parts: str) -> bool:
    """Whether there are such wheels for the running Python."""
    return parts != "jupyter_client and pyzmq" or sys.version_info < (3, 13)


def older_python(version: str) -> Path | None:
    """An interpreter of that version, one of `OLDER`; None where there is none."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    names: list[str | Path | None] = [shutil.which(f"python{version}")]
    for name in [*names, *root.glob(f"versions/{version}.*/bin/python")]:
        if name is None:
            continue
        asked = [str(name), "-c", "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version:
            return Path(name)
    return None


def ensure() -> Path:
    """The directory with the wheels, for the running Python and for each of `OLDER` that is here.

    Needs a network the first time only.
    """
    target = wheelhouse.directory() / "old-parts"
    target.mkdir(parents=True, exist_ok=True)
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for parts, wanted in PARTS.items():
        if fits(parts):
            _fetch(target, Path(sys.executable), f"{running} {parts}", (*wanted, *_KERNEL))
    for version in OLDER:
        python = older_python(version)
        if python is not None and not _stamp(target, version).exists():
            with tempfile.TemporaryDirectory() as place:
                subprocess.run([python, "-m", "venv", place], check=True)
                _fetch(target, Path(place, "bin", "python"), version, ("ipykernel", "pip"))
    return target


def _fetch(target: Path, python: Path, name: str, wanted: tuple[str, ...]) -> None:
    stamp = _stamp(target, name)
    if stamp.exists():
        return
    words = ["wheel", "--quiet", "--prefer-binary", "--wheel-dir", str(target), *wanted]
    done = subprocess.run([python, "-m", "pip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    stamp.touch()


def _stamp(target: Path, name: str) -> Path:
    return target / f"have-{name.replace(' ', '-').replace(',', '')}"
