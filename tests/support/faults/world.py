"""The machine of one try: a home, a working directory, a temporary directory, and the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import wheelhouse
from support.terminal import Said

__all__ = ["LIMIT", "World"]

HOOK = Path(__file__).with_name("hook")
LIMIT = 180.0  # seconds that one command may take
# All else of the variables around us belongs to the person who runs the campaign.
_KEPT = ("PATH", "LANG", "LC_ALL", "PYENV_ROOT", "PYTHONPATH")


@dataclass(frozen=True)
class World:
    """The directories of one try, all below `root`."""

    root: Path
    wheels: Path
    """Small packages, beside those of the wheelhouse."""
    without: list[str] = field(default_factory=list)
    """Variables that a command goes without for now."""
    elsewhere: list[Path] = field(default_factory=list)
    """Where what the tests write goes for now, if the disk of the world has no room."""

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def work(self) -> Path:
        """The working directory: notebooks and their requirements.txt."""
        return self.root / "work"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def kernels(self) -> Path:
        return self.home / "jupyter" / "kernels"

    @property
    def envmagic(self) -> Path:
        """ENVMAGIC_HOME."""
        return self.home / "envmagic"

    @property
    def runtimes(self) -> Path:
        """What kernels consist of, shared by all tries: making it takes seconds."""
        return self.wheels.parent / "runtimes"

    @property
    def log(self) -> Path:
        """What the hook wrote of the last command that ran with one."""
        return self._own() / "calls.log"

    def build(self) -> None:
        """Make the directories, empty."""
        for path in (self.home / "jupyter" / "runtime", self.home / "ipython"):
            path.mkdir(parents=True)
        for path in (self.work, self.temporary, self.kernels, self.envmagic):
            path.mkdir(parents=True)
        self.runtimes.mkdir(exist_ok=True)
        (self.envmagic / "runtimes").symlink_to(self.runtimes)
        places = (wheelhouse.directory(), self.wheels)
        links = ", ".join(f'"{place.as_uri()}"' for place in places)
        settings = f"no-index = true\nfind-links = [{links}]\n"
        (self.home / "uv.toml").write_text(settings, encoding="utf-8")

    def clear(self) -> None:
        """Take the whole try away."""
        shutil.rmtree(self.root, ignore_errors=True)

    def variables(
        self, plan: Mapping[str, Any] | None = None, *, copy: bool = False
    ) -> dict[str, str]:
        """The variables of a command here; with a `plan` the hook is in its process.

        `copy`: uv copies files rather than linking them, so that there is a middle to be killed in.
        """
        found = {name: os.environ[name] for name in _KEPT if name in os.environ}
        jupyter = self.home / "jupyter"
        found |= {
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ENVMAGIC_HOME": str(self.envmagic),
            "JUPYTER_DATA_DIR": str(jupyter),
            "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
            "JUPYTER_CONFIG_DIR": str(self.home / "jupyter-config"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "IPYTHONDIR": str(self.home / "ipython"),
            "PYTHONNOUSERSITE": "1",
            "UV_CONFIG_FILE": str(self.home / "uv.toml"),
            "UV_CACHE_DIR": str(wheelhouse.directory() / "caches" / "uv"),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LINK_MODE": "copy" if copy else "hardlink",
        }
        for name in self.without:
            found.pop(name, None)
        if plan is not None:
            path = [str(HOOK), *filter(None, [found.get("PYTHONPATH")])]
            found["PYTHONPATH"] = os.pathsep.join(path)
            found["FAULTS"] = json.dumps({"log": str(self.log), **plan})
        return found

    def start(
        self, words: tuple[str, ...], plan: Mapping[str, Any] | None = None, *, copy: bool = False
    ) -> subprocess.Popen[str]:
        """Start `envmagic WORDS` in the working directory; its output goes to files."""
        if plan is not None:
            self.log.unlink(missing_ok=True)
        with self._output("out").open("w") as out, self._output("err").open("w") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "envmagic", *words],
                cwd=self.work,
                env=self.variables(plan, copy=copy),
                stdin=subprocess.DEVNULL,
                # A pipe would be held open by an installer that outlives the command.
                stdout=out,
                stderr=err,
                text=True,
            )

    def beside(self, number: int, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Start `envmagic WORDS` beside another one."""
        with self._output(f"beside{number}").open("w") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "envmagic", *words],
                cwd=self.work,
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def said_beside(self, number: int, code: int) -> Said:
        """What one of those said."""
        return Said(code, "", self._output(f"beside{number}").read_text("utf-8"))

    def finish(self, process: subprocess.Popen[str]) -> Said:
        """Wait for a started command and return what it said. Raises `TimeoutExpired`."""
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out, err = (self._output(name).read_text("utf-8") for name in ("out", "err"))
        return Said(code, out, err)

    def run(self, *words: str, plan: Mapping[str, Any] | None = None) -> Said:
        """`envmagic WORDS` to its end, whatever its exit code."""
        return self.finish(self.start(words, plan))

    def prepare(self, *words: str) -> None:
        """`envmagic WORDS`, which must succeed: it makes what the try begins with."""
        said = self.run(*words)
        assert said.code == 0, f"envmagic {' '.join(words)}\n{said.out}{said.err}"

    def calls(self) -> list[str]:
        """The hook's lines of the last command that ran with one."""
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []

    def _output(self, name: str) -> Path:
        return self._own() / f"said.{name}"

    def _own(self) -> Path:
        return self.elsewhere[-1] if self.elsewhere else self.root
