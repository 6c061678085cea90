"""Records over time: notebooks that are renamed, other pin styles, files that others changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.recorded import said, save
from support.signs import unsigned
from support.sites import install

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Frontend, Place, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.operations.record import record

HEADER = "# >>> envmagic 1 >>> python 3.12, pin exact, recording on"
FOOTER = "# <<< envmagic <<<"


def old(work: Path, *lines: str, name: str = "requirements.txt", header: str = HEADER) -> None:
    (work / name).write_text("".join(f"{line}\n" for line in (header, *lines, FOOTER)))


def block(work: Path, name: str = "requirements.txt") -> list[str]:
    """The lines between the markers without their signs."""
    found = unsigned((work / name).read_text()).splitlines()
    first = next(i for i, line in enumerate(found) if ">>> envmagic" in line)
    return found[first + 1 : found.index(FOOTER)]


def agrees(work: Path, *paths: str, **more: Any) -> None:
    """The check right behind is content, and recording once more changes nothing."""
    name = more.get("to", "requirements.txt")
    before = (work / name).read_bytes()
    checked = said(work, *paths, check=True, **more)
    assert not checked.failed, checked.data["diff"]
    said(work, *paths, **more)
    assert (work / name).read_bytes() == before


def environment(place: Path, **versions: str) -> Path:
    site = place / "lib" / "python3.12" / "site-packages"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / "pyvenv.cfg").write_text("version = 3.12.4\n")
    site.mkdir(parents=True)
    for name, version in versions.items():
        install(site, name, f"{name}.py", version=version)
    return place


RENAMES = {
    "another name": ("a.ipynb", "b.ipynb", "import pandas, numpy"),
    "edited too": ("a.ipynb", "b.ipynb", "import pandas, numpy, scipy"),
    "other case": ("Study.ipynb", "study.ipynb", "import scipy"),
    "another directory": ("x/a.ipynb", "y/a.ipynb", "import scipy"),
    "directory and name": ("x/a.ipynb", "y/b.ipynb", "import pandas, numpy"),
}


@pytest.mark.parametrize("case", RENAMES)
def test_a_renamed_notebook_keeps_its_pins_and_what_was_installed_by_name(
    isolated: Isolated, case: str
) -> None:
    before, after, cell = RENAMES[case]
    pins = ("numpy==2.1", f"    # {before}", "pandas==2.3.3", f"    # {before}")
    old(isolated.work, *pins, "pyarrow==21", f"    # {before} (installed)", name="all.txt")
    save(isolated.work / after, cell)
    said(isolated.work, to="all.txt")
    found = block(isolated.work, "all.txt")
    assert found[-2:] == ["pyarrow==21", f"    # {after} (installed)"] or "scipy" in found
    assert f"    # {after} (installed)" in found and not any(before in line for line in found)
    assert ("pandas==2.3.3" in found) == ("pandas" in cell)
    agrees(isolated.work, to="all.txt")


def test_git_mv_and_the_next_record(isolated: Isolated) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=isolated.work, check=True, capture_output=True)

    save(isolated.work / "a.ipynb", "import pandas")
    old(isolated.work, "pandas==2.3.3", "    # a.ipynb")
    git("init", "-q")
    git("add", "-A")
    git("mv", "a.ipynb", "b.ipynb")
    said(isolated.work)
    assert block(isolated.work) == ["pandas==2.3.3", "    # b.ipynb"]
    agrees(isolated.work)


def test_a_notebook_that_is_another_one_takes_the_pins_it_needs_and_no_more(
    isolated: Isolated,
) -> None:
    pins = ("numpy==2.1", "    # a.ipynb", "pandas==2.3.3", "    # a.ipynb")
    more = ("pyarrow==21", "    # a.ipynb (installed)", "scipy==1.1", "    # a.ipynb")
    old(isolated.work, *pins, *more)
    save(isolated.work / "b.ipynb", "import pandas, yaml, six, attrs")
    said(isolated.work)
    found = [line for line in block(isolated.work) if "b.ipynb" not in line]
    assert found == ["attrs", "pandas==2.3.3", "pyyaml", "six"]
    agrees(isolated.work)


def test_each_gone_notebook_goes_to_one_the_best_match_first(isolated: Isolated) -> None:
    one, two = "    # one.ipynb", "    # two.ipynb"
    pins = ("numpy==2.1", one, two, "pandas==2.3.3", one, "pyarrow==21", f"{one} (installed)")
    old(isolated.work, *pins, "scipy==1.1", two, "xlrd==2", f"{two} (installed)")
    save(isolated.work / "b.ipynb", "import numpy, scipy")
    save(isolated.work / "c.ipynb", "import numpy, pandas")
    said(isolated.work)
    found = block(isolated.work)
    assert found[found.index("pyarrow==21") + 1] == "    # c.ipynb (installed)"
    assert found[found.index("xlrd==2") + 1] == "    # b.ipynb (installed)"
    agrees(isolated.work)


def test_a_gone_notebook_waits_for_its_new_name_while_another_is_recorded(
    isolated: Isolated,
) -> None:
    old(isolated.work, "pandas==2.3.3", "    # a.ipynb", "xlrd==2", "    # a.ipynb (installed)")
    save(isolated.work / "b.ipynb", "import pandas")
    save(isolated.work / "c.ipynb", "import numpy")
    place = Place(Frontend.NOTEBOOK, isolated.work, isolated.work / "c.ipynb")
    record(RecordRequest(env="none"), place, Silent())
    assert {"    # a.ipynb", "    # a.ipynb (installed)"} <= set(block(isolated.work))
    said(isolated.work, "b.ipynb")
    assert [x for x in block(isolated.work) if "#" not in x] == [
        "numpy",
        "pandas==2.3.3",
        "xlrd==2",
    ]
    assert not any("a.ipynb" in line for line in block(isolated.work))
    (isolated.work / "b.ipynb").unlink()
    said(isolated.work, "c.ipynb")
    assert block(isolated.work) == ["numpy", "    # c.ipynb"], "nothing here is like it"


def test_a_new_notebook_beside_the_old_one_is_no_new_name_of_it(isolated: Isolated) -> None:
    old(isolated.work, "pandas==2.3.3", "    # a.ipynb", "xlrd==2", "    # a.ipynb (installed)")
    for name in "ab":
        save(isolated.work / f"{name}.ipynb", "import pandas")
    said(isolated.work)
    assert block(isolated.work) == [
        *("pandas==2.3.3", "    # a.ipynb", "    # b.ipynb"),
        *("xlrd==2", "    # a.ipynb (installed)"),
    ]


def test_with_an_environment_a_new_name_changes_the_name_alone(isolated: Isolated) -> None:
    env = str(environment(isolated.work / "env", pandas="2.4", xlrd="2"))
    old(isolated.work, "pandas==2.4", "    # a.ipynb", "xlrd==2", "    # a.ipynb (installed)")
    save(isolated.work / "b.ipynb", "import pandas")
    report = said(isolated.work, env=env)
    assert [p.code for p in report.problems] == []
    lines = ["pandas==2.4", "    # b.ipynb", "xlrd==2", "    # b.ipynb (installed)"]
    assert block(isolated.work) == lines
    agrees(isolated.work, env=env)


STYLED = {
    ("exact", "minimum"): ("a[x,y]>=1.2", "b>=2", "e", "f<3", 'g>=1 ; python_version > "3"'),
    ("exact", "compatible"): ("a[x,y]~=1.2", "b>=2", "e", "f<3", 'g>=1 ; python_version > "3"'),
    ("exact", "none"): ("a[x,y]", "b", "e", "f<3", 'g ; python_version > "3"'),
    ("minimum", "exact"): ("a[x,y]==1.2", "b==2", "e", "f<3", 'g==1 ; python_version > "3"'),
    ("compatible", "exact"): ("a[x,y]==1.2", "b==2", "e", "f<3", 'g==1 ; python_version > "3"'),
    ("none", "exact"): ("a[x,y]", "b", "e", "f<3", 'g ; python_version > "3"'),
}


@pytest.mark.parametrize("before, after", STYLED)
def test_another_style_keeps_the_versions_of_every_entry(
    isolated: Isolated, before: str, after: str
) -> None:
    """Those of notebooks that are not recorded now, too; what no style wrote stays as it is."""
    one = {"exact": "==", "minimum": ">=", "compatible": "~=", "none": ""}[before]
    two = ">=" if before == "compatible" else one

    def version(operator: str, number: str) -> str:
        return operator + number if operator else ""

    texts = [
        f"a[x,y]{version(one, '1.2')}",
        f"b{version(two, '2')}",
        *("e", "f<3"),
        f'g{version(two, "1")} ; python_version > "3"',
        "h @ https://h/h.zip",
    ]
    lines = [line for t in texts for line in (t, "    # a.ipynb", "    # other.ipynb")]
    old(
        isolated.work,
        "-e ./here",
        "    # other.ipynb",
        *lines,
        header=HEADER.replace("exact", before),
    )
    save(isolated.work / "a.ipynb", "!pip install a b e f h 'g ; python_version > \"3\"'")
    save(isolated.work / "other.ipynb", "!pip install b")
    said(isolated.work, "a.ipynb", pin=after)
    found = [line for line in block(isolated.work) if not line.startswith("    #")]
    assert found == ["-e ./here", *STYLED[before, after], "h @ https://h/h.zip"]
    assert f"pin {after}" in (isolated.work / "requirements.txt").read_text()
    agrees(isolated.work, "a.ipynb", pin=after)
    agrees(isolated.work, "a.ipynb")


@pytest.mark.parametrize("pin", ["exact", "compatible", "minimum", "none"])
@pytest.mark.parametrize("where", ["none", "env"])
def test_the_check_behind_another_style_agrees_with_several_notebooks_and_extras(
    isolated: Isolated, pin: str, where: str
) -> None:
    env = str(environment(isolated.work / "env", pandas="2.4.1", six="1.17"))
    save(isolated.work / "a.ipynb", "%pip install 'pandas[excel]>=2'", "import pandas, six")
    save(isolated.work / "b.ipynb", "%pip install 'pandas[html]'", "import pandas")
    save(isolated.work / "c.ipynb", "import pandas, yaml")
    said(isolated.work, env=env)
    where = env if where == "env" else where
    said(isolated.work, env=where, pin=pin)
    first = block(isolated.work)[0]
    assert first.startswith("pandas[excel,html]")
    assert ("2.4.1" in first) == (pin != "none")
    agrees(isolated.work, env=where)
    agrees(isolated.work, env=where, pin=pin)
    for name in "abc":
        agrees(isolated.work, f"{name}.ipynb", env=where)


@pytest.mark.parametrize("check", [True, False])
def test_what_the_file_says_is_compared_not_what_it_means(isolated: Isolated, check: bool) -> None:
    save(isolated.work / "a.ipynb", "import yaml, six")
    said(isolated.work)
    file = isolated.work / "requirements.txt"
    right = file.read_text()
    pyyaml = right.splitlines(keepends=True)[1]
    for wrong in (right + pyyaml, right.replace(pyyaml, pyyaml * 2), right.replace("\n", " \n")):
        file.write_text(wrong)
        report = said(isolated.work, check=check)
        if check:
            assert report.failed and report.data["diff"] and file.read_text() == wrong
        else:
            assert report.changed and file.read_text() == right


def test_both_sides_of_a_merge_are_one_line_that_pip_can_use(isolated: Isolated) -> None:
    """`merge=union`: git keeps the lines of both branches."""

    def git(*words: str) -> None:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@y", *words]
        subprocess.run(command, cwd=isolated.work, check=True, capture_output=True)

    one = str(environment(isolated.work / "one", humanize="6.0.2"))
    two = str(environment(isolated.work / "two", humanize="6.0.10", six="1.17"))
    (isolated.work / ".gitattributes").write_text("requirements.txt merge=union\n")
    (isolated.work / ".gitignore").write_text("one\ntwo\n")
    save(isolated.work / "a.ipynb", "import six")
    said(isolated.work)
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "x")
    for branch, env in (("side", one), ("main", two)):
        git("checkout", "-q", *(["-b"] if branch == "side" else []), branch)
        save(isolated.work / f"{branch}.ipynb", "import humanize")
        said(isolated.work, f"{branch}.ipynb", env=env)
        git("add", "-A")
        git("commit", "-qm", branch)
    git("merge", "-q", "--no-edit", "side")
    assert len([x for x in block(isolated.work) if x.startswith("humanize")]) == 2
    assert said(isolated.work, check=True).failed
    said(isolated.work)
    assert block(isolated.work) == [
        *("humanize==6.0.10", "    # main.ipynb", "    # side.ipynb", "six", "    # a.ipynb"),
    ]
    agrees(isolated.work)


def test_the_users_line_wins_over_what_other_notebooks_have(isolated: Isolated) -> None:
    """Dependabot's new version is the user's line; the old pin would contradict it."""
    for name in "ab":
        save(isolated.work / f"{name}.ipynb", "import pandas")
    old(isolated.work, "pandas==2.3.3", "    # a.ipynb", "    # b.ipynb")
    said(isolated.work, pin="minimum")
    file = isolated.work / "requirements.txt"
    file.write_text(file.read_text().replace("pandas>=2.3.3", "pandas>=2.4"))
    said(isolated.work, "a.ipynb")
    found = file.read_text().splitlines()
    assert found[0].startswith("pandas>=2.4 #") and block(isolated.work) == []
    agrees(isolated.work, "a.ipynb")


def test_an_old_block_that_is_right_stays_as_it_is(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    old(isolated.work, "pandas==2.3.3", "    # a.ipynb")
    agrees(isolated.work)
    assert ">>> envmagic 1 >>>" in (isolated.work / "requirements.txt").read_text()
    save(isolated.work / "a.ipynb", "import pandas, six")
    assert said(isolated.work, check=True).failed
    said(isolated.work)
    assert ">>> envmagic 2 >>>" in (isolated.work / "requirements.txt").read_text()
    agrees(isolated.work)


def test_a_sorted_old_block_loses_no_line_of_the_users(isolated: Isolated) -> None:
    save(isolated.work / "n.ipynb", "import yaml, six")
    users = ["scikit-learn>=1.4", "zope.interface==5"]
    old(isolated.work, "pyyaml", users[0], "    # n.ipynb", "six", users[1], "    # n.ipynb")
    said(isolated.work)
    assert set(users) <= set((isolated.work / "requirements.txt").read_text().splitlines())
    agrees(isolated.work)


def test_our_lines_without_their_header_are_refused_and_stay(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work)
    file = isolated.work / "requirements.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    before = file.read_text()
    for check in (True, False):
        with pytest.raises(EnvmagicError, match=r"Line 1 of ") as caught:
            said(isolated.work, check=check)
        assert caught.value.problem.code == "bad-block" and file.read_text() == before


@pytest.mark.skipif(os.name == "nt", reason="a directory that tells names by case")
def test_two_notebooks_whose_names_differ_by_case_are_two(isolated: Isolated) -> None:
    old(isolated.work, "pandas==2.3.3", "    # A.ipynb")
    save(isolated.work / "A.ipynb", "import pandas")
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work)
    assert block(isolated.work) == ["pandas==2.3.3", "    # A.ipynb", "    # a.ipynb"]


def test_a_version_of_another_style_in_an_old_block_is_kept_or_is_what_is_written(
    isolated: Isolated,
) -> None:
    """The notebook's own `>=` between exact pins; whether a person wrote it cannot be told."""
    save(isolated.work / "a.ipynb", "%pip install 'pandas>=2'", "import pandas")
    old(isolated.work, "pandas>=2", "    # a.ipynb")
    agrees(isolated.work)
    assert block(isolated.work) == ["pandas>=2", "    # a.ipynb"]
    env = str(environment(isolated.work / "env", pandas="2.4"))
    said(isolated.work, env=env)
    assert (
        (isolated.work / "requirements.txt").read_text().startswith("pandas>=2\n# >>> envmagic 2")
    )
    agrees(isolated.work, env=env)


@pytest.mark.parametrize("mention", ["a.ipynb", "a.ipynb (installed)", "b.ipynb"])
def test_that_a_line_is_in_an_old_block_that_was_edited_does_not_prove_whose_it_is(
    isolated: Isolated, mention: str
) -> None:
    """What nothing in a recorded notebook asks for stays as a line of the user's."""
    save(isolated.work / "a.ipynb", "import yaml, no_such_module_x")
    save(isolated.work / "b.ipynb", "import yaml")
    pins = ("pyyaml==6.0.2", "    # a.ipynb", "    # b.ipynb")
    old(isolated.work, "six", *pins, "flask", f"    # {mention}")
    said(isolated.work, "a.ipynb")
    agrees(isolated.work, "a.ipynb")
    assert (isolated.work / "requirements.txt").read_text().startswith("six\nflask\n# >>> envm")
    assert list(pins) == block(isolated.work)[:3], "what one notebook proves, the others keep"
    said(isolated.work)
    assert "\nflask\n" in (isolated.work / "requirements.txt").read_text()
