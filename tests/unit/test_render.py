"""Reports as text, HTML and JSON."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import Isolated

from envmagic.core.errors import Problem, Severity
from envmagic.core.model import Frontend, Report
from envmagic.frontends import grammar, render

ENVIRONMENT: dict[str, Any] = {
    "name": "churn",
    "prefix": "/envs/churn",
    "python": "3.12.4",
    "backend": "uv",
    "owned": True,
    "kernel": "churn",
    "display_name": "churn (Python 3.12)",
    "current": True,
    "size": None,
    "problem": "",
}
RECORD: dict[str, Any] = {
    "file": "/data/requirements.txt",
    "files": ["/data/requirements.txt"],
    "changed": True,
    "state": "on",
    "pin": "exact",
    "lines": ["pandas==2.3.3", "scikit-learn==1.7.2"],
    "notebooks": [
        {
            "path": "/data/a.ipynb",
            "language": "python",
            "requirements": [
                {
                    "name": "pandas",
                    "requirement": "pandas==2.3.3",
                    "optional": False,
                    "evidence": "environment",
                    "alternatives": [],
                    "sites": [
                        {"module": "pandas", "file": "/data/a.ipynb", "cell": 2, "line": 1},
                        {"module": "pandas", "file": "/data/a.ipynb", "cell": 5, "line": 3},
                    ],
                }
            ],
            "local": ["corp"],
            "provided": [],
            "unresolved": [],
            "unparsed": [],
        }
    ],
    "diff": "",
}
SWITCH = {"how": "relay", "kernel": "churn", "message": "12 variables stay in python3.", "hint": ""}
NOT_MOVED = {"how": "none", "kernel": "churn", "message": "", "hint": ""}
CHANGES = [
    {"name": "numpy", "version": "1.26.4", "action": "removed"},
    {"name": "numpy", "version": "2.1.0", "action": "installed"},
    {"name": "six", "version": "1.17.0", "action": "installed"},
]
REPORTS: dict[str, Report[Any]] = {
    "restore": Report(
        "restore",
        {
            "environment": ENVIRONMENT,
            "action": "created",
            "changes": CHANGES,
            "notes": [],
            "switch": SWITCH,
            "source": {"kind": "lock", "file": "/data/pylock.toml", "date": "", "why": ""},
            "instead": [
                {"name": "numpy", "was": "2.0.9", "taken": "2.1.0", "why": "that version is gone"}
            ],
            "dry_run": False,
            "seconds": 1.2,
        },
        changed=True,
    ),
    "restore plan": Report(
        "restore",
        {
            "environment": {**ENVIRONMENT, "kernel": None},
            "action": "created",
            "source": {
                "kind": "date",
                "file": "/data/n.ipynb",
                "date": "2024-05-31T00:00:00+00:00",
                "why": "when git has changed n.ipynb last",
            },
            "instead": [],
            "dry_run": True,
            "planned": [{"name": "six", "version": "1.16.0", "action": "installed"}],
        },
    ),
    "create": Report(
        "create",
        {
            "environment": ENVIRONMENT,
            "action": "created",
            "changes": CHANGES,
            "notes": ["Installed what requirements.txt beside the notebook asks for."],
            "switch": SWITCH,
            "record": RECORD,
            "seconds": 2.13,
        },
        changed=True,
    ),
    "%%env": Report(
        "%%env",
        {
            "environment": ENVIRONMENT,
            "action": "reused",
            "changes": [],
            "notes": [],
            "switch": {**SWITCH, "how": "already", "message": ""},
            "record": None,
            "seconds": 0.02,
        },
    ),
    "attach": Report(
        "attach",
        {
            "environment": {**ENVIRONMENT, "owned": False},
            "action": "attached",
            "changes": CHANGES,
            "notes": [],
            "switch": NOT_MOVED,
        },
        changed=True,
    ),
    "upgrade": Report(
        "upgrade",
        {
            "environment": ENVIRONMENT,
            "dry_run": False,
            "packages": [
                {"name": "numpy", "now": "1.26.4", "fits": "2.1.0", "newest": "2.1.0", "why": ""},
                {
                    "name": "pandas",
                    "now": "2.3.3",
                    "fits": "2.3.3",
                    "newest": "3.0.1",
                    "why": "your line pandas<3",
                },
            ],
            "others": 12,
            "changes": CHANGES,
            "restart": ["numpy"],
            "record": RECORD,
            "notes": ["pylock.toml was made anew: 14 distributions."],
            "vulnerabilities": [
                {
                    "name": "pandas",
                    "version": "2.3.3",
                    "id": "GHSA-1",
                    "aliases": ["CVE-2026-1"],
                    "summary": "It leaks",
                    "fixed": ["3.0.0"],
                    "link": "",
                }
            ],
        },
        changed=True,
    ),
    "use": Report("use", {"environment": ENVIRONMENT, "switch": SWITCH}, changed=True),
    "install": Report(
        "install",
        {
            "environment": ENVIRONMENT,
            "changes": CHANGES,
            "restart": ["numpy"],
            "record": RECORD,
            "notes": [],
        },
        changed=True,
    ),
    "uninstall": Report(
        "uninstall",
        {
            "environment": ENVIRONMENT,
            "changes": CHANGES[:1],
            "project": {"tool": "uv", "file": "/srv/churn/pyproject.toml", "changed": True},
        },
        changed=True,
    ),
    "sync": Report("sync", {"environment": ENVIRONMENT, "changes": []}),
    "record": Report("record", RECORD, changed=True),
    "export": Report(
        "export",
        {
            "format": "docker",
            "text": "",
            "files": [{"file": "/data/docker/Dockerfile", "changed": True}],
            "requirements": 2,
            "left_out": [],
            "cell": False,
        },
        changed=True,
    ),
    "list": Report(
        "list",
        {
            "environments": [
                ENVIRONMENT,
                {**ENVIRONMENT, "name": "old", "owned": False, "current": False, "kernel": None},
                {**ENVIRONMENT, "current": False, "kernel": None, "found": "uv", "here": True},
                *(
                    {**ENVIRONMENT, "current": False, "found": "poetry", "here": False}
                    for _ in range(4)
                ),
            ],
            "all": False,
            "runtimes": [
                {
                    "python": "3.12.4",
                    "shared": True,
                    "used": 1.8e9,
                    "size": 95_000_000,
                    "directory": str(Path.home() / "runtimes" / "a1b2"),
                }
            ],
            "kernels": [
                {
                    "name": "ir",
                    "display_name": "R",
                    "language": "R",
                    "directory": "/kernels/ir",
                    "ours": False,
                    "prefix": None,
                }
            ],
        },
    ),
    "status": Report(
        "status",
        {
            "notebook": "/data/a.ipynb",
            "kernel": "churn",
            "environment": {**ENVIRONMENT, "packages": 42},
            "record": RECORD,
            "asleep": [{"kernel": "python3", "variables": 12, "memory": 76_000_000}],
        },
    ),
    "plan": Report(
        "plan",
        {
            "notebook": "/data/a.ipynb",
            "source": {
                "kind": "requirements",
                "file": "/data/requirements.txt",
                "cell": 0,
                "line": 0,
            },
            "name": "data",
            "prefix": "/data/.venv",
            "state": "missing",
            "python": {"version": "3.12.4", "why": "it is the newest here"},
            "lacking": [f"package{n}" for n in range(12)],
            "unresolved": ["corp"],
            "questions": [
                {
                    "line": "-i https://x.invalid",
                    "why": "it names another package index",
                    "source": {"kind": "requirements", "file": "/data/r.txt", "cell": 0, "line": 2},
                }
            ],
            "passed_over": [{"file": "/data/<b>.toml", "why": "it declares no dependencies"}],
            "problem": "",
        },
    ),
    "remove": Report(
        "remove",
        {"kernel": "churn", "prefix": "/envs/churn", "delete": True, "size": 1, "done": False},
        problems=(
            Problem(
                "not-confirmed",
                "Nothing was removed.",
                severity=Severity.INFO,
                command=("remove", "churn", "--yes"),
            ),
        ),
        failed=True,
    ),
    "doctor": Report(
        "doctor",
        {
            "kernels": 3,
            "environments": 2,
            "fixed": [],
            "autoload": "on",
            "installer": "uv",
            "indexes": [
                {"option": "index-url", "url": "https://h.invalid/simple", "said": "PIP_INDEX_URL"},
                {"option": "no-index", "url": "", "said": "/etc/pip.conf"},
            ],
        },
        problems=(
            Problem(
                "missing-python", "The kernel old has no interpreter.", command=("remove", "old")
            ),
        ),
    ),
    "autoload": Report(
        "autoload",
        {
            "state": "on",
            "file": str(Path.home() / "profile_default" / "startup" / "50-envmagic.py"),
            "profiles": ["default", "lab"],
        },
        changed=True,
    ),
}


@pytest.mark.parametrize("verb", REPORTS)
def test_html_is_well_formed_and_has_no_scripts_and_no_links(verb: str) -> None:
    html = render.html(REPORTS[verb])
    checker = _Checker()
    checker.feed(html)
    assert checker.open == []
    assert not checker.tags & {"script", "a", "img", "iframe", "link"}
    assert checker.handlers == []


@pytest.mark.parametrize("verb", REPORTS)
def test_text_and_html_say_the_same(verb: str) -> None:
    text, html = render.text(REPORTS[verb]), _Checker.text(render.html(REPORTS[verb]))
    words = set(re.findall(r"\w+", text))
    assert words <= set(re.findall(r"\w+", html))


@pytest.mark.parametrize("verb", REPORTS)
def test_text_has_no_space_at_line_ends_and_no_blank_line_around(verb: str) -> None:
    text = render.text(REPORTS[verb])
    assert text == text.strip()
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("verb", REPORTS)
def test_json_is_the_promised_envelope(verb: str) -> None:
    envelope = json.loads(render.json(REPORTS[verb]))
    assert list(envelope) == ["schema", "verb", "ok", "changed", "data", "problems"]
    assert envelope["schema"] == 1
    assert envelope["data"] == REPORTS[verb].data


def test_paths_under_home_are_shown_with_a_tilde() -> None:
    home = str(Path.home())
    data = {**ENVIRONMENT, "prefix": f"{home}/envs/churn"}
    shown = render.bundle(Report("list", {"environments": [data], "kernels": [], "runtimes": []}))
    for text in shown.values():
        assert home not in text
        assert "~/envs/churn" in text


def test_what_users_wrote_is_escaped() -> None:
    data = {**ENVIRONMENT, "name": "<b>x</b>", "problem": "<script>alert(1)</script>"}
    problem = Problem("p", "<i>message</i>", "<i>hint</i>")
    shown = Report(
        "list", {"environments": [data], "kernels": [], "runtimes": []}, problems=(problem,)
    )
    html = render.html(shown)
    assert "<b>" not in html
    assert "<i>" not in html
    assert "<script>" not in html


def test_an_upgrade_is_one_entry_and_a_problem_one_line() -> None:
    text = render.text(REPORTS["install"])
    assert "numpy 1.26.4 → 2.1.0 and six 1.17.0" in text
    said = render.text(REPORTS["doctor"])
    assert "✗ The kernel old has no interpreter. %env remove old" in said
    assert "https://h.invalid/simple (PIP_INDEX_URL)" in said
    assert re.search(r"Other indexes +none \(/etc/pip.conf\)", said)


def test_the_tool_of_a_project_is_said_and_what_it_did_to_the_projects_file() -> None:
    report = REPORTS["uninstall"]
    assert "removed with uv from /srv/churn/pyproject.toml" in render.text(report)
    project = {**report.data["project"], "changed": False}
    added = Report("install", {**report.data, "project": project})
    assert "/srv/churn/pyproject.toml is as it was (uv)" in render.text(added)


def test_hints_in_a_terminal_are_terminal_commands() -> None:
    assert "envmagic remove churn --yes" in render.text(REPORTS["remove"], Frontend.TERMINAL)
    assert "%env remove churn --yes" in render.text(REPORTS["remove"], Frontend.NOTEBOOK)


@pytest.mark.parametrize(
    ("hint", "command", "notebook", "terminal"),
    [
        ("", ("doctor", "--fix"), "%env doctor --fix", "envmagic doctor --fix"),
        ("Make it", ("create", "my env"), "Make it: %env create 'my env'", None),
        (
            "Move it away first",
            ("use", "python3"),
            "Move it away first: %env use python3",
            "Move it away first in the notebook: %env use python3",
        ),
        ("", ("use", "NAME"), "%env use NAME", "In the notebook: %env use NAME"),
        ("Start Jupyter elsewhere.", (), "Start Jupyter elsewhere.", "Start Jupyter elsewhere."),
    ],
)
def test_what_helps_is_written_as_it_is_typed_there(
    hint: str, command: tuple[str, ...], notebook: str, terminal: str | None
) -> None:
    """In text, in HTML and in JSON, where the command has a field of its own."""
    terminal = terminal or notebook.replace("%env", "envmagic")
    problem = Problem("p", "Wrong.", hint, command=command)
    assert render.line(problem) == f"Wrong. {notebook}"
    assert render.line(problem, Frontend.TERMINAL) == f"Wrong. {terminal}"
    nothing: dict[str, list[object]] = {"environments": [], "kernels": [], "runtimes": []}
    report = Report("list", nothing, problems=(problem,))
    assert notebook in render.text(report) and terminal in render.text(report, Frontend.TERMINAL)
    assert notebook in unescape(re.sub("<.*?>", "", render.html(report)))
    for frontend, shown in ((None, notebook), (Frontend.TERMINAL, terminal)):
        (told,) = json.loads(render.json(report, frontend))["problems"]
        assert told["hint"] == shown
        assert told["command"] == (shown.rpartition(": ")[2] if command else "")


def test_another_programs_command_is_written_as_a_cell_or_a_shell_takes_it() -> None:
    home = str(Path.home() / "my uv")
    typed = {("uv", "python", "install", ">=3"): "uv python install '>=3'", (home,): f"'{home}'"}
    for words, line in typed.items():
        problem = Problem("x", "No.", "To get it", tool_command=words)
        assert render.line(problem) == f"No. To get it: !{line}"
        assert render.line(problem, Frontend.TERMINAL) == f"No. To get it: {line}"
        said = Report("doctor", {**REPORTS["doctor"].data}, problems=(problem,))
        assert render.text(said).endswith(f": !{line}")
        assert json.loads(render.json(said))["problems"][0]["hint"] == f"To get it: !{line}"
    pip = Problem("x", "No.", tool_command=("pip", "install", "uv"))
    assert render.line(pip) == "No. %pip install uv"
    assert render.line(pip, Frontend.TERMINAL) == pip.line() == "No. pip install uv"


def test_status_in_a_terminal_speaks_of_the_directory() -> None:
    data = {**REPORTS["status"].data, "notebook": None, "asleep": []}
    text = render.text(Report("status", data), Frontend.TERMINAL)
    assert text.startswith("✓ The environment is churn")
    assert "session" not in text and "Notebook" not in text
    assert "2 requirements" in text
    assert "This session runs in churn" in render.text(Report("status", data))


def test_what_only_wrote_the_record_says_so() -> None:
    data = {**REPORTS["%%env"].data, "record": RECORD, "seconds": 0.04}
    first = render.text(Report("%%env", data, changed=True)).splitlines()[0]
    assert first.endswith("the record was written")
    assert "Updated" not in first and " s" not in first.split("(")[0]


def test_a_record_counts_what_its_table_shows() -> None:
    (notebook,) = RECORD["notebooks"]
    (pandas,) = notebook["requirements"]

    def need(name: str, text: str, **more: object) -> dict[str, object]:
        return {**pandas, "name": name, "requirement": text, **more}

    needs = [
        pandas,
        need("scikit-learn", "scikit-learn==1.7.2"),
        need("numpy", "numpy<2"),  # the user's own
        need("polars", "polars", optional=True),  # not installed, so not written
    ]
    lines = [*RECORD["lines"], "six==1.17.0"]  # another notebook's
    data = {**RECORD, "lines": lines, "notebooks": [{**notebook, "requirements": needs}]}
    text = render.text(Report("record", data, changed=True))
    assert ": 4 requirements, 1 of them in lines of your own" in text
    assert re.search(r"numpy +<2 +your own line", text)
    assert re.search(r"polars +optional, a comment", text)
    assert "and 1 more in the file" in text


def test_status_shows_everything_there_is_to_know() -> None:
    text = render.text(REPORTS["status"])
    for said in ("a.ipynb", "churn", "3.12.4", "42 packages", "requirements.txt", "recording on"):
        assert said in text
    assert "python3: 12 variables, 76 MB" in text
    assert "%env use python3" in text


def test_a_record_names_the_cells_that_need_each_requirement() -> None:
    assert "pandas  pandas        2.3.3    installed  a.ipynb, cells 2, 5" in render.text(
        REPORTS["record"]
    )


class _Checker(HTMLParser):
    """What is in a fragment: tags, handlers, and the elements left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)

    @classmethod
    def text(cls, html: str) -> str:
        checker = cls()
        checker.feed(html)
        return " ".join(checker.said)


def test_a_record_in_the_working_directory_is_shown_by_its_name(isolated: Isolated) -> None:
    for place, shown in (
        (isolated.work, "requirements.txt"),
        (isolated.home, "~/requirements.txt"),
    ):
        file = str(place / "requirements.txt")
        record = {**RECORD, "file": file, "files": [file]}
        text = render.text(Report("status", {**REPORTS["status"].data, "record": record}))
        assert re.search(rf"Record +{re.escape(shown)} · 2 requirements", text)


def test_the_file_of_conda_is_named_beside_the_requirements() -> None:
    both = {**RECORD, "files": ["/data/requirements.txt", "/data/environment.yml"]}
    text = render.text(Report("record", both, changed=True))
    assert text.startswith("✓ /data/requirements.txt and /data/environment.yml: 2 requirements")


def test_nothing_below_the_frontends_says_how_a_command_is_typed() -> None:
    """What a notebook types before a verb, a terminal does not: only the frontends write it."""
    package = Path(render.__file__).parents[2]
    prefixed = re.compile(r"%env |\benvmagic (create|attach|list|record|doctor|use|install)\b")
    wrong = []
    for path in package.rglob("*.py"):
        if "frontends" in path.relative_to(package).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            hints = node.args[2:] if isinstance(node, ast.Call) else []
            texts = (n for hint in hints for n in ast.walk(hint) if isinstance(n, ast.Constant))
            wrong += [f"{path}:{n.lineno}" for n in texts if prefixed.search(str(n.value))]
    assert not wrong


def commands() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every command that the code offers, and where; `x` stands for what is known only then."""
    package = Path(render.__file__).parents[2]
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "command":
                for words in (n for n in ast.walk(node.value) if isinstance(n, ast.Tuple)):
                    texts = (w.value if isinstance(w, ast.Constant) else "x" for w in words.elts)
                    if words.elts and not any(isinstance(w, ast.Starred) for w in words.elts):
                        yield f"{path.name}:{node.value.lineno}", tuple(map(str, texts))


def test_every_command_that_is_offered_is_understood_where_it_is_typed() -> None:
    found = dict(commands())
    assert len(found) > 30
    for where, words in found.items():
        if words[0] == "x":  # the grammar's own: of whichever verb is asked about
            continue
        if words[:2] == ("ship", "x"):
            words = ("ship", "docker", *words[2:])
        for frontend in Frontend:
            if not (frontend is Frontend.NOTEBOOK and "--notebook" in words):
                assert grammar.parse(words, frontend), where
