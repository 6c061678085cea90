"""What one notebook needs, from what it imports, installs and takes out again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.installed import running_in

from envmagic.distributions import Index
from envmagic.record.entries import text_of
from envmagic.record.need import Need, Needs, Surroundings
from envmagic.record.needs import needs_of
from envmagic.requirements import Pin


def needs(place: Path, *cells: str, index: Index | None = None, **sources: Any) -> dict[str, Need]:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    path = place / "a.ipynb"
    path.write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4}))
    told = Surroundings(running_in(index), **sources)
    return {need.name: need for need in needs_of(path, told).needs}


def lines(place: Path, *cells: str) -> list[str]:
    return [text_of(n, None, Pin.NONE) for n in needs(place, *cells).values() if not n.optional]


@pytest.mark.parametrize(
    "cells, expected",
    [
        # a command after the other, on one line too
        (["!pip uninstall -y six && pip install six==1 toolz"], ["six==1", "toolz"]),
        (["!pip uninstall -y six; pip install six"], ["six"]),
        (["!pip install six toolz && pip uninstall -y toolz"], ["six"]),
        (["%pip install six", "%pip uninstall -y six"], []),
        # conda's names count where pip has the same
        (["%conda install -y pyarrow openpyxl nodejs-x pytorch"], ["openpyxl", "pyarrow"]),
        # paths are no names of an index
        (["%pip install -e ./mylib", "import mylib"], ["-e ./mylib"]),
        (["!pip install ../other", "import other"], ["../other"]),
        (["!pip install ./transformers", "import transformers"], ["transformers"]),
        (["!pip install /here/only", "import only"], []),
        (["%pip install -e git+https://h/o/r.git#egg=edpkg"], ["edpkg @ git+https://h/o/r.git#egg=edpkg"]),
        (["!pip install https://h/x/en_core_web_sm-3.7.1.tar.gz", "import en_core_web_sm"],
         ["https://h/x/en_core_web_sm-3.7.1.tar.gz"]),
        # a file that the notebook writes
        (["%%writefile wanted.txt\nattrs\nsix>=1", "!pip install -r wanted.txt"],
         ["attrs", "six>=1"]),
        # what is installed is not optional
        (["!pip install seaborn", "try:\n    import seaborn\nexcept ImportError:\n    pass"],
         ["seaborn"]),
    ],
)  # fmt: skip
def test_install_lines(tmp_path: Path, cells: list[str], expected: list[str]) -> None:
    assert lines(tmp_path, *cells) == expected


def test_an_import_that_failed_is_no_new_need_and_stays_what_it_was(tmp_path: Path) -> None:
    cells = ("import seaborn", "from google.cloud import bigquery, storage")
    failed = frozenset({"seaborn", "google.cloud.bigquery"})
    assert list(needs(tmp_path, cells=cells, failed=failed)) == ["google-cloud-storage"]
    listed = frozenset({"seaborn", "google-cloud-bigquery"})
    assert len(needs(tmp_path, cells=cells, failed=failed, listed=listed)) == 3
    assert len(needs(tmp_path, *cells, failed=failed)) == 3, "saved is needed"


@pytest.mark.parametrize("listed", [True, False])
def test_an_unresolved_import_that_fails_stays_only_where_it_was_listed(
    tmp_path: Path, listed: bool
) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4}))
    unknown = frozenset({"corp_utils"} if listed else ())
    told = Surroundings(
        cells=("import corp_utils.deep",), failed=frozenset({"corp_utils"}), unknown=unknown
    )
    assert [module for module, _ in needs_of(path, told).unresolved] == ["corp_utils"] * listed


BLOCK = """\
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "polars>=1",
#     "corp-thing[x] @ https://h/corp.zip",
#     "only-here; sys_platform == 'x'", "no requirement at all", "ipykernel",
# ]
# ///
"""


def test_inline_script_metadata_says_what_is_needed_and_in_which_versions(tmp_path: Path) -> None:
    cells = (BLOCK + "import polars, corp_thing", "%pip install 'polars<2'")
    found = needs(tmp_path, *cells)
    assert [*found] == ["corp-thing", "only-here", "polars"]
    assert found["polars"].specifier == "<2,>=1" and found["polars"].imported
    assert found["corp-thing"].url == "https://h/corp.zip"
    assert found["only-here"].conditional[0].marker == 'sys_platform == "x"'
    for other in ("%%writefile x.py\n" + BLOCK, BLOCK.replace("[\n", "{\n"), BLOCK[:-7]):
        assert [*needs(tmp_path, other, "import polars")] == ["polars"]
        assert needs(tmp_path, other, "import polars")["polars"].specifier == ""


def told(place: Path, *cells: str, thorough: bool = True) -> Needs:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    (place / "a.ipynb").write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4}))
    return needs_of(place / "a.ipynb", Surroundings(thorough=thorough))


@pytest.mark.parametrize(
    "cells, expected",
    [
        (["from agents import DQN\nimport tree, box, schema, vis"], []),
        (["from agents import Agent, Runner"], ["openai-agents"]),
        (["from agents import Agent", "from openai import OpenAI"], ["openai", "openai-agents"]),
        (["import agents", "!pip install openai-agents"], ["openai-agents"]),
        (["import tree, haiku"], ["dm-haiku", "dm-tree"]),
        (
            ["from rl.memory import M", "import tensorflow.keras.layers"],
            ["keras-rl2", "tensorflow"],
        ),
        (["from schema import Schema\nfrom box import Box"], ["python-box", "schema"]),
    ],
)
def test_a_name_of_any_projects_file_counts_with_other_evidence_only(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    found = told(tmp_path, *cells)
    assert [need.name for need in found.needs] == expected
    assert bool(found.unresolved) is not bool(expected)
    listed = needs(tmp_path, "import tree", listed=frozenset({"dm-tree"}))
    assert list(listed) == ["dm-tree"]
