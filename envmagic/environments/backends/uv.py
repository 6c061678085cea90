"""The backend `uv`: the fastest, and the default where it is found."""

from __future__ import annotations

from pathlib import Path

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, EnvSpec, Progress
from envmagic.environments.backends import commands, settings, tool_errors
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.pyvenv import PyvenvBackend
from envmagic.system import process

__all__ = ["UvBackend"]


class UvBackend(PyvenvBackend):
    name = BackendName.UV

    def missing(self) -> str:
        return "" if commands.find_uv() else "uv is not installed"

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        uv = commands.find_uv()
        if uv is None:
            raise EnvmagicError("no-backend", "uv is not installed.", "pip install uv")
        words = commands.uv_command(
            uv, "venv", "--no-project", "--allow-existing", "--prompt", spec.name
        )
        try:
            with settings.told(None) as said:
                said |= commands.UV_ENVIRONMENT
                process.run([*words, "-p", python, spec.prefix], env=said)
        except process.CommandFailed as error:
            raise tool_errors.explain(error, str(spec.name)) from error
        return ()
