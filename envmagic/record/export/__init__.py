"""A record as other tools read it: a table of formats, each with what makes its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from envmagic.core.record_files import LOCK, REQUIREMENTS
from envmagic.environments.backends.conda import specs
from envmagic.record.export import binder, conda_file, groups, image, script_block
from envmagic.record.export.locked import Locked
from envmagic.record.export.wanted import Line, Wanted

__all__ = ["FORMATS", "GROUP", "File", "Format", "Job", "Made", "conda_text", "requirements_text"]

GROUP = "notebook"
"""The dependency group, where no other is named."""


@dataclass(frozen=True)
class Job:
    """What is to be exported, and where to."""

    wanted: Wanted
    locked: Locked | None
    conda: conda_file.Listed | None
    """None where conda has nothing to do with the record."""
    folder: Path
    """Where the files are to lie."""
    context: Path
    """The directory that an image is built in, else `folder`."""
    hashes: bool = False
    group: str = GROUP

    def lines(self, other: Path, *, linux: bool = False) -> tuple[tuple[Line, ...], list[str]]:
        """What is to be installed, all of it where there is a lock, with paths as seen from
        `other`; and what of the lock cannot be said. `linux`: on that system."""
        if self.locked is None or (linux and not self.locked.fits_linux):
            return self._moved(self.wanted.lines, other), list(self.wanted.left_out)
        return self._moved(self.locked.lines, other), list(self.locked.left_out)

    def _moved(self, lines: Iterable[Line], other: Path) -> tuple[Line, ...]:
        here = self.wanted.directory
        return tuple(Line(line.seen_from(here, other), line.hashes) for line in lines)

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """The files beside the record that hold what nobody else may see."""
        locks = (self.locked,) if self.locked is not None and self.locked.had_secrets else ()
        conda = (self.conda.file,) if self.conda is not None and self.conda.secrets else ()
        return (*self.wanted.secret_files, *(lock.file for lock in locks), *conda)

    @property
    def of_conda(self) -> list[str]:
        """What a format without conda cannot say."""
        packages = self.conda.packages if self.conda is not None else ()
        alone = [p for p in packages if specs.conda_name(p.rpartition("::")[2]) not in _PYTHONS]
        return [f"{package} (conda's)" for package in alone]


_PYTHONS = {"python", "pip"}


class File(NamedTuple):
    name: str
    text: str


@dataclass(frozen=True)
class Made:
    """What is to be printed or written."""

    files: tuple[File, ...]
    requirements: tuple[str, ...]
    """What is asked for."""
    left_out: list[str] = field(default_factory=list)
    """What the format cannot say, each with the reason in brackets."""


class Format(NamedTuple):
    """One format."""

    make: Callable[[Job], Made]
    default: str
    """What its file, or its directory, is called."""
    names: str
    """An expression for what it may be called."""
    is_directory: bool = False
    locked: bool = True
    """It has what the lock has, where there is one."""


def conda_text(job: Job, lines: Iterable[Line]) -> str:
    """An `environment.yml` for conda's part of the record and `lines`."""
    wanted = job.wanted
    pip = [line.text for line in lines]
    head = [*wanted.options_from(job.folder), *(f"-r {url}" for url in wanted.included)]
    return conda_file.text(wanted.directory, wanted.python, job.conda, [*head, *pip] if pip else [])


def requirements_text(job: Job, lines: Iterable[Line], *, hashes: bool) -> str:
    """A requirements file of `lines`; `hashes`: with those that they have."""
    wanted = job.wanted
    head = [*wanted.options_from(job.context), *(f"-r {url}" for url in wanted.included)]
    shown = [*head, *(_hashed(line) if hashes else line.text for line in lines)]
    return "".join(f"{line}\n" for line in shown)


def _pylock(job: Job) -> Made:
    assert job.locked is not None
    names = tuple(line.parsed.name or line.text for line in job.locked.lines)
    return Made((File(LOCK, job.locked.text_from(job.folder)),), names, job.of_conda)


def _requirements(job: Job) -> Made:
    lines, left_out = job.lines(job.folder)
    if job.hashes:
        left_out += [f"{line.text} (it has no hashes)" for line in lines if not line.hashes]
        lines = tuple(line for line in lines if line.hashes)
    text = requirements_text(job, lines, hashes=job.hashes)
    texts = tuple(line.text for line in lines)
    return Made((File(REQUIREMENTS, text),), texts, [*left_out, *job.of_conda])


def _pyproject(job: Job) -> Made:
    found, left_out = _standard(job)
    left_out += [f"{option} (an option of the installer)" for option in job.wanted.options]
    return Made((File("pyproject.toml", groups.alone(job.group, found)),), found, left_out)


def _script(job: Job) -> Made:
    found, left_out = _standard(job)
    text, more = script_block.block(job.wanted, found, job.folder)
    left_out += [f"{option} (an option of the installer)" for option in more]
    return Made((File("script.py", text),), found, left_out)


def _conda(job: Job) -> Made:
    lines, left_out = job.lines(job.folder)
    text = conda_text(job, lines)
    packages = job.conda.packages if job.conda is not None else ()
    texts = (*packages, *(line.text for line in lines))
    return Made((File("environment.yml", text),), texts, left_out)


def _docker(job: Job) -> Made:
    folder = job.folder.relative_to(job.context).as_posix()
    lines, left_out = job.lines(job.context, linux=True)
    lines = tuple(_inside(job, lines, left_out, conda=job.conda is not None))
    ignored = File("Dockerfile.dockerignore", image.ignored(job.context, job.secret_files))
    if job.conda is not None:
        files = File("environment.yml", conda_text(job, lines)), ignored
        texts = (*job.conda.packages, *(line.text for line in lines))
        return Made((File("Dockerfile", image.conda_dockerfile(folder)), *files), texts, left_out)
    text = image.dockerfile(lines, job.wanted.python, folder, job.context)
    listed = File(REQUIREMENTS, requirements_text(job, lines, hashes=_is_hashed(lines)))
    texts = tuple(line.text for line in lines)
    return Made((File("Dockerfile", text), listed, ignored), texts, left_out)


def _binder(job: Job) -> Made:
    if job.conda is not None:
        lines, left_out = job.lines(job.folder, linux=True)
        lines = tuple(_inside(job, lines, left_out, conda=False))
        texts = (*job.conda.packages, *(line.text for line in lines))
        return Made((File("environment.yml", conda_text(job, lines)),), texts, left_out)
    lines, left_out = job.lines(job.context, linux=True)
    lines = tuple(_inside(job, lines, left_out, conda=False))
    text = requirements_text(job, lines, hashes=_is_hashed(lines))
    files: tuple[File, ...] = ()
    if job.wanted.python:
        python = binder.runtime(job.wanted.python)
        text, files = binder.note(python) + text, (File(binder.RUNTIME, python),)
    listed = File(binder.COMPANION, text)
    return Made((listed, *files), tuple(line.text for line in lines), left_out)


def _inside(job: Job, lines: Iterable[Line], left_out: list[str], *, conda: bool) -> Iterator[Line]:
    """Those of `lines` that can be installed where only what lies in `context` is there."""
    for line in lines:
        start = job.folder if job.conda is not None and not conda else job.context
        if line.path is None or (not conda and image.local(line, start, job.context)):
            yield line
        else:
            left_out.append(f"{line.text} (a path that is not there)")


def _standard(job: Job) -> tuple[tuple[str, ...], list[str]]:
    """What the record asks for as requirements of the standard, and what cannot be one."""
    found: list[str] = []
    left_out = [*job.wanted.left_out, *job.of_conda]
    for line in job.wanted.lines:
        text = line.standard
        if text is not None:
            found.append(text)
        else:
            why = "a path" if line.path is not None else "it names no distribution"
            left_out.append(f"{line.text} ({why})")
    left_out += [f"-r {url} (a file elsewhere)" for url in job.wanted.included]
    return tuple(dict.fromkeys(found)), left_out


def _hashed(line: Line) -> str:
    return " \\\n    ".join((line.text, *(f"--hash={value}" for value in line.hashes)))


def _is_hashed(lines: Iterable[Line]) -> bool:
    return all(line.hashes for line in lines)


FORMATS = {
    "pylock": Format(_pylock, LOCK, r"pylock(?:\.[^.]+)?\.toml"),
    "requirements": Format(_requirements, REQUIREMENTS, r"[^.]+(?:\.(?:txt|in|pip))?"),
    "pyproject": Format(_pyproject, "pyproject.toml", r"pyproject\.toml", locked=False),
    "pep723": Format(_script, "script.py", r".+\.py", locked=False),
    "environment.yml": Format(_conda, "environment.yml", r".+\.ya?ml"),
    "docker": Format(_docker, "docker", r"[^.].*", is_directory=True),
    "binder": Format(_binder, "binder", r".+", is_directory=True),
}
