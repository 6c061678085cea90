"""What people send us takes time in proportion to its length, and is read or refused in one line.

The texts are those that took the square of it, or for ever, in some expression of ours.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envmagic.core.errors import EnvmagicError
from envmagic.distributions.reading import is_empty
from envmagic.environments.backends.conda import edits, plain_yaml, specs, yaml_text
from envmagic.environments.projects import manifest
from envmagic.frontends.grammar.words import split
from envmagic.imports import Where, scan_cell
from envmagic.jupyter import notebook_file
from envmagic.planning.guessing.trial import Failure
from envmagic.requirements import looks_other, parse_lines
from envmagic.system import toml_files

LENGTH = 100_000
SECONDS = 10.0  # of the processor, for one text: it takes some hundredths, or minutes
REFUSALS = (EnvmagicError, plain_yaml.NotPlain, yaml_text.NotYaml, ValueError)


@contextlib.contextmanager
def _limited(what: str) -> Iterator[None]:
    def end(*about: object) -> None:
        pytest.fail(f"more than {SECONDS:.0f} s for {what}")

    if not hasattr(signal, "setitimer"):
        start = time.process_time()
        yield
        assert time.process_time() - start < SECONDS
        return
    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _requirements(text: str) -> None:
    looks_other(text)
    for line in parse_lines(text, "x"):
        assert (line.name, line.guess, line.location, line.includes) is not None


def _notebook(text: str) -> None:
    notebook_file.parse(text.encode(), Path("a.ipynb"))


def _markdown(text: str) -> None:
    notebook_file.parse(text.encode(), Path("a.md"))


def _cell(text: str) -> None:
    scan_cell(text, Where())


def _lock(text: str) -> None:
    Path("uv.lock").write_text(text)
    manifest.locked(Path("uv.lock"))


def _init(text: str) -> None:
    Path("__init__.py").write_text(text[:2000])  # longer ones are not read
    is_empty("__init__.py")


def _completed(text: str) -> None:
    from envmagic.frontends.notebook import completion

    completion._LINE.match(text)


def _ran(text: str) -> None:
    from envmagic.frontends.notebook import recorder

    assert recorder._INSTALLS.search(text) is None


def _yaml(text: str) -> None:
    yaml_text.loaded(text.encode())


def _library(text: str) -> None:
    assert Failure(None, "", text).library == ""  # type: ignore[arg-type]


# What comes once, what is repeated, and what ends it.
Text = tuple[str, str, str]
TEXTS: dict[Callable[[str], object], tuple[Text, ...]] = {
    _requirements: (
        *(("https://h/", "a", ""), ("./", "[", ""), ("-e ./a", " ", "x"), ("./a", " ", "x")),
        *(
            ("", "a-", ".whl"),
            ("./", "a-1", "/"),
            ("", "a\\\n", ""),
            ("a;", "(", ""),
            ("", "\n", ""),
        ),
        *(("a==", "1", ""), ("a @ ", "a", ""), ("a", " ;", ""), ("a", "[", ""), ("a ", "# ", "")),
    ),
    _notebook: (
        *(
            ('{"cells":[],"a', '\\"a', ""),
            ('{"cells":[],"', "\\", ""),
            ("{", '"', ""),
            ("", "[", ""),
        ),
        *(("[", ", ", ""), ('{"a":', '{"a":', ""), ("", "\\", ""), ('["', '",', "")),
    ),
    _markdown: (
        *(("```{code-cell}", " ", "x\n"), ("```python\n", "a\n", ""), ("", "`", "python\n")),
        *(("", "```python\n", ""), ("", "~~~python\n```python\n", ""), ("```python", " ", "")),
    ),
    _cell: (
        *(
            ("import a (\n", "(\n", ""),
            ("import a (\ntry:\n except a", " ", "x"),
            ("!pip install ", "\\", ""),
        ),
        *(
            ("!pip install ", "'\"", ""),
            ("!pip install '", "a' '", "'"),
            ("open(x.py", "(", ""),
            ("", "= ", "x.py"),
            ("", "!", ".py"),
        ),
        *(
            ("!pip install ", "a ", ""),
            ("!pip install {", "executable", ""),
            ("%pip install '", "'", ""),
        ),
        *(
            ("!pip install a > ", "> ", ""),
            ("import a (\n?", " ", "a"),
            ("%", "a ", "("),
            ("x = ", "[a] ", "!"),
        ),
        *(("%%env a\n", "a;(", ""), ("%run ", "-", "")),
    ),
    plain_yaml.read: (
        ("a:", " ", "#"),
        ("a: b", " ", "c"),
        ("a:\n", " ", "- b"),
        ("", "- a\n", ""),
    ),
    specs.parse: (
        ("", "a/", ""),
        ("a", " ", "b"),
        ("a >=1", " , ", ""),
        ("a[b=", "]a", ""),
        ("a ", "* ", ""),
    ),
    toml_files.parsed: (
        ("a = ", "[", ""),
        ("", "a.", "a = 1"),
        ("a = ", "1", ""),
        ("", "[a]\n", ""),
        ("", "a", ""),
    ),
    _yaml: (
        ("a: ", "[", ""),
        ("", "- ", ""),
        ("a: ", "1", ""),
        ("a: ", " ", "b"),
        ("a: ", "'", ""),
    ),
    _lock: (("", " \n", ""), ("", " ", "x"), ("- conda: /", "-a", ""), ("conda: ", "/a", "")),
    _init: (("", "#a", "b"), ("", "#\n", "b"), ('"""', '"', "b")),
    _completed: (("", " ", "x"), ("%env ", " ", ""), ("", "a,", "%")),
    _ran: (
        ("", "\n", "x"),
        ("%", " ", "x"),
        ("", "%", ""),
        ("!python -m", "\t", ""),
        ("", "!\n", ""),
    ),
    _library: (("", "a", ""), ("", ".so", ""), ("", "a ", "")),
    split: (("", "\\", ""), ("", "'", ""), ('"', '\\"', ""), ("", "' ", "")),
}


@pytest.mark.parametrize("read", TEXTS, ids=lambda read: read.__name__.strip("_"))
def test_a_hundred_thousand_characters_take_no_time(
    read: Callable[[str], object], isolated: object
) -> None:
    for once, repeated, end in TEXTS[read]:
        text = once + repeated * (LENGTH // len(repeated)) + end
        with _limited(f"{once!r} {repeated!r} {end!r}"), contextlib.suppress(*REFUSALS):
            read(text)


def test_aliases_that_multiply_are_refused_with_their_line() -> None:
    """368 bytes of them became 25 MB of a message, a few more never came to an end."""
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(n)}: &{chr(n)} [{','.join([f'*{chr(n - 1)}'] * 9)}]\n" for n in range(98, 110)
    )
    said = edits.meaning_of(bomb.encode())
    assert isinstance(said, edits.Unreadable) and said.line == 5 and len(said.reason) < 100, said
    looped = edits.meaning_of(b"a: &a\n- *a\n")
    assert isinstance(looped, edits.Unreadable) and looped.line == 2
    plain = yaml_text.loaded(b"a: &a [x]\nb: *a\n")
    assert plain == {"a": ["x"], "b": ["x"]}


@pytest.mark.parametrize(
    "text", ["a: " + "1" * 5000, "a: 2020-99-99", "? [a]\n: b", "a: !!binary x", "- " * 3000]
)
def test_what_the_reader_of_yaml_stumbles_over_is_a_refusal(text: str) -> None:
    meaning = edits.meaning_of(text.encode())
    assert isinstance(meaning, edits.Unreadable) or text.startswith("?")
    assert "\n" not in getattr(meaning, "reason", "")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5000, "a = " + "1" * 5000, ".".join("a" * 2000) + " = 1", "a = \0"]
)
def test_what_the_reader_of_toml_stumbles_over_is_a_value_error(text: str) -> None:
    """It is caught as such where it counts; the names, versions and groups of a file are."""
    with pytest.raises(ValueError):
        toml_files.parsed(text)
    assert toml_files.parsed("a.b.c = 'x.y.z'") == {"a": {"b": {"c": "x.y.z"}}}
