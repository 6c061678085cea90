"""`upgrade` takes the newest that fits what the user wrote, whole or not at all, and says why."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.operate import Operator, prefix_of
from support.simple_index import serving

from envmagic import operations
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.verbs import (
    CellRequest,
    CreateRequest,
    HistoryRequest,
    InstallRequest,
    LockRequest,
    RecordRequest,
    StatusRequest,
    UndoRequest,
    UpgradeRequest,
)
from envmagic.environments import backends, inspection, interpreters
from envmagic.environments.backends import commands
from envmagic.operations.upgrading.newest import newer_python

Wheel = Callable[..., Path]

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")


@pytest.fixture
def index(isolated: Any) -> Iterator[str]:
    """An index of the test's wheels."""
    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        links = Path(os.environ["UV_CACHE_DIR"]).parents[1].as_uri()
        settings.write_text(
            f'find-links = ["{links}"]\n[[index]]\nurl = "{address}"\ndefault = true\n'
        )
        yield address


def held(prefix: Path) -> dict[str, str]:
    found = inspection.distributions(backends.inspect(prefix))
    return {name: version for name, (version, _) in found.items() if name != "pip"}


def rows(report: Any) -> dict[str, tuple[str, str, str, str]]:
    return {
        row["name"]: (row["now"], row["fits"], row["newest"], row["why"])
        for row in report.data["packages"]
    }


def write(operate: Operator, *lines: str) -> Path:
    file = operate.work / "requirements.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_what_the_user_wrote_holds_and_the_rest_follows(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    for name in ("mine", "needed", "free"):
        make_wheel(name, "1.0")
    make_wheel("needing", "1.0", requires=["needed<2", "mine<1.9"])
    prefix = prefix_of(operate.create(".venv", "mine", "needing", "free"))
    for name in ("mine", "needed", "free"):
        make_wheel(name, "1.5")
        make_wheel(name, "2.0")
    make_wheel("free", "3.0rc1")
    newer = newer_python(interpreters.running().version)
    minor = newer.parts[1] if newer is not None else 99
    make_wheel("free", "4.0", tag=f"cp3{minor}-none-any")
    write(operate, "mine<2")
    here = ".".join(interpreters.running().version.split(".")[:2])
    of_free = ("2.0", "") if newer is None else ("4.0", f"it needs a newer Python than {here}")
    expected = {
        "mine": ("1.0", "1.5", "2.0", "your line mine<2 and needing needs mine<1.9"),
        "needed": ("1.0", "1.5", "2.0", "needing needs needed<2"),
        "free": ("1.0", "2.0", *of_free),
    }
    before = held(prefix)
    report = operate(UpgradeRequest(dry_run=True), prefix)
    assert rows(report) == expected and not report.changed
    assert held(prefix) == before
    newest = [p.command for p in report.problems if p.code == "newer-python"]
    assert newest == ([("upgrade", "--python", f"3.{minor}")] if newer is not None else [])
    report = operate(UpgradeRequest(), prefix)
    assert rows(report) == expected and report.data["others"] == 1
    assert held(prefix) == {"mine": "1.5", "needed": "1.5", "free": "2.0", "needing": "1.0"}
    assert operate(HistoryRequest(), prefix).data["history"][-1]["what"] == "upgrade"
    again = operate(UpgradeRequest(), prefix)
    assert not again.changed and {"mine", "needed"} <= set(rows(again))
    write(operate, "mine==1.0")
    older = operate(UpgradeRequest(), prefix)
    assert not older.changed, "nothing becomes older"
    assert rows(older)["mine"] == (
        "1.5",
        "1.5",
        "2.0",
        "your line mine==1.0 and needing needs mine<1.9",
    )
    operate(UndoRequest(), prefix)
    assert held(prefix) == before


def test_one_by_name_leaves_the_others(operate: Operator, index: str, make_wheel: Wheel) -> None:
    for name in ("one", "other", "below"):
        make_wheel(name, "1.0")
    make_wheel("one", "1.0", requires=["below"])
    prefix = prefix_of(operate.create(".venv", "one", "other"))
    for name in ("other", "below"):
        make_wheel(name, "2.0")
    make_wheel("one", "2.0", requires=["below>=2", "new"])
    make_wheel("new")
    report = operate(UpgradeRequest(("One",)), prefix)
    assert held(prefix) == {"one": "2.0", "below": "2.0", "new": "1.0", "other": "1.0"}
    assert rows(report)["new"][:2] == ("", "1.0") and "other" not in rows(report)


def test_the_cell_holds_too_and_record_and_lock_go_along(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    make_wheel("thing", "1.0")
    make_wheel("other", "1.0")
    notebook = operate.work / "n.ipynb"
    sources = ["%%env .venv\nthing<2\nother", "import thing, other", "%pip install 'other<3'"]
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    notebook.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))

    def say(request: Any, prefix: Path | None = None) -> Any:
        return operations.run(request, operate.place(prefix, notebook), operate.heard)

    prefix = prefix_of(say(CellRequest(CreateRequest(".venv"), "thing<2\nother")))
    say(LockRequest(), prefix)
    for version in ("1.5", "2.0"):
        make_wheel("thing", version)
        make_wheel("other", version)
    report = say(UpgradeRequest(), prefix)
    assert rows(report)["thing"] == ("1.0", "1.5", "2.0", "cell 1 has thing<2")
    record = (operate.work / "requirements.txt").read_text()
    assert "thing==1.5" in record and "other==2.0" in record
    assert say(LockRequest(check=True), prefix).exit_code == 0
    assert "pylock.toml was made anew: 2 distributions." in report.data["notes"]
    whats = [each["what"] for each in say(HistoryRequest(), prefix).data["history"]]
    assert whats == ["%%env .venv thing<2 other", "upgrade"]
    for version in ("1.0", "1.5"):  # and back, by undoing that
        undone = say(UndoRequest(), prefix)
        assert held(prefix)["thing"] == version
        assert "pylock.toml was made anew: 2 distributions." in undone.data["notes"]
        assert say(LockRequest(check=True), prefix).exit_code == 0
    make_wheel("other", "3.0")
    assert rows(say(UpgradeRequest(dry_run=True), prefix))["other"][3] == "cell 3 has other<3"
    notebook.write_text(json.dumps({"cells": cells[:2], "metadata": {}, "nbformat": 4}))
    said = operate(UpgradeRequest(), prefix)  # no notebook is named
    commands = {p.code: p.command for p in said.problems}
    # sync would take the upgrade back
    assert commands == {"record-behind": ("record",), "lock-behind": ("record",)}
    (problem,) = operate(StatusRequest(), prefix).problems
    assert problem.command == ("record",) and "other==2.0 → 3.0" in problem.message
    operate(RecordRequest(), prefix)
    assert "other==3.0" in (operate.work / "requirements.txt").read_text()
    operate(LockRequest(), prefix)
    assert operate(LockRequest(check=True), prefix).exit_code == 0


def test_what_comes_from_no_index_stays_and_its_needs_hold(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    make_wheel("thing", "1.0")
    project = operate.work / "own"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "own"\nversion = "1"\ndependencies = ["thing<2"]\n'
        "[tool.setuptools]\npy-modules = []\n"
    )
    prefix = prefix_of(operate.create(".venv", f"-e {project}"))
    make_wheel("thing", "2.0")
    make_wheel("own", "9.0")
    report = operate(UpgradeRequest(), prefix)
    assert rows(report) == {"thing": ("1.0", "1.0", "2.0", "own needs thing<2")}
    assert report.data["notes"] == ["own comes from no index, so it stays as before."]
    with pytest.raises(WordsError, match="own comes from no index") as raised:
        operate(UpgradeRequest(("own",)), prefix)
    assert raised.value.problem.command == ("install", "-U", f"-e {project}")
    operate(InstallRequest((f"-e {project}",), upgrade=True), prefix)


def test_an_upgrade_that_breaks_half_way_leaves_all_as_it_was(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    make_wheel("one", "1.0")
    make_wheel("two", "1.0")
    prefix = prefix_of(operate.create(".venv", "one", "two"))
    make_wheel("one", "2.0")
    lost = make_wheel("two", "2.0")
    metadata = lost.read_bytes()
    lost.write_bytes(metadata[: len(metadata) // 2])  # another file than its hash says, cut off
    before = held(prefix)
    with pytest.raises(EnvmagicError):
        operate(UpgradeRequest(), prefix)
    assert held(prefix) == before


def test_words_that_are_wrong(operate: Operator, index: str, make_wheel: Wheel) -> None:
    make_wheel("thing", "1.0")
    prefix = prefix_of(operate.create(".venv", "thing"))
    for word, code in (("thing>=1", "bad-requirement"), ("absent", "not-installed")):
        make_wheel("absent")
        with pytest.raises(WordsError) as raised:
            operate(UpgradeRequest((word,)), prefix)
        assert (raised.value.problem.code, raised.value.problem.command) == (
            code,
            ("install", word),
        )
        operate(InstallRequest((word,)), prefix)
    write(operate, "thing<1")
    for wheel in Path(operate.work).parent.glob("wheels/thing*"):
        wheel.unlink()
    with pytest.raises(EnvmagicError, match="thing"):
        operate(UpgradeRequest(), prefix)
    assert held(prefix)["thing"] == "1.0"


@pytest.fixture
def another() -> str:
    """The version, `3.12`, of another Python."""
    now = interpreters.running().parts[:2]
    for python in interpreters.installed():
        if python.parts[:2] != now and (3, 10) <= python.parts[:2] <= (3, 13):
            return ".".join(map(str, python.parts[:2]))
    pytest.skip("there is no other Python here")


def notebook_in(operate: Operator, source: str) -> Path:
    notebook = operate.work / "n.ipynb"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    return notebook


def test_on_another_python_it_is_exchanged_when_all_works(
    operate: Operator, index: str, make_wheel: Wheel, another: str, isolated: Any
) -> None:
    minor = another.partition(".")[2]
    here = "".join(map(str, interpreters.running().parts[:2]))
    make_wheel("same", "1.0")
    make_wheel("built", "1.0", tag=f"cp{here}-none-any")
    notebook = notebook_in(operate, "import same, built")

    def say(request: Any) -> Any:
        return operations.run(request, operate.place(prefix, notebook), operate.heard)

    prefix = operate.work / ".venv"
    say(CreateRequest(".venv", ("same", "built")))
    make_wheel("same", "2.0")
    make_wheel("built", "1.5", tag=f"cp3{minor}-none-any")
    beside = set(operate.work.iterdir())
    before = held(prefix)
    shown = say(UpgradeRequest(python=another, dry_run=True))
    assert rows(shown)["built"][:2] == ("1.0", "1.5") and held(prefix) == before
    report = say(UpgradeRequest(python=another))
    assert report.data["environment"]["python"].startswith(f"{another}.")
    assert held(prefix) == {"same": "1.0", "built": "1.5"}
    assert set(operate.work.iterdir()) == beside
    record = (operate.work / "requirements.txt").read_text()
    assert "built==1.5" in record and f"python {another}," in record
    kernel = json.loads((isolated.kernels / "work" / "kernel.json").read_text())
    assert kernel["display_name"] == f"work (Python {another})"
    what = [each["what"] for each in say(HistoryRequest()).data["history"]]
    assert what[-1] == f"upgrade --python {another}" and len(what) == 2
    run = subprocess.run(
        [prefix / "bin" / "pip", "list", "--format", "freeze"], capture_output=True, text=True
    )
    assert "built==1.5" in run.stdout, run.stderr
    with pytest.raises(WordsError, match="already"):
        say(UpgradeRequest(python=another))
    say(UpgradeRequest(("same",)))  # it is ours, and can be changed
    assert held(prefix)["same"] == "2.0"


def test_on_another_python_nothing_changes_where_an_import_fails(
    operate: Operator, index: str, make_wheel: Wheel, another: str
) -> None:
    now = ".".join(map(str, interpreters.running().parts[:2]))
    code = f"import sys\nassert '%d.%d' % sys.version_info[:2] == {now!r}, 'too new'\n"
    make_wheel("picky", "1.0", files={"picky.py": code})
    prefix = prefix_of(operate.create(".venv", "picky"))
    notebook = notebook_in(operate, "import picky\nimport absent_everywhere")
    place = operate.place(prefix, notebook)
    before, beside = held(prefix), set(operate.work.iterdir())
    with pytest.raises(EnvmagicError, match="import picky does not work: AssertionError"):
        operations.run(UpgradeRequest(python=another), place, operate.heard)
    assert held(prefix) == before and set(operate.work.iterdir()) == beside
    assert backends.inspect(prefix).version.startswith(now)
    make_wheel("picky", "2.0")  # which works there
    operations.run(UpgradeRequest(python=another), place, operate.heard)
    assert held(prefix) == {"picky": "2.0"}
    last = operations.run(HistoryRequest(), place, operate.heard).data["history"][-1]
    assert [version.rpartition(".")[0] for version in last["traits"]["python"]] == [now, another]
    undone = operations.run(UndoRequest(), place, operate.heard)
    stays = [problem.command for problem in undone.problems if problem.code == "not-undone"]
    assert stays == [("upgrade", "--python", now)] and held(prefix) == {"picky": "1.0"}


def test_an_exchange_that_was_cut_off_is_settled_by_the_next_verb(
    operate: Operator, index: str, make_wheel: Wheel
) -> None:
    make_wheel("thing", "1.0")
    prefix = prefix_of(operate.create(".venv", "thing"))
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from envmagic.environments import exchange\n"
        "prefix = Path(sys.argv[1])\nnew = prefix.with_name('new')\nnew.mkdir()\n"
        "with exchange.exchanged(prefix, new):\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, prefix], check=False)
    assert not (prefix / "pyvenv.cfg").exists()
    operate(StatusRequest(), prefix)
    assert held(prefix) == {"thing": "1.0"}
    assert [path.name for path in operate.work.iterdir()] == [".venv"]
    assert len(operate(HistoryRequest(), prefix).data["history"]) == 1
    subprocess.run([sys.executable, "-c", code, prefix], check=False)
    shutil.rmtree(prefix)
    (prefix / "mine").mkdir(parents=True)  # somebody did not wait
    operate(StatusRequest(), operate.work)
    assert (prefix / "mine").is_dir()
    (old,) = operate.work.glob(".envmagic-old-*")
    assert held(old) == {"thing": "1.0"}
    shutil.rmtree(prefix)
    operate(StatusRequest(), operate.work)
    assert held(prefix) == {"thing": "1.0"}


class _Service(http.server.BaseHTTPRequestHandler):
    """Knows of a vulnerability in `leaky` before 2.0, as OSV says it."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked += [(q["package"]["name"], q["version"]) for q in asked]  # type: ignore[attr-defined]
        bad = {"vulns": [{"id": "GHSA-1", "modified": "2026-01-01T00:00:00Z"}]}
        is_bad = [q["package"]["name"] == "leaky" and q["version"] < "2" for q in asked]
        self._answer({"results": [bad if each else {} for each in is_bad]})

    def do_GET(self) -> None:
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]
        self._answer(
            {
                "id": "GHSA-1",
                "modified": "2026-01-01T00:00:00Z",
                "published": "2026-01-01T00:00:00Z",
                "summary": "It leaks",
                "aliases": ["CVE-2026-1"],
                "affected": [{"package": {"name": "leaky", "ecosystem": "PyPI"}, "ranges": ranges}],
            }
        )

    def _answer(self, said: Any) -> None:
        raw = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What the service of vulnerabilities was asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    monkeypatch.setenv("ENVMAGIC_AUDIT_SERVICE", address)
    yield server.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_vulnerabilities_are_asked_for_by_audit_alone_and_told_by_status(
    operate: Operator,
    index: str,
    make_wheel: Wheel,
    service: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_wheel("leaky", "1.0")
    prefix = prefix_of(operate.create(".venv", "leaky"))
    operate(UpgradeRequest(dry_run=True), prefix)
    assert operate(StatusRequest(), prefix).data["vulnerabilities"] == [] and not service
    report = operate(UpgradeRequest(dry_run=True, audit=True), prefix)
    if any(p.code == "no-audit" for p in report.problems):
        pytest.skip("this uv has no audit")
    (found,) = report.data["vulnerabilities"]
    assert (found["name"], found["version"], found["fixed"]) == ("leaky", "1.0", ["2.0"])
    assert found["aliases"] == ["CVE-2026-1"] and service == [("leaky", "1.0")]
    status = operate(StatusRequest(), prefix)
    assert [p.code for p in status.problems] == ["vulnerable"] and len(service) == 1
    assert status.problems[0].message == "1 known vulnerability in leaky 1.0."
    assert status.problems[0].command == ("upgrade", "--dry-run", "--audit")
    make_wheel("leaky", "2.0")
    report = operate(UpgradeRequest(audit=True), prefix)
    assert held(prefix) == {"leaky": "2.0"} and report.data["vulnerabilities"] == []
    assert not operate(StatusRequest(), prefix).problems
    monkeypatch.setenv("ENVMAGIC_AUDIT_SERVICE", "http://127.0.0.1:9/")
    report = operate(UpgradeRequest(audit=True), prefix)
    assert [p.code for p in report.problems] == ["no-network"]
    assert report.exit_code == 0 and "vulnerabilities" not in report.data
