"""`record` on real directories: what is written, what is kept, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.sites import install

from envmagic import render
from envmagic.errors import EnvmagicError, WordsError
from envmagic.model import BackendName, Door, Environment, Place, Report, Silent
from envmagic.operations.record import keep, record, record_notebook, state_of
from envmagic.requests import RecordRequest


def save(path: Path, *cells: str, **metadata: Any) -> Path:
    found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
    document = {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def environment(place: Path, python: str = "3.12.4", **versions: str) -> Environment:
    """An environment with these distributions, each with a module of its name."""
    site = place / "lib" / "python3.12" / "site-packages"
    (place / "bin").mkdir(parents=True, exist_ok=True)
    (place / "bin" / "python").touch()
    (place / "pyvenv.cfg").write_text(f"version = {python}\n")
    site.mkdir(parents=True, exist_ok=True)
    for name, version in versions.items():
        install(site, name, f"{name}.py", version=version)
    return Environment(
        place,
        place / "bin" / "python",
        python,
        BackendName.VENV,
        owned=False,
        site_packages=(site,),
    )


def said(work: Path, *paths: str, **more: Any) -> Report:
    more.setdefault("env", "none")
    place = more.pop("place", Place(Door.TERMINAL, work))
    return record(RecordRequest(paths=paths, **more), place, Silent())


def text(work: Path) -> str:
    return (work / "requirements.txt").read_text()


def codes(report: Report) -> list[str]:
    return [p.code for p in report.problems]


def test_the_lines_alone(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas, os\nfrom sklearn import svm")
    report = said(isolated.work, "a.ipynb", to="-", pin="none")
    assert report.data["lines"] == ["pandas", "scikit-learn"]
    assert report.data["file"] is None
    assert not (isolated.work / "requirements.txt").exists()


def test_versions_come_from_the_environment_and_its_python_is_named(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", pandas="2.3.3+cu121", unused="1")
    save(isolated.work / "a.ipynb", "import pandas")
    report = said(isolated.work, env=str(env.prefix))
    assert report.changed
    assert text(isolated.work) == (
        "# >>> envmagic 1 >>> python 3.12, pin exact, recording off\n"
        "pandas==2.3.3\n    # a.ipynb\n# <<< envmagic <<<\n"
    )
    assert not said(isolated.work, env=str(env.prefix)).changed


@pytest.mark.parametrize(
    "pin, line", [("compatible", "pandas~=2.3.3"), ("minimum", "pandas>=2.3.3"), ("none", "pandas")]
)
def test_pins(isolated: Isolated, pin: str, line: str) -> None:
    env = environment(isolated.work / "env", pandas="2.3.3")
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work, env=str(env.prefix))
    said(isolated.work, env=str(env.prefix), pin=pin)
    assert f"\n{line}\n" in text(isolated.work)
    assert f"pin {pin}" in text(isolated.work)
    assert not said(isolated.work, env=str(env.prefix)).changed, "the style is kept"


def test_the_users_line_wins_also_through_r_and_a_constraint_pins(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", pandas="2.3.3", numpy="2.0", scipy="1.0")
    mine = "Pandas<3  # mine\n-r more.txt\n-c limits.txt\n"
    (isolated.work / "requirements.txt").write_text(mine)
    (isolated.work / "more.txt").write_text("numpy\n")
    (isolated.work / "limits.txt").write_text("scipy<2\n")
    save(isolated.work / "a.ipynb", "import pandas, numpy, scipy")
    said(isolated.work, env=str(env.prefix))
    assert text(isolated.work).startswith(mine)
    assert text(isolated.work).splitlines()[5] == "scipy"
    assert "pandas==" not in text(isolated.work) and "numpy=" not in text(isolated.work)


def test_a_hash_checked_file_is_left_alone(isolated: Isolated) -> None:
    mine = "numpy==2.0 --hash=sha256:00\n"
    (isolated.work / "requirements.txt").write_text(mine)
    save(isolated.work / "a.ipynb", "import pandas")
    report = said(isolated.work)
    assert (codes(report), report.exit_code, text(isolated.work)) == (["hash-checked"], 1, mine)
    report = said(isolated.work, check=True)
    assert (codes(report), report.exit_code, report.data["diff"]) == (["hash-checked"], 1, "")
    assert "up to date" not in render.text(report)
    save(isolated.work / "a.ipynb", "import numpy")
    assert said(isolated.work).exit_code == 0


def test_install_lines_give_names_extras_and_versions(isolated: Isolated) -> None:
    cell = "%pip install -q 'pandas[excel]>=2' pyarrow sklearn pip setuptools\n!pip install ./mine"
    save(isolated.work / "a.ipynb", cell, "import pandas, sklearn")
    said(isolated.work)
    assert text(isolated.work).splitlines()[1:-1] == [
        "pandas[excel]>=2",
        "    # a.ipynb",
        "pyarrow",
        "    # a.ipynb (installed)",
        "scikit-learn",
        "    # a.ipynb",
    ]


def test_urls_are_kept_without_credentials(isolated: Isolated) -> None:
    line = "!pip install git+https://me:secret@h/o/mod.git@v1 'x @ https://h/x.zip'"
    save(isolated.work / "a.ipynb", line, "import mod")
    report = said(isolated.work, to="-")
    assert report.data["lines"] == ["git+https://h/o/mod.git@v1", "x @ https://h/x.zip"]


def test_a_url_has_its_name_before_it_where_that_is_known(isolated: Isolated) -> None:
    """The import, the repository and the data agree; a name that is guessed could be refused."""
    lines = "\n".join(f"!pip install git+https://h/o/{n}.git" for n in ("diffusers", "acme", "odd"))
    save(isolated.work / "a.ipynb", lines, "import diffusers, acme, odd")
    assert said(isolated.work, to="-").data["lines"] == [
        "diffusers @ git+https://h/o/diffusers.git",
        "dm-acme @ git+https://h/o/acme.git",
        "git+https://h/o/odd.git",
    ]


def test_what_an_install_line_does_not_mean_is_not_recorded(isolated: Isolated) -> None:
    cells = ("%pip install json sqlite3 pip3 six", "!pip install -qr wanted.txt notes.txt")
    (isolated.work / "wanted.txt").write_text("attrs\n")
    save(isolated.work / "a.ipynb", *cells)
    assert said(isolated.work, to="-").data["lines"] == ["attrs", "six"]


def test_what_the_notebook_installs_by_the_whole_dotted_name_holds_it(isolated: Isolated) -> None:
    cells = ("%pip install llama-index-llms-newest", "from llama_index.llms.newest import Newest")
    save(isolated.work / "a.ipynb", *cells)
    assert said(isolated.work, to="-").data["lines"] == ["llama-index-llms-newest"]


def test_an_env_cell_says_what_it_installs(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "%%env churn\npandas>=2\nopenpyxl\n", "import pandas")
    assert said(isolated.work, to="-").data["lines"] == ["openpyxl", "pandas>=2"]


def test_optional_imports_are_lines_only_where_they_are_installed(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "try:\n    import seaborn\nexcept ImportError:\n    pass")
    said(isolated.work)
    assert "# optional: seaborn\n    # a.ipynb" in text(isolated.work)
    env = environment(isolated.work / "env", seaborn="0.13")
    said(isolated.work, env=str(env.prefix))
    assert "\nseaborn==0.13\n" in text(isolated.work)
    assert not said(isolated.work, check=True).failed, "without the environment it stays"


def test_the_unresolved_is_a_comment_and_a_warning(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "x = 1", "import corp_utils")
    report = said(isolated.work)
    assert (codes(report), report.exit_code) == (["unresolved"], 0)
    assert "# unresolved: corp_utils\n    # a.ipynb\n" in text(isolated.work)
    assert "a.ipynb, cell 2" in report.problems[0].message
    (isolated.work / "pyproject.toml").write_text('[tool.envmagic.names]\ncorp_utils = "corp"\n')
    assert said(isolated.work, to="-").data["lines"] == ["corp"]
    (isolated.work / "pyproject.toml").write_text('[tool.envmagic.names]\ncorp_utils = "other"\n')
    assert said(isolated.work, to="-").data["lines"] == ["other"], "an edit counts at once"


def test_json_of_a_notebook(isolated: Isolated) -> None:
    (isolated.work / "helper.py").write_text("\nimport numpy")
    cells = ("import cv2, helper", "from google.colab import drive", "x = = 1", "import nope_x")
    save(isolated.work / "nb" / ".." / "a.ipynb", *cells)
    report = said(isolated.work, "a.ipynb", to="-")
    (notebook,) = report.data["notebooks"]
    numpy, cv2 = notebook["requirements"]
    assert (notebook["path"], notebook["language"]) == ("a.ipynb", "python")
    assert (cv2["name"], cv2["requirement"], cv2["evidence"]) == ("opencv-python",) * 2 + ("table",)
    assert "opencv-python-headless" in cv2["alternatives"]
    assert cv2["sites"] == [{"module": "cv2", "file": "a.ipynb", "cell": 1, "line": 1}]
    assert numpy["sites"] == [{"module": "numpy", "file": "helper.py", "cell": 0, "line": 2}]
    assert notebook["local"] == ["helper"]
    assert notebook["provided"] == ["google.colab"]
    assert [(u["module"], u["cell"]) for u in notebook["unresolved"]] == [("nope_x", 4)]
    assert [(u["cell"], u["line"]) for u in notebook["unparsed"]] == [(3, 1)]
    json.dumps(report.as_json())


def test_lines_that_are_no_python_are_told(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import numpy", "print 'x'\nimport pandas\nx = = 1")
    assert "2 lines could not be read as Python: a.ipynb, cell 2, lines 1, 3" in render.text(
        said(isolated.work)
    )
    save(isolated.work / "b.ipynb", "x = = 1")
    assert "3 lines could not be read as Python, in 2 files" in render.text(said(isolated.work))


def test_a_directory_without_notebooks_is_told(isolated: Isolated) -> None:
    (isolated.work / "empty").mkdir()
    for words in ((), ("empty",)):
        with pytest.raises(WordsError, match="There is no notebook in"):
            said(isolated.work, *words)


def test_a_notebook_of_another_language_needs_nothing(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import x", language_info={"name": "julia"})
    report = said(isolated.work)
    assert report.data["notebooks"][0]["requirements"] == []
    assert not (isolated.work / "requirements.txt").exists()


def test_check_shows_what_differs_and_writes_nothing(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    assert said(isolated.work, check=True).exit_code == 1
    said(isolated.work)
    assert said(isolated.work, check=True).exit_code == 0
    save(isolated.work / "a.ipynb", "import numpy")
    before = text(isolated.work)
    report = said(isolated.work, check=True)
    assert report.exit_code == 1 and not report.changed and text(isolated.work) == before
    assert "\n-pandas\n" in report.data["diff"] and "\n+numpy\n" in report.data["diff"]


def test_check_needs_no_environment(isolated: Isolated) -> None:
    """In CI: versions, and imports that only the environment explains, are taken as written."""
    env = environment(isolated.work / "env", pandas="2.3.3")
    install(env.site_packages[0], "corporate", "corp_utils.py", version="7")
    save(isolated.work / "a.ipynb", "import pandas, corp_utils")
    said(isolated.work, env=str(env.prefix))
    assert "\ncorporate==7\n" in text(isolated.work)
    assert said(isolated.work, check=True).exit_code == 0
    save(isolated.work / "a.ipynb", "import pandas, corp_utils, numpy")
    assert said(isolated.work, check=True).exit_code == 1


def test_pins_are_kept_without_an_environment(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", pandas="2.3.3")
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work, env=str(env.prefix))
    save(isolated.work / "a.ipynb", "import pandas, numpy")
    said(isolated.work)
    assert "pandas==2.3.3" in text(isolated.work) and "\nnumpy\n" in text(isolated.work)


def test_a_directory_is_walked_one_record_each(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    save(isolated.work / "sub" / "b.ipynb", "import numpy")
    save(isolated.work / ".ipynb_checkpoints" / "a-checkpoint.ipynb", "import torch")
    save(isolated.work / "env" / "c.ipynb", "import torch")
    (isolated.work / "env" / "pyvenv.cfg").touch()
    report = said(isolated.work)
    assert sorted(report.data["files"]) == [
        str(isolated.work / "requirements.txt"),
        str(isolated.work / "sub" / "requirements.txt"),
    ]
    assert "torch" not in text(isolated.work) + text(isolated.work / "sub")


def test_what_git_ignores_is_not_recorded(isolated: Isolated) -> None:
    subprocess.run(["git", "init", "-q", isolated.work], check=True)
    (isolated.work / ".gitignore").write_text("scratch/\n")
    save(isolated.work / "a b.ipynb", "import pandas")
    save(isolated.work / "scratch" / "b.ipynb", "import torch")
    assert [n["path"] for n in said(isolated.work).data["notebooks"]] == ["a b.ipynb"]


def test_one_unreadable_notebook_among_several_keeps_what_it_had(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    save(isolated.work / "b.ipynb", "import numpy")
    said(isolated.work)
    (isolated.work / "b.ipynb").write_text("{ broken")
    report = said(isolated.work)
    assert (codes(report), report.exit_code) == (["not-a-notebook"], 0)
    assert "numpy\n    # b.ipynb" in text(isolated.work)
    with pytest.raises(EnvmagicError, match="not a notebook"):
        said(isolated.work, "b.ipynb")


def test_a_notebook_that_is_gone_leaves(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    save(isolated.work / "b.ipynb", "import numpy")
    said(isolated.work)
    (isolated.work / "b.ipynb").unlink()
    said(isolated.work, "a.ipynb")
    assert "numpy" not in text(isolated.work)


def test_a_file_for_all(isolated: Isolated) -> None:
    save(isolated.work / "x" / "a.ipynb", "import pandas")
    save(isolated.work / "y" / "b.ipynb", "import pandas")
    said(isolated.work, to="all.txt")
    assert "pandas\n    # x/a.ipynb\n    # y/b.ipynb" in (isolated.work / "all.txt").read_text()


def kernel(isolated: Isolated, name: str, prefix: Path) -> None:
    spec = isolated.kernels / name
    spec.mkdir(parents=True)
    metadata = {"envmagic": {"schema": 1, "prefix": str(prefix)}}
    document = {"argv": ["x"], "display_name": name, "metadata": metadata}
    (spec / "kernel.json").write_text(json.dumps(document))


def test_notebooks_of_different_environments_share_a_file(isolated: Isolated) -> None:
    """A disagreement keeps the pin and warns; in one environment the pin follows."""
    for name, pandas in (("old", "1.5"), ("new", "2.3")):
        kernel(isolated, name, environment(isolated.work / name, pandas=pandas).prefix)
    a, b = isolated.work / "a.ipynb", isolated.work / "b.ipynb"
    save(a, "import pandas", kernelspec={"name": "old"})
    save(b, "import pandas", kernelspec={"name": "new"})
    said(isolated.work, "a.ipynb", env=None)
    report = said(isolated.work, "b.ipynb", env=None)
    assert (codes(report), report.exit_code) == (["record-conflict"], 0)
    assert "pandas==1.5\n    # a.ipynb\n    # b.ipynb" in text(isolated.work)
    save(a, "import pandas", kernelspec={"name": "new"})
    assert codes(said(isolated.work, "b.ipynb", env=None)) == []
    assert "pandas==2.3\n    # a.ipynb\n    # b.ipynb" in text(isolated.work)


def test_two_running_notebooks_of_different_environments_do_not_repin_in_silence(
    isolated: Isolated,
) -> None:
    running: dict[str, Environment] = {}
    for name, pandas in (("old", "1.5"), ("new", "2.3")):
        running[name] = environment(isolated.work / name, pandas=pandas)
        kernel(isolated, name, running[name].prefix)

    def ran(notebook: str, where: str) -> tuple[Any, ...]:
        path = save(isolated.work / notebook, f"%%env {where}\npandas", "import pandas")
        place = Place(Door.NOTEBOOK, isolated.work, notebook=path)
        return record_notebook(place, running[where])[1]

    assert ran("a.ipynb", "old") == ()
    (conflict,) = ran("b.ipynb", "new")
    assert (conflict.code, conflict.subject) == ("record-conflict", "pandas")
    for word in ("a.ipynb", "b.ipynb", "1.5", "2.3", "/old)", "/new)"):
        assert word in conflict.message
    assert "%env install pandas==1.5" in conflict.hint
    assert "\npandas==1.5\n" in text(isolated.work)
    assert ran("a.ipynb", "new") == (), "in one environment the pin follows"
    assert "\npandas==2.3\n" in text(isolated.work)


def test_a_terminal_takes_the_kernels_environment_or_the_one_beside(isolated: Isolated) -> None:
    environment(isolated.work / ".venv", pandas="9.9")
    save(isolated.work / "a.ipynb", "import pandas", kernelspec={"name": "python3"})
    said(isolated.work, env=None)
    assert "pandas==9.9" in text(isolated.work)


def test_recording_is_turned_on_and_off_in_the_file(isolated: Isolated) -> None:
    path = save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work, state="on")
    assert "recording on" in text(isolated.work)
    data = state_of(path)
    assert data is not None and data["state"] == "on"
    said(isolated.work)
    assert "recording on" in text(isolated.work), "recording once does not turn it off"
    said(isolated.work, state="off")
    assert "recording off" in text(isolated.work)


def test_a_symlink_stays_one_and_crlf_stays(isolated: Isolated) -> None:
    real = isolated.work / "deep" / "real.txt"
    real.parent.mkdir()
    real.write_bytes(b"numpy\r\n")
    real.chmod(0o640)
    (isolated.work / "requirements.txt").symlink_to(real)
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work)
    assert (isolated.work / "requirements.txt").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().count(b"\r\n") == real.read_bytes().count(b"\n") > 3


def test_words_that_mean_nothing(isolated: Isolated) -> None:
    for words in (("missing.ipynb",), ("notes.txt",)):
        with pytest.raises(WordsError):
            said(isolated.work, *words)
    with pytest.raises(WordsError):
        said(isolated.work, pin="wild")


def live(isolated: Isolated, **more: Any) -> Place:
    return Place(Door.NOTEBOOK, isolated.work, isolated.work / "a.ipynb", **more)


def test_other_verbs_turn_recording_on_and_name_what_they_installed(isolated: Isolated) -> None:
    env = environment(isolated.work / "env", pandas="2.3.3", pyarrow="21")
    save(isolated.work / "a.ipynb", "import pandas")
    data, problems, changed = record_notebook(live(isolated), env, ["pandas", "pyarrow[x]"])
    assert changed and not problems and data is not None and data["state"] == "on"
    assert "pyarrow[x]==21\n    # a.ipynb (installed)" in text(isolated.work)
    record_notebook(live(isolated), env)
    assert "pyarrow[x]==21" in text(isolated.work), "kept though nothing names it any more"


def test_who_turned_recording_off_is_not_overruled(isolated: Isolated) -> None:
    env = environment(isolated.work / "env")
    save(isolated.work / "a.ipynb", "import pandas")
    said(isolated.work, state="off")
    before = text(isolated.work) if (isolated.work / "requirements.txt").exists() else ""
    record_notebook(live(isolated), env)
    assert "recording on" not in text(isolated.work), before


def test_a_run_from_top_to_bottom_is_recorded_only_when_asked(isolated: Isolated) -> None:
    env = environment(isolated.work / "env")
    save(isolated.work / "a.ipynb", "import pandas")
    assert record_notebook(live(isolated, executing=True), env) == (None, (), False)
    assert keep(live(isolated, executing=True)) == ()
    assert not (isolated.work / "requirements.txt").exists()
    record(RecordRequest(), live(isolated, executing=True), Silent())
    assert "pandas" in text(isolated.work)


def test_cells_of_the_session_count_and_failed_imports_do_not(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import pandas\nimport gone")
    place = live(isolated, cells=("import numpy",), failed=frozenset({"gone"}))
    record(RecordRequest(state="on"), place, Silent())
    assert "numpy" in text(isolated.work) and "gone" not in text(isolated.work)
    keep(live(isolated))
    assert "numpy" not in text(isolated.work), "saved without it"


def test_before_the_first_save_of_a_session_nothing_leaves(isolated: Isolated) -> None:
    """The kernel that was left behind may have run what is not in the file yet."""
    save(isolated.work / "a.ipynb", "import pandas")
    record(RecordRequest(state="on"), live(isolated, cells=("import numpy",)), Silent())
    keep(live(isolated, saved_since_start=False, cells=("import scipy",)))
    assert all(name in text(isolated.work) for name in ("numpy", "pandas", "scipy"))


def test_a_notebook_that_was_never_saved(isolated: Isolated) -> None:
    record(RecordRequest(state="on"), live(isolated, cells=("import pandas",)), Silent())
    assert "pandas\n    # a.ipynb" in text(isolated.work)


def test_an_unknown_notebook_has_no_record(isolated: Isolated) -> None:
    with pytest.raises(EnvmagicError) as caught:
        record(RecordRequest(), Place(Door.NOTEBOOK, isolated.work), Silent())
    assert caught.value.problem.code == "no-notebook"


def test_many_notebooks_on_every_core_are_what_they_are_on_one(isolated: Isolated) -> None:
    for number in range(40):
        noise = "# " + "x" * 30_000
        save(isolated.work / f"n{number:02}.ipynb", f"{noise}\nimport numpy, private_{number}")
    report = said(isolated.work, to="-")
    assert [n["path"] for n in report.data["notebooks"]] == [f"n{n:02}.ipynb" for n in range(40)]
    assert [n["unresolved"][0]["module"] for n in report.data["notebooks"]] == [
        f"private_{n}" for n in range(40)
    ]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_read_only_file_is_an_error_and_stays(
    isolated: Isolated, terminal: Callable[..., Any], without_privileges: list[str]
) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    file = isolated.work / "requirements.txt"
    file.write_text("numpy\n")
    file.chmod(0o444)
    ran = terminal("record", "--env", "none", "--json", code=1, through=without_privileges)
    assert [p["code"] for p in ran.json["problems"]] == ["not-writable"]
    assert file.read_text() == "numpy\n"
