"""Scanning: what a cell imports and installs, whatever else stands in it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envmagic.imports import Scan, Where, follow, scan_cell
from envmagic.imports.parse import parse


def scan(source: str, **more: object) -> Scan:
    return scan_cell(source, Where("", 1, 1), **more)  # type: ignore[arg-type]


def modules(source: str) -> list[str]:
    return [s.module for s in scan(source).imports]


def needed(source: str) -> set[str]:
    return {s.module for s in scan(source).imports if not s.optional}


@pytest.mark.parametrize(
    "source, expected",
    [
        ("import a.b as c, d\nfrom e.f import g", ["a.b", "d", "e.f"]),
        ("def f():\n    import a\n    async def g():\n        from b import c", ["a", "b"]),
        ("with x:\n  for y in z:\n    while 1:\n      import a", ["a"]),
        ("match x:\n    case 1:\n        import a", ["a"]),
        ("await f()\nimport a", ["a"]),
        ("i.import_module('a.b')\n__import__('c')", ["a.b", "c"]),
        ("i.import_module(name)", []),
        ("from importlib import import_module as im\nim(name='a')", ["importlib", "a"]),
        ("load = importlib.import_module\nload('a')\nx.load('b')", ["a"]),
        ("!python -m a.b x\n!{sys.executable} -m pip install c", ["a.b"]),
        ("subprocess.run([sys.executable, '-m', 'a'])\nrunpy.run_module('b')", ["b", "a"]),
        ("!python -c 'import a'\n!python -c 'import b' || pip install b", ["a"]),
        ("s = '''\nimport a\n'''\nimport b", ["b"]),
        ("if False:\n    import a\nelse:\n    import b", ["b"]),
        # IPython's lines
        ("%matplotlib inline\n!ls it's\nimport a", ["a", "matplotlib"]),
        ("%time import a", ["a"]),
        ("%timeit -n 10 import a", ["a"]),
        ("%timeit -n10 -r3 import a", ["a"]),
        ("% load_ext a", ["a"]),
        ("%time %timeit -n1 import a", ["a"]),
        ("if x:\n    %time  # nothing\nimport a", ["a"]),
        ("ls ../data\ncd ..\nimport a", ["a"]),
        ("x = !ls *.csv\ny = %pwd\nimport a", ["a"]),
        ("import a\na.b?\n??a\na.b??", ["a"]),
        ("!pip install a \\\n  b\nimport c", ["c"]),
        ("pip install a\nimport b", ["b"]),
        ("ls -la\ncd /tmp\nimport b", ["b"]),
        ("if x:\n    %pip install y\nimport a", ["a"]),
        ("import a; import b; %matplotlib inline", ["a", "b"]),
        ("q = '''\n%d items\n!bang\n'''\nimport a", ["a"]),
        ("x = (10\n% 3)\nimport a", ["a"]),
        ("/f x\n,g a b\n;h a\nimport a", ["a"]),
        (">>> import a\n>>> print(1)", ["a"]),
        ("In [3]: import a\n   ...: import b", ["a", "b"]),
        ("    import a\n    !ls\n    import b", ["a", "b"]),
        ("%load_ext a.b\n%reload_ext c\n%load_ext autoreload", ["a.b", "c"]),
        ("%pylab inline", ["numpy", "matplotlib"]),
        ("get_ipython().run_line_magic('load_ext', 'a')", ["a"]),
        # cell magics
        ("%%time\nimport a", ["a"]),
        ("%%timeit -r 1\nimport a", ["a"]),
        ("%%capture --no-stderr out\n%%time\nimport a", ["a"]),
        ("# a comment\n\n%%prun\nimport a", ["a"]),
        ("%%ipytest -vv\nimport a", ["a"]),
        ("%%px --local\nimport a", ["a"]),
        ("%%debug\nimport a", ["a"]),
        ("%%bash\nimport a", []),
        ("%%html\nimport a", []),
        ("%%sql\nimport a", []),
        ("%%R\nimport a", []),
        ("%%writefile a.py\nimport a", []),
        ("%%script python\nimport a", []),
        ("%%python3\nimport a", []),
        ("%%javascript\nimport a from 'b'", []),
        ("%%unknown\nimport a", []),
        ("%sql\nselect 1", []),
        ("%python\nimport a", ["a"]),
        ("%writefile a.py\nimport a", []),
        ("%bq query\nselect import from", []),
        ("import a\n%%time\nimport b", ["a"]),
        ("try:\n  %%time\nexcept:\n  pass\nimport a", ["a"]),
        ("%%timeit import a\nb()", ["a"]),
        ("%%timeit -n 3 x = 1; import a\nimport b", ["a", "b"]),
        ("%%zipline --start=2020\nimport a", ["a"]),
        ("%timeit -o import a", ["a"]),
        ("%timeit -q from a import b", ["a"]),
        ("%timeit -n 10 -r3 import a", ["a"]),
        ("%prun -l 5 -s cumulative import a", ["a"]),
        ("# copied\n>>> import a", ["a"]),
        ("import a\n>>> import b\n... x", ["a", "b"]),
        ("if not TYPE_CHECKING:\n    import a", ["a"]),
        ("import_module('.svm', package='sklearn')", ["sklearn.svm"]),
        ("import_module('.svm', 'sklearn')", ["sklearn.svm"]),
        ("get_ipython().run_cell_magic('time', '', 'import a\\n')", ["a"]),
        ("get_ipython().run_cell_magic('bash', '', 'import a\\n')", []),
        ("import\xa0a\n\u200bimport b\nx\xa0= 1", ["a", "b"]),
        ("\ufeffimport a", ["a"]),
        # what does not parse costs its own lines
        ("import a\nprint 'x'\nimport b", ["a", "b"]),
        ("try:\n    import a\nexcept Exception, e:\n    print e\nimport b", ["a", "b"]),
        ("import a\ndef f(:\n    pass\nimport b", ["a", "b"]),
        ("import a\nx = [1,\nimport b", ["a", "b"]),
        ("if x\n    import a\nimport b", ["a", "b"]),
        ("import a\n\x00\nimport b", ["a", "b"]),
        ("import a\n\ud800 = 1\nimport b", ["a", "b"]),
        ("for i in x:\n# nothing\nimport a", ["a"]),
        # what this Python may be too old for
        ("lazy import a.b as c\nlazy from d import (\n  e)\nimport f", ["a.b", "d", "f"]),
        ("def f():\n    if x: lazy import a", ["a"]),
        ("lazy = 1\ns = 'lazy import b'\nimport a", ["a"]),
        ("x = t'{y}'; import a\nz = rt'''\nimport b\n'''\nimport c", ["a", "c"]),
        ("x = [*y for y in z]\nif t'{x}' ?? 1: import a\nimport b", ["a", "b"]),
        ("type X[T] = int\ndef f[T](x: T):\n    import a\nclass A[T]:\n    import b", ["a", "b"]),
        ("import a\r\nimport b\r!ls\r\nimport c", ["a", "b", "c"]),
    ],
)  # fmt: skip
def test_imports(source: str, expected: list[str]) -> None:
    assert modules(source) == expected


@pytest.mark.parametrize(
    "source, expected",
    [
        ("try:\n    import a\nexcept ImportError:\n    import b", {"b"}),
        ("try:\n    import a\nexcept (ValueError, ModuleNotFoundError):\n    a = None", set()),
        ("try:\n    import a\nexcept ValueError:\n    pass", {"a"}),
        ("try:\n    import a\nexcept:\n    pass", set()),
        ("try:\n    import a\nfinally:\n    import b", {"a", "b"}),
        ("try:\n    import json\nexcept ImportError:\n    import simplejson", set()),
        ("try:\n    import a\nexcept ImportError:\n    !pip install a\n    import a", {"a"}),
        # the code does not go on without it, or installs it
        ("try:\n    import a\nexcept ImportError:\n    %pip install a", {"a"}),
        ("try:\n    import a\nexcept ImportError:\n    os.system('pip install a')", {"a"}),
        ("try:\n    import a\nexcept ImportError:\n    raise ImportError('get a')", {"a"}),
        ("try:\n    import a\nexcept Exception:\n    print(1)\n    sys.exit(1)", {"a"}),
        ("try:\n    import a\nexcept KeyError, ImportError, OSError:\n    x", set()),
        ("try:\n    import a\nexcept KeyError, OSError:\n    x", {"a"}),
        ("with suppress(ImportError):\n    import a", set()),
        ("if TYPE_CHECKING:\n    import a\nimport b", {"b"}),
        ("if typing.TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("if sys.version_info < (3, 8):\n    import a\nimport b", {"b"}),
        ("if sys.version < '3':\n    import a\nimport b", {"b"}),
        ("if version > 1:\n    import a\nif tf.version.VERSION:\n    import b", {"a", "b"}),
        ("%matplotlib inline", set()),
    ],
)
def test_optional_imports_are_told_from_needed_ones(source: str, expected: set[str]) -> None:
    assert needed(source) == expected


_PIECES = (
    *("import a", "import a.b as c, d", "from a.b import c as d, e", "from a import *  # why"),
    *("x = 1", "# import commented", "    import inside", "if x:", "try:", "except ImportError:"),
    *("print 'two'", "import é", "from . import near", "import a; import b", "s = 'import quoted'"),
    *('"""', "'''", "import a as b\\", "%matplotlib inline", "!pip install z", "run other.py"),
    *("f(", ")", "important()", "%%time", "__import__('z')", "from a import (b,", "c)"),
    *("import a,b", "import  a", "import a\r", "!uv add z", "x.add (1)  # uv add y"),
    *("!uv -q add y", "!pdm add y", "%pixi add y", "!bash -c 'rye add y'", "%time !uv add x"),
    *("run(['uv', 'add', 'y'])", "await micropip.install(['y'])", "%run a.ipynb", "cd sub"),
    *("matplotlib inline", "reload_ext w", "env create e --with v", "%env create e --with u"),
    *("!wget h/z.py", "!git clone h/z", "!cp -r ../z .", "!tar xf z.tgz", "!unzip z.zip"),
    *("!python -m z", "open('z.py', 'w').write('import y')", "shutil.unpack_archive('z.zip')"),
    *("runpy.run_module('z')", "runpy.run_path('z.py')", "%save z 1", "!svn export h/z"),
    *("files.upload()", "shutil.copytree('y', 'z')", "a.extractall('z')", "!touch z.py"),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=7))
def test_a_cell_read_without_a_parser_imports_what_the_parser_finds(pieces: list[str]) -> None:
    source, where = "\n".join(pieces), Where("", 3, 5)
    quick, parsed = (scan_cell(source, where, thorough=t) for t in (False, True))
    assert quick.imports == parsed.imports
    assert quick.installs == parsed.installs
    assert (quick.made, quick.runs) == (parsed.made, parsed.runs)


def test_each_import_says_where_it_is() -> None:
    (site,) = scan("%%time\n\nx = 1\nif x:\n    from a import b, c").imports
    assert (site.where.line, site.names) == (5, ("b", "c"))
    assert scan("!ls\nimport a").imports[0].where == Where("", 1, 2)


def test_lines_that_do_not_parse_are_told() -> None:
    assert [w.line for w in scan("import a\nx = = 1\nimport b").unparsed] == [2]
    assert not scan("import a\n!ls\nimport b").unparsed
    assert scan("def f(:\n  pass").unparsed


def test_a_line_that_is_indented_by_mistake_costs_no_other() -> None:
    found = scan("import a\n  %pip install b\n  import c\nos.system('pip install d')\nimport e")
    assert [i.text for i in found.installs] == ["b", "d"]
    assert [s.module for s in found.imports] == ["a", "c", "e"]
    assert [w.line for w in found.unparsed] == [2, 3]
    # IPython takes the first line's indentation away
    assert not scan("  %pip install b\nimport c\n  import d").unparsed


@pytest.mark.parametrize(
    "source, expected",
    [
        ("%pip install -q 'a[x]>=1' b", ["a[x]>=1", "b"]),
        ("!pip install a==1 b # c", ["a==1", "b"]),
        ("!{sys.executable} -m pip install -U a", ["a"]),
        ("!$PY -m pip install a", ["a"]),
        ("!python3.9 -m pip install --index-url https://h/ a", ["a"]),
        ("%uv pip install a", ["a"]),
        ("!uv pip install --system a", ["a"]),
        ("!uv add a", ["a"]),
        ("!uv -q pip install a", ["a"]),
        ("!uv --directory x add a", ["a"]),
        ("!pdm add -d a", ["a"]),
        ("!pixi add a python=3.11", ["a"]),
        ("%pixi add --pypi a==1", ["a==1"]),
        ("!poetry add a@latest b[x]@^2 c^1", ["a", "b[x]", "c"]),
        ("subprocess.run(['uv', 'add', 'a'])", ["a"]),
        ("!bash -lc 'pip install a && sh -c \"uv add b\"'", ["a", "b"]),
        ("!bash install.sh add a", []),
        ("!poetry run pip install a", ["a"]),
        ("!conda run -n x pip install a==1", ["a==1"]),
        ("!nohup pip install a &", ["a"]),
        ("await micropip.install(['a', 'b>=1'])", ["a", "b>=1"]),
        ("piplite.install(requirements='a', deps=False)", ["a"]),
        ("%time !pip install a", ["a"]),
        ("%timeit -n1 x = !pip install a", ["a"]),
        (" %pip install a\nimport b", ["a"]),
        ("!sudo pip3 install a && pip install b; echo pip install c", ["a", "b"]),
        ("!pip install a > /dev/null 2>&1", ["a"]),
        ("!pip install a | tail -1", ["a"]),
        # what is no requirement by itself
        ("!pip install a >= 4 b == 1.2rc1 c", ["a", "b", "c"]),
        ("%pip install a>= 4.1b2 b~=2.0 > log 2> err", ["b~=2.0"]),
        ("%conda install -y a = 1.2b1 b >=2", ["a", "b"]),
        ("!pip install a --opt 2>&1 >log &> log2 < in", ["a"]),
        ("!X=1 pip install a", ["a"]),
        ("!pip install a \\\n  b", ["a", "b"]),
        ("!pip install {name} $other a", ["a"]),
        ("!pip install \"a; python_version<'3.8'\"", ["a; python_version<'3.8'"]),
        ("!pip install git+https://h/o/r.git@v1#egg=a", ["git+https://h/o/r.git@v1#egg=a"]),
        ("!pip install -e git+https://h/o/r.git", ["git+https://h/o/r.git"]),
        ("!pip install a@https://h/a.whl", ["a @ https://h/a.whl"]),
        ("!pip uninstall -y a", []),
        ("!pip download a", []),
        ("!apt install a", []),
        ("!apt-get install -y a", []),
        ("!npm install a", []),
        ("%conda install -c conda-forge a=1.2 python=3.8 -y", ["a=1.2"]),
        ("!mamba install -y conda-forge::a", ["conda-forge::a"]),
        ("pip install a", ["a"]),
        ("out = !pip install a", ["a"]),
        ("out = ! pip install a", ["a"]),
        ("!(pip install a)", ["a"]),
        ("!if x; then pip install a; fi", ["a"]),
        ("!pip install a-1.0-py3-none-any.whl", ["a-1.0-py3-none-any.whl"]),
        ("import os\nos.system('pip install a')", ["a"]),
        ("subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'a'])", ["a"]),
        ("sc.install_pypi_package('a==1')\nspark.install_pypi_package(name)", ["a==1"]),
        ("dbutils.library.installPyPI('a', '1.0')", ["a==1.0"]),
        ("dbutils.library.installPyPI('a')", ["a"]),
        ("dbutils.library.installPyPI('a', version='1', extras='x')", ["a[x]==1"]),
        ("pip.main(['install', 'a'])", ["a"]),
        ("%sx pip install a", ["a"]),
        ("%shell pip install a", ["a"]),
        ("%sh pip install a", ["a"]),
        ("%%shell\npip install a", ["a"]),
        ("x['k'] = !pip install a", ["a"]),
        ("!pip install --dry-run a", []),
        ("get_ipython().system('pip install a')", ["a"]),
        ("%%bash\npip install a\necho b", ["a"]),
        ("%env install a b", ["a", "b"]),
        ("%env create x --with a b --python 3.12", ["a", "b"]),
        ("s = '''\n!pip install a\n'''", []),
        ("# !pip install a", []),
        ("print('pip install a')", []),
    ],
)
def test_install_lines(source: str, expected: list[str]) -> None:
    assert [i.text for i in scan(source).installs] == expected


def test_install_lines_of_files() -> None:
    assert [i.file for i in scan("%pip install -r a.txt -rb.txt -c c.txt").installs] == [
        "a.txt",
        "b.txt",
    ]


@pytest.mark.parametrize(
    "url, name",
    [
        ("git+https://h/o/Some_Thing.git@main", "some-thing"),
        ("git+https://h/o/r#egg=x", "x"),
        ("https://h/d/a_b-1.0-py3-none-any.whl", "a-b"),
        ("git+ssh://git@h/o/r.git", "r"),
    ],
)
def test_names_of_urls(url: str, name: str) -> None:
    (install,) = scan(f"!pip install {url}").installs
    assert install.name == name


def test_an_env_cell_is_requirement_lines() -> None:
    ((where, body),) = scan("%%env churn\npandas>=2\n").requirements
    assert (where.line, body) == (2, "pandas>=2\n")


@pytest.mark.parametrize(
    "source, expected",
    [
        ("import sys\nsys.path.append('../src')", ["/w/src"]),
        ("sys.path.insert(0, os.path.abspath(os.path.join('..', 'lib')))", ["/w/lib"]),
        ("p = os.path.abspath('..')\nif p not in sys.path:\n    sys.path.append(p)", ["/w"]),
        ("sys.path += ['a', 'b']", ["/w/n/a", "/w/n/b"]),
        ("sys.path.append(str(Path('..') / 'src'))", ["/w/src"]),
        ("sys.path.append(os.path.dirname(os.getcwd()))", ["/w"]),
        ("sys.path.append(str(Path.cwd().parent))", ["/w"]),
        ("sys.path.append(unknown())", []),
        ("os.chdir('..')", ["/w"]),
        ("sys.path[:0] = ['a']\nsys.path = ['b'] + sys.path", ["/w/n/a", "/w/n/b"]),
        ("from sys import path as p\np.append('a')", ["/w/n/a"]),
        ("import sys as s\ns.path.append('a')\nother.path.append('b')", ["/w/n/a"]),
        ("import site\nsite.addsitedir('a')\nfrom site import addsitedir", ["/w/n/a"]),
        ("from site import addsitedir\naddsitedir('a')", ["/w/n/a"]),
        ("for p in ('a', 'b'):\n    sys.path.append(p)", ["/w/n/a", "/w/n/b"]),
        ("r = 'a'\nsys.path.append(f'{r}/b')\nsys.path.append(f'{x}/c')", ["/w/n/a/b"]),
        ("sys.path.append(str(Path.cwd().parents[0] / 'a'))", ["/w/a"]),
        ("sys.path.append(sys.path[0] + '/a')\nsys.path += [_dh[0]]", ["/w/n", "/w/n/a"]),
    ],
)
def test_directories_put_on_the_path(source: str, expected: list[str]) -> None:
    assert [str(Path(p)) for p in scan(source, names={}, here="/w/n").paths] == expected


def followed(directory: Path, source: str) -> tuple[set[str], list[str]]:
    found = follow(
        scan(source, names={}, here=str(directory)), directory, directory, lambda p: Scan()
    )
    return {s.module for s in found.imports}, found.local


def test_local_modules_are_followed(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import pandas\nfrom .sub import y\nfrom pkg.deep import z")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "deep.py").write_text(
        "from . import near\nfrom .. import helper\nimport numpy"
    )
    (tmp_path / "pkg" / "near.py").write_text("import scipy")
    imports, local = followed(tmp_path, "import helper\nimport torch")
    assert imports == {"pandas", "numpy", "scipy", "torch"}
    assert {"helper", "pkg.deep"} <= set(local)


def test_a_module_beside_a_packages_module_hides_nothing(tmp_path: Path) -> None:
    """A package's own directory is not on the path, unless nothing else is of that name."""
    (tmp_path / "pkg").mkdir()
    for name, text in {
        "__init__": "",
        "a": "import openai, near",
        "openai": "",
        "near": "",
    }.items():
        (tmp_path / "pkg" / f"{name}.py").write_text(text)
    followed = follow(scan("from pkg.a import f"), tmp_path, tmp_path, lambda path: Scan())
    assert [site.module for site in followed.imports] == ["openai", "near"]
    assert followed.unsure == {"openai", "near"}
    assert followed.local == ["pkg.a"]


def test_a_followed_import_says_its_file(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("\nimport pandas")
    found = follow(scan("import helper"), tmp_path, tmp_path, lambda p: Scan())
    assert found.imports[0].where == Where("helper.py", 0, 2)


def test_run_is_followed(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("import pandas")
    assert followed(tmp_path, "%run -i other.py --x 1")[0] == {"pandas"}
    assert followed(tmp_path, "%run other")[0] == {"pandas"}


def test_what_a_file_that_is_run_runs_and_installs_counts(tmp_path: Path) -> None:
    (tmp_path / "my setup.ipy").write_text("!pip install x y\n%run -N 3 deep.ipy\nimport a\n")
    (tmp_path / "deep.ipy").write_text("import b\n%run deep.ipy\n")
    for words in ('"my setup.ipy"', "-p -s cumulative 'my setup.ipy' 1", "my\\ setup.ipy"):
        followed = follow(scan(f"%run {words}"), tmp_path, tmp_path, lambda path: Scan())
        assert [site.module for site in followed.imports] == ["a", "b"]
        assert [install.text for install in followed.installs] == ["x", "y"]


def test_extension_modules_and_imported_notebooks_are_local(tmp_path: Path) -> None:
    (tmp_path / "fast.cpython-311-x86_64-linux-gnu.so").touch()
    (tmp_path / "other.ipynb").touch()
    followed = follow(scan("import fast, other"), tmp_path, tmp_path, lambda path: Scan())
    assert followed.local == ["fast"]
    read = scan("import a")
    followed = follow(scan("import import_ipynb, other"), tmp_path, tmp_path, lambda path: read)
    assert followed.local == ["other"]
    assert [site.module for site in followed.imports] == ["import_ipynb", "a"]


def test_a_run_notebook_is_read(tmp_path: Path) -> None:
    (tmp_path / "other.ipynb").write_text("{}")
    inner = scan("import pandas")
    found = follow(scan("%run ./other.ipynb"), tmp_path, tmp_path, lambda p: inner)
    assert [(s.module, s.where.file) for s in found.imports] == [("pandas", "other.ipynb")]


def test_nothing_outside_the_tree_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "helper.py").write_text("import pandas")
    found = follow(
        scan("import sys\nsys.path.append('..')\nimport helper", names={}, here=str(inside)),
        inside,
        inside,
        lambda p: Scan(),
    )
    assert [s.module for s in found.imports] == ["sys"]
    assert found.local == ["helper"]


def test_a_folder_without_init_hides_nothing(tmp_path: Path) -> None:
    """As for Python: an installed package comes before a directory that is none."""
    (tmp_path / "pandas").mkdir()
    (tmp_path / "pandas" / "prices.csv").write_text("")
    assert followed(tmp_path, "import pandas") == ({"pandas"}, [])
    (tmp_path / "pandas" / "mine.py").write_text("")
    assert followed(tmp_path, "from pandas.mine import x") == (set(), ["pandas.mine"])
    (tmp_path / "pandas" / "__init__.py").write_text("")
    assert followed(tmp_path, "import pandas") == (set(), ["pandas"])


def test_a_module_that_the_notebook_writes_is_local(tmp_path: Path) -> None:
    both = scan("%%writefile helper.py\nimport torch")
    both.add(scan("import helper"))
    assert follow(both, tmp_path, tmp_path, lambda p: Scan()).local == ["helper"]


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import b")
    (tmp_path / "b.py").write_text("import a\n%run a.py")
    assert followed(tmp_path, "import a\n%run a.py") == (set(), ["a", "b"])


PIECES = st.sampled_from(
    [
        "import a", "from b import c", "!ls", "%time x = 1", "x = !ls", "y = %pwd", "f?", "?g", "(",
        "]", '"""', "'", "\\", "%%time", "def f():", "    ", "\t", "try:", "except:", "print 'x'",
        "pip install d", "#", ";", "lambda:", "\x00", "\ud800", "é", ">>> ", "if 1:", "@", "\r",
    ]
)  # fmt: skip


@settings(max_examples=300)
@given(st.text() | st.lists(PIECES, max_size=12).map("\n".join) | st.lists(PIECES).map("".join))
def test_any_text_is_scanned_without_an_exception(source: str) -> None:
    result = scan(source, names={}, here="/")
    assert all(site.where.line >= 1 for site in result.imports)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "source",
    [
        "(" * 50_000,
        "x = " + "-" * 50_000 + "1",
        "[" * 3_000 + "]" * 3_000,
        "a" + ".b" * 50_000,
        "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 200)),
        "x = 'a\n" * 5_000,
        "\\\n" * 50_000,
        "!" + "a" * 1_000_000,
        "%time " * 20_000,
        "import a\n" + "def f(:\n" * 3_000,
        '"' * 30_001,
        " " * 1_000_000 + "import a",
        "%%time\n" * 500 + "import a",
    ],
)
def test_hostile_cells_end(source: str) -> None:
    scan(source, names={}, here="/")


IPYTHON_CELLS = [
    "!ls",
    "x = !ls -la | grep 'a'",
    "%matplotlib inline\nimport a",
    "y = %timeit -o 1 + 1",
    "if x:\n    !ls\n    %pwd\nimport a",
    "a.b?",
    "a??",
    "?a",
    "import a\n%config X = 1",
    "q = '''\n%a\n!b\n'''\nimport a",
    "x = (1\n% 3)\nimport a",
    "x = [\n!ls\n]",
    ">>> import a\n... import b",
    "In [1]: import a",
    "    import a\n    x = 1",
    "!ls \\\n  -la\nimport a",
    "%time import a",
    "x = 5 % 3\ny = not x",
    "f(a)[0]?",
    "%%bash\nls",
    "a = b = !ls",
    "a[0] = !ls",
    "a = ! ls",
    "a, b = %who",
]


@pytest.mark.parametrize("source", IPYTHON_CELLS)
def test_special_lines_are_those_of_ipython(source: str) -> None:
    """A line that IPython turns into a call we take out, and no other."""
    from IPython.core.inputtransformer2 import TransformerManager

    if source.startswith("%%"):
        return
    theirs = TransformerManager().transform_cell(source)
    calls = len(re.findall(r"get_ipython\(\)\.(?:run_line_magic|system|getoutput)", theirs))
    try:
        ast.parse(theirs)
        valid = True
    except SyntaxError:
        valid = False
    ours = parse(source)
    helps = theirs.count("'pinfo")
    assert bool(ours.unparsed) is not valid or not valid
    code = sum(s.startswith(("%time ", "%timeit")) for s in source.split("\n"))
    if valid:
        assert len(ours.specials) + code + helps + source.count("timeit -o") == calls


def test_scanning_imports_no_ipython_and_runs_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from envmagic.imports import scan_cell, Where\n"
        'scan_cell(\'!touch ran\\nimport antigravity\\n%time open("ran", "w")\', Where())\n'
        "assert not {'IPython', 'antigravity'} & set(sys.modules)"
    )
    checkout = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=checkout)
    assert not (tmp_path / "ran").exists()
