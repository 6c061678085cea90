"""An answer says what is there afterwards, not what an installer said or what was meant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import wheels
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError
from envmagic.core.verbs import InstallRequest, UninstallRequest
from envmagic.environments import backends, inspection
from envmagic.environments.backends import installers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are shell scripts")


def held(prefix: Path) -> set[str]:
    return set(inspection.distributions(backends.inspect(prefix)))


def let_uv_lie(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on uv installs nothing and says that all went well."""
    real = installers.find_uv()
    if real is None:
        pytest.skip("needs uv")
    program = directory / "uv"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *"pip install"*) exit 0;; esac\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("ENVMAGIC_UV", str(program))


def test_an_installer_that_says_all_went_well_is_not_believed(
    operate: Operator, monkeypatch: pytest.MonkeyPatch, make_wheel: Callable[..., Path]
) -> None:
    made = operate.create("churn", "six")
    prefix = prefix_of(made)
    before = held(prefix)
    project = operate.work / "proj"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '1'\n")
    (operate.work / "list.txt").write_text("toolz ; python_version < '3'\n-r more.txt\n")
    (operate.work / "more.txt").write_text("idna>=2\n")
    let_uv_lie(operate.work, monkeypatch)
    tries: list[tuple[Callable[[], object], str]] = [
        (lambda: operate.cell("churn", "idna\n"), "idna"),
        (lambda: operate(InstallRequest(("./proj",)), prefix), "./proj"),
        (lambda: operate(InstallRequest((), ("list.txt",)), prefix), "idna>=2"),
        (lambda: operate(InstallRequest(("six>1000",)), prefix), "six>1000"),
        (lambda: operate.create("other", "idna"), "idna"),
    ]
    for said, named in tries:
        with pytest.raises(EnvmagicError, match=f"no error, but {named} is not in") as caught:
            said()
        assert caught.value.problem.code == "install-failed"
        assert held(prefix) == before
    assert not (prefix.parent / "other").exists()
    assert operate(InstallRequest(("six[extra]",)), prefix).data["changes"] == []


def test_options_beside_the_notebook_hold_for_every_verb(
    operate: Operator,
) -> None:
    links = operate.work / "links"
    links.mkdir()
    wheels.build(links, "corpthing", "1.0")
    wheels.build(links, "early", "2.0a1")
    places = "-f links --pre\n--trusted-host localhost --require-hashes --extra-index-url"
    (operate.work / "requirements.txt").write_text(f"{places} http://u:SECRET@127.0.0.1:9/x/\n")
    prefix = prefix_of(operate.create("churn", "early>1"))
    made = operate.cell("churn", "corpthing\n")
    assert held(prefix) >= {"corpthing", "early"}
    (note,) = [n for n in made.data["notes"] if "requirements.txt" in n]
    assert "--find-links" in note and "SECRET" not in note
    operate(UninstallRequest(("corpthing",)), prefix)
    report = operate(InstallRequest(("corpthing",)), prefix)
    assert [c["name"] for c in report.data["changes"]] == ["corpthing"]
    assert not operate.cell("churn", "corpthing\n").data["notes"]
