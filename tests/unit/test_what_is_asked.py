"""What people write where requirements belong: refused before anything is touched, or helped."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Isolated

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Frontend, Place
from envmagic.environments import backends
from envmagic.environments.backends.base import InstallPlan
from envmagic.frontends import grammar
from envmagic.operations import validation
from envmagic.requirements.options import given

VENV = backends.get(BackendName.VENV)


def refused(body: str, backend: BackendName = BackendName.VENV) -> str:
    """What is said of a `%%env` body that has something wrong with it."""
    with pytest.raises(EnvmagicError) as caught:
        validation.body_lines(body, "the cell", backends.get(backend))
    assert caught.value.problem.code == "bad-requirement"
    return caught.value.problem.line()


@pytest.mark.parametrize(
    "line, why",
    [
        ("--pre --no-such-thing toolz", "'--no-such-thing' is no option"),
        ("--pre -t /x six", "'-t' would install elsewhere"),
        ("--pre --target=/x six", "'--target' would install elsewhere"),
        ("-i http://u:SECRET@h/ --no-deps toolz", "'--no-deps' is no option"),
        ("--pre toolz", "'toolz' needs a line of its own"),
        ("six --pre", "--pre needs a line of its own"),
        ("six --user", "'--user' would install elsewhere"),
        ("-r more.txt --pre", "--pre needs a line of its own"),
        ("--extra-index-ulr http://h/", "did you mean --extra-index-url?"),
        ("-U six", "said in the words of the verb (-U)"),
        ("--index-url", "--index-url lacks its value"),
        ("--pre=1", "--pre takes no value"),
        ("--hash=sha256:00", "stands behind a requirement"),
        ("-f 'open", "no closing quotation"),
    ],
)
def test_an_option_that_requirements_files_do_not_have_is_refused_with_its_line(
    line: str, why: str, isolated: Isolated
) -> None:
    said = refused(f"idna\n# more\n{line}\n")
    assert said.startswith("Line 4 of the cell: ") and why in said and "SECRET" not in said
    (isolated.work / "requirements.txt").write_text("-r more.txt\n-c none.txt\n")
    (isolated.work / "more.txt").write_text(f"idna\n{line}\n-r requirements.txt\n")
    with pytest.raises(EnvmagicError, match=r"Line 2 of .*more\.txt"):
        validation.check(InstallPlan(files=(isolated.work / "requirements.txt",)), VENV)
    with pytest.raises(EnvmagicError):
        validation.check(InstallPlan((line,)), VENV)


@pytest.mark.parametrize(
    "line, options",
    [
        ("-i https://h/simple --extra-index-url=https://g/ --pre", 3),
        ("-fwheels --no-index --trusted-host h", 3),
        ("--only-binary :all: --no-binary six", 2),
        ("-e ./here --config-settings a=b", 2),
        ("--editable=./here", 1),
        ("--requirement 'a file.txt'", 1),
        ("--use-feature fast-deps --prefer-binary --require-hashes", 3),
    ],
)
def test_the_options_that_pip_documents_are_taken(line: str, options: int) -> None:
    assert len(given(line)) == options
    assert validation.body_lines(line, "the cell", VENV) == (line,)
    validation.body_lines("six==1 --hash=sha256:00 --hash=sha256:11", "the cell", VENV)


@pytest.mark.parametrize(
    "line, lines",
    [
        ("pip install six", "six"),
        ("!pip install -U 'six>=1' -q", "six>=1"),
        ("%pip install -r more.txt", "-r more.txt"),
        ("python -m pip install six numpy", "six numpy"),
        ("conda install -c conda-forge numpy=1.26", "numpy==1.26"),
        ("uv add six", "six"),
        ("numpy, six", "numpy six"),
        ("numpy six", "numpy six"),
        ("numpy>=1, <3, six", "numpy>=1,<3 six"),
        ('"six"', "six"),
        ("['six', 'numpy']", "six numpy"),
        ("import six", "six"),
        ("import numpy as np, sklearn.svm", "numpy scikit-learn"),
        ("from sklearn import svm", "scikit-learn"),
        ("- six", "six"),
        ("six>=1,", "six>=1"),
        ("six 1.16", "six==1.16"),
        ("six=1.16", "six==1.16"),
    ],
)
def test_words_that_people_write_get_the_line_that_works(line: str, lines: str) -> None:
    said = refused(f"idna\n{line}")
    assert said.startswith("Line 3 of the cell is no requirement: ")
    words = said.rpartition("Write: ")[2] if "Write: " in said else said.rpartition("each: ")[2]
    written = words.replace(" and ", ", ").split(", ")
    assert written == (lines.split(" ") if not lines.startswith("-r") else [lines])
    assert validation.body_lines("\n".join(written), "the cell", VENV) == tuple(written)
    with pytest.raises(EnvmagicError, match="Write"):
        validation.check(InstallPlan((line,)), VENV)


def test_what_is_not_certain_is_only_refused() -> None:
    assert "Write a name" in refused("please give me what I need\n")
    assert "Write a name" in refused("foo>>1 --index-url=http://u:SECRET@h/")
    assert "http://***@h/" in refused("foo>>1 --index-url=http://u:SECRET@h/")
    assert "Write: gdal>=3" in refused("gdal>=3,", BackendName.CONDA)
    assert validation.body_lines("gdal 3.9\n", "the cell", backends.get(BackendName.CONDA))
    assert len(refused("x y " * 1_000_000)) < 400


@pytest.mark.parametrize(
    "name, what, command",
    [
        ("n.ipynb", "a notebook", "record ./n.ipynb"),
        ("pyproject.toml", "the file of a project", "create churn --with ."),
        ("deep/pyproject.toml", "the file of a project", "create churn --with ./deep"),
        ("uv.lock", "uv's lock file", "uv sync"),
        ("pylock.toml", "a lock file", "uv pip sync ./pylock.toml"),
        ("six-1.0-py3-none-any.whl", "a package", "create churn --with ./six-1.0-py3-none-any.whl"),
    ],
)
def test_a_file_of_another_format_is_called_what_it_is_with_what_takes_it(
    isolated: Isolated, name: str, what: str, command: str
) -> None:
    file = isolated.work / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("{" * 3_000_000)
    place = Place(Frontend.TERMINAL, isolated.work)
    with pytest.raises(WordsError) as caught:
        validation.existing_file(name, place, ("create", "churn", "--with"))
    problem = caught.value.problem
    assert (problem.code, f"is {what}," in problem.message) == ("no-requirements", True)
    assert " ".join(problem.command or problem.tool_command) == command
    other = Path(isolated.work, "other")
    other.write_text(file.read_text())
    with pytest.raises(EnvmagicError) as unnamed:
        validation.check(InstallPlan(files=(other,)), VENV)
    assert len(str(unnamed.value)) < 400
    body = InstallPlan((f"-r {name}",), directory=isolated.work)
    with pytest.raises(WordsError, match=f"is {what},"):
        validation.check(body, VENV)


def test_words_of_a_verb_get_the_words_that_work(isolated: Isolated) -> None:
    for words, meant in [("numpy,six", "numpy six"), ("import sklearn", "scikit-learn")]:
        with pytest.raises(EnvmagicError, match=f"Write: {meant}$"):
            validation.check(InstallPlan((words,)), VENV)
    with pytest.raises(EnvmagicError, match=r"Write: 'numpy>=2' six$"):
        validation.check(InstallPlan(("numpy>=2,six",)), VENV)
    (isolated.work / "environment.yml").write_text("dependencies: [six]\n")
    with pytest.raises(WordsError, match=r"conda's list.*create \S+-conda -r \./environment\.yml"):
        validation.check(InstallPlan(("-r environment.yml",), directory=isolated.work), VENV)
    for line, hint in [
        ("install numpy, six", "%env install numpy six"),
        ("install 'numpy>=2', six", "%env install 'numpy>=2' six"),
        ("uninstall numpy, six", "%env uninstall numpy six"),
        ("create x --with numpy[a,b], six", "--with numpy[a,b] six"),
    ]:
        with pytest.raises(WordsError) as caught:
            grammar.parse(grammar.split(line), Frontend.NOTEBOOK)
        assert caught.value.problem.hint == f"Write: {hint}"
