"""Whatever sorts, merges or edits a record: no line that envmagic did not write changes or goes."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pre_commit_hooks.requirements_txt_fixer import fix_requirements

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Place, Report, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.operations.record import record

MODULES = ("yaml", "six", "pandas", "numpy", "attrs", "no_such_module_x")
USERS = (
    "numpy<2  # mine",
    "zope.interface>=5",
    "Scikit_Learn>=1.4",
    "pandas[excel]>=1",
    "-r more.txt",
    "# a word of mine",
    "    # an indented word",
    "    # see notes.ipynb",
    "  six==1.16.0",
    "git+https://h/o/mod.git@v1#egg=mod",
    "# unresolved: nothing of yours",
    "pyyaml==6.0 #12",
    "aaa>=1 \\",
    "\t--no-binary :all:",
)


class Work:
    """A directory with notebooks and their record, and what envmagic wrote into that."""

    def __init__(self, directory: Path, newline: str) -> None:
        self.directory = directory
        self.file = directory / "requirements.txt"
        self.newline = newline
        self.written: set[str] = set()
        self.notebooks: dict[str, tuple[str, ...]] = {}
        self.count = 0

    def lines(self) -> list[str]:
        return re.findall(r"[^\r\n]*(?:\r\n|\n)", self.text().rstrip("\r\n") + self.newline)

    def text(self) -> str:
        return self.file.read_bytes().decode() if self.file.exists() else ""

    def put(self, lines: Sequence[str]) -> None:
        self.file.write_bytes("".join(lines).encode())

    def save(self, name: str, modules: Sequence[str]) -> None:
        self.notebooks[name] = tuple(modules)
        cells = [{"cell_type": "code", "source": f"import {m}", "metadata": {}} for m in modules]
        document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (self.directory / name).write_text(json.dumps(document))

    def said(self, **more: object) -> Report[Any]:
        request = RecordRequest(paths=(".",), env="none", **more)  # type: ignore[arg-type]
        return record(request, Place(Frontend.TERMINAL, self.directory), Silent())

    def recorded(self, pin: str | None = None) -> None:
        """Record, and see to it that each promise held."""
        before = [line for line in self.lines() if line.strip()]
        theirs = Counter(line for line in before if line not in self.written)
        if self.is_old:  # what repeats another line of the user's may go
            theirs = Counter(theirs.keys())
        try:
            self.said(pin=pin)
        except EnvmagicError as error:
            # a broken block of format 1 is refused; one of format 2 always put right
            assert error.problem.code == "bad-block" and self.is_old
            assert [line for line in self.lines() if line.strip()] == before
            return
        after = Counter(self.lines())
        assert not theirs - after, (before, self.text())
        self.written |= set(after - theirs)
        once = self.file.read_bytes() if self.file.exists() else b""
        checked = self.said(check=True)
        assert not checked.failed, (before, checked.data["diff"])
        self.said()
        assert (self.file.read_bytes() if self.file.exists() else b"") == once

    @property
    def is_old(self) -> bool:
        return ">>> envmagic 1 >>>" in self.text()

    def git(self, *words: str) -> bool:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words]
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        return done.returncode == 0


def insert(work: Work, draw: st.DrawFn) -> None:
    lines = work.lines() if work.text() else []
    place = draw(st.integers(0, len(lines)))
    # format 1 takes an indented comment that ends like a notebook for one that it wrote
    users = [line for line in USERS if not (work.is_old and line.endswith(".ipynb"))]
    put = draw(st.lists(st.sampled_from(users), min_size=1, max_size=3))
    work.put([*lines[:place], *(line + work.newline for line in put), *lines[place:]])


def sort(work: Work, draw: st.DrawFn) -> None:
    how = draw(st.sampled_from(("plain", "case", "fixer")))
    if how == "fixer":
        content = io.BytesIO(work.text().encode())
        with contextlib.suppress(AssertionError):  # it takes no line that begins with a blank
            fix_requirements(content)
            work.file.write_bytes(content.getvalue())
        return
    work.put(sorted(work.lines(), key=str.lower if how == "case" else None))


def bump(work: Work, draw: st.DrawFn) -> None:
    """As Dependabot and Renovate do it: the version alone."""
    lines = work.lines()
    pinned = [i for i, line in enumerate(lines) if re.match(r"[\w-]+[=~>]=\d", line)]
    if pinned:
        index = draw(st.sampled_from(pinned))
        lines[index] = re.sub(r"(?<==)\d[\w.]*", "9.9.9", lines[index], count=1)
        work.put(lines)
        if work.is_old:  # without signs nobody can tell
            work.written.add(lines[index])


def strip(work: Work, draw: st.DrawFn) -> None:
    work.put([line.rstrip() + work.newline for line in work.lines()])


def shift(work: Work, draw: st.DrawFn) -> None:
    """Somebody moves a piece of the file elsewhere."""
    lines = work.lines()
    start, end, place = sorted(draw(st.integers(0, len(lines))) for _ in range(3))
    work.put([*lines[:start], *lines[end:place], *lines[start:end], *lines[place:]])


def rename(work: Work, draw: st.DrawFn) -> None:
    if work.notebooks:
        old = draw(st.sampled_from(sorted(work.notebooks)))
        work.count += 1
        work.save(f"n{work.count}.ipynb", work.notebooks.pop(old))
        (work.directory / old).unlink()


def edit(work: Work, draw: st.DrawFn) -> None:
    name = draw(st.sampled_from(sorted(work.notebooks) or ["a.ipynb"]))
    work.save(name, draw(st.lists(st.sampled_from(MODULES), max_size=4, unique=True)))


def write(work: Work, draw: st.DrawFn) -> None:
    work.recorded(draw(st.sampled_from((None, None, "exact", "compatible", "minimum"))))


EDITS = (insert, sort, bump, strip, shift, edit, write)


def merge(work: Work, draw: st.DrawFn) -> None:
    """Two branches change the file; git merges them, and where it cannot both sides are kept."""
    if not (work.directory / ".git").exists():
        work.git("init", "-q", "-b", "main")
        if draw(st.booleans()):
            (work.directory / ".gitattributes").write_text("requirements.txt merge=union\n")
    work.git("add", "-A")
    work.git("commit", "-qm", "base", "--allow-empty")
    notebooks = dict(work.notebooks)
    work.git("checkout", "-qb", f"b{work.count}")
    for side in range(2):
        for change in draw(st.lists(st.sampled_from(EDITS), min_size=1, max_size=2)):
            change(work, draw)
        work.git("add", "-A")
        work.git("commit", "-qm", "side", "--allow-empty")
        if side == 0:
            work.git("checkout", "-q", "main")
            work.notebooks = dict(notebooks)
    if not work.git("merge", "-q", "--no-edit", f"b{work.count}"):
        marks = ("<<<<<<<", "=======", ">>>>>>>")
        work.put([line for line in work.lines() if not line.startswith(marks)])
        for name in notebooks:
            work.git("checkout", "--ours", name)
        work.git("add", "-A")
        work.git("commit", "-qm", "merged")
    work.count += 1


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    newline=st.sampled_from(("\n", "\r\n")),
    old=st.booleans(),
    changes=st.lists(st.sampled_from((*EDITS, merge, rename)), min_size=2, max_size=6),
    data=st.data(),
)
def test_no_line_of_somebody_else_is_lost_and_the_check_agrees(
    tmp_path_factory: pytest.TempPathFactory,
    newline: str,
    old: bool,
    changes: Sequence[object],
    data: st.DataObject,
) -> None:
    work = Work(tmp_path_factory.mktemp("work"), newline)
    work.save("a.ipynb", ("yaml", "pandas"))
    work.save("b.ipynb", ("six", "pandas"))
    pinned = ("pandas==2.3.3", "    # a.ipynb", "    # b.ipynb", "pyyaml==6.0.2", "    # a.ipynb")
    header = "# >>> envmagic 1 >>> python 3.12, pin exact, recording on"
    lines = ["flask", "", header, *pinned, "six", "    # b.ipynb", "# <<< envmagic <<<"]
    work.put([line + newline for line in lines])
    work.written |= set(work.lines()) - {"flask" + newline}
    if not old:
        work.said(pin="none")
        work.said(pin="exact")
        work.put([line + newline for line in lines])
        work.save("c.ipynb", ("numpy",))
        work.recorded()
    for change in changes:
        change(work, data.draw)  # type: ignore[operator]
    work.recorded()
