"""What the locks of other tools say is what a plan and `restore` take."""

from __future__ import annotations

from pathlib import Path

import pytest

from envmagic.core.errors import EnvmagicError
from envmagic.planning import files, other_locks
from envmagic.planning.past import How, past_of
from envmagic.planning.plan import Kind

UV = """version = 1
[[package]]
name = "mine"
version = "0.1"
source = { virtual = "." }
[[package]]
name = "six"
version = "1.16.0"
source = { registry = "https://files.invalid/simple" }
[[package]]
name = "numpy"
version = "1.26.0"
source = { registry = "https://files.invalid/simple" }
resolution-markers = ["python_full_version < '3.9'", "sys_platform == 'win32'"]
[[package]]
name = "theirs"
version = "2.0"
source = { git = "https://git.invalid/x?rev=1#0" }
"""
POETRY = """[[package]]
name = "six"
version = "1.16.0"
optional = false
groups = ["main"]
markers = "sys_platform != 'win32'"
files = [{file = "six-1.16.0-py2.py3-none-any.whl", hash = "sha256:aa"}]
[[package]]
name = "pytest"
version = "8.0"
optional = false
groups = ["docs"]
files = []
"""
PDM = """[[package]]
name = "six"
version = "1.16.0"
groups = ["default"]
marker = "python_version >= \\"3.9\\""
files = [{file = "six.whl", hash = "sha256:aa"}]
"""
PIPFILE = """{"default": {"six": {"version": "==1.16.0", "hashes": ["sha256:aa"],
"markers": "python_version >= '3.9'"}, "mine": {"path": ".", "editable": true}},
"develop": {"pytest": {"version": "==8.0", "hashes": []}}}"""


def test_beside_a_project_they_say_the_versions_of_what_it_asks_for(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'mine'\ndependencies = ['six']\n")
    (tmp_path / "uv.lock").write_text(UV)
    found, over = files.in_directory(tmp_path, None)
    assert found is not None and (found.source.kind, over) == (Kind.PROJECT, [])
    assert found.wanted.requirements == ("six",)
    assert found.wanted.constraints == (
        "six==1.16.0",
        "numpy==1.26.0 ; (python_full_version < '3.9') or (sys_platform == 'win32')",
    )
    past = past_of(None, tmp_path, (), None)
    assert (past.how, past.file, past.pins["six"]) == (How.PINS, tmp_path / "uv.lock", "1.16.0")


def test_what_poetry_has_from_an_index_of_the_users_own_counts(tmp_path: Path) -> None:
    source = '[package.source]\ntype = "{}"\nurl = "https://files.invalid/simple"\n'
    for kind, pins in (("legacy", 1), ("url", 0)):
        text = POETRY.partition('[[package]]\nname = "pytest"')[0] + source.format(kind)
        (tmp_path / "poetry.lock").write_text(text)
        file, lines = other_locks.beside(tmp_path)
        assert file is not None and len(lines) == pins, (kind, lines)
        said = other_locks.lines(file)
        assert isinstance(said, tuple) is bool(pins)


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("poetry.lock", POETRY, ["six==1.16.0 ; sys_platform != 'win32' --hash=sha256:aa"]),
        ("pdm.lock", PDM, ['six==1.16.0 ; python_version >= "3.9" --hash=sha256:aa']),
        (
            "Pipfile.lock",
            PIPFILE,
            [
                "six==1.16.0 ; python_version >= '3.9' --hash=sha256:aa",
                "-e .",
                "pytest==8.0",
            ],
        ),
    ],
)
def test_those_that_hold_everything_count_by_themselves(
    tmp_path: Path, name: str, text: str, lines: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    found, _ = files.in_directory(tmp_path, None)
    assert found is not None and list(found.wanted.requirements) == lines and found.wanted.alone
    past = past_of(None, tmp_path, (), None)
    assert (past.how, past.pins["six"]) == (How.PINS, "1.16.0")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("uv.lock", UV, "uv export --format pylock.toml"),
        ("poetry.lock", POETRY.replace("groups", "category"), "poetry export"),
        ("pdm.lock", PDM.replace("groups", "x"), "pdm export"),
        ("conda-lock.yml", "version: 1\n", "conda-lock install"),
    ],
)
def test_of_the_rest_it_is_said_what_writes_a_list_that_is_read(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    found, over = files.in_directory(tmp_path, None)
    assert found is None
    assert [(p.file.name, says in p.reason) for p in over] == [(name, True)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poetry.lock", "[[package]\n"),
        ("pdm.lock", "package = 1\n"),
        ("poetry.lock", "[[package]]\nversion = '1'\n"),
        ("Pipfile.lock", "{"),
        ("Pipfile.lock", "[]"),
        ("Pipfile.lock", '{"default": 1}'),
    ],
)
def test_a_damaged_one_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(EnvmagicError) as refused:
        other_locks.lines(tmp_path / name)
    assert refused.value.problem.code == "bad-declaration"
    assert name in refused.value.problem.message
