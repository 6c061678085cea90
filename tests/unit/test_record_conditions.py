"""Several lines for one distribution: ranges, contradictions, markers, extras, whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.recorded import said, save
from support.signs import unsigned
from support.sites import install

from envmagic.core.model import Report


def environment(place: Path, **versions: str) -> Path:
    site = place / "lib" / "python3.12" / "site-packages"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").touch()
    (place / "pyvenv.cfg").write_text("version = 3.12.4\n")
    site.mkdir(parents=True)
    for name, version in versions.items():
        install(site, name, f"{name}.py", version=version)
    return place


def codes(report: Report[Any]) -> list[str]:
    return [p.code for p in report.problems]


def lines(work: Path) -> list[str]:
    """The requirements between the markers, without their signs."""
    found = unsigned((work / "requirements.txt").read_text()).splitlines()
    first = next(i for i, line in enumerate(found) if ">>> envmagic" in line)
    last = found.index("# <<< envmagic <<<")
    return [line for line in found[first + 1 : last] if not line.startswith("    #")]


def test_ranges_for_one_distribution_are_joined_and_contradictions_are_said(
    isolated: Isolated,
) -> None:
    save(isolated.work / "a.ipynb", "%pip install 'numpy>=1.5' 'numpy>=1.2' 'six==1'\nimport numpy")
    save(isolated.work / "b.ipynb", "%pip install 'numpy<3' 'six>=0.9'\nimport numpy")
    assert codes(said(isolated.work)) == []
    assert lines(isolated.work) == ["numpy<3,>=1.5", "six==1"]
    assert not said(isolated.work, check=True).failed
    assert not said(isolated.work, "b.ipynb", check=True).failed
    save(isolated.work / "b.ipynb", "%pip install 'numpy<1.5'\n%pip install 'six>=2' 'six<2'")
    report = said(isolated.work)
    assert codes(report) == ["record-conflict"] * 2, "six within b, and numpy with a"
    assert "b.ipynb asks for numpy<1.5, but numpy>=1.5 stays" in report.problems[0].message
    assert lines(isolated.work) == ["numpy>=1.5", "six==1"]
    assert not said(isolated.work, check=True).failed
    save(isolated.work / "a.ipynb", "%pip install 'numpy<1.5'\nimport numpy")
    assert codes(said(isolated.work)) == ["record-conflict"], "what a asked for before is over"
    assert lines(isolated.work) == ["numpy<1.5", "six==1"], "a version that is there stays"


def test_what_notebooks_ask_for_changes_no_pin_that_is_within(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", numpy="1.26.4")
    save(isolated.work / "a.ipynb", "%pip install 'numpy>=1.5'\nimport numpy")
    save(isolated.work / "b.ipynb", "%pip install 'numpy<3'\nimport numpy")
    for pin, line in (("exact", "numpy==1.26.4"), ("minimum", "numpy>=1.26.4")):
        said(isolated.work, env=str(env), pin=pin)
        for paths in ((), ("a.ipynb",)):
            assert not said(isolated.work, *paths, check=True).failed
        assert lines(isolated.work) == [line]
    save(isolated.work / "a.ipynb", "%pip install 'numpy>=2'\nimport numpy")
    (problem,) = said(isolated.work).problems
    assert "a.ipynb asks for numpy>=2, but numpy>=1.26.4 stays" in problem.message
    assert lines(isolated.work) == ["numpy>=1.26.4"], "the environment is not at hand"


@pytest.mark.parametrize(
    "cells, expected",
    [
        (
            "%pip install \"numpy<2; python_version<'3.10'\" \"numpy>=2; python_version>='3.10'\"",
            {'numpy<2 ; python_version < "3.10"', 'numpy>=2 ; python_version >= "3.10"'},
        ),
        (
            "%pip install \"numpy<2; sys_platform=='win32'\"",
            {'numpy ; sys_platform != "win32"', 'numpy<2 ; sys_platform == "win32"'},
        ),
        (
            "%pip install \"numpy; sys_platform=='win32'\"",
            {"numpy"},
        ),
        (
            "%pip install 'numpy>1' \"numpy[x]<2; sys_platform=='win32'\"",
            {'numpy>1 ; sys_platform != "win32"', 'numpy[x]<2,>1 ; sys_platform == "win32"'},
        ),
        (
            "!pip install \"numpy<2; python_version<'3.10' and os_name=='nt'\"",
            {
                'numpy ; python_version >= "3.10" or os_name != "nt"',
                'numpy<2 ; python_version < "3.10" and os_name == "nt"',
            },
        ),
    ],
)
def test_markers_stay_with_what_they_belong_to(
    isolated: Isolated, cells: str, expected: set[str]
) -> None:
    save(isolated.work / "a.ipynb", cells, "import numpy")
    said(isolated.work)
    assert set(lines(isolated.work)) == expected
    assert not said(isolated.work, check=True).failed


def test_a_pin_belongs_to_the_line_that_holds_in_the_environment(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", numpy="2.1", six="1.17")
    cell = "!pip install \"numpy<2; python_version<'3.8'\" \"numpy>=2; python_version>='3.8'\""
    save(
        isolated.work / "a.ipynb",
        cell,
        "%pip install \"six==1; os_name=='x'\"",
        "import numpy, six",
    )
    said(isolated.work, env=str(env))
    assert lines(isolated.work) == [
        'numpy<2 ; python_version < "3.8"',
        'numpy==2.1 ; python_version >= "3.8"',
        'six==1.17 ; os_name != "x"',
        'six==1 ; os_name == "x"',
    ]
    assert not said(isolated.work, check=True).failed


OTHERS = "six; sys_platform=='other'\n"


def test_a_line_of_the_users_counts_where_its_marker_is_true(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", six="1.17", numpy="2.1")
    (isolated.work / "requirements.txt").write_text(
        f"{OTHERS}numpy<2; python_version<'3.4'\nnumpy>=2; python_version>='3.4'\n"
        "gone; python_version<'3.4'\n"
    )
    save(isolated.work / "a.ipynb", "import six, numpy, gone")
    report = said(isolated.work, env=str(env))
    assert lines(isolated.work) == ["six==1.17"]
    assert [(p.code, p.subject) for p in report.problems] == [("own-line", "gone")]
    for where in ("none", str(env)):
        assert not said(isolated.work, env=where, check=True).failed
    fresh = isolated.work / "fresh"
    (fresh / "x").mkdir(parents=True)
    save(fresh / "a.ipynb", "import six, numpy\ntry:\n    import win\nexcept ImportError: pass")
    (fresh / "requirements.txt").write_text(
        f"{OTHERS}win; sys_platform=='win32'\nnumpy; python_version>='3.11'\n"
    )
    report = said(fresh)
    assert [(p.code, p.subject) for p in report.problems] == [("own-line", "six")]
    assert ">>>" not in (fresh / "requirements.txt").read_text(), (
        "nothing says that it is not for those machines alone"
    )


def test_an_extra_that_the_users_line_lacks_is_said(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "%pip install 'dask[array,dataframe]'\nimport dask")
    file = isolated.work / "requirements.txt"
    file.write_text("dask[array]>=2024; python_version>'3'  # mine\n")
    (problem,) = said(isolated.work).problems
    assert (problem.code, problem.subject) == ("own-line", "dask")
    assert problem.hint.endswith('dask[array,dataframe]>=2024; python_version > "3"')
    file.write_text("dask[array]\ndask[dataframe]\n")
    assert said(isolated.work).problems == ()


def test_a_version_that_the_users_line_rules_out_is_said(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "%pip install 'numpy<2' 'six>1'\nimport numpy, six")
    (isolated.work / "requirements.txt").write_text("numpy>=2\nsix<3\n")
    report = said(isolated.work)
    assert [(p.code, p.subject) for p in report.problems] == [("record-conflict", "numpy")]
    env = environment(isolated.work / "env", numpy="2.1", six="1.17")
    assert said(isolated.work, env=str(env)).problems == (), "it has what the line asks for"


def test_what_was_installed_is_kept_over_lines_that_contradict_it(isolated: Isolated) -> None:
    """In every style, with the environment and without it, and whoever else has a marker."""
    env = environment(isolated.work / "env", six="1.4", numpy="2.1")
    windows = "\"numpy<2; sys_platform=='win32'\""
    save(isolated.work / "a.ipynb", "%pip install six==1.26 numpy~=2.0\nimport six, numpy")
    save(isolated.work / "b.ipynb", f"%pip install 'numpy!=2.9' {windows}\nimport numpy")
    for pin in ("exact", "minimum", "none"):
        said(isolated.work, env=str(env), pin=pin)
        for where in ("none", str(env)):
            assert said(isolated.work, env=where, check=True).data["diff"] == "", (pin, where)
    assert lines(isolated.work)[0] == "numpy~=2.0" and "six==1.26" in lines(isolated.work)
