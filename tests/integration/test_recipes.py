"""What CONTRIBUTING.md says of a new backend and a new record format is all that has to be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import end_in

REPOSITORY = Path(__file__).parents[2]

BACKEND = '''
"""The backend `plain`: a directory with a copy of the interpreter, and no `pyvenv.cfg`."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from envmagic.core.model import BackendName, Environment, EnvSpec, Progress
from envmagic.environments import inspection
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.pyvenv import PyvenvBackend
from envmagic.system import process

__all__ = ["PlainBackend"]

MARKER = "plain.txt"
_ASK = "import sys, sysconfig; print(sys.version.split()[0], sysconfig.get_path('stdlib'))"


class PlainBackend(PyvenvBackend):
    name = BackendName.PLAIN

    def missing(self) -> str:
        return ""

    def inspect(self, prefix: Path, *, owned: bool) -> Environment:
        version = (prefix / MARKER).read_text().strip()
        python, sites = prefix / "bin" / "python", inspection.site_packages(prefix)
        return Environment(prefix, python, version, self.name, owned, sites)

    def create(
        self, spec: EnvSpec, python: Path, plan: InstallPlan, progress: Progress
    ) -> tuple[str, ...]:
        version, stdlib = process.run([python, "-I", "-c", _ASK]).stdout.split()
        library = spec.prefix / "lib" / Path(stdlib).name
        (library / "site-packages").mkdir(parents=True)
        for entry in Path(stdlib).iterdir():
            if entry.name != "site-packages":
                (library / entry.name).symlink_to(entry)
        (spec.prefix / "bin").mkdir()
        shutil.copy(os.path.realpath(python), spec.prefix / "bin" / "python")
        (spec.prefix / MARKER).write_text(version)
        return ()

    def written(self, prefix: Path, *, cut_off: bool) -> Mapping[str, str | None]:
        links = (path for path in prefix.glob("lib/*/*") if path.is_symlink())
        made = (prefix / MARKER, prefix / "bin" / "python", *links)
        return {str(path.relative_to(prefix)): None for path in made if prefix != path}
'''

FORMAT = '''
"""The record in a `packages.lst`: each requirement behind `need`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.requirements.block import Block
from envmagic.requirements.lines import RequirementLine, parse_lines
from envmagic.requirements.marked import MarkedFile, rendered
from envmagic.requirements.pieces import Piece
from envmagic.requirements.reading import has_block, loaded, with_block_of

__all__ = ["ListFile", "read"]

_NEED = "need "


class _Needs:
    indent = ""

    def item(self, text: str) -> str | None:
        return text.removeprefix(_NEED) if text.startswith(_NEED) else None

    def shown(self, item: str) -> str:
        return _NEED + item

    def is_fixed(self, item: str) -> bool:
        return False

    def check(self, path: Path, pieces: list[Piece]) -> None: ...


@dataclass(frozen=True)
class ListFile(MarkedFile):
    def user_lines(self) -> tuple[RequirementLine, ...]:
        items = (_Needs().item(line) for line in self.user_text.splitlines())
        return tuple(found for item in items if item for found in parse_lines(item, item))

    def with_block(self, block: Block) -> bytes:
        header, lines, footer = rendered(self, block, _Needs())
        before = self.before if self.block is not None else self.ended(self.before)
        file = replace(self, before=before, after=self.after or self.newline)
        return file.assembled(block, [header, *lines, footer])

    def is_current(self, block: Block) -> bool:
        return self.raw == self.with_block(block)


def read(path: Path) -> ListFile | None:
    if not path.exists():
        return None
    file, pieces = loaded(ListFile(path), path.read_bytes(), _Needs())
    return with_block_of(file, pieces, _Needs())[0] if has_block(path, pieces) else file
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources and the tests, to be changed as the recipe says."""
    for name in ("envmagic", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", ".wheelhouse"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


def put(checkout: Path, file: str, before: str, more: str) -> None:
    """Put `more` behind the line `before` of a file."""
    path = checkout / file
    text = path.read_text()
    assert text.count(before) == 1, f"{file} has no line {before!r}"
    path.write_text(text.replace(before, before + more))


def passes(checkout: Path, *words: str) -> str:
    """Run tests of the checkout, on its own sources."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    made = f"--basetemp={checkout / 'made'}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", made, *words],
        cwd=checkout,
        env={**variables, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    end_in(checkout)  # its runtime is being compiled
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_new_backend_is_one_file_one_name_and_one_row(checkout: Path) -> None:
    (checkout / "envmagic" / "environments" / "backends" / "plain.py").write_text(BACKEND.lstrip())
    put(checkout, "envmagic/core/model.py", '    CONDA = "conda"\n', '    PLAIN = "plain"\n')
    table = "envmagic/environments/backends/__init__.py"
    row = '    BackendName.PLAIN: _Row("plain", "PlainBackend", "plain.txt"),\n'
    put(checkout, table, '"CondaBackend", "conda-meta/history"),\n', row)
    said = passes(checkout, "tests/integration/test_backends.py", "-k", "plain", "-rA")
    assert "test_a_named_environment_is_whole_registered_and_clean[plain]" in said


def test_a_new_record_format_is_one_file_and_one_row(checkout: Path) -> None:
    (checkout / "envmagic" / "requirements" / "listing.py").write_text(FORMAT.lstrip())
    formats = "envmagic/record/formats.py"
    put(
        checkout,
        formats,
        "import Block, environment_yml\n",
        "from envmagic.requirements import listing\n",
    )
    put(
        checkout,
        formats,
        "_proven, by_name=False),\n",
        '    Format(("packages.lst",), listing.read, _unverified),\n',
    )
    sample = '    "packages.lst": "# mine\\nneed numpy>=2\\n",\n'
    put(checkout, "tests/unit/test_record_formats.py", "SAMPLES = {\n", sample)
    said = passes(checkout, "tests/unit/test_record_formats.py", "-k", "packages", "-rA")
    assert "test_the_user_s_lines_stay_byte_for_byte_whatever_is_recorded[packages.lst]" in said
