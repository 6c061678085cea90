"""Notebooks as people write them: cells that import, install, run others and do not parse."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st

__all__ = ["CELLS", "FILLERS", "INSTALLS", "cells", "save", "saved_cells", "with_files"]

INSTALLS = (
    "%pip install 'numpy<2'",
    "!pip install 'numpy>=1.20' # for the plots",
    '!pip install "six>=1.5" -q',
    "!pip install -q pandas==2.2.0 > /dev/null",
    "%pip install 'pandas[excel]'",
    "%pip install 'numpy>=2; python_version>=\"3.10\"'",
    "%pip install 'numpy<2; python_version<\"3.10\"'",
    "!uv add httpx",
    "!uv pip install --system six",
    "!poetry add flask",
    "%conda install -y -c conda-forge scipy",
    "!mamba install --yes pyyaml=6.0",
    "!pip install git+https://h/o/mod.git@v1",
    "!pip3 install no-such-dist-x",
    "!pip install -r more.txt",
    "%uv pip install attrs==23.1",
    "!{sys.executable} -m pip install ujson",
    "get_ipython().system('pip install tqdm')",
    "%env install rich",
    "%%bash\ncd /tmp && pip install -U tabulate",
    "!pip uninstall -y six",
)
IMPORTS = (
    "import yaml",
    "import six, numpy as np",
    "import pandas as pd",
    "from sklearn import svm",
    "import attrs",
    "import mod",
    "import no_such_module_x",
    "try:\n    import ujson\nexcept ImportError:\n    ujson = None",
    "def f():\n    import httpx\n    return httpx",
    "from helper import thing",
    "import google.cloud.storage",
    "%matplotlib inline\nimport matplotlib.pyplot as plt",
    "%load_ext dotenv",
    "%run helper.py",
    "import importlib\nimportlib.import_module('rich')",
    "import pandas\npandas.DataFrame(",
    "%%time\nimport scipy.stats",
    "import envmagic, ipykernel, pip, os",
)
FILLERS = (
    "",
    "x = 1\nprint(x)",
    "# import tomli\ntext = 'import tomli'",
    '"""\nimport tomli\n"""',
    "%%writefile notes.md\nimport tomli",
    "!ls -la",
    "%%html\n<b>import tomli</b>",
    "for x in range(10): print(x)\n%timeit x + 1",
    "%cd .",
)
CELLS = (*IMPORTS, *INSTALLS, *FILLERS)
_BESIDE = {
    "helper.py": "import six\nthing = six\n",
    "more.txt": "flask>=2\n",
    "limits.txt": "scipy<2\nnumpy>=1\n",
}


def cells(most: int = 4) -> st.SearchStrategy[list[str]]:
    """The code cells of a notebook."""
    return st.lists(st.sampled_from(CELLS), max_size=most, unique=True)


def save(path: Path, sources: Sequence[str]) -> None:
    """Write a notebook with these code cells."""
    found = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    document = {"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def saved_cells(path: Path) -> list[str]:
    """The sources of the notebook's cells."""
    return [c["source"] for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def with_files(directory: Path, names: Iterable[str] = _BESIDE) -> Path:
    """`directory`, made, with the files that the cells speak of."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        Path(os.path.join(directory, name)).write_text(_BESIDE[name], encoding="utf-8")
    return directory
