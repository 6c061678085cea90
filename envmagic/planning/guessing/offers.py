"""What the package index has, asked through the installer: so its own settings count."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from packaging.version import InvalidVersion, Version

from envmagic.core.names import normalized
from envmagic.environments.backends import commands, installers, settings, tool_errors
from envmagic.system import process

__all__ = ["WHEELS_ONLY", "Limits", "Offer", "Offers", "PipOffers", "UvOffers", "offers_here"]

WHEELS_ONLY = ("--only-binary", ":all:")
_SECONDS = 180.0


@dataclass(frozen=True)
class Offer:
    """A wheel that the index has for a certain Python."""

    name: str
    """Normalised."""
    version: Version
    url: str
    """`https:` or `file:`; empty where the installer does not say."""
    size: int | None = None
    """Bytes."""
    uploaded: datetime | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether nothing has to be built; it counts as one where the installer does not say."""
        return not self.url or self.url.partition("#")[0].endswith(".whl")

    @property
    def pin(self) -> str:
        """`six==1.16.0`."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Limits:
    """Up to when distributions may have been uploaded."""

    until: datetime | None = None
    exempt: frozenset[str] = frozenset()
    """Names for which no date counts."""
    oldest: bool = False
    """The oldest versions rather than the newest, where the installer can be asked for those."""


NO_LIMITS = Limits()


class Offers(Protocol):
    """An installer that can be asked what it would install."""

    builds: bool
    """Whether it builds what is there as source only, which runs code of it; else wheels only."""
    dated: bool
    """Whether it knows when something was uploaded."""

    def resolved(
        self,
        requirements: Iterable[str],
        python: Path,
        *,
        constraints: Sequence[str] = (),
        limits: Limits = NO_LIMITS,
        alone: bool = False,
    ) -> tuple[Offer, ...] | None:
        """All that has to be installed on `python` for `requirements`; with `alone` without what
        they need. None when there is no such set, or it cannot be told. Raises `EnvmagicError`
        when the index cannot be reached."""
        ...


def offers_here(*, builds: bool = False) -> Offers:
    """What the installer of this machine has; with `builds` also what is there as source only."""
    uv = commands.find_uv()
    return UvOffers(uv, builds=builds) if uv is not None else PipOffers(builds=builds)


class UvOffers:
    """Asks uv for a lock (PEP 751) and writes none."""

    dated = True

    def __init__(self, uv: Path, *, builds: bool = False) -> None:
        self._uv = uv
        self.builds = builds
        self._answers: dict[tuple[object, ...], tuple[Offer, ...] | None] = {}

    def resolved(
        self,
        requirements: Iterable[str],
        python: Path,
        *,
        constraints: Sequence[str] = (),
        limits: Limits = NO_LIMITS,
        alone: bool = False,
    ) -> tuple[Offer, ...] | None:
        lines = tuple(requirements)
        key = (lines, python, tuple(constraints), limits, alone)
        if key not in self._answers:
            words = self._words(python, limits, alone)
            self._answers[key] = self._asked(words, lines, constraints)
        return self._answers[key]

    def _words(self, python: Path, limits: Limits, alone: bool) -> list[str | Path]:
        words: list[str | Path] = commands.uv_command(
            self._uv, "pip", "compile", "-", "--quiet", "--format", "pylock.toml", "-p", python
        )
        words += [*(() if self.builds else WHEELS_ONLY), *(["--no-deps"] if alone else [])]
        words += ["--resolution", "lowest"] if limits.oldest else []
        if limits.until is not None:
            words += ["--exclude-newer", limits.until.isoformat()]
            for name in sorted(limits.exempt):
                words += ["--exclude-newer-package", f"{name}=false"]
        return words

    def _asked(
        self, words: list[str | Path], lines: Sequence[str], constraints: Sequence[str]
    ) -> tuple[Offer, ...] | None:
        with installers.written(constraints) as file, settings.told(Path.cwd()) as variables:
            words = [*words, *(("-c", file) if file is not None else ())]
            try:
                said = process.run(
                    words,
                    env=variables,
                    input="".join(f"{line}\n" for line in lines),
                    timeout=_SECONDS,
                ).stdout
            except process.CommandFailed as error:
                _refuse_without_network(error)
                return None
        return _of_lock(said)


class PipOffers:
    """Asks pip for its report; when something was uploaded it does not know."""

    dated = False

    def __init__(self, *, builds: bool = False) -> None:
        self.builds = builds
        self._answers: dict[tuple[object, ...], tuple[Offer, ...] | None] = {}

    def resolved(
        self,
        requirements: Iterable[str],
        python: Path,
        *,
        constraints: Sequence[str] = (),
        limits: Limits = NO_LIMITS,
        alone: bool = False,
    ) -> tuple[Offer, ...] | None:
        lines = tuple(requirements)
        if limits.until is not None:
            return None
        key = (lines, python, tuple(constraints), alone)
        if key not in self._answers:
            self._answers[key] = self._asked(lines, python, constraints, alone)
        return self._answers[key]

    def _asked(
        self, lines: Sequence[str], python: Path, constraints: Sequence[str], alone: bool
    ) -> tuple[Offer, ...] | None:
        words: list[str | Path] = [
            *commands.pip_command(python),
            "install",
            "--dry-run",
            "--ignore-installed",
        ]
        words += ["--quiet", "--report", "-", *(() if self.builds else WHEELS_ONLY)]
        words += ["--no-deps"] if alone else []
        with installers.written(constraints) as file, settings.told(None) as variables:
            words += ["-c", file] if file is not None else []
            try:
                said = process.run([*words, *lines], env=variables, timeout=_SECONDS).stdout
            except process.CommandFailed as error:
                _refuse_without_network(error)
                return None
        return _of_report(said)


def _refuse_without_network(error: process.CommandFailed) -> None:
    """That an index cannot be reached does not say that it has not what is asked for."""
    fault = tool_errors.explain(error, "what is imported")
    if fault.problem.code == "no-network":
        raise fault from error


def _of_lock(text: str) -> tuple[Offer, ...] | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        packages = tomllib.loads(text).get("packages", [])
        return tuple(_of_package(package) for package in packages)
    except (tomllib.TOMLDecodeError, KeyError, InvalidVersion, TypeError):
        return None


def _of_package(package: Mapping[str, Any]) -> Offer:
    built: Mapping[str, Any] = package.get("sdist", {})
    wheel: Mapping[str, Any] = next(iter(package.get("wheels", [])), built)
    path = wheel.get("path")
    uploaded = wheel.get("upload-time")
    return Offer(
        normalized(package["name"]),
        Version(package["version"]),
        Path(path).absolute().as_uri() if path else wheel.get("url", ""),
        wheel.get("size"),
        uploaded if isinstance(uploaded, datetime) else None,
    )


def _of_report(text: str) -> tuple[Offer, ...] | None:
    try:
        items = json.loads(text)["install"]
        return tuple(
            Offer(
                normalized(item["metadata"]["name"]),
                Version(item["metadata"]["version"]),
                item["download_info"]["url"],
            )
            for item in items
        )
    except (ValueError, KeyError, TypeError):
        return None
