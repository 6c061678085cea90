"""`create`, `attach` and `%%env` where something is there already, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.lab import write_notebook
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName
from envmagic.core.verbs import AttachRequest
from envmagic.environments import backends, inspection, interpreters, ownership
from envmagic.environments.backends import installers
from envmagic.jupyter import kernelspecs
from envmagic.system import directories, locks

Snapshot = Callable[[], dict[str, bytes]]


def test_without_a_name_it_is_dot_venv_beside_the_notebook(operate: Operator) -> None:
    report = operate.create(None)
    assert prefix_of(report) == operate.work / ".venv"
    assert report.data["environment"]["kernel"] == operate.work.name


def test_a_requirements_file_beside_the_notebook_is_installed_and_said(operate: Operator) -> None:
    (operate.work / "requirements.txt").write_bytes("six\r\n".encode("utf-16"))
    report = operate.create("cloned")
    assert "six" in inspection.distributions(backends.inspect(prefix_of(report)))
    assert "requirements.txt" in report.data["notes"][0]
    bare = operate.create("bare", bare=True)
    assert "six" not in inspection.distributions(backends.inspect(prefix_of(bare)))


def _another_python() -> interpreters.Python:
    """One that environments can be made from, of another version than that of the tests."""
    for python in interpreters.installed():
        if python.parts[:2] >= (3, 10) and python.parts[:2] != sys.version_info[:2]:
            return python
    pytest.skip("there is only one Python here")


def test_the_python_is_the_one_that_is_asked_for_around_the_notebook(operate: Operator) -> None:
    here = "{}.{}".format(*sys.version_info)
    other = _another_python()
    short = ".".join(other.version.split(".")[:2])
    (operate.work / "pyproject.toml").write_text(f"[project]\nrequires-python = '=={short}.*'\n")
    report = operate.create("required", bare=True)
    assert report.data["environment"]["python"].startswith(short)
    assert any("pyproject.toml asks for" in note for note in report.data["notes"])
    (operate.work / ".python-version").write_text(f"{here}.99\n")
    report = operate.cell("pinned", "")
    assert report.data["environment"]["python"].startswith(here)
    assert any("pyproject.toml was passed over" in note for note in report.data["notes"])
    (operate.work / ".python-version").write_text("3.99\n")
    with pytest.raises(EnvmagicError, match=r"3\.99") as refused:
        operate.create("lost")
    assert refused.value.problem.code == "no-python"
    assert not (directories.envs() / "lost").exists()


def test_the_python_of_the_record_is_taken_where_it_is_there(operate: Operator) -> None:
    other = _another_python()
    for version in (other.version, "3.99"):
        short = ".".join(version.split(".")[:2])
        block = (
            f"# >>> envmagic 2 >>> python {short}, pin exact, recording on\n# <<< envmagic <<<\n"
        )
        (operate.work / "requirements.txt").write_text(f"six\n\n{block}")
        report = operate.create(f"of-{short}")
        held = report.data["environment"]["python"]
        assert held.startswith(short) == (version != "3.99")


def test_recorded_pins_hold_and_a_contradicting_one_is_dropped_and_said(
    operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel("tidy-tools", version)
        make_wheel("neat-things", version)
    (operate.work / "requirements.txt").write_text("tidy-tools==1.0\nneat-things==1.0\n")
    report = operate.cell("pinned", "tidy-tools\nneat-things>=2\n")
    found = inspection.distributions(backends.inspect(prefix_of(report)))
    assert (found["tidy-tools"][0], found["neat-things"][0]) == ("1.0", "2.0")
    assert [(p.code, p.subject) for p in report.problems] == [("pin-dropped", "neat-things")]
    upgraded = operate.cell("pinned", "tidy-tools\n", upgrade=True)
    assert [c["version"] for c in upgraded.data["changes"]] == ["1.0", "2.0"]


def test_an_existing_environment_is_attached_and_keeps_what_it_has(
    operate: Operator, bare_venv: Callable[..., Path], make_wheel: Callable[..., Path]
) -> None:
    make_wheel("tidy-tools", "1.0")
    prefix = operate.work / "theirs"
    bare_venv(prefix, "tidy-tools", "six")
    make_wheel("tidy-tools", "2.0")
    before = inspection.distributions(backends.inspect(prefix))
    report = operate.create("./theirs")
    after = inspection.distributions(backends.inspect(prefix))
    assert report.data["action"] == "attached" and "was there already" in report.data["notes"][0]
    assert after == before
    assert not ownership.is_owned(prefix)


def test_an_attached_kernel_starts_and_has_env(
    operate: Operator, bare_venv: Callable[..., Path], kernel: Callable[..., Any]
) -> None:
    prefix = operate.work / "with space"
    bare_venv(prefix)
    report = operate(AttachRequest("./with space"))
    running = kernel(report.data["environment"]["kernel"])
    assert running.run("import sys; sys.prefix").result == repr(str(prefix))
    assert running.run("%env VIRTUAL_ENV").result == repr(str(prefix))
    assert "envmagic" in running.run("list(get_ipython().extension_manager.loaded)").result


def test_an_environment_that_no_kernel_agrees_with_is_refused_and_not_registered(
    operate: Operator, bare_venv: Callable[..., Path], make_wheel: Callable[..., Path]
) -> None:
    make_wheel("traitlets", "3.0", files={"traitlets/__init__.py": ""})
    prefix = operate.work / "theirs"
    bare_venv(prefix, "traitlets==3.0")
    before = set(inspection.distributions(backends.inspect(prefix)))
    with pytest.raises(EnvmagicError, match=r"needs traitlets.*there is traitlets 3\.0"):
        operate(AttachRequest("./theirs"))
    assert set(inspection.distributions(backends.inspect(prefix))) == before
    assert kernelspecs.of_prefix(prefix) is None


def test_a_read_only_environment_is_attached_with_env_in_its_kernel(
    operate: Operator,
    bare_venv: Callable[..., Path],
    terminal: Callable[..., Any],
    kernel: Callable[..., Any],
    without_privileges: list[str],
) -> None:
    prefix = operate.work / "theirs"
    bare_venv(prefix, "six")
    _freeze(prefix)
    said = terminal("attach", "./theirs", "--json", through=without_privileges)
    assert not said.json["data"]["notes"] and not said.json["data"]["changes"]
    running = kernel("theirs")
    assert running.run("import sys, six; sys.prefix").result == repr(str(prefix))
    assert "envmagic" in running.run("list(get_ipython().extension_manager.loaded)").result


def test_another_python_or_backend_than_it_has_is_refused(
    operate: Operator, pythons: dict[str, Path], snapshot: Snapshot
) -> None:
    operate.create("churn", backend=BackendName.VENV)
    before = snapshot()
    with pytest.raises(EnvmagicError, match=r"was made with venv, not uv.*remove churn --yes"):
        operate.create("churn", backend=BackendName.UV)
    current = backends.inspect(prefix_of(operate.create("churn"))).short_version
    other = next((v for v in pythons if v != current), None)
    if other:
        with pytest.raises(EnvmagicError, match=f"not {other}"):
            operate.create("churn", python=other)
    assert snapshot() == before


def test_one_prefix_keeps_one_kernel_and_a_taken_name_gets_a_suffix(
    operate: Operator, isolated: Any
) -> None:
    foreign = isolated.kernels / "churn"
    foreign.mkdir(parents=True)
    (foreign / "kernel.json").write_text('{"argv": ["x"], "display_name": "Mine"}')
    with pytest.raises(WordsError, match="envmagic did not make it"):
        operate.create("churn")
    report = operate.create("./churn")
    name = report.data["environment"]["kernel"]
    assert name.startswith("churn-") and len(name) == len("churn-") + 4
    assert operate(AttachRequest("./churn")).data["environment"]["kernel"] == name
    assert json.loads((foreign / "kernel.json").read_text())["display_name"] == "Mine"


def test_without_uv_pip_fills_it_from_outside_and_a_tip_says_what_is_faster(
    operate: Operator,
) -> None:
    """Said in the kernel of an environment that has no uv, with none on PATH either."""
    outer = prefix_of(operate.create("outer"))
    runtimes = directories.runtimes()
    words = ["-m", "envmagic", "create", "churn", "--with", "six", "--json"]
    ran = subprocess.run(
        [outer / "bin" / "python", runtimes / "launcher.py", runtimes, *words],
        env={**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": ""},
        cwd=operate.work,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    data = json.loads(ran.stdout)["data"]
    assert data["environment"]["backend"] == "venv"
    assert any("pip install uv" in note for note in data["notes"])
    made = backends.inspect(Path(data["environment"]["prefix"]))
    assert set(inspection.distributions(made)) == {"six", "pip"}
    assert (directories.cache() / "said-uv-is-faster").exists()


def test_a_lock_that_is_held_makes_the_other_wait_and_then_say_so(operate: Operator) -> None:
    waiting = locks.lock(operate.work, timeout=0.1)
    with locks.lock(operate.work), pytest.raises(EnvmagicError, match="Another envmagic"), waiting:
        pass


def _freeze(prefix: Path) -> None:
    for path in [prefix, *prefix.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222 | 0o444 | (0o111 if path.is_dir() else 0))


def test_the_record_of_a_notebook_that_does_not_move_is_left_alone(
    isolated: Any, terminal: Callable[..., Any]
) -> None:
    notebook = write_notebook(isolated.work / "a.ipynb", ["import six"])
    terminal("create", "zoo", "--notebook", notebook, "--with", "six", "--no-use")
    assert not (isolated.work / "requirements.txt").exists()
    terminal("create", "zoo", "--notebook", notebook, "--with", "six")
    assert "\nsix==" in (isolated.work / "requirements.txt").read_text("utf-8")


def test_the_disk_is_asked_no_more_often_than_needed(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    def noted(owner: object, name: str, what: str) -> None:
        usual = getattr(owner, name)

        def noting(*words: Any, **more: Any) -> Any:
            happened.append(what)
            return usual(*words, **more)

        monkeypatch.setattr(owner, name, noting)

    def happens(body: str) -> list[str]:
        happened.clear()
        operate.cell("churn", body)
        return list(happened)

    noted(inspection, "distributions", "look")
    noted(installers, "_install", "install")
    noted(kernelspecs, "every", "kernels")
    assert happens("six\n") == ["kernels", "install", "look"]
    assert happens("six\n") == ["look", "kernels"]
    assert happens("six\nattrs\n") == ["look", "kernels", "install", "look"]


def test_where_nothing_is_to_be_installed_no_installer_is_called(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was broken before is said by the doctor."""
    prefix = prefix_of(operate.create("churn", "six"))
    site = backends.inspect(prefix).site_packages[0]
    (site / "six.py").unlink()
    uv, called = operate.work / "uv", operate.work / "called"
    uv.write_text(f"#!/bin/sh\ntouch '{called}'\nexit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("ENVMAGIC_UV", str(uv))
    report = operate.create("churn")
    assert report.ok and not called.exists() and not (site / "six.py").exists()
