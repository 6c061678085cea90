"""The backend `venv`: what every Python has, made without pip and filled from outside."""

from __future__ import annotations

from pathlib import Path

from envmagic.core.model import BackendName, EnvSpec, Progress
from envmagic.environments.backends import tool_errors
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.pyvenv import PyvenvBackend
from envmagic.system import import_path, process

__all__ = ["VenvBackend"]


class VenvBackend(PyvenvBackend):
    name = BackendName.VENV

    def missing(self) -> str:
        if import_path.installed("venv") is None:
            return "this Python was packaged without venv"
        return ""

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        # --without-pip: ensurepip takes seconds, installing pip with the rest a fraction of one
        options = ["-m", "venv", "--without-pip", "--prompt", spec.name]
        try:
            process.run([python, "-I", *options, spec.prefix])
        except process.CommandFailed as error:
            raise tool_errors.explain(error, spec.name) from error
        return ()
