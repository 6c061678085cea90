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
        # placeholders, as what they say is meant; conda has others of those names
        (["!pip install sklearn==0.0 bs4[x]"], ["beautifulsoup4[x]", "scikit-learn"]),
        (["!pip install tensorflow-gpu"], ["tensorflow"]),
        (["!pip install tensorflow-gpu==2.4", "import tensorflow"], ["tensorflow-gpu==2.4"]),
        (["%conda install -y pytorch"], []),
        # namesakes, by what is taken from them
        (["import twitter", "t = twitter.Twitter(auth=twitter.OAuth(k))"], ["twitter"]),
        (["import twitter as tw", "tw.Api()"], ["python-twitter"]),
        (["from twitter import TwitterStream, other"], ["twitter"]),
        (["import twitter", "# or\nTwitter.twit; a.twitter.OAuth"], ["python-twitter"]),
        (["import jwt\njwt.encode(x)"], ["pyjwt"]),
        (["import discord\nbot = discord.Bot()"], ["py-cord"]),
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


def test_a_module_of_the_project_that_is_installed_from_here_is_the_projects(
    tmp_path: Path,
) -> None:
    (tmp_path / "src" / "mine").mkdir(parents=True)
    (tmp_path / "src" / "mine" / "__init__.py").touch()
    (tmp_path / "nb").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My.Project"\n')
    for place, line in ((tmp_path, "-e ."), (tmp_path, "-e .[dev]"), (tmp_path / "nb", "..")):
        assert lines(place, f"%pip install -q {line}", "import mine") == [line]
    assert not lines(tmp_path, "%pip install -e .")


@pytest.mark.parametrize(
    "cells, expected",
    [
        # what the import itself needs
        (["import dask.dataframe as dd\nfrom dask import array"], ["dask[array,dataframe]"]),
        (["from dask.distributed import Client"], ["dask[distributed]"]),
        (["import geemap.kepler"], ["geemap", "keplergl"]),
        (["from bokeh.sampledata.iris import flowers"], ["bokeh", "bokeh-sampledata"]),
        (["from nilearn import plotting"], ["matplotlib", "nilearn"]),
        (["from rdkit.Chem.Draw import IPythonConsole"], ["ipython", "rdkit"]),
        (["import plotly.express as px"], ["plotly[express]"]),
        (["import plotly.express as px, pandas"], ["pandas", "plotly"]),
        (["import IPython.parallel"], ["ipyparallel", "ipython"]),
        # which engine of Keras is meant is open, unless something says it
        (["import keras"], ["keras"]),
        (["import keras, torch"], ["keras", "torch"]),
        (["import os\nos.environ['KERAS_BACKEND'] = 'jax'", "import keras"], ["jax", "keras"]),
        (["%env KERAS_BACKEND=torch", "import keras"], ["keras", "torch"]),
        # commands and calls that load something
        (["%matplotlib widget\nimport matplotlib"], ["ipympl", "matplotlib"]),
        (["matplotlib ipympl"], ["ipympl"]),
        (["import pandas as pd\npd.read_excel(f, engine='openpyxl')"], ["openpyxl", "pandas"]),
        (["import pandas as pd\npd.read_csv(f, engine='python')"], ["pandas"]),
        (["import pandas as pd\n# pd.read_excel(f, engine='openpyxl')"], ["pandas"]),
        (["import xarray as xr", "xr.open_dataset(f, engine='cfgrib')"], ["cfgrib", "xarray"]),
        (["import pandas", "pandas.options.plotting.backend = 'plotly'"], ["pandas", "plotly"]),
        (["import pandas", "df.plot.bar(backend='hvplot')"], ["hvplot", "pandas"]),
        (["!pip install ipympl==0.9", "%matplotlib widget"], ["ipympl==0.9"]),
    ],
)
def test_what_is_needed_besides_what_is_imported(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    assert lines(tmp_path, *cells) == expected
    few = needs(tmp_path, *cells, thorough=False)
    assert [text_of(n, None, Pin.NONE) for n in few.values() if not n.optional] == expected


@pytest.mark.parametrize(
    "cells, name",
    [
        (["import pandas as pd", "pd.read_csv('s3://b/k.csv')"], "s3fs"),
        (["import dask", "path = f'gs://{bucket}'"], "gcsfs"),
        (["import sqlalchemy as sa", "sa.create_engine('postgresql://h/d')"], "psycopg2-binary"),
        (["%load_ext sql", "%sql mysql+pymysql://h"], "pymysql"),
        (["from bs4 import BeautifulSoup", "BeautifulSoup(text, 'lxml')"], "lxml"),
        (["import keras"], "tensorflow"),
        (["%matplotlib qt"], "pyqt6"),
        (["import boto3", "path = 's3://b/k'"], None),
        (["import pandas", "# pd.read_csv('s3://b/k.csv')"], None),
        (["import pandas", "x = 'https://h/k.csv'"], None),
    ],
)
def test_what_a_string_alone_says_is_optional(
    tmp_path: Path, cells: list[str], name: str | None
) -> None:
    for thorough in (True, False):
        found = needs(tmp_path, *cells, thorough=thorough)
        used = [n for n in found.values() if n.evidence == "used-as"]
        assert [(n.name, n.optional) for n in used] == ([(name, True)] if name else [])


def told(place: Path, *cells: str, thorough: bool = True) -> Needs:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    (place / "a.ipynb").write_text(json.dumps({"cells": found, "metadata": {}, "nbformat": 4}))
    return needs_of(place / "a.ipynb", Surroundings(thorough=thorough))


@pytest.mark.parametrize(
    "cells",
    [
        ["!wget -q https://h/a/agents.py?raw=true"],
        ["!mkdir -p lib && cd lib && wget https://h/agents.py", "import sys\nsys.path += ['lib']"],
        ["!test -f agents.py || curl -sSLO https://h/agents.py"],
        ["!curl -s https://h/1 > agents.py"],
        ["%%bash\nset -e\ncurl -L https://h/1 -o agents.py"],
        ["URL = 'https://h/agents.py'", "!wget $URL"],
        ["import os\nos.system('wget -q https://h/agents.py')"],
        ["subprocess.run(['wget', 'https://h/1', '-O', 'agents.py'])"],
        ["for f in ['agents.py', 'b.py']:\n    urlretrieve(base + f, filename=f)"],
        ["r = requests.get(u)\nwith open('agents.py', 'wb') as f:\n    f.write(r.content)"],
        ["def download(u, f):\n    ...", "download('https://h/agents.py', 'agents.py')"],
        ["!gdown --id 1a -O agents.py"],
        ['!cp "/content/drive/My Drive/agents.py" /content/'],
        ["shutil.copyfile(src='../input/agents.py', dst='../working/agents.py')"],
        ["!ln -s ../lib/agents agents"],
        ["!git clone --depth 1 https://h/o/rl.git\n%cd rl/src"],
        ["!git clone https://h/o/rl", "sys.path.insert(0, '/content/rl')"],
        ["git.Repo.clone_from('https://h/o/rl', 'x')", "sys.path.append('x')"],
        ["!curl -L https://h/rl.tgz | tar xz -C vendor", "sys.path.append('vendor')"],
        ["with ZipFile('c.zip') as z:\n    z.extractall('c')", "import sys\nsys.path[:0] = ['c']"],
        ["sys.path.append('/kaggle/input/lib')"],
        ["from google.colab import files\nfiles.upload()"],
        ["%save agents 1-3"],
    ],
)
def test_what_the_notebook_fetches_is_local_without_being_there(
    tmp_path: Path, cells: list[str]
) -> None:
    for thorough in (True, False):
        found = told(tmp_path, *cells, "from agents import DQN\nimport pandas", thorough=thorough)
        names = {need.name for need in found.needs} - {"requests"}
        assert (names, found.unresolved, found.is_partial) == ({"pandas"}, (), True)
        assert "agents" in found.local


@pytest.mark.parametrize(
    "cells, expected",
    [
        (["%%writefile h.py\nimport polars", "from h import f"], "polars"),
        (["%%writefile h.py\nimport polars", "%%file -a h.py\nimport dask", "import h"],
         "dask polars"),
        (["%%writefile h.py\nimport polars", "import pandas"], "pandas"),
        (["%%writefile p/__init__.py\nfrom .a import b", "%%writefile p/a.py\nimport polars",
          "import p"], "polars"),
        (["%%writefile s/h.py\nimport polars", "sys.path.append('s')", "import h"], "polars"),
        (["name = 'h'", "%%writefile {name}.py\nimport polars", "import h"], "polars"),
        (["%%bash\ncat > h.py <<'E'\nimport polars\nE\necho 'import dask' >> h.py", "import h"],
         "dask polars"),
        (["Path('h.py').write_text(dedent('\\n  import polars'))", "import h"], "polars"),
        (["code = 'import polars'\nwith open('h.py', 'w') as f:\n    f.write(code)", "import h"],
         "polars"),
        (["d = Path('p')", "(d / '__init__.py').open('w').write('import polars')", "import p"],
         "polars"),
        (["%%writefile t.py\nimport polars", "!CUDA=0 python -u t.py --epochs 3 > log"], "polars"),
        (["%%writefile t.py\nimport polars", "!streamlit run t.py &>/dev/null&"], "polars"),
        (["%%writefile t.py\nimport polars", "!python -m t"], "polars"),
        (["%%writefile t.py\nimport polars", "!python -m pytest -q t.py"], "polars pytest"),
        (["%%writefile t.py\nimport polars", "exec(open('t.py').read())"], "polars"),
        (["%%bash\ncat > r.txt <<E\npolars\nE\npip install -r r.txt"], "polars"),
        # a repository's name, and what is installed from it
        (["!git clone https://h/o/yolov5", "from yolov5.utils import x\nimport torch"], "torch"),
        (["!git clone https://h/o/segment-anything\n%cd segment-anything",
          "import segment_anything, torch"], "torch"),
        (["!git clone https://h/huggingface/transformers\n!pip install ./transformers",
          "import transformers"], "transformers"),
    ],
)  # fmt: skip
def test_what_the_notebook_writes_is_followed_as_if_it_were_there(
    tmp_path: Path, cells: list[str], expected: str
) -> None:
    for thorough in (True, False):
        found = told(tmp_path, *cells, thorough=thorough)
        assert " ".join(need.name for need in found.needs) == expected
        assert not found.unresolved and (found.local or "torch" not in expected)


def other(*cells: str) -> str:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    return json.dumps({"cells": found, "metadata": {}, "nbformat": 4})


@pytest.mark.parametrize(
    "files, cells",
    [
        ({"sub/o.ipynb": other("import h"), "sub/h.py": "import polars"}, ["%run ./sub/o.ipynb"]),
        ({"o.ipynb": other("%%writefile h.py\nimport polars")}, ["%run o.ipynb", "import h"]),
        ({"sub/o.py": "import h", "sub/h.py": "import polars"}, ["!cd sub && python3 o.py"]),
        ({"sub/o.py": "import polars"}, ["%cd sub\n%run o.py"]),
        ({"o.py": "import polars"}, ["runpy.run_path('o.py')"]),
        ({"o.py": "import polars"}, ["with open('o.py') as f:\n    exec(f.read())"]),
        ({"o.py": "import polars"}, ["exec(compile(Path('o.py').read_text(), 'o.py', 'exec'))"]),
        ({"o.py": "import polars"}, ["s = spec_from_file_location('o', 'o.py')"]),
        ({"o.py": "import polars"}, ["subprocess.run([sys.executable, 'o.py'])"]),
        ({"p/__main__.py": "import polars", "p/__init__.py": ""}, ["!python -m p"]),
        ({"l/p/h.py": "import polars", "l/p/__init__.py": ""}, ["!cp -r l/p .", "from p import h"]),
        ({"u.ipynb": other("import polars")},
         ["!jupyter nbconvert --to python u.ipynb", "import u"]),
        ({"h.py": "import dask"}, ["%%writefile h.py\nimport polars", "import h"]),
        ({"h.py": "import polars"}, ["!wget https://h/h.py", "import h"]),
        ({"rl/h.py": "import polars"}, ["!git clone https://h/rl\n%cd rl", "import h"]),
        ({"s/m.py": "import polars"}, ["import site\nsite.addsitedir('s')", "import m"]),
        ({"s/m.py": "import polars"}, ["from importlib import import_module as im",
                                       "import sys\nsys.path.append('s')", "im('m')"]),
        ({"h.py": "import os, sys\nsys.path.append(os.path.dirname(__file__) + '/s')\nimport m",
          "s/m.py": "import polars"}, ["import h"]),
    ],
)  # fmt: skip
def test_files_are_found_in_every_way_that_runs_them(
    tmp_path: Path, files: dict[str, str], cells: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for thorough in (True, False):
        found = told(tmp_path, *cells, thorough=thorough)
        assert [need.name for need in found.needs] == ["polars"]
        assert (found.unresolved, found.is_partial) == ((), False)


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
