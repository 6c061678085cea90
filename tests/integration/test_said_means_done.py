"""An answer says what is there afterwards, not what an installer said or what was meant."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support import wheels
from support.operate import Operator, prefix_of

from envmagic import operations
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Kernel, Progress, Switch, Switched
from envmagic.core.verbs import (
    AttachRequest,
    CellRequest,
    CreateRequest,
    InstallRequest,
    RecordRequest,
    RemoveRequest,
    StatusRequest,
    SyncRequest,
    UninstallRequest,
)
from envmagic.environments import backends, inspection
from envmagic.environments.backends import commands

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are shell scripts")


def held(prefix: Path) -> set[str]:
    return set(inspection.distributions(backends.inspect(prefix)))


def let_uv_lie(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on uv installs nothing and says that all went well."""
    real = commands.find_uv()
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


@contextlib.contextmanager
def interrupted_after(module: str, function: str) -> Iterator[list[str]]:
    """An interrupt comes as soon as `function` of `module` has returned; gives what it said."""
    said: list[str] = []

    def hear(frame: types.FrameType, event: str, argument: object) -> None:
        named = frame.f_code.co_filename.endswith(module), frame.f_code.co_name
        if event == "return" and named == (True, function):
            sys.setprofile(None)
            raise KeyboardInterrupt

    sys.setprofile(hear)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            yield said
    finally:
        sys.setprofile(None)
    said.append(str(caught.value))


def test_what_is_said_after_an_interrupt_or_a_failure_comes_from_looking(operate: Operator) -> None:
    with interrupted_after("provisioning.py", "make") as made:
        operate.create("churn", "six")
    assert made == [
        "Interrupted; ~/envmagic/envs/churn was made and the kernel churn was registered."
    ]
    prefix = operate.work.parent / "home" / "envmagic" / "envs" / "churn"
    with interrupted_after("changing.py", "install_checked") as installed:
        operate(InstallRequest(("idna", "attrs")), prefix)
    assert re.fullmatch(
        r"Interrupted; attrs \S+ and idna \S+ were installed into \S+/churn\.", installed[0]
    )
    with interrupted_after("changing.py", "install") as undone:
        operate(InstallRequest(("toolz",)), prefix)
    assert undone == ["Interrupted; nothing was changed."]
    with interrupted_after("changing.py", "take_out") as undone:
        operate(UninstallRequest(("idna",)), prefix)
    assert undone == ["Interrupted; nothing was changed."]

    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook["cells"] = [
        {"cell_type": "code", "source": "import six", "metadata": {}, "outputs": [], "id": "a",
         "execution_count": None}
    ]  # fmt: skip
    deep = operate.work / "a" / "deep"
    deep.mkdir(parents=True)
    (deep / "n.ipynb").write_text(json.dumps(notebook))
    with interrupted_after("record.py", "_report") as written:
        operate(RecordRequest(paths=("a",), env="none"))
    assert written == ["Interrupted; a/deep/requirements.txt was written."]

    with interrupted_after("ownership.py", "delete") as gone:
        operate(RemoveRequest("churn", yes=True))
    assert gone == [
        "Interrupted; ~/envmagic/envs/churn was removed and the kernel churn was taken away."
    ]
    place = replace(operate.place(), switch=Refusing())
    with pytest.raises(EnvmagicError) as failed:
        operations.run(CreateRequest("other"), place, operate.heard)
    assert failed.value.problem.message == (
        "It stays. All the same, ~/envmagic/envs/other was made and the kernel other was"
        " registered."
    )


class Refusing(Switch):
    """A notebook that cannot be moved after all."""

    def to(
        self,
        kernel: Kernel,
        progress: Progress,
        *,
        drop: bool,
        keep_saved_name: bool,
        carry: bool = True,
    ) -> Switched:
        raise EnvmagicError("cannot-switch", "It stays.")


def test_every_verb_looks_first_at_what_doctor_would_say(
    operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    bare_venv(operate.work / "old" / ".venv", "six", "pip")
    (operate.work / "old").rename(operate.work / "new")
    prefix = operate.work / "new" / ".venv"
    (operate.work / "requirements.txt").write_text("six\n")
    for request in (
        AttachRequest("./new/.venv"),
        CreateRequest("./new/.venv", ("six",)),
        CellRequest(CreateRequest("./new/.venv"), "six\n"),
        InstallRequest(("six",)),
        SyncRequest(),
        StatusRequest(),
    ):
        report = operate(request, prefix)
        assert [p.code for p in report.problems if "was moved" in p.message] == ["moved"], request
        assert report.ok
    site = next(prefix.glob("lib/*/site-packages"))
    (site / "six.py").unlink()
    made = operate.cell("./new/.venv", "six\n")
    assert (site / "six.py").exists()
    assert "Files of six were missing; they are there again." in made.data["notes"]
