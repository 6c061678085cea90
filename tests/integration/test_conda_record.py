"""The record of notebooks in conda environments: `environment.yml` beside requirements.txt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.condachannel import Channel
from support.lab import write_notebook
from support.operate import Operator, prefix_of
from support.signs import unsigned

from envmagic import operations
from envmagic.core.model import BackendName
from envmagic.core.verbs import InstallRequest, RecordRequest
from envmagic.environments import backends
from envmagic.environments.backends.conda import environment_file

CONDA = BackendName.CONDA


@pytest.fixture
def bio(operate: Operator, conda: Channel) -> Path:
    """A conda environment with packages of conda's and of pip's, and a notebook that uses them."""
    options: dict[str, Any] = {"backend": CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.create("bio", "tiny=1.5", "torch", "library", "humanize", **options))
    cells = ["import tiny, torch\nimport humanize", "import numpy_of_nobody"]
    write_notebook(operate.work / "maps.ipynb", cells, kernel="bio")
    return prefix


def record(operate: Operator, *paths: str, **more: Any) -> Any:
    return operate(RecordRequest(paths=paths or ("maps.ipynb",), **more))


def test_what_conda_installed_is_in_the_environment_file(operate: Operator, bio: Path) -> None:
    """Under conda's name, with a word where that is another; pip's part stays in its own file."""
    report = record(operate, state="on")
    text = unsigned((operate.work / "environment.yml").read_text())
    file = environment_file.read(operate.work / "environment.yml")
    assert file.name == "bio" and len(file.channels) == 1
    short = ".".join(backends.inspect(bio).version.split(".")[:2])
    wanted = {"tiny=1.5", "pytorch=2.0", "pip", f"python={short}"}
    assert wanted <= set(file.dependencies)
    assert not any("library" in d or "humanize" in d for d in file.dependencies)
    assert file.pip == ("-r requirements.txt",)
    listed = (operate.work / "requirements.txt").read_text()
    assert "humanize==" in listed and "tiny" not in listed and "torch" not in listed
    assert "# unresolved: numpy_of_nobody" in listed
    said = {p.code: p.message for p in report.problems}
    assert "pytorch, which is conda's name for what pip calls torch" in said["conda-name"]
    assert report.data["files"] == [
        str(operate.work / "requirements.txt"),
        str(operate.work / "environment.yml"),
    ]
    assert "    # maps.ipynb\n" in text
    assert not record(operate).changed, "with nothing new, nothing is written"
    assert not record(operate, check=True).failed


def test_the_user_s_text_stays_and_a_gone_notebook_leaves(operate: Operator, bio: Path) -> None:
    path = operate.work / "environment.yml"
    user = "name: mine\ndependencies:\n  - TINY  # any will do\n  - pip:\n    - six\nprefix: /x\n"
    path.write_text(user)
    report = record(operate)
    text = path.read_text()
    assert text.startswith(user[: user.index("prefix")]) and text.endswith("prefix: /x\n")
    assert "pytorch=2.0" in text and "tiny=" not in text, "the user's line wins"
    assert [p.code for p in report.problems if p.code == "pip-section"] == ["pip-section"]
    assert not record(operate, check=True).failed
    write_notebook(operate.work / "maps.ipynb", ["import humanize"], kernel="bio")
    checked = record(operate, check=True)
    assert checked.failed and "-  - pytorch=2.0" in checked.data["diff"]
    record(operate)
    assert "pytorch" not in path.read_text()
    assert path.read_text().startswith(user[: user.index("prefix")])


def test_without_the_environment_what_is_written_stays(operate: Operator, bio: Path) -> None:
    record(operate)
    before = {n: (operate.work / n).read_bytes() for n in ("environment.yml", "requirements.txt")}
    record(operate, env="none")
    assert {n: (operate.work / n).read_bytes() for n in before} == before


def test_installed_by_name_is_recorded_though_no_notebook_imports_it(
    operate: Operator, bio: Path
) -> None:
    notebook = operate.work / "maps.ipynb"
    place = replace(operate.place(bio), notebook=notebook)
    record(operate, state="on")
    operations.run(InstallRequest(("needs-old=1.0",)), place, operate.heard)
    text = unsigned((operate.work / "environment.yml").read_text())
    assert "- needs-old=1.0\n      # maps.ipynb (installed)\n" in text.replace(
        "        #", "      #"
    )
    record(operate)
    assert "needs-old=1.0" in (operate.work / "environment.yml").read_text()


def test_another_machine_makes_the_environment_from_the_two_files(
    operate: Operator, bio: Path, conda: Channel, kernel: Callable[..., Any]
) -> None:
    """What was recorded here is what a clone gets from `create`."""
    record(operate, state="on")
    clone = operate.work / "clone"
    clone.mkdir()
    for name in ("environment.yml", "requirements.txt"):
        (clone / name).write_bytes((operate.work / name).read_bytes())
    there = replace(operate, work=clone)
    (clone / "environment.yml").write_text(
        (clone / "environment.yml").read_text().replace("name: bio", "name: again")
    )
    prefix = prefix_of(there.create(None))
    assert prefix != bio
    report = there(
        RecordRequest(paths=(str(operate.work / "maps.ipynb"),), env="again", check=True)
    )
    assert not report.failed, report.data["diff"]
