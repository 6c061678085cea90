"""What failed is no evidence: which install lines of a notebook count, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.installed import running_in
from support.sites import install

from envmagic.core.model import Frontend, Place, Report, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.distributions import Index, index_of
from envmagic.jupyter import notebook_file
from envmagic.operations.record import record
from envmagic.record.entries import text_of
from envmagic.record.need import Needs, Surroundings
from envmagic.record.needs import needs_of
from envmagic.requirements import Pin

PIP = """\
Collecting six
\x1b[31mERROR: Could not find a version that satisfies the requirement Nope_x (from \
versions: none)\x1b[0m
\x1b[31mERROR: No matching distribution found for Nope_x\x1b[0m
"""
UV = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because there is no version of six==99 and you require six==99, we can
      conclude that your requirements are unsatisfiable.
"""
OURS = """\
UsageError: Because nope-x was not found in the package registry and you require nope-x, we can \
conclude that your requirements are unsatisfiable.
"""


def save(path: Path, *cells: str | tuple[str, str], padding: int = 0) -> Path:
    """A notebook whose cells are sources, or sources with what they printed."""
    found = []
    for cell in cells:
        source, printed = cell if isinstance(cell, tuple) else (cell, "")
        outputs: list[dict[str, Any]] = [
            {"output_type": "display_data", "data": {"x": "y" * padding}}
        ]
        outputs += [{"output_type": "stream", "name": "stderr", "text": printed.splitlines(True)}]
        found.append({"cell_type": "code", "source": source, "metadata": {}, "outputs": outputs})
    path.write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4}))
    return path


def needs(
    place: Path, *cells: str | tuple[str, str], index: Index | None = None, **sources: Any
) -> Needs:
    return needs_of(save(place / "a.ipynb", *cells), Surroundings(running_in(index), **sources))


def names(found: Needs) -> list[str]:
    return [need.name for need in found.needs]


def unconfirmed(found: Needs) -> list[str]:
    return [name for name, _ in found.unconfirmed]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """What is installed: `there` 2.0, of which no index and no table knows."""
    made = tmp_path / "env" / "site-packages"
    made.mkdir(parents=True)
    install(made, "there", "there.py", version="2.0")
    return made


@pytest.mark.parametrize("saved", [True, False])
def test_of_a_live_notebook_only_what_is_there_counts(
    site: Path, tmp_path: Path, saved: bool
) -> None:
    cell = "!pip install there six nowhere"
    cells, session = ((cell,), ()) if saved else ((), (cell,))
    found = needs(tmp_path, *cells, index=index_of([site]), cells=session, live=tmp_path / "env")
    assert names(found) == ["there"]
    assert not unconfirmed(found), "what failed has been said by who failed"


def test_of_a_live_notebook_a_line_that_failed_explains_no_import_and_says_no_version(
    site: Path, tmp_path: Path
) -> None:
    live: dict[str, Any] = {"index": index_of([site]), "live": tmp_path / "env"}
    found = needs(tmp_path, "!pip install corp-utils", "import corp_utils", **live)
    assert not names(found)
    assert [module for module, _ in found.unresolved] == ["corp_utils"]
    (need,) = needs(tmp_path, "!pip install there==9 'there[x]'", **live).needs
    assert text_of(need, None, Pin.NONE) == "there[x]", "version 2.0 is there"
    (need,) = needs(tmp_path, "!pip install 'there>=2'", **live).needs
    assert text_of(need, None, Pin.NONE) == "there>=2"


def test_of_a_live_notebook_a_line_for_other_machines_counts_as_in_a_file(
    site: Path, tmp_path: Path
) -> None:
    cell = "!pip install \"pywin32; sys_platform == 'nowhere'\" \"nope; sys_platform == 'nowhere'\""
    found = needs(tmp_path, cell, index=index_of([site]), live=tmp_path / "env")
    assert (names(found), unconfirmed(found)) == (["pywin32"], ["nope"])


def test_of_a_live_notebook_conda_lines_count_for_what_conda_has(
    site: Path, tmp_path: Path
) -> None:
    meta = tmp_path / "env" / "conda-meta"
    meta.mkdir()
    (meta / "six-1.17.0-py_0.json").write_text("{}")
    cell = "%conda install -y six toolz"
    live: dict[str, Any] = {"index": index_of([site]), "live": tmp_path / "env"}
    assert names(needs(tmp_path, cell, **live)) == ["six"]
    assert names(needs(tmp_path, cell)) == ["six", "toolz"]


def test_of_a_live_notebook_a_repository_counts_where_something_came_from_it(
    site: Path, tmp_path: Path
) -> None:
    origin = {"url": "https://h/o/one", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}
    direct = {"other-1.0.dist-info/direct_url.json": json.dumps(origin)}
    install(site, "other", "other.py", **direct)
    one, nope, archive = "git+https://me@h/o/one.git@v1", "git+https://h/o/nope", "https://h/x.zip"
    live: dict[str, Any] = {"index": index_of([site]), "live": tmp_path / "env"}
    found = needs(tmp_path, f"!pip install {one} {nope} {archive}", **live)
    assert {need.url for need in found.needs} == {"git+https://h/o/one.git@v1", archive}


@pytest.mark.parametrize("thorough", [True, False])
def test_of_a_file_only_what_something_else_confirms_counts_and_the_rest_is_told(
    site: Path, tmp_path: Path, thorough: bool
) -> None:
    (tmp_path / "dev.txt").write_text("of-a-file\n")
    cells = (
        "!pip install six there corp-utils nope-a 4",
        "!uv add nope-b toolz",
        "!pip install -r dev.txt",
        "%%env churn\nnope-c >= 4\nmine",
        "!pip install git+https://h/o/vcs.git 'url @ https://h/url.zip'",
        "%env install humanize >= 4",
        "import corp_utils",
    )
    found = needs(
        tmp_path,
        *cells,
        index=index_of([site]),
        thorough=thorough,
        listed=frozenset({"mine"}),
    )
    counted = ["corp-utils", "humanize", "mine", "of-a-file", "six", "there", "toolz", "url", "vcs"]
    assert names(found) == counted
    told = [(name, where.cell) for name, where in found.unconfirmed]
    assert told == [("nope-a", 1), ("nope-b", 2), ("nope-c", 4)]


@pytest.mark.parametrize("padding", [0, 2_000_000])
@pytest.mark.parametrize("printed", [PIP, OURS, "Looking\n" + UV])
def test_what_the_saved_output_says_failed_does_not_count(
    tmp_path: Path, printed: str, padding: int
) -> None:
    """Of a large notebook too, whose other outputs are skipped."""
    cells = (
        ("!pip install toolz\n!pip install six nope-x", printed),
        ("!pip install humanize", ""),
        ("print('install')", printed),
    )
    path = save(tmp_path / "a.ipynb", *cells, padding=padding)
    found = needs_of(path, Surroundings())
    assert names(found) == ["humanize", "toolz"]
    assert not unconfirmed(found)


def test_an_output_that_names_nothing_is_about_the_only_line(tmp_path: Path) -> None:
    said = "ERROR: No matching distribution found for a-dependency\n"
    assert not names(needs(tmp_path, ("!pip install six", said)))
    both = ("!pip install six\n!pip install toolz", said)
    assert names(needs(tmp_path, both)) == ["six", "toolz"]
    other = ("!pip install six\n%matplotlib x", "UsageError: no such backend\n")
    assert "six" in names(needs(tmp_path, other))


def test_only_what_was_printed_is_taken_for_an_installer_s_words(tmp_path: Path) -> None:
    cell = {
        "cell_type": "code",
        "source": "!pip install six",
        "outputs": [
            {"output_type": "execute_result", "data": {"text/plain": PIP}},
            {"output_type": "stream", "text": 4},
            "no output",
        ],
    }
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    assert [cell.complaint for cell in notebook_file.read(path).cells] == [""]


def recorded(work: Path, *paths: str, **more: Any) -> Report[Any]:
    request = RecordRequest(paths=paths, env="none", pin="none", **more)
    return record(request, Place(Frontend.TERMINAL, work), Silent())


def test_one_warning_a_notebook_names_what_is_not_recorded_and_its_hint_works(
    isolated: Isolated,
) -> None:
    save(
        isolated.work / "a.ipynb", "import six", "!pip install nope-a nope-b", "!pip install nope-a"
    )
    save(isolated.work / "b.ipynb", "!pip install nope-c")
    report = recorded(isolated.work, "a.ipynb", "b.ipynb")
    assert not report.failed
    first, second = report.problems
    assert {first.code, second.code} == {"unknown-install"}
    assert "a.ipynb installs nope-a (cell 2), nope-b (cell 2): not recorded" in first.message
    assert first.hint == "If so, write them into requirements.txt yourself: nope-a nope-b"
    assert second.hint == "If so, write it into requirements.txt yourself: nope-c"
    file = isolated.work / "requirements.txt"
    assert "nope" not in file.read_text()
    file.write_text("nope-a\nnope-b\nnope-c\n" + file.read_text())
    assert not recorded(isolated.work, "a.ipynb", "b.ipynb").problems
    assert not recorded(isolated.work, "a.ipynb", "b.ipynb", check=True).failed


def test_alone_and_among_many_the_same_is_recorded(isolated: Isolated) -> None:
    cells = (
        "!uv add six nope-x",
        ("!pip install toolz", "ERROR: No matching distribution found for toolz\n"),
    )
    for number in range(17):
        save(isolated.work / f"n{number}.ipynb", *cells, "%%bash\npip install humanize nope-y")
    alone = recorded(isolated.work, "n0.ipynb", to="-")
    many = recorded(isolated.work, to="-")
    assert alone.data["lines"] == many.data["lines"] == ["humanize", "six"]
    assert len(many.problems) == 17 * len(alone.problems) == 17
    assert many.problems[0].message == alone.problems[0].message
