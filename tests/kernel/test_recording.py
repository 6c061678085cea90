"""Live recording in a real kernel: every cell counts at once; the next save tells what stays."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated
from support.kernels import RunningKernel
from support.notebooks import execute
from support.signs import unsigned
from support.simple_index import serving
from support.terminal import Said


class Session:
    """A kernel of a notebook, as VS Code names it, with recording on."""

    def __init__(self, isolated: Isolated, name: str = "python3") -> None:
        self.notebook = isolated.work / "a.ipynb"
        self.file = isolated.work / "requirements.txt"
        self.file.write_text(
            "# mine\n# >>> envmagic 1 >>> pin none, recording on\n# <<< envmagic <<<\n"
        )
        self.save("x = 1")
        repository = str(Path(__file__).parents[2])
        self.kernel = RunningKernel(name, isolated.work, {"PYTHONPATH": repository})
        self.run = self.kernel.run
        self.run(f"__vsc_ipynb_file__ = {str(self.notebook)!r}")

    def save(self, *cells: str) -> None:
        found = [{"cell_type": "code", "source": c, "metadata": {}, "outputs": []} for c in cells]
        document = {"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        time.sleep(0.05)  # a file's time is coarser than the clock
        self.notebook.write_text(json.dumps(document))

    def recorded(self) -> set[str]:
        lines = unsigned(self.file.read_text()).splitlines()
        return {line for line in lines if line and not line.lstrip().startswith("#")}


@pytest.fixture
def session(isolated: Isolated) -> Iterator[Session]:
    made = Session(isolated)
    yield made
    made.kernel.stop()


def test_cells_count_at_once_until_a_save_tells_otherwise(session: Session) -> None:
    run, recorded = session.run, session.recorded
    run("import packaging")  # before the extension is there
    run("%load_ext envmagic")
    run("import jinja2")
    assert recorded() == {"jinja2", "packaging"}, "the earlier cell is caught up with"
    run("import jsonschema, no_such_thing_x", check=False)
    assert recorded() == {"jinja2", "jsonschema", "packaging"}, "what failed is not needed"
    run("def f():\n    import nbclient")
    assert "nbclient" in recorded(), "an import that has not run yet is one all the same"
    session.save("import jinja2")
    run("1 + 1")
    assert recorded() == {"jinja2"}, "the save tells what is left"
    run("%env record off")
    run("import packaging")
    assert recorded() == {"jinja2"}
    run("%env record on")
    assert recorded() == {"jinja2", "packaging"}
    run("%unload_ext envmagic")
    run("import nbclient")
    assert recorded() == {"jinja2", "packaging"}
    assert session.file.read_text().startswith("# mine\n")


def test_what_only_the_kernel_brings_along_is_recorded_by_its_name(
    isolated: Isolated, terminal: Callable[..., Said]
) -> None:
    terminal("create", "churn", "--with", "six")
    session = Session(isolated, "churn")
    try:
        session.run("import zmq, six")
        assert session.recorded() == {"pyzmq", "six"}
    finally:
        session.kernel.stop()


def test_that_the_lock_is_behind_is_said_once_and_no_index_is_asked(
    isolated: Isolated, terminal: Callable[..., Said], wheelhouse: Path
) -> None:
    terminal("create", "churn", "--with", "six", "tabulate", "pluggy")
    session = Session(isolated, "churn")
    lock = isolated.work / "pylock.toml"
    try:
        session.run("import six")
        with serving(wheelhouse) as (address, _):
            Path(os.environ["UV_CONFIG_FILE"]).write_text(f'index-url = "{address}"\n')
            assert "with hashes" in session.run("%env lock").text
        before = lock.read_bytes()
        told = session.run("import tabulate").text
        assert "pylock.toml is behind" in told and "%env lock" in told
        assert session.run("import six").text == session.run("import pluggy").text == ""
        assert session.recorded() == {"pluggy", "six", "tabulate"}
        assert lock.read_bytes() == before
    finally:
        session.kernel.stop()


def test_nothing_is_written_when_nothing_changes(session: Session) -> None:
    session.run("%load_ext envmagic")
    session.run("import jinja2")
    before = session.file.stat()
    session.run("import jinja2, jinja2.sandbox")
    session.run("x = 2")
    after = session.file.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


def test_a_file_that_cannot_be_recorded_into_is_told_once_and_breaks_no_cell(
    session: Session,
) -> None:
    session.run("%load_ext envmagic")
    broken = "# >>> envmagic 1 >>> pin none, recording on\n"
    session.file.write_text(broken)
    first = session.run("import jinja2\nprint('ran')")
    assert "ran" in first.stdout
    assert "Not recorded" in first.stderr and first.stderr.count("\n") == 1
    assert "Not recorded" not in session.run("import jsonschema").stderr
    assert session.file.read_text() == broken


def test_a_file_that_is_deleted_turns_nothing_off(session: Session) -> None:
    """As its own block taken out of it does, which is said once."""
    run, recorded = session.run, session.recorded
    run("%load_ext envmagic\nimport jinja2")
    session.file.unlink()
    run("x = 1")
    run("import packaging")
    assert {line.partition("==")[0] for line in recorded()} == {"jinja2", "packaging"}
    session.file.write_text("jinja2\n")
    assert run("import jsonschema").stdout.startswith("Recording stopped: requirements.txt")
    assert not run("import traitlets").text and recorded() == {"jinja2"}
    run("%env record on")
    run("%env record off")
    session.file.unlink()
    run("import wheel", check=False)
    assert not session.file.exists()


def test_two_kernels_record_into_one_file_and_lose_no_line(isolated: Isolated) -> None:
    """Each imports a module of its own at the same time as the other, again and again."""
    session = Session(isolated)
    other = Session.__new__(Session)
    other.notebook, other.file = isolated.work / "b.ipynb", session.file
    other.save("x = 1")
    repository = str(Path(__file__).parents[2])
    both = {"a": session.kernel}
    try:
        both["b"] = RunningKernel("python3", isolated.work, {"PYTHONPATH": repository})
        for name, kernel in both.items():
            path = str(isolated.work / f"{name}.ipynb")
            kernel.run(f"__vsc_ipynb_file__ = {path!r}\n%load_ext envmagic")
        modules: list[str] = []
        for number in range(30):
            for name, kernel in both.items():
                modules.append(f"module_{name}{number}")
                kernel.begin(f"if 0 > 1:\n    import {modules[-1]}")
            for (
                kernel
            ) in both.values():  # answered behind the cell; another cell would put it right
                kernel.client.kernel_info(reply=True, timeout=60)
            text = unsigned(session.file.read_text())
            assert [m for m in modules if f"unresolved: {m}\n" not in text] == []
    finally:
        for kernel in both.values():
            kernel.stop()


def test_a_notebook_executed_from_top_to_bottom_is_not_recorded_unless_it_asks(
    isolated: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    file = isolated.work / "requirements.txt"
    state = "# >>> envmagic 1 >>> pin none, recording on\n# <<< envmagic <<<\n"
    file.write_text(state)
    notebook = isolated.work / "run.ipynb"

    def save(*cells: str) -> None:
        found: list[dict[str, Any]] = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "source": cell,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for n, cell in enumerate(cells)
        ]
        spec = {"name": "python3", "display_name": "x", "language": "python"}
        document = {"cells": found, "metadata": {"kernelspec": spec}, "nbformat": 4}
        notebook.write_text(json.dumps({**document, "nbformat_minor": 5}))

    save("%load_ext envmagic", "import jinja2")
    execute(notebook)
    assert file.read_text() == state
    save("%load_ext envmagic", "import jinja2", "%env record")
    execute(notebook)
    assert "jinja2" in file.read_text()


def test_an_import_that_fails_takes_nothing_out(session: Session) -> None:
    """The record has it from where it was installed; it is missing here, and not unneeded. What is
    saved is needed, whether or not it works here: who checks the file cannot know."""
    block = "seaborn==0.13.2\n    # a.ipynb\n# <<< envmagic <<<"
    session.file.write_text(session.file.read_text().replace("# <<< envmagic <<<", block))
    session.save("import seaborn, jinja2")
    session.run("%load_ext envmagic")
    for name in ("seaborn", "altair"):
        session.run(f"import {name}", check=False)
    session.run("from packaging import nothing_of_the_kind", check=False)
    session.run("import azure.identity", check=False)
    session.run("import jsonschema")
    assert session.recorded() == {"jinja2", "jsonschema", "seaborn==0.13.2"}
    session.save("import seaborn, altair, jinja2")
    session.run("import jsonschema")
    assert session.recorded() == {"altair", "jinja2", "jsonschema", "seaborn==0.13.2"}


def test_what_cells_installed_and_ran_before_the_extension_counts(session: Session) -> None:
    (session.notebook.parent / "helper.py").write_text("import jsonschema\n")
    session.run("!pip --version # would install packaging")
    session.run("# !pip install jinja2\n!echo pip install nbclient\n%run helper.py")
    session.run("!true pip install nope; pip install --no-index --quiet jinja2 nowhere")
    session.run("%load_ext envmagic")
    session.run("import packaging\n1 / 0", check=False)
    assert session.recorded() == {"jinja2", "jsonschema", "packaging"}


def test_what_failed_to_install_is_not_recorded_and_sync_works_afterwards(
    isolated: Isolated, terminal: Callable[..., Said], make_wheel: Callable[..., Path]
) -> None:
    """Before the save and after it, by pip, by our own verb, and refused for its spaces."""
    make_wheel("cowsay", "6.1")
    terminal("create", "one", "--with", "pip", "tabulate")
    session = Session.__new__(Session)
    session.notebook = isolated.work / "a.ipynb"
    session.file = isolated.work / "requirements.txt"
    failing = (
        "%env install nosuchpackage-zzz",
        "%env install humanize >= 4",
        "!pip install tabuulate-nope",
        "%pip install cowsay pyjokes-nope-x",
    )
    worked = ("%env install six", "import tabulate")
    session.save("x = 1")
    kernel = RunningKernel("one", isolated.work)
    try:
        kernel.run(f"__vsc_ipynb_file__ = {str(session.notebook)!r}\n%load_ext envmagic")
        kernel.run("%env record on")
        said = [kernel.run(cell, check=False).text for cell in failing]
        assert "nosuchpackage-zzz" in said[0] and "spaces" not in said[0]
        assert "No matching distribution found" in said[2] and "ERROR" in said[3]
        for cell in worked:
            kernel.run(cell)
        unsaved = session.recorded()
        session.save(*failing, *worked)
        kernel.run("import tabulate as again")
        kernel.run("%env record")
        names = {re.split("[=@ ]", line)[0] for line in session.recorded()}
        assert session.recorded() == unsaved and names == {"six", "tabulate"}
        assert "✗" not in kernel.run("%env sync").text
        assert kernel.run("%env record --check").status == "ok"
    finally:
        kernel.stop()
    # from the file alone, without outputs: humanize and cowsay are known, the others are said
    report = terminal("record", "a.ipynb", "--env", "none", code=0)
    assert "nope" not in session.file.read_text() and "zzz" not in session.file.read_text()
    for name in ("nosuchpackage-zzz", "pyjokes-nope-x", "tabuulate-nope"):
        assert name in report.out + report.err


def test_what_only_the_kernel_has_is_recorded_and_said_once(
    isolated: Isolated, terminal: Callable[..., Said]
) -> None:
    terminal("create", "churn")
    session = Session(isolated, "churn")
    try:
        said = session.run("import tornado\nfrom IPython.display import display").text
        assert "tornado is a part of the kernel here" in said and "ipython" not in said
        assert session.recorded() == {"tornado", "ipython"}
        command = said.strip().rpartition(": ")[2]
        assert command == "%env install tornado"
        for again in ("import tornado.web", "%env record", "1 + 1"):
            assert "part of the kernel" not in session.run(again).text, again
        assert "kernel-only" in session.run("%env record --json").text
        session.run(command)
        assert "kernel-only" not in session.run("%env record --json").text
    finally:
        session.kernel.stop()


def test_versions_of_another_environment_stay_until_restore_has_them(
    isolated: Isolated,
) -> None:
    """A notebook that comes from elsewhere, in a kernel that every machine has."""
    session = Session(isolated)
    session.save("import jinja2")
    old = "# >>> envmagic 1 >>> python 3.11, pin exact, recording on\n"
    old += "jinja2==2.1\n    # a.ipynb\n# <<< envmagic <<<\n"
    session.file.write_text(old)
    try:
        told = session.run("%load_ext envmagic").text
        assert told.count("versions of another environment") == 1 and "%env restore" in told
        assert "jinja2==2.1" in session.recorded()
        assert session.run("import jsonschema\nimport jinja2").text == ""
        assert session.recorded() == {"jinja2==2.1", "jsonschema"}, "what is new is added"
        session.run("%env record")
        assert "jinja2==2.1" not in session.recorded(), "asked for, it is of this one"
        session.file.write_text(old)
        assert session.run("import packaging").text == ""
        assert "jinja2==2.1" not in session.recorded(), "and stays so"
    finally:
        session.kernel.stop()
