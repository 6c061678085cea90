"""The documents say what there is: every verb, every option, every problem, no dead link."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from envmagic.frontends.grammar.table import VERBS, Option, Verb, options_of

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"
COMMON = {"--help", "--json"}  # said once, for all verbs
RAISERS = {"EnvmagicError", "WordsError", "Problem", "_problem"}


def every_option(verb: Verb) -> set[Option]:
    """What `verb` takes, in notebooks and in terminals."""
    return {*options_of(verb, terminal=False), *options_of(verb, terminal=True)}


def section(verb: str) -> str:
    """What docs/reference/verbs.md says about `verb`."""
    text = (REFERENCE / "verbs.md").read_text(encoding="utf-8")
    found = re.search(rf"^## `{verb}`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"docs/reference/verbs.md has no section {verb}"
    return found[1]


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_option_is_documented(name: str) -> None:
    told = section(name)
    verb = VERBS[name]
    options = every_option(verb)
    flags = {flag for option in options if option.key not in COMMON for flag in option.flags}
    missing = {flag for flag in flags if not re.search(rf"(?<![\w-]){flag}(?![\w-])", told)}
    assert not missing
    values = {choice for option in options for choice in option.choices}
    assert not {value for value in values if f"`{value}`" not in told}


def test_no_option_is_documented_that_is_not_there() -> None:
    for name, verb in VERBS.items():
        told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", section(name)))
        known = {flag for option in every_option(verb) for flag in option.flags}
        assert told <= known, name
        rows = re.findall(r"^\| (`-[^|]+)", section(name), re.MULTILINE)
        assert len(rows) == len(set(rows)), f"{name} tells an option twice"


def codes() -> set[str]:
    """The code of every problem that the package can report."""
    found = set()
    for path in (REPOSITORY / "envmagic").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            code = node.args[0]
            if name in RAISERS and isinstance(code, ast.Constant) and isinstance(code.value, str):
                found.add(code.value)
    return found


def test_every_problem_is_documented() -> None:
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", (REFERENCE / "problems.md").read_text()))
    assert len(codes()) > 30
    assert codes() <= told


def test_every_variable_is_documented() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "envmagic").rglob("*.py")]
    variables = {
        name for text in sources for name in re.findall(r"ENVMAGIC_[A-Z]+(?:_[A-Z]+)*", text)
    }
    told = (REFERENCE / "files.md").read_text(encoding="utf-8")
    assert "ENVMAGIC_HOME" in variables
    assert not {name for name in variables if f"`{name}`" not in told}


@pytest.mark.parametrize(
    "page",
    [*DOCS.rglob("*.md"), *REPOSITORY.glob("*.md")],
    ids=lambda p: str(p.relative_to(REPOSITORY)),
)
def test_no_link_is_dead(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert not [link for link in local if not (page.parent / link).exists()]


@pytest.mark.parametrize(
    "page", ["../README.md", "index.md", "tutorial.md", "how-to/index.md", "reference/verbs.md"]
)
def test_each_first_page_says_what_helps_where_the_extension_is_not_loaded(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert "``Cell magic `%%env` not found``" in text
    assert "`%load_ext envmagic` in a cell above" in text
