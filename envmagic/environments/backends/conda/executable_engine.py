"""The engine that is the user's own mamba, micromamba or conda, asked for JSON.

Fields of the answers: `message`, `exception_name` (conda), `solver_problems`, `success` (mamba and
micromamba), `result.pkgs` (their `search`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments.backends.conda import specs as words
from envmagic.environments.backends.conda.engine import NotInChannels, Transaction
from envmagic.system import process

__all__ = ["ExecutableEngine"]

# What activation sets, as against what configures conda.
_OF_ACTIVATION = re.compile(r"CONDA_(?:PREFIX(?:_\d+)?|DEFAULT_ENV|SHLVL|PROMPT_MODIFIER)$")
_SECONDS = 3600.0


class ExecutableEngine:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name.removesuffix(".exe").removesuffix(".bat")

    def apply(self, change: Transaction, progress: Progress) -> None:
        # not `create`: it deletes and makes anew a directory that is there
        if change.remove:
            progress.step(f"{self.name} takes {', '.join(change.remove)} out")
            self._change("remove", change, list(change.remove), progress)
        if change.specs or change.reinstall:
            asked = list(change.specs) or list(change.reinstall)
            progress.step(f"{self.name} solves, downloads and links {', '.join(asked[:3])}")
            options = ["--force-reinstall"] if change.reinstall else []
            verb = "update" if change.upgrade and not _constrained(asked) else "install"
            self._change(verb, change, [*options, *_channels(change), *asked], progress)

    def _change(self, verb: str, change: Transaction, more: list[str], progress: Progress) -> None:
        command: list[str | Path] = [self.path, verb, "--prefix", change.prefix, "--yes", "--json"]
        command += more
        answer = self._ask(command, progress)
        if answer.code == 0:
            return
        content = _json(answer.stdout)
        if verb != "remove" and _is_unsolved(content):
            unknown = _listed(content, change)
            unknown = unknown or [
                n for n in _names(change.specs) if not self._has(n, change, progress)
            ]
            if unknown:
                raise NotInChannels(unknown)
        raise _explained(self.name, content, answer)

    def _has(self, name: str, change: Transaction, progress: Progress) -> bool:
        command: list[str | Path] = [self.path, "search", name, "--json", *_channels(change)]
        answer = self._ask(command, progress)
        content = _json(answer.stdout)
        if "result" in content:  # mamba and micromamba
            return bool(content["result"].get("pkgs"))
        return answer.code == 0 and bool(content.get(name))

    def _ask(self, command: Sequence[str | Path], progress: Progress) -> process.Completed:
        settings = {
            name: value
            for name, value in os.environ.items()
            if name.startswith("CONDA_") and not _OF_ACTIVATION.match(name)
        }
        try:
            return process.run(
                command,
                env=settings,
                timeout=_SECONDS,
                on_line=progress.detail,
                on_wait=lambda _: progress.waiting(),
                check=False,
            )
        except process.CommandFailed as error:
            raise EnvmagicError(
                "no-backend",
                f"{display.user_path(self.path)} cannot be used: {error.reason}.",
                "Set ENVMAGIC_CONDA=rattler to do without it.",
                subject=str(self.path),
            ) from error


def _channels(change: Transaction) -> list[str]:
    named = [c for c in change.channels if c != "nodefaults"]
    options = ["--override-channels"] if "nodefaults" in change.channels and named else []
    return [*options, *(w for channel in named for w in ("--channel", channel))]


def _constrained(asked: Sequence[str]) -> bool:
    return any(re.search(r"[=<>!~\s]", spec) for spec in asked)


def _names(specs: Sequence[str]) -> list[str]:
    return [words.conda_name(spec) for spec in specs if "::" not in spec]


def _listed(content: dict[str, Any], change: Transaction) -> list[str]:
    """Those asked for that conda itself says are in no channel."""
    packages = content.get("packages")
    if not str(content.get("exception_name", "")).startswith("PackagesNotFound"):
        return []
    named = {words.conda_name(str(p)) for p in packages} if isinstance(packages, list) else set()
    return [name for name in _names(change.specs) if name in named]


def _is_unsolved(content: dict[str, Any]) -> bool:
    name = str(content.get("exception_name", ""))
    unsolved = ("PackagesNotFound", "ResolvePackageNotFound", "Unsatisfiable", "LibMambaUnsat")
    return name.startswith(unsolved) or "solver_problems" in content


def _json(text: str) -> dict[str, Any]:
    """The JSON object in `text`; progress objects that conda writes first are passed over."""
    for part in reversed(text.split("\0")):
        start = part.find("{")
        if start < 0:
            continue
        try:
            content = json.loads(part[start:])
        except ValueError:
            continue
        if isinstance(content, dict):
            return content
    return {}


def _explained(name: str, content: dict[str, Any], answer: process.Completed) -> EnvmagicError:
    problems = content.get("solver_problems")
    text = "\n".join(str(p) for p in problems) if isinstance(problems, list) else ""
    text = str(content.get("message") or content.get("error") or "") or text
    text = process.redact(text or answer.stderr.strip() or f"exit code {answer.code}").strip()
    lower = text.lower()
    kind = str(content.get("exception_name", ""))
    if "no space left" in lower:
        return EnvmagicError("no-space", f"No space left on the disk while {name} was at work.")
    if kind.startswith(("UnavailableInvalidChannel", "ChannelNotFound")):
        return EnvmagicError("no-channel", f"There is no such channel: {text}")
    if kind.startswith("CondaHTTP") or "connectionfailed" in kind.lower():
        return EnvmagicError(
            "no-network",
            f"{name} cannot reach the channel: {text.splitlines()[0]}",
            "Check the network and try again.",
        )
    if _is_unsolved(content):
        return EnvmagicError("conda-conflict", f"{name} cannot solve this: {text}")
    return EnvmagicError("install-failed", f"{name}: {text}")
