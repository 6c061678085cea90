"""Installing into a virtual environment from outside it: by uv where it is found, else by pip."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Progress
from envmagic.environments.backends import commands, settings, staged, tool_errors
from envmagic.environments.backends.arrivals import Arrivals
from envmagic.environments.backends.base import InstallPlan
from envmagic.requirements.options import Given, Part, given
from envmagic.system import process, scratch

__all__ = ["fill", "install", "install_aside", "uninstall", "written"]


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
    uv = commands.find_uv()
    target.mkdir()
    with written(wanted.constraints) as constraints:
        options = ["--target", target, *_options(wanted, constraints, None)]
        if uv is not None:
            words = commands.uv_command(uv, "pip", "install", "-p", python, *options)
            words += [] if cached else ["--no-cache"]
        else:
            words = [*commands.pip_command(python, sites), "install", "--no-compile", *options]
            words += commands.pip_progress(sites)
            words += [] if cached else ["--no-cache-dir"]
        obeyed = settings.Settings(None, None, kernel=True)
        _run([*words, *wanted.requirements], target, obeyed, progress, "what a kernel needs")


def _install(
    environment: Environment, wanted: InstallPlan, progress: Progress, where: Sequence[str | Path]
) -> None:
    uv = commands.find_uv()
    read = uv is not None and wanted.lock is not None
    # options at a line's end, such as --hash, are only understood in files; and everybody on the
    # machine can read a command line, where an address may hold credentials
    asked = (*wanted.finding, *(() if read else wanted.requirements))
    tailed, plain = _lines_and_words(asked, uv=uv is not None)
    with written(wanted.constraints) as constraints, written(tailed) as lines:
        options = [*where, *_options(wanted, constraints, lines)]
        if uv is not None:
            words = commands.uv_command(uv, "pip", "install", "-p", environment.python, *options)
            words += ["-r", wanted.lock] if read and wanted.lock is not None else []
            words += _dated(wanted)
            words += [w for name in wanted.reinstall for w in ("--reinstall-package", name)]
        else:
            # compiling everything costs more than it saves: a kernel imports a part of it
            words = [*_pip_of(environment), "install", "--no-compile", *options]
            words += commands.pip_progress(environment.site_packages)
            words += _dated_by_pip(wanted)
            words += ["--no-warn-script-location"] if where else []
            words += ["--force-reinstall"] if wanted.reinstall else []
            words += ["--no-deps"] if wanted.reinstall and not wanted.alone else []
        words += plain
        directory = wanted.directory or environment.prefix
        obeyed = settings.Settings(directory, environment.prefix, index=not _names_an_index(wanted))
        _run(words, directory, obeyed, progress, _named(wanted))


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
    uv = commands.find_uv()
    if uv is not None:
        words = commands.uv_command(uv, "pip", "uninstall", "-p", environment.python, *packages)
    else:
        words = [*_pip_of(environment), "uninstall", "--yes", *packages]
    obeyed = settings.Settings(environment.prefix, environment.prefix)
    _run(words, environment.prefix, obeyed, progress, ", ".join(packages))


_TAIL = re.compile(r"\s--[a-z]")
_NAME = re.compile(r"[A-Za-z0-9._-]+(?=$|[\s\[<>=!~;@])")


def _options(wanted: InstallPlan, constraints: Path | None, lines: Path | None) -> list[str | Path]:
    words: list[str | Path] = []
    for file in (*wanted.files, *([lines] if lines else [])):
        words += ["-r", file]
    if constraints is not None:
        words += ["-c", constraints]
    if wanted.upgrade:
        words.append("--upgrade")
    if wanted.alone:
        words.append("--no-deps")
    return words


def _dated(wanted: InstallPlan) -> list[str | Path]:
    """What uv is told of the time up to which it looks."""
    if wanted.until is None:
        return []
    exempt = (word for n in wanted.exempt for word in ("--exclude-newer-package", f"{n}=false"))
    return ["--exclude-newer", wanted.until.isoformat(), *exempt]


def _dated_by_pip(wanted: InstallPlan) -> list[str | Path]:
    """The same for pip. Raises `EnvmagicError`: it may be one that cannot, and knows of no
    exceptions."""
    if wanted.until is None:
        return []
    raise EnvmagicError(
        "no-installer",
        "What there was at a date is known to uv, which is not installed.",
        "To get it",
        tool_command=("pip", "install", "uv"),
    )


def _pip_of(environment: Environment) -> list[str | Path]:
    return commands.pip_command(environment.python, environment.site_packages)


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


def _run(
    words: Sequence[str | Path],
    directory: Path,
    obeyed: settings.Settings,
    progress: Progress,
    what: str,
) -> None:
    arrivals = Arrivals(progress)
    inside = {"VIRTUAL_ENV": str(obeyed.prefix)} if obeyed.prefix is not None else {}
    try:
        with settings.told_by(obeyed) as said:
            process.run(
                words,
                env={**said, **inside},
                cwd=directory,
                on_line=arrivals.heard,
                on_wait=arrivals.waiting,
                hears_output=True,  # where pip speaks
            )
    except process.CommandFailed as error:
        raise tool_errors.explain(error, display.shortened(what)) from error


def _names_an_index(wanted: InstallPlan) -> bool:
    """Whether a line says which index is the first: it goes before the user's."""
    read = (requirements.parse_lines(text, repr(text)) for text in wanted.requirements)
    files = (requirements.read(file).all_lines() for file in wanted.files)
    options = (line.text for lines in (*read, *files) for line in lines if line.is_option)
    return any(each.option.name == "--index-url" for text in options for each in given(text))
