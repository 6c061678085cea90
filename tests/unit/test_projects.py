"""Whether an environment is that of a project, what the project's files hold, what pixi is told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Isolated
from support.operate import Heard

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import BackendName, Environment
from envmagic.environments import projects
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects import changes, manifest
from envmagic.environments.projects.base import Project, Wanted


def environment(prefix: Path, backend: BackendName = BackendName.UV) -> Environment:
    prefix.mkdir(parents=True, exist_ok=True)
    return Environment(prefix, prefix / "bin" / "python", "3.12.4", backend, owned=False)


@pytest.fixture
def of(isolated: Isolated, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Project | None]:
    """`of(prefix, directory)`: the project that `prefix` belongs to, told by files alone."""
    monkeypatch.setenv("PATH", "")

    def find(prefix: str, directory: str = "", **more: BackendName) -> Project | None:
        place = isolated.work / directory
        place.mkdir(parents=True, exist_ok=True)
        return projects.of(environment(isolated.work / prefix, **more), place)

    return find


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / name.replace("_", ".")).write_text(text)


def test_uvs_environment_is_the_one_it_would_use(
    isolated: Isolated, of: Callable[..., Project | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(isolated.work, pyproject_toml="", uv_lock="")
    found = of(".venv", "notebooks")
    assert found is not None and found.tool.name == "uv" and found.root == isolated.work
    elsewhere = projects.of(environment(isolated.work / ".venv"), isolated.home)
    assert elsewhere is not None, "the notebook lies somewhere else"
    assert of("other") is None and of("notebooks/.venv", "notebooks") is None
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "other")
    assert of(".venv") is None and of("other", "notebooks") is not None
    write(isolated.work, pyproject_toml="[tool.uv]\nmanaged = false\n")
    assert of("other") is None


@pytest.mark.parametrize(
    ("directory", "member"),
    [
        ("packages/one/nb", "packages/one"),
        ("packages/one", "packages/one"),
        ("packages/two/nb", "."),  # it is excluded
        ("apps/deep/er/nb", "apps/deep/er"),
        ("strange/nb", "."),  # it has a pyproject.toml, and is no member
        ("nb", "."),
    ],
)
def test_in_a_workspace_the_member_around_the_notebook_is_meant(
    isolated: Isolated, of: Callable[..., Project | None], directory: str, member: str
) -> None:
    workspace = '[tool.uv.workspace]\nmembers = ["packages/*", "apps/**"]\nexclude = ["*/two"]\n'
    write(isolated.work, pyproject_toml=workspace, uv_lock="")
    for place in ("packages/one", "packages/two", "apps/deep/er", "strange"):
        (isolated.work / place).mkdir(parents=True)
        write(isolated.work / place, pyproject_toml="[project]\n")
    found = of(".venv", directory)
    assert found is not None and found.directory == isolated.work / member


def test_poetrys_environments_are_told_by_their_place_or_name(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    write(isolated.work, pyproject_toml="", poetry_lock="")
    path = str(isolated.work.resolve()).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(path).digest()).decode()[:8]
    for prefix in (".venv", f"cache/analysis-{digest}-py3.12"):
        found = of(prefix, "notebooks")
        assert found is not None and found.tool.name == "poetry", prefix
    assert of("cache/analysis-AAAAAAAA-py3.12") is None and of("other") is None


def test_poetry_passes_over_what_is_named_already_so_that_is_asked_for_besides(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    write(isolated.work, pyproject_toml='[project]\ndependencies = ["six"]\n', poetry_lock="")
    project = of(".venv")
    assert project is not None
    lines = requirements.parse_lines("six\nattrs>=20\n", "")
    add, install = ["add", "six", "attrs>=20"], ["install", "--no-root"]
    assert project.tool.add(project, Wanted(lines)) == [add, install]
    assert project.tool.add(project, Wanted(lines[1:])) == [["add", "attrs>=20"]]
    newer = project.tool.add(project, Wanted(lines, upgrade=True))
    assert newer == [["add", "six@latest", "attrs>=20"], install]
    assert project.tool.upgrade(project, ["six"]) == [["update", "six"]]


def test_pdms_environment_is_the_one_it_notes(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    write(isolated.work, pyproject_toml="", pdm_lock="")
    assert of(".venv") is not None and of("venvs/analysis-1") is None
    python = isolated.work / "venvs" / "analysis-1" / "bin" / "python"
    (isolated.work / ".pdm-python").write_text(f"{python}\n")
    assert of(".venv") is None and of("venvs/analysis-1", "notebooks") is not None


def test_two_locks_are_told_apart_by_the_projects_file_alone(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    write(isolated.work, pyproject_toml="[tool.ruff]\n", uv_lock="", pdm_lock="")
    with pytest.raises(EnvmagicError, match=r"uv\.lock and pdm\.lock") as raised:
        of(".venv")
    assert raised.value.problem.code == "two-tools"
    backend = '[build-system]\nbuild-backend = "pdm.backend"\n'
    for text in (backend, "[tool.pdm]\n"):
        write(isolated.work, pyproject_toml=text)
        found = of(".venv")
        assert found is not None and found.tool.name == "pdm"


POETRY_LOCK = '[[package]]\nname = "Charset_Normalizer"\nversion = "3"\n\n[extras]\nx = []\n'
PIXI_LOCK = """\
packages:
- conda: https://localhost/conda-forge/noarch/python-dateutil-2.9.0-pyhff2d567_1.conda
  sha256: 00
- pypi: https://localhost/packages/rich-14.0.0-py3-none-any.whl
  name: rich
  version: 14.0.0
"""


def test_the_names_in_a_lock(tmp_path: Path) -> None:
    write(tmp_path, poetry_lock=POETRY_LOCK, pixi_lock=PIXI_LOCK)
    assert manifest.locked(tmp_path / "poetry.lock") == {"charset-normalizer"}
    assert manifest.locked(tmp_path / "pixi.lock") == {"python-dateutil", "rich"}
    assert manifest.locked(tmp_path / "none.lock") == frozenset()


def test_the_names_that_a_project_asks_for_itself(tmp_path: Path) -> None:
    write(
        tmp_path,
        pyproject_toml="""\
[project]
name = "analysis"
dependencies = ["Six>=1", "requests[socks] ; python_version > '3'"]
optional-dependencies.plot = ["matplotlib"]
[dependency-groups]
dev = ["pytest", {include-group = "docs"}]
[tool.poetry.dependencies]
numpy = [{version = "1", python = "<3.12"}, {version = "2", python = ">=3.12"}]
[tool.poetry.group.lint.dependencies]
ruff = "*"
[tool.pixi.feature.gpu.pypi-dependencies]
torch = {version = "*", extras = ["all"]}
""",
    )
    groups = {"plot", "dev"}
    asked = {"six", "requests", "matplotlib", "pytest", "numpy", "ruff", "torch"}
    assert manifest.declared(manifest.read(tmp_path / "pyproject.toml")) == asked | groups


PIXI = """\
[dependencies]
python = "3.12.*"
pandas = "*"
[pypi-dependencies]
rich = "*"
[feature.gpu.dependencies]
[environments]
gpu = {features = ["gpu"], no-default-feature = true}
both = ["gpu"]
neither = {features = ["gpu", "other"], no-default-feature = true}
"""


def pixi(isolated: Isolated, of: Callable[..., Project | None], name: str) -> Project:
    write(isolated.work, pixi_toml=PIXI, pixi_lock="")
    found = of(f".pixi/envs/{name}", "notebooks", backend=BackendName.CONDA)
    assert found is not None and found.tool.name == "pixi"
    return found


def test_pixi_has_plain_names_from_channels_and_the_rest_from_the_index(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    project = pixi(isolated, of, "default")
    lines = requirements.parse_lines("numpy>=2\nrequests[socks]\n./lib\nscipy\n", "")
    assert project.tool.add(project, Wanted(lines, upgrade=True)) == [
        ["add", "numpy>=2", "scipy"],
        ["add", "--pypi", "requests[socks]", "./lib"],
        ["upgrade", "scipy"],
    ]
    assert project.tool.remove(project, ["pandas", "rich"]) == [
        ["remove", "pandas"],
        ["remove", "--pypi", "rich"],
    ]
    plan = InstallPlan(("numpy>=2", "numba=0.6"), directory=isolated.work)
    there = Inventory(project.environment, {}, {})
    with pytest.raises(EnvmagicError, match=r"&& pixi add 'numpy>=2' numba=0.6") as raised:
        changes.add(project, there, plan, Heard())
    assert raised.value.problem.code == "no-tool"


def test_pixis_other_environments_are_filled_from_the_feature_that_they_have(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    wanted = Wanted(requirements.parse_lines("numpy", ""))
    project = pixi(isolated, of, "gpu")
    filled = ["install", "--environment", "gpu"]
    assert project.tool.add(project, wanted) == [["add", "--feature", "gpu", "numpy"], filled]
    project = pixi(isolated, of, "both")
    assert project.tool.add(project, wanted)[0] == ["add", "numpy"]
    project = pixi(isolated, of, "neither")
    with pytest.raises(EnvmagicError, match="several features"):
        project.tool.add(project, wanted)
    assert of("elsewhere/.pixi/envs/gpu") is None


def test_lines_of_a_file_are_as_seen_from_the_project_and_options_are_refused(
    isolated: Isolated, of: Callable[..., Project | None]
) -> None:
    write(isolated.work, pyproject_toml="[project]\n", pdm_lock="")
    project = of(".venv", "notebooks")
    assert project is not None
    file = isolated.work / "notebooks" / "wanted.txt"
    plan = InstallPlan(("../lib[extra]", "six"), (file,), directory=file.parent)
    there = Inventory(project.environment, {}, {})
    file.write_text("-e ./tools\nattrs  # why\ngit+https://localhost/x.git\n")
    with pytest.raises(EnvmagicError, match="is not found here") as raised:
        changes.add(project, there, plan, Heard())
    typed = "pdm add -e ./notebooks/tools './lib[extra]' six attrs git+https://localhost/x.git"
    assert raised.value.problem.hint.endswith(typed)
    for text in ("--index-url https://localhost/\n", "six==1 --hash=sha256:00\n", "-r other.txt\n"):
        file.write_text(text)
        with pytest.raises(EnvmagicError) as refused:
            changes.add(project, there, plan, Heard())
        assert refused.value.problem.code == "project-option", text
