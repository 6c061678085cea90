"""Lines that install, in every way that people type them, put into other cells."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st
from support.laws.notebooks import CELLS

__all__ = ["BASES", "with_lines"]

COMMANDS = (
    "pip install",
    "pip3 install -q",
    "python -m pip install -U",
    "{sys.executable} -m pip install",
    "uv pip install",
    "uv -q pip install",
    "uv add",
    "uv add --dev",
    "poetry add",
    "pdm add",
    "pixi add",
    "pixi add --pypi",
    "pipenv install",
    "conda install -y",
    "mamba install -c conda-forge",
    "micromamba install",
    "pip install -e . &&  pip install",
    "env install",
)
NAMES = ("tabulate", "'rich>=13'", "pandas numpy", "no-such-dist-x", "tqdm==4.66", "mod @ u/v")
SIGNS = ("!", "%", "!!", "%time !", "%%time\n!", "%%capture\n%", "%%bash\n", "%%sh\ncd /tmp\n", "")
SHAPES = (
    "{0}",
    "  {0}",
    "if True:\n    {0}",
    "try:\n    import tabulate\nexcept ImportError:\n    {0}",
    "# {0}",
    "{0}  # for the plots",
    "out = {0}",
    "import os\n{0}\nimport yaml",
    "# MAGIC {0}",
    "text = '''\n{0}\n'''",
)
CALLS = (
    "await micropip.install('{0}')",
    "import piplite\nawait piplite.install(['{0}'])",
    "sc.install_pypi_package('{0}')",
    "dbutils.library.installPyPI('{0}')",
    "get_ipython().system('pip install {0}')",
    "get_ipython().run_line_magic('pip', 'install {0}')",
    "subprocess.run([sys.executable, '-m', 'pip', 'install', '{0}'])",
    "os.system('uv add {0}')",
    "!bash -c 'pip install {0}'",
    "!sudo -H pip install {0}",
    "import pip; pip.main(['install', '{0}'])",
    "%load_ext {0}",
    "%matplotlib widget",
    "%matplotlib qt",
    "pd.options.plotting.backend = 'plotly'",
    "df.to_excel('x.xlsx', engine='openpyxl')",
    "pd.read_parquet('s3://bucket/x.parquet')",
    "lazy import {0}",
    "m = __import__('{0}')",
    "from importlib import import_module as im\nim('{0}')",
    "importlib.import_module(name='{0}')",
    "import runpy\nrunpy.run_module('{0}')",
    "import runpy\nrunpy.run_path('helper.py')",
    "exec(open('helper.py').read())",
    "!python helper.py",
    "!python -m helper",
    "import site\nsite.addsitedir('lib')\nimport inner",
    "from sys import path\npath.append('lib')\nimport inner",
    "import sys\nsys.path[:0] = ['lib']\nimport inner",
    "%run -m helper",
    "run helper.py",
    "# /// script\n# dependencies = ['{0}']\n# ///",
    "!wget https://h/helper_two.py\nimport helper_two",
    "%%writefile lib/made.py\nimport {0}",
    "import lib.made",
)
PLACES = st.integers(0, 40)


def _known() -> tuple[tuple[str, ...], ...]:
    """The cells of the notebooks in the directory that the variable names, else ours."""
    named = os.environ.get("ENVMAGIC_LAWS_NOTEBOOKS")
    if not named:
        return tuple((cell,) for cell in CELLS)
    return tuple(filter(None, map(_cells, sorted(Path(named).rglob("*.ipynb")))))


def _cells(path: Path) -> tuple[str, ...]:
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError, OSError):
        return ()
    return tuple("".join(c["source"]) for c in cells if c.get("cell_type") == "code")[:60]


BASES = st.deferred(lambda: st.sampled_from(_known()))
"""What notebooks have in their cells."""
_LINES = st.builds(
    lambda sign, command, name, shape: shape.format(f"{sign}{command} {name}"),
    st.sampled_from(SIGNS),
    st.sampled_from(COMMANDS),
    st.sampled_from(NAMES),
    st.sampled_from(SHAPES),
) | st.builds(str.format, st.sampled_from(CALLS), st.sampled_from(("tabulate", "rich")))


@st.composite
def with_lines(draw: st.DrawFn, bases: Sequence[str] | None = None) -> list[str]:
    """Cells in which some such lines are, as cells of their own or inside of others."""
    cells = list(draw(BASES) if bases is None else bases)
    for line in draw(st.lists(_LINES, min_size=1, max_size=3)):
        place = draw(PLACES) % (len(cells) + 1)
        if place == len(cells) or draw(st.booleans()):
            cells.insert(place, line)
            continue
        inside = cells[place].split("\n")
        at = draw(PLACES) % (len(inside) + 1)
        cells[place] = "\n".join([*inside[:at], line, *inside[at:]])
    return cells
