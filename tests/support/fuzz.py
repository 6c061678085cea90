"""Mutated files of people's, read by all that reads them: one-line refusals are all that may come.

`fuzz.py` reads a million, `fuzz.py --inputs N` so many, `fuzz.py KIND:NUMBER…` single ones again.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import condarc, edits, environment_file, yaml_text
from envmagic.environments.projects import manifest
from envmagic.imports import Scan, Where, follow, scan_cell
from envmagic.jupyter import notebook_file
from envmagic.operations import validation
from envmagic.planning import cells, consent, files, lock_file, pythons, uv_settings
from envmagic.planning.plan import Kind, Source
from envmagic.record import name_overrides, user_lines
from envmagic.requirements import Block, environment_yml
from envmagic.system import toml_files

__all__ = ["KINDS", "Found", "inputs", "tried"]

SEED = 17
SECONDS = 2.0  # of the processor, for one file
_MEMORY = 1024**3  # bytes beyond those of the program itself
_CHUNK = 500
_WHOLE = 1_000_000

_BLOCK = b"""\
# a comment
pandas[excel] >= 2 ; python_version > "3.8"  # why
-r other.txt
-e ./mine
--index-url https://me:secret@host/simple
six @ https://host/six-1.0-py3-none-any.whl#sha256=aa
git+https://host/o/mod.git@v1#egg=mod
numpy==1.26 \\
    --hash=sha256:aa
# >>> envmagic 2 >>> python 3.12, pin exact, recording on
idna==3.7 #1a2b
    # a.ipynb #3c4d
# unresolved: agents #5e6f
# <<< envmagic <<<
"""
_CONDA = b"""\
name: study
channels:
  - conda-forge
  - https://host/channel
dependencies:
  - python=3.11
  - conda-forge::numpy>=1.2,<2  # why
  - &tools six
  - *tools
  - pip
  - pip:
      - idna==3.7
      - -r requirements.txt
prefix: /home/me/study
"""
_PROJECT = b"""\
[project]
name = "mine"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["pandas[excel]>=2", "six ; python_version < '4'", 'idna']
optional-dependencies.test = ["pytest"]
[dependency-groups]
dev = ["mypy", {include-group = "notebook"}]
notebook = ["jupyterlab"]
[tool.envmagic.names]
"yaml" = "PyYAML"
a.b = "c"
[tool.uv]
index = [{name = "x", url = "http://host/simple"}]
[tool.uv.pip]
target = "elsewhere"
[tool.poetry.dependencies]
python = "^3.10"
"""
_LOCK = b"""\
lock-version = "1.0"
requires-python = ">=3.10"
[[packages]]
name = "six"
version = "1.16.0"
marker = "python_version > '3'"
[[packages.wheels]]
url = "https://host/six-1.16.0-py2.py3-none-any.whl"
hashes = {sha256 = "aa"}
[[packages]]
name = "mod"
vcs = {type = "git", url = "https://host/mod", commit-id = "abc"}
"""
_NOTEBOOK = rb"""{"cells": [{"cell_type": "code", "execution_count": 1, "id": "a", "metadata": {},
"outputs": [{"output_type": "stream", "name": "stdout",
"text": ["ERROR: No matching distribution found for x\n"]}],
"source": ["%load_ext envmagic\n", "import numpy as np, os.path"]},
{"cell_type": "code", "metadata": {}, "outputs": [],
"source": "%%env churn --python 3.12\npandas>=2\n-r more.txt"},
{"cell_type": "code", "metadata": {}, "outputs": [],
"source": "# /// script\n# dependencies = [\"six\"]\n# requires-python = \">=3.10\"\n# ///\nx"},
{"cell_type": "code", "metadata": {}, "outputs": [],
"source": "!pip install -q 'a>=1' \"b\" > /dev/null; %cd x\n%env install six\nenv = %env"},
{"cell_type": "code", "metadata": {}, "outputs": [],
"source": ["try:\n", "    from .module import (a,\n", "  b)\n",
"except ImportError, e:\n", "    print 'x'\n", "obj?\n"]},
{"cell_type": "markdown", "metadata": {}, "source": "# title"}],
"metadata": {"kernelspec": {"name": "python3", "language": "python"},
"language_info": {"name": "python", "version": "3.12.1"}}, "nbformat": 4, "nbformat_minor": 5}
"""
_SCRIPT = b"""\
# ---
# jupyter:
#   jupytext:
# ---
# %% [markdown]
# title
# %%
# %pip install pandas
import importlib
mod = importlib.import_module("yaml")
import sys; sys.path.append("lib")
# %%
%run other.py
__import__("six")
```python
import numpy
```
```{code-cell} ipython3
---
tags: [a]
---
%matplotlib inline
```
"""

_WORDS = (
    *rb"""
    [ ] { } ( ) , ; : " ' \ / # % ! @ = == >= <2 && || ` ``` ~~~ - -- -e -r -c ./ ../ ~ $ ${A} * &
    import from except lambda async print %%env %env %%bash !pip install --pre https:// git+ file:///
    null true NaN 1e999 -1 0x1 1_0 1:2:3 2020-99-99 <<<<<<< >>>>>>> ======= \u0000 \ud800 \" \\ ---
    """.split(),
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", "\u2028\u202e\u00e9".encode(), b"\x1b[31m"),
    *(b"\t", b"\r", b"\r\n", b"\n", b" " * 50, b"9" * 5000, b"[" * 300, b"(" * 300, b"a." * 300),
    *(b"- " * 300, b"1." * 50, b"\\" * 99),
)
"""What is put in: signs, words, bytes that are no text, and much of one."""


@dataclass(frozen=True)
class Sort:
    """A kind of file: what it is called, what is mutated, and all that reads it."""

    names: tuple[str, ...]
    seeds: tuple[bytes, ...]
    readers: tuple[Callable[[Path], object], ...]


@dataclass(frozen=True)
class Found:
    """A file that was neither read nor refused as it should be."""

    id: str
    what: str

    def __str__(self) -> str:
        return f"{self.id}: {self.what}"


def _record(path: Path) -> None:
    held = requirements.read(path)
    held.user_lines()
    held.all_lines()
    user_lines.own_lines(held)
    again = held.with_block(held.block or Block())
    lines = set(requirements.decode(again)[0].splitlines())
    gone = [
        x for x in held.user_text.splitlines() if x.strip() and x not in lines and " #" not in x
    ]
    assert not gone, f"a line of the user's is gone: {gone[0]!r}"


def _asked(path: Path) -> None:
    for line in validation.lines_of(path):
        _ = (line.name, line.guess, line.location, line.includes, line.hashed)


def _conda_record(path: Path) -> None:
    held = environment_yml.read(path)
    if held is not None:
        _ = (held.names, held.pip_section, held.with_block(held.block or Block()))


def _meaning(path: Path) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        edits._plainly(path.read_bytes())
    if yaml_text.has_reader():
        edits.meaning_of(path.read_bytes())
        environment_file.read(path)
        condarc.read_yaml(path, "bad-condarc")


def _planned(path: Path) -> None:
    found, _ = files.in_directory(path.parent, None)
    if found is not None and isinstance(found.wanted, InstallPlan):
        consent.questions(found.wanted, Source(Kind.PROJECT, path), path.parent)


def _project(path: Path) -> None:
    manifest.declared(manifest.read(path))


def _settings(path: Path) -> None:
    name_overrides.supplied_for(path.parent)
    list(uv_settings.around(path.parent))
    pythons.around(path.parent)
    user_lines.project_name(path.parent)
    toml_files.Settings(path).text("tool", "uv", "pip", "target")
    manifest.locked(path)


def _cells(path: Path) -> None:
    notebook = notebook_file.read(path)
    for cell in notebook.cells:
        scan = scan_cell(cell.source, Where(cell=cell.number))
        follow(scan, path.parent, path.parent, lambda other: Scan())
    cells.of_magic(path, notebook.cells, path.parent)
    cells.of_script_block(path, notebook.cells)


KINDS = {
    "requirements": Sort(("requirements.txt",), (_BLOCK,), (_record, _asked, _planned)),
    "environment": Sort(("environment.yml",), (_CONDA,), (_conda_record, _meaning, _planned)),
    "project": Sort(
        ("pyproject.toml", "pylock.toml"),
        (_PROJECT, _LOCK),
        (_project, _settings, _planned, lock_file.declaration),
    ),
    "notebook": Sort(("a.ipynb", "a.py", "a.md"), (_NOTEBOOK, _SCRIPT), (_cells,)),
}


def inputs(kind: str, number: int) -> tuple[str, bytes]:
    """The name and the content of the kind's file of that number."""
    chance = random.Random(f"{SEED}:{kind}:{number}")
    sort = KINDS[kind]
    which = chance.randrange(len(sort.names))
    seed = sort.seeds[min(which, len(sort.seeds) - 1)]
    return sort.names[which], _mutated(seed, chance)


def _mutated(raw: bytes, chance: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
        start = chance.randrange(len(found) + 1)
        end = min(len(found), start + chance.choice((1, 2, 5, 20, 80, 400)))
        match chance.randrange(8):
            case 0 if start < len(found):
                found[start] = chance.randrange(256)
            case 1:
                del found[start:end]
            case 2:
                found[start:start] = found[start:end] * chance.choice((1, 2, 9, 40))
            case 3 | 4 | 5:
                found[start:start] = chance.choice(_WORDS) * chance.choice((1, 1, 1, 2, 9))
            case 6:
                found[start:end] = chance.choice(_WORDS)
            case 7:
                there = chance.randrange(len(found) + 1)
                found[there:there] = found[start:end]
    if not chance.randrange(40):
        return bytes(found).decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-32")))
    return bytes(found[:20_000])


def tried(kind: str, numbers: range, directory: Path, seconds: float = SECONDS) -> Iterator[Found]:
    """What is wrong with those files of the kind, one after the other, in an empty `directory`."""
    for number in numbers:
        name, content = inputs(kind, number)
        path = directory / name
        path.write_bytes(content)
        for read in KINDS[kind].readers:
            start = time.process_time()
            what = _wrong(read, path)
            took = time.process_time() - start
            if took > seconds:
                what = f"{took:.1f} s"
            if what:
                yield Found(f"{kind}:{number}", f"{read.__name__}: {what}")
        path.unlink()


def _wrong(read: Callable[[Path], object], path: Path) -> str:
    try:
        read(path)
    except EnvmagicError as error:
        line = error.problem.line()
        bad = "\n" in line or "\x1b" in line or len(line) > 2000
        return f"{len(line)} characters: {line[:200]!r}" if bad else ""
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {str(error)[:200]}"
    return ""


def _chunk(kind: str, start: int) -> list[Found]:
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_fast()) as directory:
        (Path(directory) / ".git").mkdir()  # nothing above counts
        return list(tried(kind, range(start, start + _CHUNK), Path(directory)))


def _fast() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _bounded() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, resource.RLIM_INFINITY))
    os.environ["UV_CONFIG_FILE"] = os.devnull  # that of the person who runs this is none of ours


def main(words: Sequence[str]) -> int:
    """Do what `words` say; 1 when anything was found."""
    ids = [word.partition(":") for word in words if ":" in word]
    total = int(words[words.index("--inputs") + 1]) if "--inputs" in words else _WHOLE
    found: list[Found] = []
    if ids:
        with tempfile.TemporaryDirectory() as place:
            for kind, _, number in ids:
                print(inputs(kind, int(number)))
                one = range(int(number), int(number) + 1)
                found += tried(kind, one, Path(place))
    else:
        start = time.monotonic()
        found = list(_all(total))
        print(f"{total} files in {time.monotonic() - start:.0f} s, {len(found)} wrong")
    print(*islice(found, 100), sep="\n")
    return 1 if found else 0


def _all(total: int) -> Iterator[Found]:
    chunks = [(k, n) for n in range(0, total // len(KINDS), _CHUNK) for k in KINDS]
    with ProcessPoolExecutor(2, initializer=_bounded) as pool:
        for some in pool.map(_chunk, *zip(*chunks, strict=True), chunksize=4):
            yield from some


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
