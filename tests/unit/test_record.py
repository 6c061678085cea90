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
from support.signs import unsigned
from support.sites import install

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName, Environment, Frontend, Place, Report, Silent
from envmagic.core.verbs import RecordRequest
from envmagic.frontends import render
from envmagic.operations.record import record
from envmagic.record.of_notebook import keep, record_notebook, state_of


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


def said(work: Path, *paths: str, **more: Any) -> Report[Any]:
    more.setdefault("env", "none")
    place = more.pop("place", Place(Frontend.TERMINAL, work))
    return record(RecordRequest(paths=paths, **more), place, Silent())


def text(work: Path, name: str = "requirements.txt") -> str:
    """What the file says, without the signs."""
    return unsigned((work / name).read_text())


def lines(work: Path) -> list[str]:
    """The requirements that are recorded."""
    found = text(work).partition(" >>> ")[2].splitlines()[1:-1]
    return [line for line in found if not line.startswith("    #")]


def codes(report: Report[Any]) -> list[str]:
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
        "# >>> envmagic 2 >>> python 3.12, pin exact, recording off\n"
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
    assert json.loads(render.json(report))["data"] == report.data


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
    assert {"-pandas", "+numpy"} <= set(unsigned(report.data["diff"]).splitlines())


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
    assert "pandas\n    # x/a.ipynb\n    # y/b.ipynb" in text(isolated.work, "all.txt")


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


def test_a_running_notebook_is_where_it_runs_though_its_file_is_recorded_elsewhere(
    isolated: Isolated,
) -> None:
    """What the saved file says is older than the kernel, also where the record lies below it."""
    kernel(isolated, "old", environment(isolated.work / "old", packaging="1.0").prefix)
    save(isolated.work / "a.ipynb", "import packaging", kernelspec={"name": "old"})
    (isolated.work / "sub").mkdir()
    said(isolated.work, "a.ipynb", to="sub/requirements.txt", env=None)
    assert "packaging==1.0" in text(isolated.work / "sub")
    live = save(isolated.work / "b.ipynb", "import packaging", kernelspec={"name": "old"})
    place = Place(Frontend.NOTEBOOK, isolated.work, notebook=live)
    report = said(isolated.work, "b.ipynb", to="sub/requirements.txt", env=None, place=place)
    assert codes(report) == ["record-conflict"]
    assert "packaging==1.0" in text(isolated.work / "sub")


def test_two_running_notebooks_of_different_environments_do_not_repin_in_silence(
    isolated: Isolated,
) -> None:
    running: dict[str, Environment] = {}
    for name, pandas in (("old", "1.5"), ("new", "2.3")):
        running[name] = environment(isolated.work / name, pandas=pandas)
        kernel(isolated, name, running[name].prefix)

    def ran(notebook: str, where: str) -> tuple[Any, ...]:
        path = save(isolated.work / notebook, f"%%env {where}\npandas", "import pandas")
        place = Place(Frontend.NOTEBOOK, isolated.work, notebook=path)
        return record_notebook(place, running[where])[1]

    assert ran("a.ipynb", "old") == ()
    (conflict,) = ran("b.ipynb", "new")
    assert (conflict.code, conflict.subject) == ("record-conflict", "pandas")
    for word in ("a.ipynb", "b.ipynb", "1.5", "2.3", "/old)", "/new)"):
        assert word in conflict.message
    assert conflict.command == ("install", "pandas==1.5")
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
    return Place(Frontend.NOTEBOOK, isolated.work, isolated.work / "a.ipynb", **more)


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
    save(isolated.work / "a.ipynb", "import pandas")
    place = live(isolated, cells=("import numpy\nimport gone",), failed=frozenset({"gone"}))
    record(RecordRequest(state="on"), place, Silent())
    assert "numpy" in text(isolated.work) and "gone" not in text(isolated.work)
    keep(live(isolated))
    assert "numpy" not in text(isolated.work), "saved without it"


def test_an_import_that_failed_and_is_saved_is_what_a_terminal_says_too(isolated: Isolated) -> None:
    """Who checks the file knows of no session."""
    save(isolated.work / "a.ipynb", "import pandas\nimport polars\nimport gone")
    (isolated.work / "local.py").write_text("import scipy")
    cells = ("import polars, duckdb\nimport local",)
    failed = frozenset({"polars", "gone", "duckdb", "scipy"})
    record(RecordRequest(state="on"), live(isolated, cells=cells, failed=failed), Silent())
    save(isolated.work / "a.ipynb", "import pandas\nimport polars\nimport gone", "import local")
    assert not said(isolated.work, check=True).failed
    assert lines(isolated.work) == ["pandas", "polars", "scipy", "# unresolved: gone"]


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
        record(RecordRequest(), Place(Frontend.NOTEBOOK, isolated.work), Silent())
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


@pytest.mark.parametrize("name", ["a.ipynb", "new.ipynb", "pyproject.toml", "helper.py", "NOTES"])
def test_a_record_goes_into_no_file_of_another_kind(isolated: Isolated, name: str) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    (isolated.work / "pyproject.toml").write_text('[project]\nname = "x"\n')
    (isolated.work / "NOTES").write_text("Dear reader,\nthis is prose.\nPandas\n")
    before = {p: p.read_bytes() for p in isolated.work.iterdir()}
    with pytest.raises(WordsError, match="is no requirements file") as caught:
        said(isolated.work, "a.ipynb", to=name)
    assert caught.value.problem.code == "no-requirements" and "--to" in caught.value.problem.command
    assert {p: p.read_bytes() for p in isolated.work.iterdir()} == before


@pytest.mark.parametrize("name", ["all.txt", "wanted.in", "REQUIREMENTS", "sub"])
def test_a_record_goes_into_any_requirements_file(isolated: Isolated, name: str) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    (isolated.work / "sub").mkdir()
    (isolated.work / "wanted.in").write_text("-r more.txt\n--pre\nnumpy # <2\n")
    assert said(isolated.work, "a.ipynb", to=name).changed


def test_names_of_ones_own_are_dotted_whether_or_not_they_are_quoted(isolated: Isolated) -> None:
    """The hint is TOML that means it; without quotes a key is a table, and means the same here."""
    save(isolated.work / "a.ipynb", "import google.cloud.corpthing, größe")
    report = said(isolated.work)
    hints = " ".join(p.hint for p in report.problems)
    assert '"google.cloud.corpthing" = "NAME"' in hints and '"größe" = "NAME"' in hints
    for key in ('"google.cloud.corpthing"', "google.cloud.corpthing"):
        names = f'[tool.envmagic.names]\n{key} = "corp-thing"\n"größe" = "gr"\n'
        (isolated.work / "pyproject.toml").write_text(names, "utf-8")
        report = said(isolated.work, to="-")
        assert (report.data["lines"], codes(report)) == (["corp-thing", "gr"], [])


@pytest.mark.parametrize(
    "value",
    ['""', '["a", "b"]', '"b[extra]"', '"b>=2"', '"b @ https://h/b.zip"', '"a b"', "{}", "1"],
)
def test_a_name_of_ones_own_that_is_none_is_told(isolated: Isolated, value: str) -> None:
    save(isolated.work / "a.ipynb", "import corp, other")
    names = f'[tool.envmagic.names]\ncorp = {value}\nother = "fine"\n'
    (isolated.work / "pyproject.toml").write_text(names)
    report = said(isolated.work, to="-")
    assert report.data["lines"] == ["fine"]
    assert sorted(codes(report)) == ["bad-names", "unresolved"]
    (problem,) = (p for p in report.problems if p.code == "bad-names")
    assert problem.subject == "corp" and "pyproject.toml" in problem.message
    assert report.exit_code == 0


def test_a_pyproject_that_is_no_toml_is_named_once(isolated: Isolated) -> None:
    for notebook in ("a.ipynb", "sub/b.ipynb"):
        save(isolated.work / notebook, "import numpy")
    (isolated.work / ".git").mkdir()
    (isolated.work / "pyproject.toml").write_text("[tool.envmagic.names]\na = b\n")
    report = said(isolated.work, "a.ipynb", "sub/b.ipynb")
    assert codes(report) == ["bad-names"]
    assert "pyproject.toml is no TOML" in report.problems[0].message


MERGED = """\
# >>> envmagic 1 >>> pin exact, recording on
<<<<<<< HEAD
pandas==1.5
    # a.ipynb
=======
pandas==2.3
    # a.ipynb
>>>>>>> theirs
# <<< envmagic <<<
"""


@pytest.mark.parametrize("check", [True, False])
def test_what_a_merge_left_is_no_requirement(isolated: Isolated, check: bool) -> None:
    save(isolated.work / "a.ipynb", "import pandas")
    (isolated.work / "requirements.txt").write_text(MERGED)
    with pytest.raises(EnvmagicError, match=r"Line 2 of .* is a conflict marker") as caught:
        said(isolated.work, check=check)
    assert caught.value.problem.code == "bad-block"
    assert text(isolated.work) == MERGED
    (problem,) = keep(live(isolated))
    assert problem.code == "bad-block"


def from_elsewhere(env: Environment, name: str, **direct_url: Any) -> None:
    """A distribution that was not installed from an index."""
    file = f"{name}-1.0.dist-info/direct_url.json"
    install(env.site_packages[0], name, f"{name}.py", **{file: json.dumps(direct_url)})


@pytest.mark.parametrize(
    "line, url",
    [
        ("git+https://h/o/pkg_a.git@main", "https://me:token@h/o/pkg_a"),
        ("git+https://h/o/other.git@feature/x", "https://h/o/other.git"),
        ("-e git+https://h/o/other", "https://H/o/other.git/"),
        ("git+ssh://git@h/o/other.git ; python_version > '3'", "ssh://git@h/o/other.git"),
        ("git+file:///src/other@main", "file:///src/other"),
    ],
)
def test_the_users_url_wins_though_it_has_no_name(isolated: Isolated, line: str, url: str) -> None:
    env = environment(isolated.work / "env")
    from_elsewhere(env, "pkg_a", url=url, vcs_info={"vcs": "git", "commit_id": "abc"})
    save(isolated.work / "a.ipynb", "import pkg_a")
    (isolated.work / "requirements.txt").write_text(f"{line}\n")
    report = said(isolated.work, env=str(env.prefix))
    assert text(isolated.work) == f"{line}\n" and not report.changed
    assert "1 of them in lines of your own" in render.text(report)


@pytest.mark.parametrize(
    "line",
    [
        "git+https://h/o/numpy.git@v1",
        "https://h/o/numpy/archive/main.zip",
        "https://h/numpy-2.0.tar.gz",
        "./numpy-2.0.zip",
    ],
)
def test_a_repository_is_taken_to_hold_what_it_is_called(isolated: Isolated, line: str) -> None:
    env = environment(isolated.work / "env", numpy="2.0")
    save(isolated.work / "a.ipynb", "import numpy")
    (isolated.work / "requirements.txt").write_text(f"{line}\n")
    for where in ("none", str(env.prefix)):
        assert not said(isolated.work, env=where).changed


@pytest.mark.parametrize("line", ["-e .", "-e ./", ".[dev]", "--editable=.", "-e {here}", "{url}"])
def test_the_users_path_wins(isolated: Isolated, line: str) -> None:
    env = environment(isolated.work / "env")
    here = isolated.work / "project"
    from_elsewhere(env, "proj", url=here.as_uri(), dir_info={"editable": True})
    save(here / "a.ipynb", "import proj")
    (here / "pyproject.toml").write_text('[project]\nauthors = [{name = "x"}]\nname = "Proj"\n')
    line = line.format(here=here, url=here.as_uri())
    (here / "requirements.txt").write_text(f"{line}\n")
    for where in (str(env.prefix), "none"):
        report = said(here, env=where)
        assert (text(here), report.changed, codes(report)) == (f"{line}\n", False, [])


@pytest.mark.parametrize("repository", [True, False])
def test_an_editable_in_the_repository_is_a_path_and_one_elsewhere_a_version(
    isolated: Isolated, repository: bool
) -> None:
    env = environment(isolated.work / "env")
    tree = isolated.work / "tree"
    for name, place in (("inside", tree / "src"), ("outside", isolated.work / "elsewhere")):
        place.mkdir(parents=True)
        (place / "setup.cfg").write_text(f"[metadata]\nname = {name}\n")
        from_elsewhere(env, name, url=place.as_uri(), dir_info={"editable": True})
    if repository:
        (tree / ".git").mkdir()
    save(tree / "nb" / "a.ipynb", "import inside, outside")
    said(tree / "nb", "a.ipynb", env=str(env.prefix))
    lines = ["-e ../src" if repository else "inside==1.0", "outside==1.0"]
    for where in (str(env.prefix), "none"):  # in CI, without the environment, it stays
        report = said(tree / "nb", "a.ipynb", env=where, check=True)
        assert (report.data["lines"], report.failed) == (lines, False)
        assert "your own" not in render.text(report)


def test_a_distribution_that_becomes_editable_has_one_line(isolated: Isolated) -> None:
    """An index may have no such version; two lines are what pip refuses."""
    tree = isolated.work / "tree"
    (tree / ".git").mkdir(parents=True)
    env = environment(isolated.work / "env")
    from_elsewhere(env, "proj", url=(tree / "src").as_uri(), dir_info={"editable": True})
    for name in ("a.ipynb", "b.ipynb"):
        save(tree / "nb" / name, "import proj")
    block = (
        "# >>> envmagic 1 >>> pin exact, recording on\nproj==0.9\n    # a.ipynb\n    # b.ipynb\n"
    )
    (tree / "nb" / "requirements.txt").write_text(f"{block}# <<< envmagic <<<\n")
    said(tree / "nb", "a.ipynb", env=str(env.prefix))
    assert text(tree / "nb").splitlines()[1:-1] == ["-e ../src", "    # a.ipynb", "    # b.ipynb"]


def test_a_record_without_its_last_notebook_is_noticed(isolated: Isolated) -> None:
    for repository in (False, True):
        if repository:
            subprocess.run(["git", "init", "-q", isolated.work], check=True)
        for name in ("a", "b"):
            save(isolated.work / name / "n.ipynb", "import numpy")
        said(isolated.work)
        (isolated.work / "b" / "n.ipynb").unlink()
        (isolated.work / "other").mkdir(exist_ok=True)
        (isolated.work / "other" / "requirements.txt").write_text("numpy\n")
        report = said(isolated.work, check=True)
        assert report.failed and codes(report) == ["out-of-date"]
        assert report.problems[0].subject == str(isolated.work / "b" / "requirements.txt")
        said(isolated.work)
        assert "numpy" not in text(isolated.work / "b")
        assert not said(isolated.work, check=True).failed
        (isolated.work / "a" / "n.ipynb").unlink()
        assert said(isolated.work, "a", check=True).failed, "also where no notebook is left"
        assert (isolated.work / "other" / "requirements.txt").read_text() == "numpy\n"


def test_the_python_alone_makes_no_check_fail(isolated: Isolated) -> None:
    for name, python in (("old", "3.11.2"), ("new", "3.12.4")):
        kernel(isolated, name, environment(isolated.work / name, python, pandas="2.3").prefix)
        save(isolated.work / f"{name}.ipynb", "import pandas", kernelspec={"name": name})
    said(isolated.work, env=None)
    for words in ((), ("old.ipynb",), ("new.ipynb",)):
        report = said(isolated.work, *words, env=None, check=True)
        assert (report.failed, report.data["diff"]) == (False, "")
    assert not said(isolated.work, env=None).changed


def test_one_module_is_one_distribution_the_one_that_is_installed(isolated: Isolated) -> None:
    env = environment(isolated.work / "env")
    install(env.site_packages[0], "opencv-python-headless", "cv2/__init__.py", version="4.9")
    save(isolated.work / "a.ipynb", "!pip install opencv-contrib-python", "import cv2")
    report = said(isolated.work, env=str(env.prefix))
    assert report.data["lines"] == ["opencv-python-headless==4.9"]
    report = said(isolated.work, check=True)
    assert (report.data["diff"], report.data["lines"]) == ("", ["opencv-python-headless==4.9"])


def test_one_bad_file_stops_no_other(isolated: Isolated) -> None:
    for name in "123":
        save(isolated.work / name / "n.ipynb", "import numpy")
    (isolated.work / "2" / "requirements.txt").write_text(MERGED)
    for check in (True, False):
        report = said(isolated.work, check=check)
        assert "bad-block" in codes(report) and report.exit_code == 1
        assert [n["path"] for n in report.data["notebooks"]] == ["1/n.ipynb", "3/n.ipynb"]
        assert len(report.data["files"]) == 2
    assert "numpy" in text(isolated.work / "1") and "numpy" in text(isolated.work / "3")
    assert text(isolated.work / "2") == MERGED


def test_a_file_with_hashes_is_not_said_to_be_written(isolated: Isolated) -> None:
    for name in "12":
        save(isolated.work / name / "n.ipynb", "import numpy, pandas")
    (isolated.work / "1" / "requirements.txt").write_text("numpy==2.0 --hash=sha256:00\n")
    report = said(isolated.work)
    assert report.data["files"] == [str(isolated.work / "2" / "requirements.txt")]
    assert "2/requirements.txt: 2 requirements, written" in render.text(report)
    save(isolated.work / "1" / "n.ipynb", "import numpy")
    assert "sha256" not in render.text(said(isolated.work, "1/n.ipynb"))


def test_a_place_is_named_by_its_file(isolated: Isolated) -> None:
    save(isolated.work / "n.ipynb", "%run sub/other.ipynb", "import helper", "import numpy")
    save(isolated.work / "sub" / "other.ipynb", "x = 1", "import scipy, nope_x, numpy")
    (isolated.work / "helper.py").write_text("import pandas")
    report = said(isolated.work, "n.ipynb")
    rows = {line.split()[0]: line for line in render.text(report).splitlines() if line.strip()}
    assert rows["scipy"].endswith("  other.ipynb, cell 2")
    assert rows["pandas"].endswith("  helper.py")
    assert rows["numpy"].endswith("  n.ipynb, cell 3; other.ipynb, cell 2")
    (unresolved,) = report.problems
    assert "nope_x (sub/other.ipynb, cell 2)" in unresolved.message
    save(isolated.work / "x" / "n.ipynb", "import pandas")
    assert "  helper.py; x/n.ipynb, cell 1" in render.text(said(isolated.work))


def test_what_differs_is_named_with_the_words_that_write_it(isolated: Isolated) -> None:
    for name in "abc":
        save(isolated.work / name / "n n.ipynb", "import numpy")
    said(isolated.work)
    save(isolated.work / "b" / "n n.ipynb", "import scipy")
    report = said(isolated.work, check=True)
    assert "b/requirements.txt is not what the notebooks need. Write it: %env record" in " ".join(
        render.text(report).split()
    )
    report = said(isolated.work, "b/n n.ipynb", check=True, to="all.txt", pin="none")
    assert render.line(report.problems[0]).endswith(
        "Write it: %env record 'b/n n.ipynb' --to all.txt --pin none"
    )
    assert said(isolated.work, "b/n n.ipynb").changed


def test_nothing_to_record_is_said_so(isolated: Isolated) -> None:
    save(isolated.work / "a.ipynb", "import x", language_info={"name": "R"})
    shown = render.text(said(isolated.work))
    assert "requirements.txt" not in shown and "Nothing to record" in shown
    assert "Not in Python, so not looked into: a.ipynb (r)" in shown
    save(isolated.work / "b.ipynb")
    shown = render.text(said(isolated.work, "b.ipynb", check=True))
    assert "requirements.txt" not in shown and "Nothing to record" in shown


def test_a_conflict_names_each_notebook_once(isolated: Isolated) -> None:
    for name, pandas in (("old", "1.5"), ("new", "2.3")):
        kernel(isolated, name, environment(isolated.work / name, pandas=pandas).prefix)
    save(isolated.work / "a.ipynb", "import pandas", kernelspec={"name": "old"})
    save(isolated.work / "b.ipynb", "import pandas", kernelspec={"name": "new"})
    said(isolated.work, env=None)
    (conflict,) = said(isolated.work, env=None).problems
    assert conflict.message.count("a.ipynb") == 1


def test_a_repository_that_git_does_not_trust_is_told_with_the_remedy(
    isolated: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", isolated.work], check=True)
    save(isolated.work / "a.ipynb", "import numpy")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own, for its tests
    report = said(isolated.work, ".", str(isolated.work))
    assert (codes(report), report.exit_code) == (["git-failed"], 0)
    assert report.problems[0].hint == (f"git config --global --add safe.directory {isolated.work}")
    assert "numpy" in text(isolated.work)


@pytest.mark.parametrize("repository", [True, False])
def test_environments_and_hidden_directories_hold_nobodys_notebooks(
    isolated: Isolated, repository: bool
) -> None:
    if repository:
        subprocess.run(["git", "init", "-q", isolated.work], check=True)
    for name in ("a.ipynb", "env/doc/b.ipynb", ".hidden/c.ipynb", "node_modules/x/d.ipynb"):
        save(isolated.work / name, "import numpy")
    (isolated.work / "env" / "pyvenv.cfg").touch()
    assert [n["path"] for n in said(isolated.work).data["notebooks"]] == ["a.ipynb"]
    assert said(isolated.work, ".hidden").data["notebooks"], "what is named counts"


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
def test_git_loses_no_name(isolated: Isolated) -> None:
    subprocess.run(["git", "init", "-q", isolated.work], check=True)
    names = [os.fsdecode(b"\xff x.ipynb"), 'tab\t"quoted"\\ nl\n.ipynb', "größe é.ipynb"]
    for name in names:
        save(isolated.work / name, "import numpy")
    report = said(isolated.work)
    assert sorted(n["path"] for n in report.data["notebooks"]) == sorted(names)


@pytest.mark.parametrize("to", ["-", "all.txt"])
def test_the_cells_of_a_notebook_without_a_name_are_recorded_elsewhere(
    isolated: Isolated, to: str
) -> None:
    place = Place(Frontend.NOTEBOOK, isolated.work, cells=("import numpy_of_nobody, pandas",))
    report = record(RecordRequest(to=to, pin="none"), place, Silent())
    assert report.data["lines"] == ["pandas"]
    assert codes(report) == ["unresolved"]
    assert not (isolated.work / "requirements.txt").exists()
    assert (isolated.work / "all.txt").exists() == (to == "all.txt")


def test_a_venv_beside_the_notebook_is_no_accident(
    isolated: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's Python may be gone, or be no environment; the command's own may be this one."""
    beside = environment(isolated.work / ".venv", pandas="9.9")
    specs = {"gone": "/nowhere/bin/python", "system": "/usr/bin/python3"}
    for name, python in specs.items():
        (isolated.kernels / name).mkdir(parents=True)
        document = {"argv": [python, "-m", "ipykernel_launcher"], "display_name": name}
        (isolated.kernels / name / "kernel.json").write_text(json.dumps(document))
    for name in (*specs, "python3"):
        save(isolated.work / "a.ipynb", "import pandas", kernelspec={"name": name})
        assert said(isolated.work, env=None, to="-").data["lines"] == ["pandas==9.9"], name
    monkeypatch.setattr("sys.prefix", str(beside.prefix))
    assert said(isolated.work, env=None, to="-").data["lines"] == ["pandas==9.9"]


def conda_environment(place: Path) -> Environment:
    """Two packages that conda alone knows, one of them called otherwise by pip."""
    env = environment(place, six="1.17")
    (place / "conda-meta").mkdir()
    (place / "conda-meta" / "history").touch()
    packages = {"python": "", "py-opencv": "cv2/__init__.py", "weird": "weirdmod.py"}
    for name, module in packages.items():
        files = [f"lib/python3.12/site-packages/{module}"] if module else ["bin/python"]
        row: dict[str, Any] = {
            "name": name,
            "version": "3.12.4" if not module else "4.9.0",
            "files": files,
        }
        row |= {"build": "0", "build_number": 0, "channel": "conda-forge", "subdir": "noarch"}
        (place / "conda-meta" / f"{name}-{row['version']}-0.json").write_text(json.dumps(row))
    return env


def test_a_check_without_the_conda_environment_takes_what_is_written(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "a.ipynb", "import cv2, weirdmod, six")
    said(isolated.work, env=str(env.prefix))
    written = (isolated.work / "environment.yml").read_text()
    assert "- py-opencv=4.9.0" in written and "- weird=4.9.0" in written
    for where in ("none", str(env.prefix)):
        report = said(isolated.work, env=where, check=True)
        assert (report.failed, report.data["diff"], codes(report)) == (False, "", [])
    save(isolated.work / "a.ipynb", "import cv2, weirdmod, six, pandas")
    assert said(isolated.work, check=True).failed


def test_a_conflict_in_the_conda_file_moves_nothing_to_pips(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "a.ipynb", "import cv2, six")
    said(isolated.work, env=str(env.prefix))
    file = isolated.work / "environment.yml"
    file.write_text(file.read_text().replace("  - py-", "<<<<<<< HEAD\n  - py-"))
    before = text(isolated.work)
    with pytest.raises(EnvmagicError, match=r"environment.yml is a conflict marker"):
        said(isolated.work)
    assert text(isolated.work) == before


def test_conda_names_are_no_lines_for_pip(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "a.ipynb", "import cv2, weirdmod, six")
    for to in ("-", "all.txt"):
        report = said(isolated.work, env=str(env.prefix), to=to)
        assert report.data["lines"] == ["opencv-python", "six==1.17"]
        assert [(p.code, p.subject) for p in report.problems] == [("conda-alone", "weird")]


def test_a_conda_record_without_its_last_notebook_is_noticed(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "sub" / "a.ipynb", "import cv2")
    said(isolated.work, "sub", env=str(env.prefix))
    (isolated.work / "sub" / "a.ipynb").unlink()
    report = said(isolated.work, check=True)
    assert report.failed and report.problems[0].subject.endswith("environment.yml")
    said(isolated.work)
    assert "py-opencv" not in (isolated.work / "sub" / "environment.yml").read_text()
    assert not said(isolated.work, check=True).failed


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_file_that_cannot_be_written_stops_no_other(
    isolated: Isolated, terminal: Callable[..., Any], without_privileges: list[str]
) -> None:
    for name in "12":
        save(isolated.work / name / "n.ipynb", "import numpy")
        (isolated.work / name).chmod(0o777)
    file = isolated.work / "1" / "requirements.txt"
    file.write_text("six\n")
    file.chmod(0o444)
    ran = terminal("record", "--env", "none", "--json", code=1, through=without_privileges)
    assert [(p["code"], p["subject"]) for p in ran.json["problems"]] == [
        ("not-writable", str(file))
    ]
    assert ran.json["data"]["files"] == [str(isolated.work / "2" / "requirements.txt")]
    assert "numpy" in text(isolated.work / "2") and file.read_text() == "six\n"


def test_a_renamed_notebook_and_another_style_keep_condas_part_too(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "a.ipynb", "import cv2, weirdmod, six")
    said(isolated.work, env=str(env.prefix))
    (isolated.work / "a.ipynb").rename(isolated.work / "b.ipynb")
    assert said(isolated.work, check=True).failed
    said(isolated.work)
    conda = text(isolated.work, "environment.yml")
    for line in ("- py-opencv=4.9.0", "- weird=4.9.0"):
        assert f"{line}\n      # b.ipynb\n" in conda
    assert "a.ipynb" not in conda + text(isolated.work)
    assert "\nsix==1.17\n    # b.ipynb\n" in text(isolated.work)
    for pin, lines in (("minimum", ("py-opencv>=4.9.0", "weird>=4.9.0")), ("exact", ())):
        said(isolated.work, pin=pin)
        assert not said(isolated.work, check=True).failed
        assert all(line in text(isolated.work, "environment.yml") for line in lines)
    assert text(isolated.work, "environment.yml") == conda


def test_in_conda_files_the_users_edit_wins_and_bytes_are_compared(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    save(isolated.work / "a.ipynb", "import cv2, six")
    said(isolated.work, env=str(env.prefix))
    file = isolated.work / "environment.yml"
    right = file.read_text()
    file.write_text(right.replace("- py-opencv=4.9.0", "- py-opencv=4.10.0  # mine", 1))
    said(isolated.work, env=str(env.prefix))
    assert file.read_text().count("py-opencv") == 1
    above = file.read_text().partition("# >>> envmagic")[0]
    assert "- py-opencv=4.10.0  # mine" in above
    assert not said(isolated.work, env=str(env.prefix), check=True).failed
    line = next(x for x in right.splitlines(keepends=True) if "py-opencv" in x)
    file.write_text(right.replace(line, line * 2))
    assert said(isolated.work, env=str(env.prefix), check=True).failed
    said(isolated.work, env=str(env.prefix))
    assert file.read_text() == right


CONDAS = {
    "lines": "dependencies:\n  - python\n  - conda-forge::PyYAML>=6  # mine\n  - pytorch-cpu\n"
    "  - py-opencv\n  - graphviz\n  - pip:\n    - corp-thing==1  # x\n    - 'six>=1'\n",
    "brackets": "name: x\ndependencies: [python=3.11, 'PyYAML', pytorch, opencv, graphviz,\n"
    "  {pip: [corp-thing==1, six]}]\n",
}


@pytest.mark.parametrize("case", CONDAS)
def test_what_the_user_lists_for_conda_needs_no_copy(isolated: Isolated, case: str) -> None:
    """Also where its environment is not at hand; the program graphviz is not the distribution."""
    (isolated.work / "environment.yml").write_text(CONDAS[case])
    save(isolated.work / "a.ipynb", "import yaml, torch, cv2, six, corp_thing")
    report = said(isolated.work)
    assert not report.changed and not codes(report)
    assert not (isolated.work / "requirements.txt").exists()
    save(isolated.work / "a.ipynb", "import yaml, torch, graphviz, arrow")
    said(isolated.work)
    assert lines(isolated.work) == ["arrow", "graphviz"]
    assert not said(isolated.work, check=True).failed


def test_what_is_recorded_beside_a_list_for_conda_stays(isolated: Isolated) -> None:
    """In an environment of another kind the lines of conda's file install nothing."""
    venv = environment(isolated.work / "venv", six="1.17", numpy="2.1")
    conda = conda_environment(isolated.work / "cv")
    (isolated.work / "environment.yml").write_text(
        "dependencies:\n  - numpy\n  - opencv\n  - pip:\n    - six\n"
    )
    save(isolated.work / "a.ipynb", "import six, numpy")
    said(isolated.work, env=str(venv.prefix))
    assert lines(isolated.work) == ["numpy==2.1", "six==1.17"]
    assert not said(isolated.work, check=True).failed
    save(isolated.work / "b.ipynb", "import six, cv2")
    report = said(isolated.work, "b.ipynb", env=str(conda.prefix))
    assert "b.ipynb" not in text(isolated.work), "six and opencv are listed"
    assert report.data["files"] == [str(isolated.work / "requirements.txt")]
    assert not said(isolated.work, check=True).failed


def test_what_has_no_place_in_condas_file_is_not_counted_as_written(isolated: Isolated) -> None:
    env = conda_environment(isolated.work / "cv")
    file = isolated.work / "environment.yml"
    file.write_text("dependencies: [python]\n")
    save(isolated.work / "a.ipynb", "import cv2, six")
    for check in (False, True):
        report = said(isolated.work, env=str(env.prefix), check=check)
        (problem,) = report.problems
        assert (problem.code, report.exit_code) == ("record-place", 1)
        assert "Line 1" in problem.message and "recorded: py-opencv=4.9.0" in problem.message
        assert report.data["unwritten"] == ["py-opencv=4.9.0"]
        assert report.data["lines"] == ["six==1.17"]
    file.write_text("dependencies: [python, opencv]\n")
    assert said(isolated.work, env=str(env.prefix), check=True).exit_code == 0


@pytest.mark.parametrize("fetched", ["!wget -q https://h/mine.py", "!git clone https://h/o/mine"])
def test_a_clone_without_what_the_notebook_fetches_needs_the_same(
    isolated: Isolated, fetched: str
) -> None:
    """What such a file imports cannot be told there, so what was recorded for it stays."""
    file = isolated.work / ("mine.py" if "wget" in fetched else "mine/__init__.py")
    file.parent.mkdir(exist_ok=True)
    file.write_text("import polars, nobody_knows_this")
    save(isolated.work / "a.ipynb", fetched, "import mine, pandas")
    said(isolated.work)
    before = text(isolated.work)
    assert "polars" in before and "# unresolved: nobody_knows_this" in before
    file.unlink()
    if file.parent != isolated.work:
        file.parent.rmdir()
    assert not said(isolated.work, check=True).failed
    assert not said(isolated.work).changed
    save(isolated.work / "a.ipynb", fetched, "import pandas")
    assert said(isolated.work).changed and "polars" not in text(isolated.work)


def test_what_was_recorded_for_a_module_that_is_known_to_be_local_leaves(
    isolated: Isolated,
) -> None:
    save(isolated.work / "a.ipynb", "!pip install openai-agents", "import agents, corp")
    said(isolated.work)
    assert "openai-agents" in text(isolated.work) and "# unresolved: corp" in text(isolated.work)
    save(isolated.work / "a.ipynb", "!wget h/agents.py h/corp.py", "import agents, corp, pandas")
    said(isolated.work)
    assert text(isolated.work).splitlines()[1:-1] == ["pandas", "    # a.ipynb"]
