"""Reading environments, finding Pythons, and what satisfies a requirement: from files alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName
from envmagic.environments import backends, inspection, integrity, interpreters, ownership
from envmagic.environments.contents import MARK, Written
from envmagic.environments.runtimes import own_copy
from envmagic.environments.satisfaction import closure, missing
from envmagic.frontends.render.phrases import file_size
from envmagic.jupyter import kernelspecs

REPOSITORY = Path(__file__).parents[2]


def _venv(prefix: Path, config: str = "", version: str = "3.12.4") -> Path:
    site = prefix / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").touch()
    (prefix / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n{config}")
    return site


def _distribution(site: Path, name: str, version: str, *requires: str) -> Path:
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {r}" for r in requires]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    return info


@pytest.mark.parametrize(
    ("config", "backend"),
    [("uv = 0.5\n", "uv"), ("virtualenv = 20\n", "virtualenv"), ("", "venv")],
)
def test_who_made_it_and_its_version_are_in_its_configuration(
    tmp_path: Path, config: str, backend: str
) -> None:
    _venv(tmp_path / "e", config)
    environment = backends.inspect(tmp_path / "e")
    assert environment.backend is BackendName(backend)
    assert (environment.version, environment.short_version) == ("3.12.4", "3.12")


def test_what_is_installed_is_read_from_names(tmp_path: Path) -> None:
    site = _venv(tmp_path / "e")
    _distribution(site, "Foo.Bar", "1.0")
    (site / "old_egg-2.1-py3.12.egg-info").mkdir()
    (site / "~alf-made-1.0.dist-info").mkdir()
    found = inspection.distributions(backends.inspect(tmp_path / "e"))
    assert {n: v for n, (v, _) in found.items()} == {"foo-bar": "1.0", "old-egg": "2.1"}


def test_a_missing_file_breaks_a_distribution_and_a_compiled_one_does_not(tmp_path: Path) -> None:
    site = _venv(tmp_path / "e")
    for name, lost in (("whole", "x.cpython-312.pyc"), ("hurt", "gone.py")):
        info = _distribution(site, name, "1")
        (info / "INSTALLER").write_text("uv\n")
        (info / "RECORD").write_text(f"{lost},,\n{info.name}/METADATA,,\n")
    info = _distribution(site, "unfinished", "1")
    (info / "INSTALLER").write_text("uv\n")
    environment = backends.inspect(tmp_path / "e")
    assert integrity.broken_distributions(inspection.distributions(environment)) == [
        "hurt",
        "unfinished",
    ]


def test_sizes_are_written_for_people() -> None:
    assert [file_size(n) for n in (0, 999, 1500, 74_000_000, 2_340_000_000)] == [
        "0 B",
        "999 B",
        "2 kB",
        "74 MB",
        "2.3 GB",
    ]


def test_extras_and_markers_count(tmp_path: Path) -> None:
    site = _venv(tmp_path / "e")
    _distribution(site, "pandas", "2.1", 'openpyxl>=3; extra == "excel"', "numpy")
    _distribution(site, "numpy", "1.26")
    installed = inspection.distributions(backends.inspect(tmp_path / "e"))

    def lacking(*lines: str) -> list[str]:
        return [str(r) for r in missing([Requirement(x) for x in lines], installed, "3.12.4")]

    assert lacking("pandas", "PANDAS>=2", "numpy<2", "tomli; python_version<'3.11'") == []
    assert lacking("pandas[excel]") == ["pandas[excel]"]
    assert lacking("pandas>=3", "six") == ["pandas>=3", "six"]
    _distribution(site, "openpyxl", "3.1")
    installed = inspection.distributions(backends.inspect(tmp_path / "e"))
    assert lacking("pandas[excel]") == []
    assert closure(["pandas"], installed, "3.12.4") == {"pandas", "numpy"}


def test_a_version_finds_its_python(pythons_found: list[interpreters.Python]) -> None:
    own = "%d.%d.%d" % sys.version_info[:3]  # noqa: UP031
    short = own.rpartition(".")[0]
    for wanted in (short, own, f"python{short}", f"=={short}", f">={short},<4", None):
        assert interpreters.find(wanted).version.startswith(short)
    assert interpreters.find(sys.executable).version == own
    assert all(p.executable.exists() for p in pythons_found)


@pytest.fixture
def pythons_found() -> list[interpreters.Python]:
    return interpreters.installed()


def test_a_python_that_is_not_there_lists_the_others() -> None:
    with pytest.raises(EnvmagicError, match=r"3\.99 is not on this machine; there are 3\."):
        interpreters.find("3.99")
    with pytest.raises(WordsError, match="no Python version"):
        interpreters.find("latest")


def test_what_is_needed_there_is_what_pyproject_says() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    assert set(re.findall(r'"([^"]+)"', block[1])) == set(own_copy.REQUIRES)


def test_the_mark_names_the_very_directory(tmp_path: Path) -> None:
    prefix = tmp_path / "e"
    _venv(prefix)
    assert not ownership.is_owned(prefix)
    ownership.mark(prefix, name="e")
    assert ownership.is_owned(prefix) and ownership.refusal(prefix, Written(prefix)) == ""
    prefix.rename(tmp_path / "f")
    assert not ownership.is_owned(tmp_path / "f")
    (tmp_path / "f" / MARK).write_text("[]")
    assert not ownership.is_owned(tmp_path / "f")


def test_specs_that_cannot_be_read_are_passed_over(isolated: Any) -> None:
    for name, content in (("bad", "{"), ("empty", "{}"), ("list", "[]"), ("good", None)):
        place = isolated.kernels / name
        place.mkdir(parents=True)
        text = content or '{"argv": ["x"], "display_name": "Good", "metadata": []}'
        (place / "kernel.json").write_text(text)
    assert [k.name for k in kernelspecs.every() if k.directory.parent == isolated.kernels] == [
        "good"
    ]
