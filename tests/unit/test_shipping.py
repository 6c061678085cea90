"""What is sent to workers, and what they are said to have."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import cloudpickle
import pytest

from envmagic.core.errors import EnvmagicError, Problem, Severity, WordsError
from envmagic.core.model import BackendName, Environment
from envmagic.environments.inventory import Inventory
from envmagic.shipping import (
    dask_parts,
    elsewhere,
    fitness,
    local_modules,
    manifest,
    on_worker,
    workers,
)
from envmagic.shipping.engine import Shipped
from envmagic.shipping.local_modules import LocalModule
from envmagic.shipping.payload import Payload, Pin
from envmagic.shipping.workers import Seen


def notebook(place: Path, *cells: str) -> Path:
    path = place / "n.ipynb"
    told: list[dict[str, object]] = [
        {"cell_type": "code", "source": c, "metadata": {}, "outputs": [], "execution_count": None}
        for c in cells
    ]
    path.write_text(json.dumps({"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
    return path


def test_local_modules_are_those_imported_and_run_and_what_they_import(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "near.py").write_text("import deep")
    (tmp_path / "deep.py").write_text("")
    (tmp_path / "never.py").write_text("")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "data.csv").write_text("1,2")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "other.py").write_text("")
    (tmp_path / "started.py").write_text("")
    path = notebook(tmp_path, "import sys; sys.path.append('lib')\nimport other", "%run started.py")
    found = local_modules.local_modules(path, ["import near", "from pack import x", "import json"])
    assert [(m.name, m.path.relative_to(tmp_path).as_posix()) for m in found] == [
        ("deep", "deep.py"),
        ("near", "near.py"),
        ("other", "lib/other.py"),
        ("pack", "pack"),
        ("started", "started.py"),
    ]
    assert [f.name for f in found[3].files()] == ["__init__.py", "data.csv"]


def test_a_module_that_is_full_of_data_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_modules, "LARGEST", 10)
    (tmp_path / "near.py").write_text("x = '0123456789'")
    with pytest.raises(EnvmagicError) as raised:
        local_modules.local_modules(notebook(tmp_path, "import near"))
    assert raised.value.problem.code == "module-too-large"


def test_a_digest_is_the_same_in_a_directory_and_an_archive(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    (package / "below" / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "below" / "a.py").write_text("a = 1")
    before = on_worker.digest_of(str(package))
    (package / "below" / "__pycache__" / "a.cpython-312.pyc").write_bytes(b"code")
    assert on_worker.digest_of(str(package)) == before
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in package.rglob("*.py*"):
            opened.write(file, file.relative_to(tmp_path))
    assert on_worker.digest_of(str(archive / "pack")) == before
    (package / "below" / "a.py").write_text("a = 2")
    assert on_worker.digest_of(str(package)) != before


def test_a_worker_is_asked_by_a_function_that_needs_no_envmagic() -> None:
    sent = cloudpickle.dumps(workers.look())
    assert b"envmagic.shipping" not in sent
    answer = cloudpickle.loads(sent)(["pytest", "no-such"], ["no_such"])
    seen = workers.Seen.of("w", answer)
    assert seen.versions == {"pytest": pytest.__version__} and not seen.modules


def payload(*modules: LocalModule, version: str = "1.0") -> Payload:
    environment = Environment(Path("/e"), Path("/e/python"), "3.11.7", BackendName.UV, owned=True)
    return Payload(environment, (Pin("six", version),), modules, {"TOKEN": "a-word"})


def module(digest: str = "ab", *compiled: str) -> LocalModule:
    return LocalModule("near", Path("/w/near.py"), digest, 1, tuple(map(Path, compiled)))


def test_workers_of_another_minor_version_or_platform_are_refused() -> None:
    fitness.check_python(payload(), {"w1": "3.11.0"})
    with pytest.raises(EnvmagicError) as raised:
        fitness.check_python(payload(), {"w1": "3.11.9", "tcp://w2:1": "3.12.1"})
    told = raised.value.problem
    assert told.code == "another-python" and told.command[-2:] == ("--python", "3.12")
    assert told.message.startswith("The worker tcp://w2:1 runs Python 3.12 and this notebook 3.11")

    far = Seen("tcp://w2:1", "3.11.7", "Plan9 mips", {}, {})
    fitness.check_platform(payload(module()), [far])
    compiled = payload(module("ab", "/w/near/fast.so"))
    fitness.check_platform(compiled, [replace(far, platform=compiled.platform)])
    with pytest.raises(EnvmagicError) as raised:
        fitness.check_platform(compiled, [far])
    assert "fast.so is compiled for" in raised.value.problem.message
    assert "the worker tcp://w2:1 is Plan9 mips" in raised.value.problem.message


def test_what_differs_in_the_last_number_of_python_alone_does_not_differ() -> None:
    seen = Seen("w", "3.11.0", "Linux", {"six": "1.0"}, {"near": "ab"})
    assert not workers.data_of(seen, payload(module()))["differs"]
    assert workers.data_of(replace(seen, python="3.10.0"), payload())["differs"]


def test_a_dask_part_is_called_after_what_is_in_it() -> None:
    one = payload(module())
    assert dask_parts.name_of_packages(one) == dask_parts.name_of_packages(payload())
    assert dask_parts.name_of_packages(one) != dask_parts.name_of_packages(payload(version="2"))
    (name,) = dask_parts.names_of_modules(one)
    (other,) = dask_parts.names_of_modules(payload(module("cd")))
    assert name != other and name.rpartition(":")[0] == other.rpartition(":")[0]


def test_what_another_process_answers_comes_whole() -> None:
    told = Problem("a-code", "It is so.", severity=Severity.WARNING, command=("ship", "dask"))
    seen = Seen("w", "3.11.0", "Linux", {"six": "1.0"}, {"near": "ab"}, executable="/p")
    done = Shipped("tcp://h:1", ("six 1.0",), (seen,), problems=(told,), leaves=frozenset({"dask"}))
    assert elsewhere.read(json.loads(json.dumps(elsewhere.answer_of(done)))) == done
    with pytest.raises(WordsError) as raised:
        elsewhere.read(json.loads(json.dumps({"problem": asdict(told), "words": True})))
    assert raised.value.problem == replace(told, severity=Severity.ERROR)


def test_a_list_of_files_names_none_elsewhere(tmp_path: Path) -> None:
    contents = {"Dockerfile": b"", "../.bashrc": b"", "/etc/motd": b"", "a/../../b": b""}
    (tmp_path / manifest.NAME).write_bytes(manifest.text(contents))
    assert list(manifest.of(tmp_path)) == ["Dockerfile"]


def test_what_is_installed_from_a_directory_goes_as_a_wheel_of_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    held: dict[str, tuple[str, Path]] = {}
    for name, url, needs in (
        ("mine", (tmp_path / "mine").as_uri(), "six"),
        ("six", "", ""),
        ("other", "", ""),
    ):
        info = tmp_path / f"{name}.dist-info"
        info.mkdir()
        told = f"Requires-Dist: {needs}\n" if needs else ""
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1\n{told}")
        if url:
            (info / "direct_url.json").write_text(json.dumps({"url": url, "dir_info": {}}))
        held[name] = ("1", info)
    environment = Environment(tmp_path, tmp_path / "python", "3.11.7", BackendName.UV, owned=True)
    there = Inventory(environment, held, {})
    (tmp_path / "requirements.txt").write_text("-e ./mine\n")
    pins = Payload.of(there, tmp_path).pins
    assert [(pin.name, pin.directory) for pin in pins] == [
        ("mine", tmp_path / "mine"),
        ("six", None),
    ]
    (tmp_path / "requirements.txt").write_text("./nothing\n")
    with pytest.raises(EnvmagicError, match=r"asks for \./nothing, which") as raised:
        Payload.of(there, tmp_path)
    assert raised.value.problem.command == ("sync",)
