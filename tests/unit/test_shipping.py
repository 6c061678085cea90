"""What is sent to workers, and what they are said to have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cloudpickle
import pytest

from envmagic.core.errors import EnvmagicError
from envmagic.shipping import local_modules, on_worker, workers


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
