"""Where other tools keep the environments that they make outside of projects.

As their documentation has it: Poetry's "Configuration", PDM's "Working with virtual environments",
Hatch's "Hatch configuration", uv's "Configuring projects" and "Centralized project environments",
pixi's "The Configuration of Pixi Itself", virtualenvwrapper's "Location of Environments", the
READMEs of virtualenvwrapper-win and pyenv-virtualenv. Where that is silent (names with digests,
pipenv's places) as Poetry 2.5, PDM 2.29, Hatch 1.18 and pipenv 2026.10 do it; they were run beside
this, on Linux. Here no tool is run: directories are listed, and settings read where there are any.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envmagic.system import directories, reading, toml_files

__all__ = ["Found", "below", "made"]

_OF_HATCH_ITSELF = ("hatch-build", "hatch-check", "hatch-static", "hatch-test", "hatch-uv")


@dataclass(frozen=True)
class Found:
    """A directory that looks like an environment, or would be one."""

    prefix: Path
    tool: str
    """Whose it is; empty where only its own files tell."""
    here: bool
    """It is for the project around the notebook: lies in it, or its tool made it for that."""


def made(projects: Sequence[Path]) -> Iterator[Found]:
    """What lies in the tools' own places, whatever it is; `projects` are the directories around
    the notebook."""
    for places in (_uv, _poetry, _pdm, _hatch, _pipenv_and_wrapper, _pixi, _pyenv):
        yield from places(projects)


def below(directory: Path) -> list[Path]:
    """The directories in `directory`, sorted; none where it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return [Path(path) for path in sorted(e.path for e in entries if e.is_dir())]
    except OSError:
        return []


def _uv(projects: Sequence[Path]) -> Iterator[Found]:
    """`UV_PROJECT_ENVIRONMENT`, relative to the project's root. What is in uv's cache has a link
    called `.venv` in its project, or is a script's and for a moment only."""
    named = os.environ.get("UV_PROJECT_ENVIRONMENT")
    if named:
        roots = [project for project in projects if (project / "pyproject.toml").is_file()]
        for root in roots[:1] if os.path.isabs(named) else roots:
            yield Found(Path(os.path.abspath(root / named)), "uv", True)


def _poetry(projects: Sequence[Path]) -> Iterator[Found]:
    """Below `virtualenvs.path`, called `<name>-<digest of the project's path>-py3.12`."""
    settings = os.environ.get("POETRY_CONFIG_DIR")
    config = Path(settings) if settings else directories.user_config(roaming=True) / "pypoetry"
    user = toml_files.Settings(config / "config.toml")
    default = directories.user_cache() / "pypoetry" / ("Cache" if sys.platform == "win32" else "")
    cache = os.environ.get("POETRY_CACHE_DIR") or user.text("cache-dir") or str(default)
    general = os.environ.get("POETRY_VIRTUALENVS_PATH") or user.text("virtualenvs", "path")
    named = [(Path.home(), general or "{cache-dir}/virtualenvs")]
    for project in projects:
        local = toml_files.Settings(project / "poetry.toml").text("virtualenvs", "path")
        named += [(project, local)] if local else []
    marks = tuple(f"-{digest}-py" for digest in _digests(projects))
    for base, path in named:
        place = base / Path(path.replace("{cache-dir}", cache)).expanduser()
        for prefix in below(place):
            yield Found(prefix, "poetry", any(mark in prefix.name for mark in marks))


def _pdm(projects: Sequence[Path]) -> Iterator[Found]:
    """Below `venv.location`, called `<directory>-<digest of the project's path>-3.12`."""
    twice = "pdm/pdm" if sys.platform == "win32" else "pdm"
    file = os.environ.get("PDM_CONFIG_FILE")
    config = Path(file) if file else directories.user_config() / twice / "config.toml"
    named = toml_files.Settings(config).text("venv", "location")
    place = Path(named).expanduser() if named else directories.user_data() / twice / "venvs"
    marks = tuple(f"-{digest}-" for digest in _digests(projects, "md5"))
    for prefix in below(place):
        yield Found(prefix, "pdm", any(mark in prefix.name for mark in marks))


def _hatch(projects: Sequence[Path]) -> Iterator[Found]:
    """`<project>/<digest of its path>/<name>` below the data directory's `env/virtual`; right below
    `dirs.env.virtual` where that is in the project. Those for its own commands are left out."""
    file = os.environ.get("HATCH_CONFIG")
    config = Path(file) if file else directories.user_config() / "hatch" / "config.toml"
    settings = toml_files.Settings(config)
    named = os.path.expanduser(os.path.expandvars(settings.text("dirs", "env", "virtual")))
    if named and not os.path.isabs(named):
        found = [Found(p, "hatch", True) for project in projects for p in below(project / named)]
    else:
        data = os.environ.get("HATCH_DATA_DIR") or settings.text("dirs", "data")
        base = Path(data).expanduser() if data else directories.user_data() / "hatch"
        place = Path(named) if named else base / "env" / "virtual"
        ours = _digests(projects)
        found = [
            Found(prefix, "hatch", root.name in ours)
            for project in below(place)
            for root in below(project)
            for prefix in below(root)
        ]
    yield from (f for f in found if not f.prefix.name.startswith(_OF_HATCH_ITSELF))


def _pipenv_and_wrapper(projects: Sequence[Path]) -> Iterator[Found]:
    """Both keep environments in `WORKON_HOME` and note the project in `.project`; pipenv's are
    called `<name>-<digest of the Pipfile's path>`."""
    home, named = Path.home(), os.environ.get("WORKON_HOME")
    if named:
        places = {Path(os.path.expandvars(named)).expanduser(): "virtualenvwrapper"}
    elif sys.platform == "win32":
        places = {home / "Envs": "virtualenvwrapper", home / ".virtualenvs": "pipenv"}
    else:
        share = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
        places = {home / ".virtualenvs": "virtualenvwrapper", share / "virtualenvs": "pipenv"}
    around = {text for project in projects for text in _spelled(project)}
    for place, tool in places.items():
        for prefix in below(place):
            project = _noted(prefix / ".project")
            by_pipenv = project and _digest(os.path.join(project, "Pipfile")) in prefix.name
            yield Found(prefix, "pipenv" if by_pipenv else tool, project in around)


def _pixi(projects: Sequence[Path]) -> Iterator[Found]:
    """`<name>-<digest>/envs/<name>` below `detached-environments`, for all projects; that of a
    project is linked from its `.pixi/envs`."""
    cache = directories.user_cache()
    for file in _pixi_settings(projects):
        settings = toml_files.Settings(file)
        detached = settings.value("detached-environments")
        if detached is None:
            continue
        named = [os.environ.get("PIXI_CACHE_DETACHED_ENVIRONMENTS_DIR")]
        named += [settings.text("cache", "detached-environments")]
        caches = [os.environ.get(v) for v in ("PIXI_CACHE_DIR", "RATTLER_CACHE_DIR")]
        caches += [str(cache / "pixi"), str(cache / "rattler" / "cache")]
        places = [*named, *(os.path.join(c, "envs") for c in caches if c)]
        if isinstance(detached, str):
            places = [detached]
        for place in (Path(p).expanduser() for p in places if p and detached):
            for project in below(place):
                yield from (Found(p, "pixi", False) for p in below(project / "envs"))
        return


def _pixi_settings(projects: Sequence[Path]) -> Iterator[Path]:
    """Where pixi looks for its settings, the first that says something counts."""
    yield from (project / ".pixi" / "config.toml" for project in projects)
    if os.environ.get("PIXI_CONFIG_FILE"):
        yield Path(os.environ["PIXI_CONFIG_FILE"])
    if os.environ.get("PIXI_HOME"):
        yield Path(os.environ["PIXI_HOME"]) / "config.toml"
    yield Path.home() / ".pixi" / "config.toml"
    yield directories.user_config(roaming=True) / "pixi" / "config.toml"
    if sys.platform != "win32":
        yield Path.home() / ".config" / "pixi" / "config.toml"
    system = Path("C:/ProgramData" if sys.platform == "win32" else "/etc")
    yield system / "pixi" / "config.toml"


def _pyenv(projects: Sequence[Path]) -> Iterator[Found]:
    """pyenv-virtualenv's, `versions/<Python>/envs/<name>`, with a link in `versions`."""
    root = os.environ.get("PYENV_ROOT")
    versions = (Path(root).expanduser() if root else Path.home() / ".pyenv") / "versions"
    for version in below(versions):
        yield from (Found(prefix, "pyenv", False) for prefix in below(version / "envs"))
        if (version / "pyvenv.cfg").is_file():
            yield Found(version, "pyenv", False)


def _digests(projects: Sequence[Path], algorithm: str = "sha256") -> set[str]:
    """What may stand for the paths of `projects` in the names of directories."""
    paths = {text for project in projects for text in _spelled(project)}
    return {_digest(path, algorithm) for path in paths}


def _spelled(project: Path) -> Iterator[str]:
    """The ways in which tools write the path of one directory."""
    for text in (str(project), os.path.realpath(project)):
        yield text
        if sys.platform in ("win32", "darwin"):
            yield from (text.casefold(), os.path.normcase(text), Path(text).as_posix())


def _digest(text: str, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, os.fsencode(text), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode()[:8]


def _noted(file: Path) -> str:
    try:
        return reading.beginning(file, 4096).decode("utf-8", "replace").strip()
    except OSError:
        return ""
