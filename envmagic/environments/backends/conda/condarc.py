"""What the user's `.condarc` files and `CONDA_*` variables ask for.

Files and their order: https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import yaml_text
from envmagic.system import files as system_files

__all__ = ["CONDA_FORGE", "Condarc", "files", "load", "read_yaml"]

CONDA_FORGE = "conda-forge"
_DEFAULT_ALIAS = "https://conda.anaconda.org"
_DEFAULTS = ("https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r")


@dataclass(frozen=True)
class Condarc:
    """The settings that matter here, of all files and variables together."""

    channels: tuple[str, ...] = ()
    """As written; empty when the user configured none."""
    default_channels: tuple[str, ...] = _DEFAULTS
    channel_alias: str = _DEFAULT_ALIAS
    custom_channels: Mapping[str, str] = field(default_factory=dict)
    custom_multichannels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mirrored_channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channel_priority: str = "flexible"
    offline: bool = False
    envs_dirs: tuple[Path, ...] = ()
    pinned_packages: tuple[str, ...] = ()

    def urls(self, channel: str) -> tuple[str, ...]:
        """Where `channel` (a name, a URL or a path, as written) is to be read from."""
        if channel in self.custom_multichannels:
            return self._all(self.custom_multichannels[channel], but=channel)
        if channel == "defaults":
            return self._all(self.default_channels, but=channel)
        mirrors = self.mirrored_channels.get(channel)
        if mirrors:  # asked in this order by conda; the first is the one the user prefers
            return (mirrors[0].rstrip("/"),)
        if "://" in channel:
            return (channel.rstrip("/"),)
        if channel.startswith((".", "/", "~")) or Path(channel).is_absolute():
            return (Path(channel).expanduser().absolute().as_uri(),)
        first = channel.partition("/")[0]
        for name in (channel, first):  # `custom_channels: {bioconda: URL}` means URL/bioconda
            if name in self.custom_channels:
                return (f"{self.custom_channels[name].rstrip('/')}/{channel}",)
        return (f"{self.channel_alias.rstrip('/')}/{channel}",)

    def _all(self, channels: tuple[str, ...], *, but: str) -> tuple[str, ...]:
        return tuple(url for c in channels if c != but for url in self.urls(c))


def files() -> list[Path]:
    """The configuration files that exist, lowest priority first."""
    return [file for file in dict.fromkeys(_places()) if file.is_file()]


def load() -> Condarc:
    """The user's settings. Without a YAML reader only the `CONDA_*` variables count.

    Raises `EnvmagicError` (`bad-condarc`) with the line for a file that is no YAML.
    """
    merged: dict[str, Any] = {}
    for file in files() if yaml_text.has_reader() else []:
        content = read_yaml(file, "bad-condarc")
        if isinstance(content, Mapping):
            _merge(merged, content)
    _merge(merged, _variables())
    return _settings(merged)


def read_yaml(file: Path, code: str, *, lines: bool = False) -> Any:
    """The content of the YAML `file`, with `lines` as `yaml_text.loaded` says. Raises
    `EnvmagicError`: `code`, naming the line at fault, or `unreadable`."""
    try:
        return yaml_text.loaded(system_files.read(file, yaml_text.LIMIT), lines=lines)
    except yaml_text.NotYaml as error:
        shown = display.user_path(file)
        said = (
            f"Line {error.line} of {shown} is no YAML: {error.reason}."
            if error.line
            else f"{shown} cannot be read: {error.reason}."
        )
        raise EnvmagicError(code, said, subject=str(file)) from error


def _places() -> Iterator[Path]:
    user = Path.home()
    system = Path(os.environ.get("PROGRAMDATA", "C:/ProgramData") if _WINDOWS else "/etc")
    roots = [system / "conda"] + ([] if _WINDOWS else [Path("/var/lib/conda")])
    roots += [Path(os.environ[n]) for n in ("CONDA_ROOT", "MAMBA_ROOT_PREFIX") if os.environ.get(n)]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or user / ".config")
    roots += [config / "conda", user / ".conda"]
    for root in roots:
        yield root / ".condarc"
        yield root / "condarc"
        yield from sorted((root / "condarc.d").glob("*.y*ml"))
        yield root / ".mambarc"
    yield user / ".condarc"
    yield user / ".mambarc"
    prefix = os.environ.get("CONDA_PREFIX")
    if prefix:
        yield Path(prefix) / ".condarc"
    for name in ("CONDARC", "MAMBARC"):
        if os.environ.get(name):
            yield Path(os.environ[name]).expanduser()


_WINDOWS = sys.platform == "win32"
_LISTS = ("channels", "default_channels", "envs_dirs", "pinned_packages")
_MAPS = ("custom_channels", "custom_multichannels", "mirrored_channels")


def _merge(into: dict[str, Any], content: Mapping[str, Any]) -> None:
    """A later file comes before an earlier one in lists, and instead of it elsewhere."""
    for key, value in content.items():
        key = {"envs_path": "envs_dirs", "channel": "channels"}.get(key, key)
        if key in _LISTS:
            words = _words(value)
            into[key] = tuple(dict.fromkeys((*words, *into.get(key, ()))))
        elif key in _MAPS and isinstance(value, Mapping):
            into[key] = {**into.get(key, {}), **value}
        elif value is not None:
            into[key] = value


def _variables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in ("channels", "default_channels", "pinned_packages"):
        value = os.environ.get(f"CONDA_{key.upper()}")
        if value:
            found[key] = [w for w in value.replace("&", ",").split(",") if w.strip()]
    for name in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        value = os.environ.get(name)
        if value:
            found["envs_dirs"] = value.split(os.pathsep)
    for key in ("channel_alias", "channel_priority", "offline"):
        value = os.environ.get(f"CONDA_{key.upper()}") or os.environ.get(f"MAMBA_{key.upper()}")
        if value:
            found[key] = value
    return found


def _settings(merged: Mapping[str, Any]) -> Condarc:
    priority = str(merged.get("channel_priority", "flexible")).lower()
    # `true` and `false` were the words before there were three
    priority = {"true": "flexible", "false": "disabled"}.get(priority, priority)
    return Condarc(
        channels=merged.get("channels", ()),
        default_channels=merged.get("default_channels") or _DEFAULTS,
        channel_alias=str(merged.get("channel_alias") or _DEFAULT_ALIAS),
        custom_channels={str(k): str(v) for k, v in merged.get("custom_channels", {}).items()},
        custom_multichannels=_lists(merged.get("custom_multichannels", {})),
        mirrored_channels=_lists(merged.get("mirrored_channels", {})),
        channel_priority=priority,
        offline=str(merged.get("offline", False)).lower() in {"true", "yes", "on", "1"},
        envs_dirs=tuple(
            Path(os.path.expandvars(d)).expanduser() for d in merged.get("envs_dirs", ())
        ),
        pinned_packages=merged.get("pinned_packages", ()),
    )


def _lists(mapping: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {str(key): _words(value) for key, value in mapping.items()}


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value.strip(),)
    return tuple(str(item).strip() for item in value) if isinstance(value, (list, tuple)) else ()
