"""Which environment a notebook runs in: every kind of declaration, and what only looks like one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support import sites

from envmagic import requirements
from envmagic._version import REQUIRES_PYTHON
from envmagic.core.errors import EnvmagicError
from envmagic.planning import consent, memory, prefixes, pythons
from envmagic.planning.plan import Kind, Plan, State, WantedPython
from envmagic.planning.planner import plan_of

HERE = "{}.{}".format(*sys.version_info)
Write = Callable[..., Path]


@pytest.fixture
def write(isolated: Isolated) -> Write:
    """`write(path, text)` below the working directory, which is a repository's top."""
    (isolated.work / ".git").mkdir()

    def put(path: str, text: str = "") -> Path:
        file = isolated.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    return put


def notebook(write: Write, *cells: str, name: str = "report.ipynb", version: str = HERE) -> Path:
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    info = {"language_info": {"name": "python", "version": version}}
    return write(name, json.dumps({"cells": code, "metadata": info, "nbformat": 4}))


def planned(path: Path, *unsaved: str) -> Plan:
    return plan_of(path, path.parent, unsaved)


def venv(prefix: Path, *packages: str) -> Path:
    """A venv as its files tell; nothing is installed by anybody."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\nversion = {HERE}.0\n")
    site = prefix / "lib" / f"python{HERE}" / "site-packages"
    site.mkdir(parents=True)
    for package in packages:
        sites.install(site, package)
    return prefix


def test_what_it_imports_counts_where_nothing_is_declared(write: Write) -> None:
    found = planned(
        notebook(write, "import sklearn.svm, os", "import nobody_knows_it"), "import yaml"
    )
    assert (found.source.kind, found.state, found.name) == (Kind.IMPORTS, State.MISSING, "report")
    assert found.lacking == ("pyyaml", "scikit-learn")
    assert found.declaration.unresolved == ("nobody_knows_it",)
    assert found.prefix.parent.name == "envs"


def test_the_cell_that_runs_may_be_saved_already_and_counts_once(write: Write) -> None:
    block = "# /// script\n# dependencies = ['six']\n# ///\nimport six"
    found = planned(notebook(write, block), block)
    assert (found.source.kind, found.lacking) == (Kind.SCRIPT, ("six",))


@pytest.mark.parametrize("version", ["3.7.16", "2.7.18", "3.9", "nobody knows", ""])
def test_a_python_too_old_for_us_that_it_was_saved_with_does_not_count(
    write: Write, version: str
) -> None:
    found = planned(notebook(write, "import six", version=version))
    assert tuple(map(int, found.python.version.split(".")[:2])) >= REQUIRES_PYTHON


@pytest.mark.parametrize(
    ("cell", "name", "by_cell"),
    [
        ("%%env churn --python 3.12 --with a b\nsix", "churn", True),
        ("# first\n\n%%env --with six -- \n", "work", True),
        ("import os\n%env create --python=3.12 churn", "churn", True),
        ("%envmagic create churn", "churn", True),
    ],
)
def test_a_cell_that_makes_an_environment_names_it(
    write: Write, cell: str, name: str, by_cell: bool
) -> None:
    write("requirements.txt", "six\n")
    found = planned(notebook(write, "print()", cell))
    assert (found.source.kind, found.source.cell) == (Kind.CELL, 2)
    assert (found.name, found.declaration.by_cell) == (name, by_cell)


def test_cells_that_only_look_so_do_not_count(write: Write) -> None:
    cells = [
        "import six\n%%env churn",
        "%env use python3",
        "%env FOO=1",
        "'''\n%environ create x'''",
    ]
    assert planned(notebook(write, *cells)).source.kind is Kind.IMPORTS


def test_a_cell_that_uses_an_environment_names_it_as_it_is(
    write: Write, isolated: Isolated
) -> None:
    prefix = venv(isolated.work / "old")
    found = planned(notebook(write, "%env attach ./old", "import six"))
    assert (found.prefix, found.state, found.lacking) == (prefix, State.READY, ())


def test_inline_script_metadata_counts_and_its_other_tables_are_named(write: Write) -> None:
    block = (
        "# /// script\n# requires-python = '>=3.10'\n# dependencies = ['humanize<4.12']\n"
        "#\n# [tool.uv]\n# offline = true\n# ///\nimport humanize"
    )
    write("requirements.txt", "six\n")
    found = planned(notebook(write, "1", block))
    assert (found.source.kind, found.source.cell, found.source.line) == (Kind.SCRIPT, 2, 1)
    assert found.lacking == ("humanize<4.12",)
    assert "[tool.uv]" in found.passed_over[0].reason


def test_the_nearest_directory_counts_up_to_the_repositorys_top(
    write: Write, isolated: Isolated
) -> None:
    write("../requirements.txt", "beyond\n")
    inner = notebook(write, "import six", name="a/b/n.ipynb")
    assert planned(inner).source.kind is Kind.IMPORTS
    write("requirements.txt", "top\n")
    assert planned(inner).prefix == isolated.work / ".venv"
    write(
        "a/pyproject.toml",
        "[project]\ndependencies = ['near']\n[dependency-groups]\ndev = ['pytest']\n",
    )
    found = planned(inner)
    assert found.prefix == isolated.work / "a" / ".venv"
    assert found.lacking == ("near", "pytest")
    there = venv(isolated.work / "a" / "b" / ".venv")
    found = planned(inner)
    assert (found.prefix, found.source.kind) == (there, Kind.ENVIRONMENT)
    assert found.state is State.READY


def test_of_the_files_in_one_directory_the_first_counts_and_the_others_are_named(
    write: Write,
) -> None:
    path = notebook(write, "import six")
    write("environment.yml", "name: x\ndependencies:\n  - six\n")
    assert planned(path).source.kind is Kind.CONDA
    write("pyproject.toml", "[project]\ndependencies = ['six']\n")
    assert planned(path).source.kind is Kind.PROJECT
    write("requirements.txt", "six\n")
    found = planned(path)
    assert found.source.kind is Kind.REQUIREMENTS
    assert [p.file.name for p in found.passed_over] == ["pyproject.toml", "environment.yml"]
    lock = (
        'lock-version = "1.0"\ncreated-by = "x"\nrequires-python = ">=3.10"\n'
        '[[packages]]\nname = "six"\n'
        'version = "1.17.0"\n[[packages.wheels]]\nname = "six-1.17.0-py3-none-any.whl"\n'
        'url = "https://files.invalid/six-1.17.0-py3-none-any.whl"\nhashes = {sha256 = "00"}\n'
    )
    write("pylock.toml", lock.replace("1.17.0", "1.16.0"))
    write("pylock.report.toml", lock)
    found = planned(path)
    assert (found.source.file or Path()).name == "pylock.report.toml"
    assert found.lacking == ("six==1.17.0 --hash=sha256:00",)
    assert found.questions == ()  # from the user's own index, whatever URL the lock has


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("pyproject.toml", "[tool.ruff]\n", "no dependencies"),
        ("requirements.txt", "# nothing\n", "asks for nothing"),
        ("requirements.txt", "Dear all,\nplease install the tools.\nThanks", "no requirements"),
        ("requirements.txt", "\x00\x01\x02", "no text"),
        ("environment.yml", "services:\n  - web\n", "no dependencies"),
        ("pylock.toml", "a = 1\n", "lock-version"),
        (".venv", "nowhere\n", "is a file"),
        (".python-envs", "gone\n", "no environment"),
        (".python-version", "pypy3.10\n", "no version of Python 3"),
        ("runtime.txt", "r-4.1\n", "no version of Python 3"),
    ],
)
def test_what_only_looks_like_a_declaration_is_named(
    write: Write, name: str, text: str, why: str
) -> None:
    write(name, text)
    found = planned(notebook(write, "import six"))
    assert found.source.kind is Kind.IMPORTS
    assert [(p.file.name, why in p.reason) for p in found.passed_over] == [(name, True)]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("pyproject.toml", "[project]\ndependencies = [\n  'six',\n  'a b c',\n]\n", "Line 4"),
        ("pyproject.toml", "[project]\nname = \n", "Line 2"),
        ("pyproject.toml", "[dependency-groups]\ndev = [{include-group = 'dev'}]\n", "Line 2"),
        ("pyproject.toml", "[project]\nrequires-python = 'x'\ndependencies=['six']", "no Python"),
        ("requirements.txt", "six\n\nhumanize\nnumpy pandas\n", "Line 4"),
        ("pylock.toml", "lock-version = '1.0'\n[[packages]]\nname = 1\n", "pylock.toml"),
    ],
)
def test_a_malformed_one_is_refused_with_its_line(
    write: Write, name: str, text: str, where: str
) -> None:
    write(name, text)
    with pytest.raises(EnvmagicError) as refused:
        planned(notebook(write, "import six"))
    assert refused.value.problem.code == "bad-declaration"
    shown = refused.value.problem.message
    assert where in shown and name in shown, shown


def test_a_malformed_script_block_is_refused_with_cell_and_line(write: Write) -> None:
    block = "# /// script\n# dependencies = [\n#   'six',\n#   'a b',\n# ]\n# ///"
    with pytest.raises(EnvmagicError, match="Line 4 of cell 1"):
        planned(notebook(write, block))
    with pytest.raises(EnvmagicError, match="Line 2 of cell 1"):
        planned(notebook(write, "# /// script\n# dependencies = \n# ///"))


def test_one_that_includes_itself_ends(write: Write) -> None:
    write("requirements.txt", "-r more.txt\nsix\n")
    write("more.txt", "-r requirements.txt\nhumanize\n")
    assert planned(notebook(write, "1")).lacking == ("humanize", "six")


def test_what_an_environment_lacks_is_said(write: Write, isolated: Isolated) -> None:
    write("requirements.txt", "six>=2\nhumanize\nother\n")
    venv(isolated.work / "env" / ".venv", "six", "humanize")
    write("env/requirements.txt", "six>=2\nhumanize\n")
    found = planned(notebook(write, "import six", name="env/n.ipynb"))
    assert (found.source.kind, found.state) == (Kind.ENVIRONMENT, State.LACKING)
    assert found.lacking == ("six>=2",)


def test_a_broken_environment_is_told_from_one_that_is_missing(
    write: Write, isolated: Isolated
) -> None:
    (venv(isolated.work / ".venv") / "bin" / "python").unlink()
    found = planned(notebook(write, "import six"))
    assert found.state is State.BROKEN and "cannot run" in found.problem


def test_environments_of_all_kinds_in_a_directory_are_found(isolated: Isolated) -> None:
    place = isolated.work
    conda = place / "prefix" / "conda-meta"
    conda.mkdir(parents=True)
    (conda / "history").touch()
    assert prefixes.in_directory(place) == (conda.parent, [])
    pixi = venv(place / ".pixi" / "envs" / "default")
    assert prefixes.in_directory(place) == (pixi, [])
    (place / ".python-envs").write_text("gone\nenvs/test\nenvs/other\n")
    other = venv(place / "envs" / "test")
    venv(place / "envs" / "other")
    assert prefixes.in_directory(place) == (other, [])
    (place / ".venv").write_text("envs/other\n")
    assert prefixes.in_directory(place) == (place / "envs" / "other", [])
    (place / ".venv").unlink()
    os.symlink("nowhere", place / ".venv")
    found, over = prefixes.in_directory(place)
    assert (found, over[0].reason) == (other, "it is a link that leads nowhere")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--extra-index-url https://u:secret@x.invalid/simple", "another package index"),
        ("-i https://x.invalid/simple", "another package index"),
        ("--find-links https://x.invalid/", "another place"),
        ("--trusted-host x.invalid", "certificate"),
        ("humanize @ https://x.invalid/humanize-1-py3-none-any.whl", "from a URL"),
        ("git+https://x.invalid/humanize.git", "repository"),
        ("-e ../elsewhere", "outside of this project"),
        ("-r https://x.invalid/list.txt", "from a URL"),
    ],
)
def test_what_comes_from_elsewhere_is_asked_about_once(write: Write, line: str, why: str) -> None:
    write("requirements.txt", "six\n-e ./inside\n-r more.txt\n")
    write("inside/pyproject.toml")
    write("more.txt", f"{line}\n")
    path = notebook(write, "import six")
    (question,) = planned(path).questions
    assert why in question.reason and "secret" not in question.line
    consent.trust([question])
    assert planned(path).questions == ()
    write("more.txt", f"{line}x\n")
    assert len(planned(path).questions) == 1


def test_what_only_some_installers_take_is_asked_about_too(write: Write) -> None:
    """pip takes beginnings of options and several on a line, uv URLs with one slash."""
    path = notebook(write, "import six")
    for line in (
        "--extra https://x.invalid/simple",
        "--pypi-url https://x.invalid/simple",
        "--prefer-binary --find https://x.invalid/simple",
        "--pre -r list.txt",
        "-r list.txt -r other.txt",
        "-e../inside",
        "--edit inside",
        "six @ https:/x.invalid/six-1-py3-none-any.whl",
        "six @ file:%2e%2e/six-1-py3-none-any.whl",
        "six @ file://localhost/x/six-1-py3-none-any.whl",
        "-e ${HOME}/x",
        "-r ${HOME}/x.txt",
        "-r https:/x.invalid/list.txt",
    ):
        write("requirements.txt", f"{line}\nhumanize\n")
        (question,) = planned(path).questions
        assert question.line == line
    harmless = "--pre\n--no-binary=:all:\n-rlist.txt\n-c 'list.txt'\nsix @ file:six.whl --hash=x\n"
    write("requirements.txt", f"{harmless}humanize\n")
    assert planned(path).questions == ()
    many = [write(f"list{n}.txt", "six\n").name for n in range(250)]
    write(many[-1], "-i https://x.invalid/simple\n")
    write("requirements.txt", "".join(f"-r {name}\n" for name in many))
    assert len(planned(path).questions) == 1


def test_what_conda_and_its_pip_get_from_elsewhere_is_asked_about(write: Write) -> None:
    path = notebook(write, "import six")
    write("more.txt", "-i https://x.invalid/simple\n")
    write(
        "environment.yml",
        "channels: [conda-forge, 'https://x.invalid/channel']\n"
        "dependencies:\n  - /tmp/channel::six\n  - defaults::idna\n"
        "  - pip:\n    - humanize\n    - git+https://x.invalid/a.git\n    - -r more.txt\n",
    )
    assert [q.line for q in planned(path).questions] == [
        "--channel https://x.invalid/channel",
        "--channel /tmp/channel",
        "git+https://x.invalid/a.git",
        "-i https://x.invalid/simple",
    ]


def test_nothing_is_asked_about_where_nothing_is_installed(
    write: Write, isolated: Isolated
) -> None:
    """Somebody's own environment is used as it is, whatever the file beside it says."""
    write("requirements.txt", "--extra-index-url https://x.invalid/simple\nsix\nhumanize\n")
    path = notebook(write, "import six")
    assert len(planned(path).questions) == 1
    venv(isolated.work / ".venv", "six")
    found = planned(path)
    assert (found.state, found.lacking, found.questions) == (State.LACKING, ("humanize",), ())


def test_what_uv_is_told_around_the_notebook_is_asked_about(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV_CONFIG_FILE")
    path = notebook(write, "import six", name="a/n.ipynb")
    write("a/pyproject.toml", "[project]\ndependencies = ['six']\n[tool.ruff]\n")
    assert planned(path).questions == ()
    write("uv.toml", "index-url = 'https://u:secret@x.invalid/simple'\nno-cache = true\n")
    (question,) = planned(path).questions
    assert question.line == 'index-url = "https://***@x.invalid/simple"'
    assert (question.source.file or path).name == "uv.toml"
    consent.trust([question])
    assert planned(path).questions == ()
    write(
        "a/pyproject.toml",
        "[project]\ndependencies = ['six']\n[[tool.uv.index]]\nurl = 'https://x.invalid/simple'\n"
        "[tool.uv.pip]\nfind-links = ['https://x.invalid/']\n",
    )
    assert len(planned(path).questions) == 2
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert planned(path).questions == ()


def test_the_python_is_the_one_that_is_asked_for(write: Write) -> None:
    path = notebook(write, "import six", version="")
    assert planned(path).python.why == "it is the newest here"
    path = notebook(write, "import six", version=f"{HERE}.99")
    assert planned(path).python.version.startswith(HERE)
    write("pyproject.toml", f"[project]\nrequires-python = '=={HERE}.*'\ndependencies = ['six']\n")
    path = notebook(write, "import six", version="3.1.1")
    found = planned(path)
    assert found.python.version.startswith(HERE)
    assert "pyproject.toml asks for" in found.python.why
    write("pyproject.toml")
    write(".python-version", "3.99\n")
    with pytest.raises(EnvmagicError, match=r"3\.99.*\.python-version") as refused:
        planned(path)
    assert refused.value.problem.code == "no-python"


def test_pythons_that_disagree_are_named_and_the_first_counts(write: Write) -> None:
    first = write("runtime.txt", f"python-{HERE}.1\n")
    wanted, over = pythons.beside([first.parent])
    assert (wanted and wanted.text, over) == (f"{HERE}.1", [])
    other = WantedPython("<3.5", wanted.source if wanted else None)  # type: ignore[arg-type]
    assert wanted is not None
    chosen, over = pythons.choose([wanted, other])
    assert chosen.version.startswith(HERE) and f"runtime.txt for {HERE}.1" in over[0].reason


def test_notebooks_with_the_same_plan_share_an_environment(
    write: Write, isolated: Isolated
) -> None:
    one, two = (notebook(write, "import six", name=f"{n}/same.ipynb") for n in "ab")
    three = notebook(write, "import yaml", name="c/same.ipynb")
    first = planned(one)
    venv(first.prefix, "six")
    content = memory.digest(first.declaration.wanted, "")
    memory.carried_out(first.prefix, "imports", "", content, one)
    assert planned(one).state is State.READY
    assert planned(two).prefix == first.prefix
    other = planned(three)
    assert other.prefix != first.prefix and other.name.startswith("same-")
    memory.carried_out(first.prefix, "imports", "", content, two)
    (held,) = memory.every()
    assert held.notebooks == (str(one), str(two))
    venv(other.prefix)
    memory.carried_out(other.prefix, "imports", "", "x", two)
    assert {c.prefix: c.notebooks for c in memory.every()}[first.prefix] == (str(one),)
    memory.forget(first.prefix)
    assert [c.prefix for c in memory.every()] == [other.prefix]


def test_the_record_of_a_notebook_leaves_it_and_others_where_they_are(write: Write) -> None:
    """Else what envmagic writes itself would move a notebook, and give others what it needs."""
    one = notebook(write, "import six", name="one.ipynb")
    two = notebook(write, "import yaml", name="two.ipynb")
    guessed = planned(one).prefix
    venv(guessed, "six")
    memory.carried_out(guessed, "imports", "", "x", one)
    mention = (requirements.Mention("one.ipynb"),)
    entry = requirements.Entry(requirements.Kind.REQUIREMENT, "six", mention)
    record = requirements.read(one.parent / "requirements.txt")
    record.path.write_bytes(record.with_block(requirements.Block(entries=(entry,))))
    found = planned(one)
    assert (found.source.kind, found.prefix, found.state) == (
        Kind.REQUIREMENTS,
        guessed,
        State.READY,
    )
    other = planned(two)
    assert (other.source.kind, other.prefix.name) == (Kind.IMPORTS, "two")
    assert "record of other notebooks" in other.passed_over[0].reason
    memory.forget(guessed)  # as on another machine
    assert planned(one).prefix == one.parent / ".venv"
    one.rename(one.with_name("renamed.ipynb"))  # its record may be of any notebook
    assert planned(two).source.kind is Kind.REQUIREMENTS
    write("one.ipynb")
    record.path.write_bytes(b"yaml\n" + record.path.read_bytes())
    assert planned(two).source.kind is Kind.REQUIREMENTS


def test_without_a_notebook_the_directory_counts(write: Write, isolated: Isolated) -> None:
    write("requirements.txt", "six\n")
    found = plan_of(None, isolated.work)
    assert (found.source.kind, found.lacking) == (Kind.REQUIREMENTS, ("six",))


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_notebook_that_is_none(write: Write, text: str) -> None:
    path = write("n.ipynb", text)
    if not text:  # as the frontend makes it
        assert planned(path).lacking == ()
        return
    with pytest.raises(EnvmagicError, match=r"n\.ipynb is not a notebook"):
        planned(path)


def test_a_name_that_is_trouble_to_a_shell_or_to_html(write: Write) -> None:
    found: Any = planned(notebook(write, "import six", name="$(rm) <b>;'\".ipynb"))
    assert found.name == "rm-b" and found.prefix.name == "rm-b"


def test_a_notebook_that_was_renamed_keeps_its_environment(write: Write) -> None:
    path = notebook(write, "import six")
    before = planned(path)
    content = memory.digest(before.declaration.wanted, "")
    memory.carried_out(before.prefix, "imports", str(path), content, path)
    venv(before.prefix, "six", "idna")
    kept = notebook(write, "import idna", name="other.ipynb")
    assert planned(kept).prefix != before.prefix
    path.unlink()
    moved = notebook(write, "import six, idna", name="sub/renamed.ipynb")
    found = planned(moved)
    assert (found.prefix, found.state) == (before.prefix, State.READY)
    assert planned(notebook(write, "import yaml", name="more.ipynb")).prefix != before.prefix
    record = "# >>> envmagic 2 >>> recording on\nsix  # report.ipynb\n# <<< envmagic <<<\n"
    write("sub/requirements.txt", record)
    assert planned(moved).prefix == before.prefix
