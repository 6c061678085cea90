"""environment.yml is never written unverified, with a YAML reader and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from conftest import REPOSITORY, Isolated
from support.sites import install

from envmagic.environments.backends.conda import edits, rattler_client
from envmagic.frontends.terminal import cli

READER = ("ruamel", "ruamel.yaml")
# What a process without the extra sees; the modules are hidden from a real one.
HIDING = (
    f"import sys; sys.modules.update(dict.fromkeys({READER}));"
    "from envmagic.frontends.terminal.cli import main; sys.exit(main())"
)


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Beside:
    """A notebook that needs two packages of a conda environment, and its environment.yml."""

    work: Path
    prefix: Path

    @property
    def file(self) -> Path:
        return self.work / "environment.yml"

    def record(self, *words: str, reader: str, json: bool = True) -> Said:
        """What `envmagic record` answers; `reader` is `here`, `elsewhere` or `none`.

        In this process, from which the modules are hidden then: a new one for each answer took most
        of these tests' time. `test_a_process_without_the_extra_says_the_same` has one.
        """
        command = ["record", "--env", str(self.prefix), "n.ipynb"]
        command += [*words, *(["--json"] if json else [])]
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
            if reader != "here":
                for name in READER:
                    patched.setitem(sys.modules, name, None)
            if reader == "elsewhere":
                there = f"{sys.executable}{os.pathsep}{REPOSITORY}"
                patched.setenv(rattler_client.VARIABLE, there)
            code = cli.main(command)
        return Said(code, out.getvalue(), err.getvalue())

    def problems(self, *words: str, reader: str) -> list[tuple[str, str, str]]:
        """Code, message and hint of what `record` says; it fails where something is recorded
        nowhere, and counts that as not written."""
        said = self.record(*words, reader=reader)
        answer = json.loads(said.out)
        refused = bool(answer["problems"])
        assert said.code == int(refused or answer["data"].get("diff", "") != ""), answer
        assert refused != (str(self.file) in answer["data"]["files"]), answer
        assert sorted(answer["data"].get("unwritten", [])) == [*LISTED[:2]] * refused
        assert bool(answer["data"]["lines"]) != refused
        return [(p["code"], p["message"], p["hint"]) for p in answer["problems"]]


@pytest.fixture
def beside(isolated: Isolated) -> Beside:
    prefix = isolated.home / "cenv"
    site = prefix / "lib" / "python3.12" / "site-packages"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(sys.executable)
    (prefix / "pyvenv.cfg").write_text("version = 3.12.4\n")
    (prefix / "conda-meta" / "history").touch()
    for name in ("yaml", "six"):
        install(site, name, f"{name}.py", version="1.0")
        info = site / f"{name}-1.0.dist-info"
        (info / "INSTALLER").write_text("conda")
        record = {"name": name, "version": "1.0", "files": [f"{info.relative_to(prefix)}/METADATA"]}
        (prefix / "conda-meta" / f"{name}-1.0-py_0.json").write_text(json.dumps(record))
    cell = {"cell_type": "code", "source": "import yaml\nimport six", "metadata": {}}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4}
    (isolated.work / "n.ipynb").write_text(json.dumps(notebook))
    return Beside(isolated.work, prefix)


PLAIN = {
    "usual": "name: x\nchannels:\n  - a\ndependencies:\n  - numpy\n",
    "selectors": "dependencies:\n  - numpy  # [linux]\n  # [win]\n  - 'scipy>=1,<2'\nname: x\n",
    "own section": "dependencies:\n- pip\n- pip:  # mine\n  - -r requirements.txt\n- a::b=1.0\n",
    "nothing yet": "---\n# a word\nname: 'x'\n",
    "line ends": "name: x\r\ndependencies:\r\n    - numpy\r\n\r\n",
    "a mark": "\ufeffname: x\ndependencies:\n  - numpy\n",
}
# What only a reader can tell.
MORE = {
    "anchors": "channels: &c\n  - a\ndependencies:\n  - &n numpy\nmine: *c\n",
    "flow lists": "channels: [a,\n  b]\ndependencies:\n  - numpy\n",
    "mapping": "dependencies:\n  - numpy\nvariables:\n  A: b\n",
    "scalar of lines": "name: >\n  x\ndependencies:\n  - numpy\n",
    "continued item": "dependencies:\n  - numpy\nname: x\n  y\n",
    "tag": "dependencies:\n  - !!str numpy\n",
    "escape": 'dependencies:\n  - "num\\x70y"\n',
    "template": "dependencies:\n  - numpy={{ version }}\n",
    "comment of a template": "# {% set x = 1 %}\ndependencies:\n  - numpy\n",
    "old line ends": "name: x\rdependencies:\r  - numpy\r",
    "merge key": "x: &x {}\ndependencies:\n  - numpy\nmore:\n  <<: *x\n",
}
# What cannot be edited line by line, or is not as conda's files are.
IMPOSSIBLE = {
    "flow list of lines": "name: x\ndependencies:\n  [\n    numpy,\n  ]\nchannels: [a]\n",
    "flow list": "name: x\ndependencies: [numpy, scipy]\n",
    "quoted key": 'name: x\n"dependencies":\n  - numpy\n',
    "spaced mapping": "{name: x,\n dependencies: [numpy]}\n",
    "same key twice": "dependencies:\n  - numpy\nname: x\nname: y\n",
    "documents": "name: x\n---\ndependencies:\n  - numpy\n",
    "template": "{% set x = 1 %}\ndependencies:\n  - numpy\n",
    "one key indented": " name: x\n dependencies:\n  - numpy\n",
    "tab": "dependencies:\n  - numpy\t# x\n",
}
LISTED = ("six=1.0", "yaml=1.0", "python=3.12")


def written(path: Path, text: str) -> bytes:
    path.write_bytes(text.encode())
    return path.read_bytes()


@pytest.mark.parametrize("reader", ["here", "none"])
@pytest.mark.parametrize("case", PLAIN)
def test_a_file_of_plain_lines_is_edited_with_a_reader_and_without(
    beside: Beside, case: str, reader: str
) -> None:
    written(beside.file, PLAIN[case])
    assert not beside.problems(reader=reader)
    text = beside.file.read_bytes()
    meaning = edits.meaning_of(text)
    assert isinstance(meaning, edits.Meaning)
    assert {repr(entry) for entry in LISTED} <= {*meaning.dependencies}
    assert all(line in text for line in PLAIN[case].encode().splitlines(keepends=True))
    assert json.loads(beside.record("--check", reader=reader).out)["ok"]


@pytest.mark.parametrize("case", MORE)
def test_what_a_reader_alone_can_tell_is_edited_only_with_one(beside: Beside, case: str) -> None:
    before = written(beside.file, MORE[case])
    for words in ((), ("--check",)):
        ((code, message, hint),) = beside.problems(*words, reader="none")
        assert code == "no-extra" and hint == 'pip install "envmagic[conda]"'
        assert "environment.yml cannot be told for certain; the file was left as it was" in message
        assert beside.file.read_bytes() == before
    assert not beside.problems(reader="here")
    assert b"- six=1.0" in beside.file.read_bytes()
    assert beside.file.read_bytes().startswith(before[:10])


@pytest.mark.parametrize("reader", ["here", "none"])
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_where_the_record_has_no_place_the_file_stays_as_it_is(
    beside: Beside, case: str, reader: str
) -> None:
    before = written(beside.file, IMPOSSIBLE[case])
    for words in ((), ("--check",)):
        ((code, message, hint),) = beside.problems(*words, reader=reader)
        assert code in {"record-place", "no-extra"} and hint
        assert str(beside.file) in message and "line" in message.lower()
        assert beside.file.read_bytes() == before
    said = beside.record(reader=reader, json=False)
    assert "environment.yml:" not in said.out and "and environment.yml" not in said.out


def test_a_process_without_the_extra_says_the_same(beside: Beside) -> None:
    before = written(beside.file, MORE["anchors"])
    command = [sys.executable, "-c", HIDING, "record", "--env", str(beside.prefix), "n.ipynb"]
    said = subprocess.run([*command, "--json"], cwd=beside.work, capture_output=True, text=True)
    assert said.returncode == 1 and "no-extra" in said.stdout, said.stderr
    (beside.work / "requirements.txt").unlink(missing_ok=True)
    assert beside.record(reader="none").out == said.stdout
    assert beside.file.read_bytes() == before


def test_a_reader_elsewhere_is_asked(beside: Beside) -> None:
    written(beside.file, MORE["anchors"])
    assert not beside.problems(reader="elsewhere")
    assert b"- six=1.0" in beside.file.read_bytes()
    before = written(beside.file, IMPOSSIBLE["quoted key"])
    ((code, message, _),) = beside.problems(reader="elsewhere")
    assert code == "record-place" and str(beside.file) in message
    assert beside.file.read_bytes() == before


def test_an_envmagic_elsewhere_that_knows_no_such_question_is_no_reader(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = beside.work / "older" / "envmagic" / "backends" / "conda"
    older.mkdir(parents=True)
    for package in (older, *older.parents[:2]):
        (package / "__init__.py").touch()
    (older / "worker.py").write_text("def main():\n    raise KeyError('file')\n")
    place = f"{sys.executable}{os.pathsep}{beside.work / 'older'}"
    monkeypatch.setenv(rattler_client.VARIABLE, place)
    written(beside.file, MORE["anchors"])
    assert [code for code, *_ in beside.problems(reader="none")] == ["no-extra"]
    written(beside.file, PLAIN["usual"])
    assert not beside.problems(reader="none")
