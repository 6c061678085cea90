"""What a notebook is guessed to need, and whether files have what it imports."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from envmagic.planning.guessing.guess import Asked, Guess, guess_of
from envmagic.planning.guessing.presence import Presence, missing_of, presence
from envmagic.planning.guessing.trees import DirectoryTree, Tree, WheelTree


def guess(place: Path, *cells: str) -> Guess:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    path = place / "a.ipynb"
    path.write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4}))
    return guess_of(path)


@pytest.mark.parametrize(
    "cells, lines",
    [
        (["import sklearn.svm, os"], ["scikit-learn"]),
        (["from google.cloud import bigquery, storage"],
         ["google-cloud-bigquery", "google-cloud-storage"]),
        # what code needs besides what it imports
        (["import pandas as pd\nt = pd.read_excel('a.xlsx')"], ["pandas", "openpyxl"]),
        (["import pandas as pd\nt.to_parquet('a')"], ["pandas", "pyarrow"]),
        (["t.to_parquet('a')"], []),
        (["import pandas as pd\npd.read_html(u)"],
         ["pandas", "lxml", "html5lib", "beautifulsoup4"]),
        (["import sqlalchemy as s\ns.create_engine('postgresql://me@h/d')"],
         ["sqlalchemy", "psycopg2-binary"]),
        (["import dask.dataframe as dd"], ["dask[dataframe]"]),
        (["import keras"], ["keras", "tensorflow"]),
        (["import keras, torch"], ["keras", "torch"]),
        # what it installs says versions, where the name is a known one
        (["!pip install 'pandas<2'", "import pandas"], ["pandas<2"]),
        (["try:\n    import seaborn\nexcept ImportError:\n    pass"], []),
    ],
)  # fmt: skip
def test_from_cells_to_requirements(tmp_path: Path, cells: list[str], lines: list[str]) -> None:
    assert [wish.requirement for wish in guess(tmp_path, *cells).wishes] == lines


def test_what_is_not_asked_of_an_index_is_said(tmp_path: Path) -> None:
    cells = ["!pip install pandass git+https://h/o/r.git#egg=edpkg", "import edpkg, pandass, corp"]
    found = guess(tmp_path, *cells)
    assert not found.wishes
    assert found.unresolved == ("corp",)
    assert found.left_out == ("git+https://h/o/r.git#egg=edpkg", "pandass")


def test_every_module_and_name_is_to_be_looked_at(tmp_path: Path) -> None:
    found = guess(
        tmp_path,
        "import numpy as np, os.path\nfrom sklearn import svm, grid_search\nfrom sklearn import *",
        "from google.cloud import storage\nfrom corp import deep",
        "try:\n    import six\nexcept ImportError: pass",
    )
    assert found.imports == (
        Asked("numpy", (), "numpy"),
        Asked("sklearn", ("grid_search", "svm"), "scikit-learn"),
        Asked("google.cloud.storage", (), "google-cloud-storage"),
        Asked("corp", ("deep",)),
    )


FILES = {
    "one/__init__.py": "from .parts import *\nfrom . import sub as under\nVERSION = '1'\n"
    "if VERSION:\n    a, b = 1, 2\ntry:\n    import json\nexcept ImportError:\n    json = None\n",
    "one/parts.py": "def made(): ...\nclass Thing: ...\nwith open('x') as handle: inside = 1\n",
    "one/sub/__init__.py": "__all__ = ['told']\n",
    "one/sub/deep.py": "",
    "one/asks.py": "def __getattr__(name):\n    if name == 'old': return 1\n"
    "    raise AttributeError(name)\n",
    "one/lazy.py": "import importlib\ndef __getattr__(name):\n"
    "    return importlib.import_module(name)\n",
    "one/fills.py": "globals().update(x=1)\n",
    "one/built.cpython-312-x86_64-linux-gnu.so": "",
    "one/other.py": "from elsewhere import *\n",
    "one/torn.py": "def (\nwanted\n",
    "space/inner/__init__.py": "",
    "single.py": "import sys\nsys.modules['single.virtual'] = sys\n",
}
THERE, MISSING, UNKNOWN = Presence.THERE, Presence.MISSING, Presence.UNKNOWN


@pytest.fixture(params=["directory", "wheel"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    if request.param == "directory":
        for name, text in FILES.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return DirectoryTree([tmp_path])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, (name, text) in enumerate(FILES.items()):
            archive.writestr(name if number % 2 else f"one-1.data/purelib/{name}", text)
    return WheelTree(file)


@pytest.mark.parametrize(
    "module, name, expected",
    [
        ("one", None, THERE),
        ("one.sub.deep", None, THERE),
        ("one.gone", None, MISSING),
        ("gone", None, MISSING),
        ("one", "sub", THERE),
        ("one", "under", THERE),
        ("one", "b", THERE),
        ("one", "json", THERE),
        ("one", "made", THERE),
        ("one", "handle", THERE),
        ("one.parts", "inside", THERE),
        ("one.parts", "handle", THERE),
        ("one.sub", "told", THERE),
        ("one.sub", "untold", MISSING),
        ("one.asks", "old", UNKNOWN),
        ("one.asks", "older", MISSING),
        ("one.lazy", "any", UNKNOWN),
        ("one.fills", "any", UNKNOWN),
        ("one.built", "any", UNKNOWN),
        ("one.built.inner", None, UNKNOWN),
        ("one.other", "any", UNKNOWN),
        ("one.torn", "wanted", UNKNOWN),
        ("space", "inner", THERE),
        ("space", "outer", MISSING),
        ("single.virtual", None, UNKNOWN),
    ],
)
def test_presence(tree: Tree, module: str, name: str | None, expected: Presence) -> None:
    assert presence(tree, module, name) is expected


def test_an_editable_installation_has_modules_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "__editable__.mine.pth").write_text("/elsewhere\n")
    assert presence(DirectoryTree([tmp_path]), "mine") is UNKNOWN
    assert missing_of([Asked("mine.sub", ("x",))], DirectoryTree([tmp_path])) == []
