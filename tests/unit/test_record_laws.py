"""The laws of the record, on notebooks, files and histories that nobody thought of."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.laws import conda, install_lines, notebooks
from support.laws.tools import TOOLS, Tool
from support.laws.work import Work, environment, said

from envmagic.record.need import Surroundings
from envmagic.record.needs import needs_of

EXAMPLES = int(os.environ.get("ENVMAGIC_LAWS", "0"))
"""Of each law; without the variable as many as the suite has time for, always the same ones."""
PLACES = st.integers(0, 30)
TOOL = st.sampled_from(TOOLS)
OPTIONAL = "try:\n    import ujson\nexcept ImportError:\n    ujson = None"
PINS = st.sampled_from((None, None, None, "exact", "compatible", "minimum", "none"))
NAMES = st.sampled_from(("a.ipynb", "b.ipynb", "c.ipynb"))
VERSIONS = st.fixed_dictionaries(
    {"pandas": st.sampled_from(("2.2.0", "2.3.3")), "numpy": st.sampled_from(("1.26.4", "2.1.0"))},
    optional={
        name: st.sampled_from(("1.0", "2.0.1"))
        for name in ("pyyaml", "scikit-learn", "six", "attrs", "ujson", "mod", "httpx")
    },
)


def budget(suite: int, steps: int = 50) -> settings:
    """So many examples in the suite."""
    return settings(
        max_examples=EXAMPLES or suite,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate, *([Phase.shrink] if EXAMPLES else [])],  # minutes
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        stateful_step_count=steps,
    )


class Histories(RuleBasedStateMachine):
    """Record, edit by a tool, rename, branch and merge, with and without environments."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(dir=os.environ["ENVMAGIC_HOME"]))
        self.work = Work(self.place / "work")
        self.environments: list[Path | None] = [None]
        self.count = 0
        self.branch = ""

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    @initialize(
        one=notebooks.cells(), two=notebooks.cells(), versions=VERSIONS, pin=PINS, which=PLACES
    )
    def begin(
        self, one: list[str], two: list[str], versions: dict[str, str], pin: str | None, which: int
    ) -> None:
        notebooks.save(self.work.directory / "a.ipynb", ["import yaml, pandas", OPTIONAL, *one])
        notebooks.save(self.work.directory / "b.ipynb", ["import six", *two])
        self.environments.append(environment(self.place / "env-1", versions))
        self.record(which, pin)

    @rule(name=NAMES, cells=notebooks.cells())
    def edit(self, name: str, cells: list[str]) -> None:
        notebooks.save(self.work.directory / name, cells)

    @rule(tools=st.lists(st.tuples(TOOL, PLACES, PLACES), min_size=1, max_size=3), where=PLACES)
    def record_what_tools_left(self, tools: list[tuple[Tool, int, int]], where: int) -> None:
        self.tools(tools)
        self.record(where, None)

    @rule(tools=st.lists(st.tuples(TOOL, PLACES, PLACES), min_size=1, max_size=2))
    def tools(self, tools: list[tuple[Tool, int, int]]) -> None:
        for tool, at, which in tools:
            self.work.put(tool(self.work.lines(), at, which))

    @rule(which=PLACES, pin=PINS)
    def record(self, which: int, pin: str | None) -> None:
        self.work.record(self.environments[which % len(self.environments)], pin)

    @rule(which=PLACES, pin=PINS, name=PLACES)
    def record_one(self, which: int, pin: str | None, name: int) -> None:
        there = self.work.notebooks()
        if there:
            env = self.environments[which % len(self.environments)]
            self.work.record(env, pin, there[name % len(there)].name)

    @precondition(lambda self: len(self.environments) < 3)
    @rule(versions=VERSIONS)
    def upgrade(self, versions: dict[str, str]) -> None:
        place = self.place / f"env-{len(self.environments)}"
        self.environments.append(environment(place, versions))

    @rule(which=PLACES)
    def rename(self, which: int) -> None:
        there = self.work.notebooks()
        if there:
            self.count += 1
            there[which % len(there)].rename(self.work.directory / f"n{self.count}.ipynb")

    @rule(which=PLACES)
    def delete(self, which: int) -> None:
        there = self.work.notebooks()
        if len(there) > 1:
            there[which % len(there)].unlink()

    @precondition(lambda self: not self.branch)
    @rule(attributes=st.sampled_from(("", "requirements.txt merge=union", "*.txt text eol=crlf")))
    def fork(self, attributes: str) -> None:
        if not (self.work.directory / ".git").exists():
            self.work.git("init", "-q", "-b", "main")
            (self.work.directory / ".gitattributes").write_text(attributes + "\n")
        self._commit()
        self.count += 1
        self.branch = f"b{self.count}"
        self.work.git("branch", self.branch)

    @precondition(lambda self: self.branch)
    @rule()
    def switch(self) -> None:
        self._commit()
        self.work.git("checkout", "-q", self.branch)
        self.branch = "main" if self.branch != "main" else f"b{self.count}"

    @precondition(lambda self: self.branch)
    @rule(how=st.sampled_from(("both", "both", "ours", "theirs")), which=PLACES)
    def merge(self, how: str, which: int) -> None:
        """Where git cannot, both sides are kept, or one is; before that all is refused."""
        self._commit()
        merged = self.work.git("merge", "-q", "--no-edit", self.branch)
        self.branch = ""
        if merged:
            return
        for path in self.work.notebooks():
            content = self.work.shown(f":2:{path.name}") or self.work.shown(f":3:{path.name}")
            if content is not None:
                path.write_bytes(content)
        if "<<<<<<<" in self.work.text():
            assert not self.work.record(None, None)
            if how == "both":
                marks = ("<<<<<<<", "=======", ">>>>>>>")
                self.work.put([x for x in self.work.lines() if not x.startswith(marks)])
            else:
                self.work.git("checkout", f"--{how}", "requirements.txt")
        self._commit()

    def _commit(self) -> None:
        self.work.git("add", "-A")
        self.work.git("commit", "-qm", "more", "--allow-empty")


Histories.TestCase.settings = budget(30, steps=10)
TestHistories = Histories.TestCase


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Any]:
    """`next(places)`: a directory for each example, so that nothing is known of it."""
    return (notebooks.with_files(tmp_path / f"example-{number}") for number in count())


@budget(20)
@given(
    found=st.lists(notebooks.cells(), min_size=2, max_size=4),
    many=st.booleans(),
    versions=st.none() | VERSIONS,
)
def test_the_answer_for_a_notebook_is_the_same_alone_and_among_others(
    places: Iterator[Path], found: list[list[str]], many: bool, versions: dict[str, str] | None
) -> None:
    """Law d: beside others, and below a directory with others; from 16 on cells are not parsed."""
    place = next(places)
    env = str(environment(place / "env", versions)) if versions is not None else "none"
    for number, cells in enumerate([*found, *([["x = 1"]] * 16 * many)]):
        own = notebooks.with_files(place / "apart" / str(number))
        beside = notebooks.with_files(place / "beside")
        for directory in (own, beside):
            notebooks.save(directory / f"n{number}.ipynb", cells)
    answered = said(place / "beside", env=env).data["notebooks"]
    among = {one["path"]: _answer(one) for one in answered}
    said(place / "apart", env=env)
    for number in range(len(found)):
        own, name = place / "apart" / str(number), f"n{number}.ipynb"
        checked = said(own, name, env=env, check=True)
        assert not checked.failed, checked.data["diff"]
        assert _answer(said(own, name, env=env, to="-").data["notebooks"][0]) == among[name]


def _answer(notebook: dict[str, Any]) -> tuple[object, ...]:
    """What is said of one notebook, but for versions: those of others may have to be kept."""
    needed = [(r["name"], r["optional"]) for r in notebook["requirements"]]
    unresolved = [site["module"] for site in notebook["unresolved"]]
    return needed, unresolved, notebook["local"], notebook["provided"]


@budget(150)
@given(cells=install_lines.with_lines())
def test_a_notebook_among_many_is_read_as_it_is_alone(
    places: Iterator[Path], cells: list[str]
) -> None:
    """Law d, for what installs: the quick way knows each word that the slow way knows."""
    path = next(places) / "n.ipynb"
    notebooks.save(path, cells)
    quick, slow = (needs_of(path, Surroundings(thorough=t)) for t in (False, True))
    assert replace(quick, unparsed=()) == replace(slow, unparsed=())


@budget(20)
@given(
    found=st.lists(notebooks.cells(), min_size=1, max_size=2),
    file=st.sampled_from(conda.FILES),
    held=st.sets(st.sampled_from(sorted(conda.PACKAGES))),
    versions=VERSIONS,
    pin=PINS,
)
def test_the_laws_hold_beside_environment_yml(
    places: Iterator[Path],
    found: list[list[str]],
    file: str,
    held: set[str],
    versions: dict[str, str],
    pin: str | None,
) -> None:
    """Laws a, b, c and e, where conda has a part: what it holds, what people ask it for."""
    place = next(places)
    versions = {name: version for name, version in versions.items() if name not in held}
    env = conda.environment(place / "env", held, versions)
    work = Work(place / "work")
    path = work.directory / "environment.yml"
    if file:
        path.write_text(file)
    for number, cells in enumerate(found):
        sources = ["import pandas, yaml, scipy, numpy", *cells]
        notebooks.save(work.directory / f"n{number}.ipynb", sources)
    for environment_, style in ((None, None), (env, pin), (None, None), (env, None)):
        before = path.read_text() if path.exists() else ""
        work.record(environment_, style)
        theirs = [line for line in file.splitlines() if line.strip()]
        kept = [x for x in path.read_text().splitlines() if x in theirs] if file else []
        assert kept[: len(theirs)] == theirs, f"{before}\nbecame\n{path.read_text()}"
