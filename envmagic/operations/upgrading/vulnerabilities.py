"""Known vulnerabilities of what is installed: looked up by uv or pip-audit, and remembered a day.

Looking up tells a service the names and versions of what came from an index, so that is done only
where somebody asks for it; `known` reads what was found then.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.core.names import normalized
from envmagic.core.schema import VulnerabilityData
from envmagic.environments.backends import commands, settings, tool_errors
from envmagic.system import cache, process, scratch

__all__ = ["found", "known"]

_DAY = 24 * 3600.0
_SECONDS = 120.0
_KIND = "1"
_PROJECT = '[project]\nname = "{root}"\nversion = "0"\nrequires-python = ">={python}"\n'
_ROOT = "envmagic-asks"
_LOCK = """\
version = 1
requires-python = ">={python}"

[[package]]
name = "{root}"
version = "0"
source = {{ virtual = "." }}
dependencies = [{dependencies}]
"""
_LOCKED = """
[[package]]
name = "{name}"
version = "{version}"
source = {{ registry = "https://index.invalid/simple" }}
"""
"""Where it came from matters to nobody: uv asks by name and version, and resolves nothing."""


def found(
    prefix: Path, versions: Mapping[str, str], python: str, progress: Progress
) -> list[VulnerabilityData]:
    """What is known of `versions` (normalised name -> version) on a Python of that version.

    Raises `EnvmagicError` where no tool that knows is here (`no-audit`), or it cannot tell.
    """
    progress.step(f"Looking up known vulnerabilities of {len(versions)} distributions")
    try:
        listed = _listed(versions, python)
    except process.CommandFailed as error:
        raise _untold(error) from error
    content = {"when": time.time(), "found": listed}
    cache.save(_name(prefix), _KIND, content)
    return listed


def known(prefix: Path, versions: Mapping[str, str]) -> list[VulnerabilityData]:
    """What `found` told of the environment at `prefix` within a day, as far as that is still there;
    nothing is asked for it."""
    content = cache.load(_name(prefix), _KIND)
    try:
        if not 0 <= time.time() - content["when"] < _DAY:
            return []
        return [each for each in content["found"] if versions.get(each["name"]) == each["version"]]
    except (TypeError, KeyError, AttributeError):
        return []


def _name(prefix: Path) -> str:
    digest = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:32]
    return f"vulnerabilities-{digest}.json"


def _listed(versions: Mapping[str, str], python: str) -> list[VulnerabilityData]:
    uv = commands.find_uv()
    with scratch.beside(Path(tempfile.gettempdir())) as place:
        place.mkdir(0o700)
        if uv is not None and _can(uv):
            return _by_uv(uv, place, versions, python)
        audit = _pip_audit()
        if audit is not None:
            return _by_pip_audit(audit, place, versions)
    raise EnvmagicError(
        "no-audit",
        "Known vulnerabilities cannot be looked up: there is neither an uv that has `uv audit`"
        " nor pip-audit.",
        "To get one that has",
        tool_command=("pip", "install", "pip-audit"),
    )


def _can(uv: Path) -> bool:
    return process.run([uv, "audit", "--help"], check=False, timeout=_SECONDS).code == 0


def _by_uv(
    uv: Path, place: Path, versions: Mapping[str, str], python: str
) -> list[VulnerabilityData]:
    short = ".".join(python.split(".")[:2])
    names = ", ".join(f'{{ name = "{name}" }}' for name in versions)
    lock = _LOCK.format(python=short, root=_ROOT, dependencies=names)
    lock += "".join(_LOCKED.format(name=n, version=v) for n, v in versions.items())
    (place / "uv.lock").write_text(lock, "utf-8")
    (place / "pyproject.toml").write_text(_PROJECT.format(python=short, root=_ROOT), "utf-8")
    words = commands.uv_command(uv, "audit", "--frozen", "--output-format", "json", "--quiet")
    words += ["--preview-features", "audit-command,json-output"]
    service = os.environ.get("ENVMAGIC_AUDIT_SERVICE")
    words += ["--service-url", service] if service else []
    said = _said(words, place)
    return [
        VulnerabilityData(
            name=normalized(each["dependency"]["name"]),
            version=str(each["dependency"]["version"]),
            id=str(each["display_id"]),
            aliases=_texts(each.get("aliases")),
            summary=str(each.get("summary") or ""),
            fixed=_texts(each.get("fix_versions")),
            link=str(each.get("link") or ""),
        )
        for each in said["vulnerabilities"]
    ]


def _pip_audit() -> Path | None:
    beside = Path(sys.prefix, "bin", "pip-audit")
    if os.access(beside, os.X_OK):
        return beside
    there = shutil.which("pip-audit")
    return Path(there) if there is not None else None


def _by_pip_audit(audit: Path, place: Path, versions: Mapping[str, str]) -> list[VulnerabilityData]:
    listed = place / "requirements.txt"
    listed.write_text("".join(f"{n}=={v}\n" for n, v in versions.items()), "utf-8")
    words: list[str | Path] = [audit, "--requirement", listed, "--no-deps", "--disable-pip"]
    words += ["--format", "json", "--progress-spinner", "off"]
    service = os.environ.get("ENVMAGIC_AUDIT_SERVICE")
    words += ["--vulnerability-service", "osv", "--osv-url", service] if service else []
    said = _said(words, place)
    return [
        VulnerabilityData(
            name=normalized(each["name"]),
            version=str(each["version"]),
            id=str(one["id"]),
            aliases=_texts(one.get("aliases")),
            summary=" ".join(str(one.get("description") or "").split())[:200],
            fixed=_texts(one.get("fix_versions")),
            link="",
        )
        for each in said["dependencies"]
        for one in each.get("vulns", ())
    ]


def _said(words: Sequence[str | Path], place: Path) -> Any:
    """The JSON that a tool writes, which ends with 1 where it has found something."""
    with settings.told(None) as variables:
        variables |= {"UV_HTTP_RETRIES": "0", "UV_PROJECT": str(place)}
        ran = process.run(words, env=variables, cwd=place, timeout=_SECONDS, check=False)
    try:
        return json.loads(ran.stdout)
    except ValueError:
        raise process.CommandFailed(ran) from None


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _untold(error: process.CommandFailed) -> EnvmagicError:
    if tool_errors.explain(error, "").problem.code == "no-network":
        return EnvmagicError(
            "no-network",
            "The service that knows vulnerabilities cannot be reached, so none were looked up.",
            "Check the network and try again.",
        )
    return EnvmagicError(
        "audit-failed",
        f"Vulnerabilities were not looked up: {error.last_line}",
        detail=error.stderr,
    )
