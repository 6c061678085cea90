"""The backend `virtualenv`: for those who configure it or need an older Python."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from envmagic.core.model import BackendName, EnvSpec, Progress
from envmagic.environments.backends import tool_errors
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.pyvenv import PyvenvBackend
from envmagic.system import import_path, process

__all__ = ["VirtualenvBackend"]


class VirtualenvBackend(PyvenvBackend):
    name = BackendName.VIRTUALENV

    def missing(self) -> str:
        return "" if self._command() else "virtualenv is not installed"

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        words = [*self._command(), "--no-download", "--no-seed", "--no-periodic-update"]
        words += ["--prompt", spec.name, "--python", python, spec.prefix]
        try:
            process.run(words)
        except process.CommandFailed as error:
            raise tool_errors.explain(error, spec.name) from error
        return ()

    @staticmethod
    def _command() -> list[str | Path]:
        if import_path.installed("virtualenv") is not None:
            return process.module(sys.executable, "virtualenv")
        on_path = shutil.which("virtualenv")
        return [on_path] if on_path else []
