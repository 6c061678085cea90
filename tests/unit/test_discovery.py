"""Environments that nobody registered: around the notebook, and where other tools keep theirs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.operate import Operator

from envmagic.core.model import Frontend
from envmagic.core.verbs import ListRequest
from envmagic.environments import backends, discovery, other_tools, ownership
from envmagic.frontends import render
from envmagic.frontends.notebook import completion
from envmagic.jupyter import kernelspecs
from envmagic.system.prefix_layout import interpreter

PROJECT = Path("/home/ada/churn")
POETRY, PDM, HATCH = "churn-ALM2YB-L-py3.11", "churn-74ImFGbS-main", "churn/ALM2YB-L/churn"
PIPENV = "churn-_n21JRzz"
"""What these tools themselves call the environments of PROJECT."""


def _venv(prefix: Path, project: str = "") -> Path:
    interpreter(prefix).parent.mkdir(parents=True)
    interpreter(prefix).symlink_to(sys.executable)
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.4\nuv = 0.5\n")
    if project:
        (prefix / ".project").write_text(f"{project}\n")
    return prefix


def _conda(prefix: Path) -> Path:
    interpreter(prefix).parent.mkdir(parents=True)
    interpreter(prefix).symlink_to(sys.executable)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta" / "history").touch()
    return prefix


@pytest.fixture(autouse=True)
def no_pyenv(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Pythons that other tests run may be pyenv's, so this stays set for them."""
    monkeypatch.delenv("PYENV_ROOT", raising=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the usual places of Linux")
@pytest.mark.parametrize(
    ("tool", "place", "name", "here", "settings"),
    [
        ("poetry", ".cache/pypoetry/virtualenvs", POETRY, True, {}),
        ("poetry", "v", POETRY, True, {"POETRY_VIRTUALENVS_PATH": "{home}/v"}),
        ("poetry", "c/virtualenvs", POETRY, True, {"POETRY_CACHE_DIR": "{home}/c"}),
        (
            "poetry",
            "c/v",
            POETRY,
            True,
            {
                ".config/pypoetry/config.toml": 'cache-dir = "{home}/c"\n'
                '[virtualenvs]\npath = "{{cache-dir}}/v"'
            },
        ),
        ("pdm", ".local/share/pdm/venvs", PDM, True, {}),
        ("pdm", "v", PDM, True, {".config/pdm/config.toml": '[venv]\nlocation = "~/v"'}),
        ("hatch", ".local/share/hatch/env/virtual", HATCH, True, {}),
        ("hatch", "h/env/virtual", HATCH, True, {"HATCH_DATA_DIR": "{home}/h"}),
        ("hatch", "v", HATCH, True, {".config/hatch/config.toml": 'dirs.env.virtual = "~/v"'}),
        ("pipenv", ".local/share/virtualenvs", PIPENV, True, {}),
        ("pipenv", "w", PIPENV, True, {"WORKON_HOME": "$HOME/w"}),
        ("virtualenvwrapper", ".virtualenvs", "ml", True, {}),
        ("virtualenvwrapper", "w", "ml", True, {"WORKON_HOME": "~/w"}),
        ("pixi", "d/churn-12/envs", "a", False, {"p/config.toml": 'detached-environments="~/d"'}),
        (
            "pixi",
            ".cache/rattler/cache/envs/churn-12/envs",
            "default",
            False,
            {".config/pixi/config.toml": "detached-environments = true"},
        ),
        ("pyenv", ".pyenv/versions/3.11.7/envs", "web", False, {}),
        ("poetry", ".cache/pypoetry/virtualenvs", POETRY, True, {".config/pdm/config.toml": "[no"}),
    ],
)
def test_the_places_of_every_tool_are_looked_into(
    isolated: Isolated,
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
    place: str,
    name: str,
    here: bool,
    settings: dict[str, str],
) -> None:
    """With those of this project told from those of others."""
    home = isolated.home
    for key, value in {"PIXI_HOME": "{home}/p", **settings}.items():
        if "/" in key:
            (home / key).parent.mkdir(parents=True)
            (home / key).write_text(value.format(home=home))
        else:
            monkeypatch.setenv(key, value.format(home=home))
    ours = _venv(home / place / name, str(PROJECT))
    another = name.replace("-", "-Z") if "-" in name else f"{name}2"
    other = _venv(home / place / another, "/home/ada/other")
    found = {f.prefix: (f.tool, f.here) for f in other_tools.made([PROJECT])}
    assert found.pop(ours) == (tool, here)
    assert found.pop(other)[1] is False
    assert found == {}


def test_what_lies_around_the_notebook_is_found_once_and_the_nearest_first(
    tmp_path: Path, isolated: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "poetry.lock").touch()
    (repository / "pyproject.toml").touch()
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", "../for-uv")
    named = _venv(tmp_path / "for-uv")
    notebooks = repository / "reports" / "notebooks"
    notebooks.mkdir(parents=True)
    near = _venv(notebooks / "env")
    pixi = _conda(repository / ".pixi" / "envs" / "default")
    conda, top = _conda(repository / "tools"), _venv(repository / ".venv")
    (repository / "zlink").symlink_to(top)
    interpreter(_venv(repository / "broken")).unlink()
    _venv(tmp_path / ".venv")  # above the repository
    found = [(f.prefix, f.tool) for f in discovery.found(notebooks).values()]
    assert found == [(near, ""), (top, "poetry"), (conda, ""), (pixi, "pixi"), (named, "uv")]


def test_without_a_repository_it_goes_as_far_as_below_home(
    tmp_path: Path, isolated: Isolated
) -> None:
    home = isolated.home
    below = home / "projects" / "churn"
    assert discovery.around(below) == [below, home / "projects"]
    assert discovery.around(home) == [home]
    assert discovery.around(tmp_path / "a" / "b") == [tmp_path / "a" / "b"]
    (tmp_path / ".git").mkdir()
    assert discovery.around(below) == [below, home / "projects"], "nothing is above home"
    (home / ".git").mkdir()
    assert discovery.around(below) == [below, home / "projects", home]


def test_a_directory_of_very_many_is_not_looked_through(isolated: Isolated) -> None:
    for number in range(discovery.MANY + 1):
        (isolated.work / f"run{number}").mkdir()
    usual, _ = _venv(isolated.work / "venv"), _venv(isolated.work / "run0" / ".." / "mine")
    assert [f.prefix for f in discovery.found(isolated.work).values()] == [usual]


def _list(isolated: Isolated, **options: bool) -> tuple[dict[str, Any], str]:
    report = Operator(isolated.work)(ListRequest(**options))
    listed = {e["prefix"]: e for e in report.data["environments"]}
    return listed, render.text(report, Frontend.TERMINAL)


def test_list_tells_what_is_found_from_what_is_registered(isolated: Isolated) -> None:
    """Of other projects a few one by one and many as a number; in JSON all of them."""
    place = isolated.home / "v"
    (isolated.work / "poetry.toml").write_text(f"virtualenvs.path = {str(place)!r}")
    registered, found = _venv(isolated.work / "mine"), _venv(isolated.work / ".venv")
    made, broken = _venv(isolated.work / "made"), _venv(isolated.work / "broken")
    ownership.mark(made)
    interpreter(broken).unlink()
    backend = backends.get(backends.inspect(registered).backend)
    environment = backends.inspect(registered)
    kernelspecs.register(environment, "mine", backend.launch(environment), uv=None)

    listed, text = _list(isolated)
    assert str(broken) not in listed
    assert [e["found"] for e in listed.values()] == ["", "", "uv"]
    assert listed[str(found)]["here"] and listed[str(found)]["kernel"] is None
    assert listed[str(registered)]["kernel"] == "mine" and not listed[str(made)]["kernel"]
    first, second = text.split("Found, not attached yet")
    assert str(registered) in first and str(made) in first and str(found) not in first
    assert str(found) in second and f"To use it: envmagic attach {found}" in second

    three = [_venv(place / f"web{number}") for number in range(3)]
    text = _list(isolated)[1]
    assert all(f"~/v/{prefix.name}" in text for prefix in three)
    assert "envmagic attach PATH" in text and "--all" not in text
    four = [*three, _venv(place / "web3")]
    listed, text = _list(isolated)
    assert [listed[str(p)]["found"] for p in four] == ["poetry"] * 4
    assert "poetry  3.11    4 environments in ~/v\n" in text and "~/v/web" not in text
    assert "4 are only counted. To see each: envmagic list --all" in text
    text = _list(isolated, all=True)[1]
    assert all(f"~/v/{prefix.name}" in text for prefix in four) and "counted" not in text


def test_sizes_of_other_projects_are_measured_when_all_are_wanted(isolated: Isolated) -> None:
    here, other = _venv(isolated.work / ".venv"), _venv(isolated.home / ".virtualenvs" / "ml")
    sizes = [_list(isolated, size=True, all=every)[0] for every in (False, True)]
    assert sizes[0][str(here)]["size"] and sizes[0][str(other)]["size"] is None
    assert sizes[1][str(other)]["size"]


def test_tab_offers_what_can_be_attached_the_nearest_first(isolated: Isolated) -> None:
    other, here = _venv(isolated.home / ".virtualenvs" / "m l"), _venv(isolated.work / "venv")
    offered = [text for text, _ in completion.candidates(["attach"], "", isolated.work)]
    assert offered[:2] == [str(here), "~/.virtualenvs/m\\ l"] and other.is_dir()
    assert str(here) not in dict(completion.candidates(["use"], "", isolated.work))
