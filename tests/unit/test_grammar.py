"""One grammar for every frontend: words become requests, and mistakes one line with a remedy."""

from __future__ import annotations

import os
from importlib import import_module
from inspect import signature
from typing import get_args

import pytest

from envmagic.core import verbs
from envmagic.core.errors import WordsError
from envmagic.core.model import BackendName, Frontend, Place, Progress
from envmagic.core.verb_names import VERBS as NAMES
from envmagic.frontends import render
from envmagic.frontends.grammar import help, parse, parse_cell, split
from envmagic.frontends.grammar.asked import Help, ParsedCommand
from envmagic.frontends.grammar.table import VERBS, options_of


def asked(line: str, frontend: Frontend = Frontend.NOTEBOOK) -> ParsedCommand:
    answer = parse(split(line), frontend)
    assert isinstance(answer, ParsedCommand)
    return answer


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("create", verbs.CreateRequest()),
        ("create churn", verbs.CreateRequest("churn")),
        (
            "create churn --python 3.12 --with 'pandas>=2' scikit-learn -r dev.txt --bare",
            verbs.CreateRequest(
                "churn",
                ("pandas>=2", "scikit-learn"),
                ("dev.txt",),
                bare=True,
                python="3.12",
            ),
        ),
        (
            "create --backend=venv --channel conda-forge bioconda --no-use -U",
            verbs.CreateRequest(
                backend=BackendName.VENV,
                channels=("conda-forge", "bioconda"),
                use=False,
                upgrade=True,
            ),
        ),
        ("create a --no-use --use", verbs.CreateRequest("a")),
        ("attach ~/venv --no-use", verbs.AttachRequest("~/venv", use=False)),
        ("use python3 --drop", verbs.UseRequest("python3", drop=True)),
        (
            "install pandas 'numpy >= 2' -r a.txt -r b.txt -U",
            verbs.InstallRequest(("pandas", "numpy >= 2"), ("a.txt", "b.txt"), upgrade=True),
        ),
        ("uninstall pandas numpy", verbs.UninstallRequest(("pandas", "numpy"))),
        ("sync", verbs.SyncRequest()),
        ("record", verbs.RecordRequest()),
        ("record off", verbs.RecordRequest("off")),
        (
            "record on a.ipynb dir --to - --pin minimum --env none --check --online",
            verbs.RecordRequest(
                "on", ("a.ipynb", "dir"), "-", "minimum", "none", check=True, online=True
            ),
        ),
        ("list --size", verbs.ListRequest(size=True)),
        ("status", verbs.StatusRequest()),
        ("remove churn", verbs.RemoveRequest("churn")),
        ("remove churn -y --dry-run", verbs.RemoveRequest("churn", yes=True, dry_run=True)),
        ("doctor --fix", verbs.DoctorRequest(fix=True)),
        ("autoload", verbs.AutoloadRequest()),
        (
            "upgrade pandas --python 3.13 -n --audit --trust",
            verbs.UpgradeRequest(("pandas",), "3.13", dry_run=True, audit=True, trust=True),
        ),
        ("autoload off", verbs.AutoloadRequest("off")),
        (
            "export requirements --hashes --to all.txt",
            verbs.ExportRequest("requirements", "all.txt", hashes=True),
        ),
    ],
)
def test_words_become_the_request_they_say(line: str, request_: verbs.Request) -> None:
    for frontend in Frontend:
        assert asked(line, frontend).request == request_


def test_every_verb_is_in_the_table_and_has_help_that_shows_each_option() -> None:
    requests = [r.verb for r in get_args(verbs.Request) if r is not verbs.CellRequest]
    assert tuple(VERBS) == NAMES == tuple(requests)
    for frontend in Frontend:
        for name, verb in VERBS.items():
            assert parse([name, "-h"], frontend) == parse([name, "--help"], frontend) == Help(name)
            text = help.text(Help(name), terminal=frontend is Frontend.TERMINAL)
            for option in options_of(verb, terminal=frontend is Frontend.TERMINAL):
                shown = frontend is Frontend.NOTEBOOK or option.in_terminal
                assert all((flag in text) == shown for flag in option.flags)
            assert all(len(line) <= 100 for line in text.splitlines())


def test_a_terminals_help_speaks_of_no_notebook_that_would_be_moved() -> None:
    everything = help.text(Help(), terminal=True)
    for name in VERBS:
        text = help.text(Help(name), terminal=True) + everything
        assert "beside the notebook" not in text
        assert "this notebook runs in" not in text
        assert "move the notebook" not in text


def test_the_examples_in_the_help_are_understood() -> None:
    for verb in VERBS.values():
        for example in verb.examples:
            for frontend in Frontend:
                assert isinstance(parse(split(example), frontend), ParsedCommand)


def test_help_answers_whatever_else_is_wrong() -> None:
    assert parse(["create", "a", "b", "--nonsense", "-h"], Frontend.NOTEBOOK) == Help("create")
    assert parse([], Frontend.NOTEBOOK) == parse(["--help"], Frontend.TERMINAL) == Help()
    assert parse(["help", "use"], Frontend.NOTEBOOK) == Help("use")


def test_json_is_for_every_verb_and_frontend() -> None:
    for frontend in Frontend:
        for verb in VERBS.values():
            assert asked(f"{verb.examples[0]} --json", frontend).json


def test_terminal_options_name_the_notebook_and_the_environment() -> None:
    found = asked("install six --env churn --notebook a.ipynb", Frontend.TERMINAL)
    assert (found.env, found.notebook) == ("churn", "a.ipynb")
    with pytest.raises(WordsError, match="--env is for a terminal"):
        parse(split("install six --env churn"), Frontend.NOTEBOOK)


def test_a_cell_takes_creates_options_and_its_body() -> None:
    answer = parse_cell(split("churn --python 3.12 --json"), "pandas>=2\n# why\n")
    assert answer == ParsedCommand(
        verbs.CellRequest(verbs.CreateRequest("churn", python="3.12"), "pandas>=2\n# why\n"),
        json=True,
    )
    assert parse_cell(["-h"], "\n") == Help(cell=True)
    assert "%%env [NAME|PATH]" in help.text(Help(cell=True), terminal=False)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("creat churn", "unknown-verb", "Did you mean create?"),
        ("xyzzy", "unknown-verb", "The verbs: create, attach"),
        ("version", "not-yet", "reserved for a later version"),
        ("version", "not-yet", "this is envmagic 0."),
        ("ship x", "option-value", "no engine that envmagic knows"),
        ("clone a", "missing-word", "%env clone churn churn2"),
        ("clone a b c", "extra-word", "'c'"),
        ("help creat", "unknown-verb", "Did you mean create?"),
        ("create --wiht six", "unknown-option", "Did you mean --with?"),
        ("create -x", "unknown-option", "%env create -h"),
        ("create churn pandas numpy", "extra-word", "%env create churn --with pandas numpy"),
        ("create churn pandas 'numpy>=2'", "extra-word", "--with pandas 'numpy>=2'"),
        ("install pandas >= 2", "spaced-requirement", '%env install "pandas>=2"'),
        ("install six pandas >=2, <3 attrs", "spaced-requirement", '"pandas>=2,<3"'),
        ("create x --with pandas== 2.1", "spaced-requirement", '"pandas==2.1"'),
        ("sync now", "extra-word", "'now'"),
        ("use", "missing-word", "%env use churn"),
        ("install", "missing-word", "%env install pandas"),
        ("uninstall", "missing-word", "PKG"),
        ("create --with", "option-value", "--with needs REQ"),
        ("create --python --bare", "option-value", "--python needs V"),
        ("create --python=", "option-value", "--python needs V"),
        ("create --bare=yes", "option-value", "takes no value"),
        ("create --backend pip", "option-value", "uv, venv, virtualenv, conda"),
        ("record --pin tight", "option-value", "exact, compatible, minimum, none"),
        ("autoload of", "option-value", "One of: on, off."),
        ("export docker --hashes", "option-value", "%env export requirements --hashes"),
        ("create 'my env", "open-quote", "'my env"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_what_to_type(
    line: str, code: str, says: str
) -> None:
    with pytest.raises(WordsError) as raised:
        parse(split(line), Frontend.NOTEBOOK)
    problem = raised.value.problem
    assert problem.code == code
    shown = render.line(problem)
    assert says in shown
    assert problem.hint or problem.command
    assert "\n" not in shown
    if problem.command and "-h" not in problem.command:  # what is advised is understood
        assert isinstance(parse(problem.command, Frontend.NOTEBOOK), ParsedCommand)


def test_commands_are_typed_as_the_frontend_wants_them() -> None:
    with pytest.raises(WordsError) as raised:
        parse(["install"], Frontend.TERMINAL)
    shown = render.line(raised.value.problem, Frontend.TERMINAL)
    assert shown.endswith("For example: envmagic install pandas 'numpy>=2'")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b\tc ", ("a", "b", "c")),
        ("", ()),
        ("'a b' \"c d\" e'f g'h", ("a b", "c d", "ef gh")),
        ('"say \\"x\\"" \'a\\b\'', ('say "x"', "a\\b")),
        ("''", ("",)),
        ("create churn # for the demo", ("create", "churn")),
        ("git+https://host/x#egg=y z", ("git+https://host/x#egg=y", "z")),
        ("'# no comment'", ("# no comment",)),
        ("numpy<2 pandas>=2,<3 x[extra]~=1.0", ("numpy<2", "pandas>=2,<3", "x[extra]~=1.0")),
    ],
)
def test_lines_split_as_in_a_shell_but_for_comments(line: str, words: tuple[str, ...]) -> None:
    assert split(line) == words


@pytest.mark.skipif(os.name == "nt", reason="there a backslash separates directories")
def test_a_backslash_keeps_a_space() -> None:
    assert split("my\\ env") == ("my env",)


def test_every_backend_can_be_asked_for() -> None:
    backend = next(o for o in VERBS["create"].options if o.key == "--backend")
    assert set(backend.choices) == {name.value for name in BackendName}


@pytest.mark.parametrize("request_", get_args(verbs.Request), ids=lambda r: r.verb)
def test_each_verb_is_whole(request_: type[verbs.Request]) -> None:
    """A request names its operation; the verb's row what makes the one and shows the other."""
    module, _, name = request_.operation.partition(".")
    operation = getattr(import_module(f"envmagic.operations.{module}"), name)
    asked = tuple(signature(operation, eval_str=True).parameters.values())
    assert [p.annotation for p in asked] == [request_, Place, Progress]
    row = VERBS["create" if request_ is verbs.CellRequest else request_.verb]
    module, _, name = row.shows.partition(".")
    assert callable(getattr(import_module(f"envmagic.frontends.render.{module}"), name))
    if request_ is not verbs.CellRequest:
        made = getattr(import_module("envmagic.frontends.grammar.meaning"), row.asks)
        assert signature(made, eval_str=True).return_annotation is request_
    assert row.summary and row.examples
