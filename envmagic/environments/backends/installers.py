"""Installing into a virtual environment from outside it: by uv where it is found, else by pip."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.environments.backends import indexes, pip_configuration, staged, uv_configuration
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.tool_errors import verdict
from envmagic.jupyter import launcher
from envmagic.requirements.options import Given, Part, given
from envmagic.system import import_path, process, scratch

__all__ = [
    "explain",
    "fill",
    "find_uv",
    "install",
    "install_aside",
    "pip_command",
    "told",
    "uninstall",
    "uv_command",
    "uv_variables",
    "written",
]


def find_uv() -> Path | None:
    """The uv to use: `$ENVMAGIC_UV`, the one installed beside us, else the one on PATH."""
    named = os.environ.get("ENVMAGIC_UV")
    if named and os.access(named, os.X_OK):
        return Path(named)
    name = "uv.exe" if sys.platform == "win32" else "uv"
    beside = Path(sys.prefix) / ("Scripts" if sys.platform == "win32" else "bin") / name
    if os.access(beside, os.X_OK):
        return beside
    if import_path.installed("uv") is not None:
        with contextlib.suppress(Exception):  # the package is there without its binary
            from uv import find_uv_bin

            return Path(find_uv_bin())
    on_path = shutil.which("uv")
    return Path(on_path) if on_path else None


def uv_command(uv: Path, *words: str | Path) -> list[str | Path]:
    """`uv` with the options that make its output fit to read by us."""
    return [uv, "--color", "never", *words]


UV_ENVIRONMENT = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def install(environment: Environment, wanted: InstallPlan, progress: Progress) -> None:
    """Install `wanted` into `environment`. Raises `EnvmagicError` with the resolver's own words."""
    _install(environment, wanted, progress, ())


def fill(environment: Environment, wanted: InstallPlan, progress: Progress) -> None:
    """Install `wanted` into the new `environment`, which gets all of it or nothing.

    The installer works in a directory of its own, and what it has made is moved in. Raises
    `EnvmagicError` as `install`, and where something is in the way.
    """
    with scratch.beside(environment.prefix) as staging:
        _install(environment, wanted, progress, ("--prefix", staging))
        staged.move_in(staging, environment.prefix)


def install_aside(
    python: Path,
    sites: Sequence[Path],
    wanted: InstallPlan,
    target: Path,
    progress: Progress,
    *,
    cached: bool = True,
) -> None:
    """Install `wanted` for the interpreter `python` into the directory `target`, outside of it.

    `sites` are the directories it imports from: a pip of its own may lie there. Not `cached`:
    whatever the installer has kept. Raises `EnvmagicError` as `install`.
    """
    uv = find_uv()
    target.mkdir()
    with written(wanted.constraints) as constraints:
        options = ["--target", target, *_options(wanted, constraints, None)]
        if uv is not None:
            words = uv_command(uv, "pip", "install", "-p", python, *options)
            words += [] if cached else ["--no-cache"]
        else:
            words = [*pip_command(python, sites), "install", "--no-compile", *options]
            words += [] if cached else ["--no-cache-dir"]
        settings = _Settings(None, None, kernel=True)
        _run([*words, *wanted.requirements], target, settings, progress, "what a kernel needs")


def _install(
    environment: Environment, wanted: InstallPlan, progress: Progress, where: Sequence[str | Path]
) -> None:
    uv = find_uv()
    # options at a line's end, such as --hash, are only understood in files; and everybody on the
    # machine can read a command line, where an address may hold credentials
    asked = (*wanted.finding, *wanted.requirements)
    tailed, plain = _lines_and_words(asked, uv=uv is not None)
    with written(wanted.constraints) as constraints, written(tailed) as lines:
        options = [*where, *_options(wanted, constraints, lines)]
        if uv is not None:
            words = uv_command(uv, "pip", "install", "-p", environment.python, *options)
            words += [w for name in wanted.reinstall for w in ("--reinstall-package", name)]
        else:
            # compiling everything costs more than it saves: a kernel imports a part of it
            words = [*_pip_of(environment), "install", "--no-compile", *options]
            words += ["--no-warn-script-location"] if where else []
            words += ["--force-reinstall", "--no-deps"] if wanted.reinstall else []
        words += plain
        directory = wanted.directory or environment.prefix
        settings = _Settings(directory, environment.prefix, index=not _names_an_index(wanted))
        _run(words, directory, settings, progress, _named(wanted))


def _lines_and_words(texts: Sequence[str], *, uv: bool) -> tuple[list[str], list[str]]:
    """What of `texts` is written into a file, and what stands on the command line."""
    lines: list[str] = []
    words: list[str] = []
    options: list[Given] = []
    for text in texts:
        if not text.startswith("-"):
            (lines if _TAIL.search(text) or _is_secret(text) else words).append(text)
            continue
        given_here = given(text)
        parts = {each.option.part for each in given_here}
        if Part.BEHIND in parts or (Part.REQUIREMENT in parts and _is_secret(text)):
            lines.append(text)
        else:
            options += given_here
    for each in _last(options):
        if _is_secret(each.value) or "${" in each.value:
            lines.append(each.line)
        elif each.option.uv_knows or not uv:
            words += [each.option.name, *([each.value] if each.value else [])]
    return lines, words


def _last(options: Sequence[Given]) -> list[Given]:
    """`options` without those that a later one takes the place of; uv takes them once only."""
    last = {each.option.name: number for number, each in enumerate(options)}
    return [
        each
        for number, each in enumerate(options)
        if each.option.repeats or last[each.option.name] == number
    ]


def _is_secret(text: str) -> bool:
    return process.redact(text) != text


def _named(wanted: InstallPlan) -> str:
    """The first of what is `wanted`, for a sentence; nothing twice."""
    texts = (text for text in wanted.requirements if not text.startswith("-"))
    found = [_NAME.match(text) or text for text in texts]
    names = [f if isinstance(f, str) else f[0] for f in found] + [f.name for f in wanted.files]
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more or "the packages"


def uninstall(environment: Environment, packages: Sequence[str], progress: Progress) -> None:
    """Take `packages` out of `environment`."""
    uv = find_uv()
    if uv is not None:
        words = uv_command(uv, "pip", "uninstall", "-p", environment.python, *packages)
    else:
        words = [*_pip_of(environment), "uninstall", "--yes", *packages]
    settings = _Settings(environment.prefix, environment.prefix)
    _run(words, environment.prefix, settings, progress, ", ".join(packages))


def explain(error: process.CommandFailed, what: str, *, why: str = "") -> EnvmagicError:
    """What uv, pip or virtualenv said when it failed, as one line for a person.

    `why` is the reason, of a tool that does not say it as those do.
    """
    said = f"{error.stderr}\n{error.stdout}"
    lower = said.lower()
    if "no space left" in lower or "os error 28" in lower or "errno 28" in lower:
        return EnvmagicError("no-space", f"No space left on the disk while installing {what}.")
    if error.code < 0 or "memory allocation of" in lower or "memoryerror" in lower:
        return EnvmagicError(
            "no-memory",
            f"The installer was cut off while installing {what}; most often memory is short.",
            "End what uses memory and try again.",
            detail=said.strip(),
        )
    if _NETWORK.search(lower):
        return EnvmagicError(
            "no-network",
            f"The package index cannot be reached, so {what} could not be installed.",
            "Check the network and try again.",
        )
    why = display.user_text(why) or verdict(display.user_text(said))
    why = why or f"Installing {what} failed."
    whole = display.user_text(said.strip())
    # a line or two of the tool's own are in the verdict as they are
    more = "Add --json for all that was said." if len(whole.splitlines()) > _MANY else ""
    return EnvmagicError("install-failed", why, more, detail=whole)


_MANY = 20  # lines
_TAIL = re.compile(r"\s--[a-z]")
_NAME = re.compile(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])")
_NETWORK = re.compile(
    r"dns error|failed to lookup|connection refused|network is unreachable|newconnectionerror"
    r"|name resolution|failed to establish a new connection|error sending request|timed out"
    r"|network connectivity is disabled|tunnel error|proxyerror"
    r"|all attempts to connect|connecterror|name or service not known"
)


def _options(wanted: InstallPlan, constraints: Path | None, lines: Path | None) -> list[str | Path]:
    words: list[str | Path] = []
    for file in (*wanted.files, *([lines] if lines else [])):
        words += ["-r", file]
    if constraints is not None:
        words += ["-c", constraints]
    if wanted.upgrade:
        words.append("--upgrade")
    return words


def _pip_of(environment: Environment) -> list[str | Path]:
    return pip_command(environment.python, environment.site_packages)


def pip_command(python: Path, sites: Sequence[Path] = ()) -> list[str | Path]:
    """The words that run pip for `python`, which imports from `sites`: its own, else the one beside
    us or behind us working on it from outside. Raises `EnvmagicError` where there is none."""
    behind = launcher.of_this_process()
    if any((site / "pip" / "__main__.py").exists() for site in sites):
        words = process.module(python, "pip")
    elif import_path.installed("pip") is not None:
        words = [*process.module(sys.executable, "pip"), "--python", python]
    elif behind is not None and (behind / "pip" / "pip" / "__main__.py").exists():
        words = [sys.executable, behind / "pip" / "pip", "--python", python]
    else:
        raise EnvmagicError(
            "no-installer",
            "There is neither uv nor pip to install with.",
            "Install one: python -m ensurepip",
        )
    return [*words, "--disable-pip-version-check", "--no-input", "--no-color"]


@contextlib.contextmanager
def written(lines: Sequence[str]) -> Iterator[Path | None]:
    """A file with `lines` in it, as long as it is needed; None when there are none."""
    if not lines:
        yield None
        return
    with scratch.beside(Path(tempfile.gettempdir())) as directory:
        directory.mkdir(0o700)
        file = directory / "lines.txt"
        file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        yield file


@dataclass(frozen=True)
class _Settings:
    """Whose settings an installer obeys."""

    directory: Path | None
    """Those around it, as far as the user has agreed to them."""
    prefix: Path | None
    """The environment that it works on; None: a directory that is none."""
    kernel: bool = False
    """It gets parts of a kernel."""
    index: bool = True
    """What is wanted names no index itself, which goes before."""


def _run(
    words: Sequence[str | Path],
    directory: Path,
    settings: _Settings,
    progress: Progress,
    what: str,
) -> None:
    inside = {"VIRTUAL_ENV": str(settings.prefix)} if settings.prefix is not None else {}
    try:
        with _told(settings) as said:
            process.run(words, env={**said, **inside}, on_line=progress.detail, cwd=directory)
    except process.CommandFailed as error:
        raise explain(error, display.shortened(what)) from error


@contextlib.contextmanager
def told(directory: Path | None, prefix: Path | None = None) -> Iterator[dict[str, str]]:
    """The variables for an installer that is asked something in `directory`, for the environment at
    `prefix`: where packages come from is the user's to say, and where they go is not."""
    with _told(_Settings(directory, prefix)) as said:
        yield said


@contextlib.contextmanager
def _told(settings: _Settings) -> Iterator[dict[str, str]]:
    directory, prefix = settings.directory, settings.prefix
    if find_uv() is None:
        yield pip_configuration.for_pip(prefix, kernel=settings.kernel)
        return
    with uv_configuration.for_uv(directory, kernel=settings.kernel) as said:
        more = indexes.from_pip(directory, prefix, index=settings.index)
        yield {**uv_variables(), **more, **said}


def _names_an_index(wanted: InstallPlan) -> bool:
    """Whether a line says which index is the first: it goes before the user's."""
    read = (requirements.parse_lines(text, repr(text)) for text in wanted.requirements)
    files = (requirements.read(file).all_lines() for file in wanted.files)
    options = (line.text for lines in (*read, *files) for line in lines if line.is_option)
    return any(each.option.name == "--index-url" for text in options for each in given(text))


def uv_variables() -> dict[str, str]:
    """What a uv that we run is told by its variables, where the user says nothing else."""
    return {k: v for k, v in UV_ENVIRONMENT.items() if k == "UV_NO_PROGRESS" or k not in os.environ}
