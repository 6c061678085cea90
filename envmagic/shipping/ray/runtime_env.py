"""A `runtime_env`: the words in which Ray is told what tasks and actors need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.model import Environment
from envmagic.shipping.payload import Payload
from envmagic.shipping.ray import packages

__all__ = ["INSTALLERS", "built", "installer_of", "like", "packages_of", "shown"]

INSTALLERS = {
    "uv": ("uv_pip_install_options", ["--no-cache"]),
    "pip": ("pip_install_options", ["--disable-pip-version-check", "--no-cache-dir"]),
}
"""Field of a `runtime_env` -> the field of it for options, and those that Ray gives of its own."""


def built(
    payload: Payload,
    modules: Sequence[Path | str],
    *,
    installer: str = "uv",
    index: str | None = None,
    conda: str | None = None,
) -> dict[str, Any]:
    """What Ray is told of `payload`, whose local modules, and installed directories, are the files
    and directories `modules`. What JSON can hold; a key without a value is left out.

    `conda` is an environment's name on the workers, or an `environment.yml`; nothing else is
    installed then.
    """
    lines = [pin.line for pin in payload.pins if pin.directory is None]
    told: dict[str, Any] = {}
    if conda is not None:
        told["conda"] = conda
    elif lines:
        told[installer] = _installing(lines, installer, index)
    if modules:
        told["py_modules"] = [str(module) for module in modules]
        told["excludes"] = list(packages.EXCLUDED)
    if payload.variables:
        told["env_vars"] = dict(payload.variables)
    return told


def installer_of(environment: Environment) -> str:
    """`uv` where the Ray of `environment` takes that, or has none to say otherwise; else `pip`."""
    for place in environment.site_packages:
        if (place / "ray").is_dir():
            plugin = place.joinpath("ray", "_private", "runtime_env", "uv.py")
            return "uv" if plugin.is_file() else "pip"
    return "uv"


def packages_of(told: Mapping[str, Any]) -> list[str]:
    """The requirements in a `runtime_env`, in either of the forms that Ray takes."""
    for installer in INSTALLERS:
        field = told.get(installer)
        if field:
            return list(field["packages"] if isinstance(field, Mapping) else field)
    return []


def like(told: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`told`, with the installation that was set up `before` if it asks for the same: Ray makes
    another where the words are others, the options that it fills in itself among them."""
    if packages_of(told) != packages_of(before):
        return dict(told)
    return {
        key: before[key] if key in INSTALLERS and not isinstance(value, Mapping) else value
        for key, value in told.items()
    }


def shown(told: Mapping[str, Any]) -> dict[str, Any]:
    """The same as it may be shown, and saved in a notebook: no value of a variable, no password."""
    seen = dict(told)
    if "env_vars" in seen:
        seen["env_vars"] = dict.fromkeys(seen["env_vars"], "…")
    for installer, (option, _) in INSTALLERS.items():
        if isinstance(seen.get(installer), Mapping):
            field = dict(seen[installer])
            field[option] = [display.redact(word) for word in field.get(option, ())]
            seen[installer] = field
    return seen


def _installing(lines: list[str], installer: str, index: str | None) -> list[str] | dict[str, Any]:
    if index is None:
        return lines
    option, own = INSTALLERS[installer]
    return {"packages": lines, option: [*own, "--index-url", index]}
