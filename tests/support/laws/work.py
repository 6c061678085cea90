"""A directory with notebooks and their record, in which every promise is looked at."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.laws.notebooks import with_files
from support.laws.tools import ended, lines_of
from support.sites import install

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Place, Report, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.operations.record import record
from envmagic.requirements import Kind, read

__all__ = ["Work", "environment", "read_by_pip", "said"]


def said(directory: Path, *paths: str, **more: Any) -> Report[Any]:
    """`envmagic record PATHS` in `directory`."""
    more.setdefault("env", "none")
    request = RecordRequest(paths=paths or (".",), **more)
    return record(request, Place(Frontend.TERMINAL, directory), Silent())


def environment(prefix: Path, versions: Mapping[str, str]) -> Path:
    """An environment that holds these, as installers leave them; `prefix`."""
    site = prefix / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").touch()
    (prefix / "pyvenv.cfg").write_text("version = 3.12.4\n")
    for name, version in versions.items():
        module = {"pyyaml": "yaml", "scikit-learn": "sklearn"}.get(name, name)
        install(site, name, f"{module}/__init__.py", version=version)
    return prefix


def read_by_pip(path: Path) -> list[str] | None:
    """The names that pip reads in the file, those of included ones too; None where it cannot."""
    from pip._internal.exceptions import PipError
    from pip._internal.network.session import PipSession
    from pip._internal.req import parse_requirements
    from pip._internal.req.constructors import install_req_from_parsed_requirement

    try:
        lines = parse_requirements(str(path), session=PipSession())
        found = [install_req_from_parsed_requirement(line) for line in lines]
    except PipError:
        return None
    return [one.name or "" for one in found]


class Work:
    """The directory, and which lines envmagic has written in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = with_files(directory)
        self.file = directory / "requirements.txt"
        self.written: set[str] = set()
        """Without blanks around them and with one before the sign: more make no line another's."""
        self._copies = 0

    def text(self) -> str:
        return self.file.read_bytes().decode() if self.file.exists() else ""

    def lines(self) -> list[str]:
        return lines_of(self.text())

    def put(self, lines: Sequence[str]) -> None:
        self.file.write_bytes("".join(lines).encode())

    def notebooks(self) -> list[Path]:
        return sorted(self.directory.glob("*.ipynb"))

    def record(self, env: Path | None, pin: str | None, *paths: str) -> bool:
        """Record, and look at each promise; False where that was refused, as it has to be."""
        asked: dict[str, Any] = {"env": str(env) if env else "none"}
        before = self.text()
        readable = read_by_pip(self.file) is not None if before else True
        try:
            first = said(self.directory, *paths, pin=pin, **asked)
        except EnvmagicError as error:
            self._refused(error, before)
            return False
        self._keeps_theirs(before)
        if first.exit_code:  # a file of the user's cannot take it all: the check says so, too
            assert said(self.directory, *paths, check=True, **asked).exit_code
            return False
        self._says_the_same(before, paths, asked, changed=first.changed)
        if before or self.file.exists():
            self._is_read_by_pip(before, readable)
        if not paths:
            self._holds_in_a_copy(asked["env"])
        return True

    def _refused(self, error: EnvmagicError, before: str) -> None:
        """Only what cannot be told is refused, and then nothing changes."""
        assert self.text() == before, "refused, and changed"
        assert error.problem.code == "bad-block", error.problem
        markers = re.search(r"^\s*(<{7}|>{7}|\|{7})", before, re.MULTILINE)
        header = re.search(r"^\s*# >>> envmagic 2 >>>", before, re.MULTILINE)
        assert markers or not header, (error.problem, before)

    def _keeps_theirs(self, before: str) -> None:
        """Law a: no line that envmagic did not write changes or goes."""
        theirs = Counter(x for x in ended(lines_of(before)) if self._is_theirs(x))
        after = Counter(ended(self.lines()))
        lost = theirs - after
        assert not lost, f"lost {list(lost)} of\n{before}\nand left\n{self.text()}"
        self.written |= {_plain(x) for x in after - theirs}

    def _is_theirs(self, line: str) -> bool:
        return bool(line.strip()) and _plain(line) not in self.written

    def _says_the_same(
        self, before: str, paths: Sequence[str], asked: Mapping[str, Any], *, changed: bool
    ) -> None:
        """Laws b and c: the check is content, and once more changes nothing."""
        once = self.text()
        assert changed == (once != before), "what it says of itself"
        checked = said(self.directory, *paths, check=True, **asked)
        assert not checked.failed, f"{before}\nbecame\n{once}\nand then\n{checked.data['diff']}"
        again = said(self.directory, *paths, **asked)
        assert self.text() == once and not again.changed

    def _is_read_by_pip(self, before: str, readable: bool) -> None:
        """Law f: pip reads what it could read before, and is told nothing twice."""
        found = read_by_pip(self.file) if self.file.exists() else []
        assert found is not None or not readable, f"{before}\nbecame\n{self.text()}"
        file = read(self.file)
        entries = file.block.entries if file.block else ()
        keys = [entry.key for entry in entries if entry.kind is Kind.REQUIREMENT]
        assert len(keys) == len(set(keys)), self.text()

    def _holds_in_a_copy(self, env: str) -> None:
        """Law e: elsewhere, with and without the environment, it is what it should be."""
        self._copies += 1
        copy = self.directory.with_name(f"{self.directory.name}-{self._copies}")
        shutil.copytree(self.directory, copy, ignore=shutil.ignore_patterns(".git"))
        for word in {"none", env}:
            checked = said(copy, check=True, env=word)
            assert not checked.failed, f"--env {word}: {self.text()}\n{checked.data['diff']}"

    def git(self, *words: str) -> bool:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        return done.returncode == 0

    def shown(self, revision: str) -> bytes | None:
        """A file of another revision; None where it is not there."""
        command = ["git", "show", revision]
        done = subprocess.run(command, cwd=self.directory, capture_output=True)
        return done.stdout if done.returncode == 0 else None


def _plain(line: str) -> str:
    return re.sub(r"[ \t]+#(?=[0-9a-f]{4}$)", " #", line.strip())
