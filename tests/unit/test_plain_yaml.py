"""Whether an edit of environment.yml is proved, and what counts as plain without a YAML reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import edits, plain_yaml

USERS = "name: x\nchannels:\n  - a\ndependencies:\n  - numpy\n  - scipy\n"
BLOCK = "  - six=1.0\n  - python=3.12\n  - pip\n  - pip:\n    - -r requirements.txt\n"
FORMER = "  - old=1\n"


@pytest.mark.parametrize(
    "before, after, why",
    [
        (USERS, USERS + BLOCK, ""),
        ("", USERS + BLOCK, ""),
        (USERS + FORMER, USERS + BLOCK, ""),
        (USERS, USERS.replace("  - scipy\n", f"{BLOCK}  - scipy\n"), ""),
        (USERS, USERS.replace("  - a", "  - b") + BLOCK, "change 'channels'"),
        (USERS, USERS + BLOCK + "prefix: /x\n", "change 'prefix'"),
        (USERS, USERS.replace("  - scipy\n", "") + BLOCK, "change the packages"),
        (USERS, USERS + BLOCK + "  - theirs\n", "not list what is recorded"),
        (USERS, USERS + "  - python=3.12\n", "not list what is recorded"),
        (USERS, USERS + BLOCK.replace("six=1.0", "six=1.0 # why: not"), ""),
        (USERS, USERS + BLOCK.replace("- six=1.0", "- six=1.0\n      more"), "not list"),
        (USERS, USERS + BLOCK + "  - pip\n", "there twice"),
        (USERS, USERS + BLOCK + "  - pip:\n    - -r requirements.txt\n", "there twice"),
        (USERS + "  - theirs\n", USERS + BLOCK, "take out 'theirs'"),
        (USERS, USERS + BLOCK + "  -bad\n", "no YAML"),
    ],
)
def test_an_edit_that_does_anything_else_is_refused(
    tmp_path: Path, before: str, after: str, why: str
) -> None:
    path = tmp_path / "environment.yml"
    old, new, users = (text.encode() for text in (before, after, USERS))
    edit = edits.Edit(path, old, new, users, ("old=1",), ("six=1.0",), "-r requirements.txt")
    if not why:
        return edits.prove(edit)
    with pytest.raises(EnvmagicError) as raised:
        edits.prove(edit)
    assert raised.value.problem.code == "record-place"
    assert why in raised.value.problem.message


_LINES = (
    *(
        "name: x",
        "name: x y # z",
        "name:",
        "name: 'a: b'",
        'name: "x"',
        "name: >",
        "y: 1",
        "a: b: c",
    ),
    *("channels:", "dependencies:", "dependencies: [a,", "dependencies: # c", "  - a", "  - a # b"),
    *(
        "- a",
        "    - b",
        "  - pip:",
        "- pip:",
        "-   pip:",
        "  - pip: # c",
        "    - c",
        "      - d",
        "  -",
    ),
    *(
        "  - -r x",
        "  - 3.10",
        "  - 'q'",
        '  - "q" # z',
        "  - 'q' z",
        "  - a: b",
        "  - a:b",
        "  - - a",
    ),
    *(
        "  - a #b",
        "  - a#b",
        "  - &a b",
        "  - *a",
        "  - !t a",
        "  - |",
        "  - @a",
        "  - a, b]",
        "  - null",
    ),
    *(
        "",
        "# c",
        "   # c",
        "  more",
        "    more",
        " name: z",
        "---",
        "...",
        "? a",
        "<<: a",
        "  - b:",
        "  ]",
    ),
    *(
        "  - a\t",
        "\t- a",
        "  - a\r",
        "  - é",
        "  - a\x85b",
        "  - {a: b}",
        "  - a{b",
        "'k': v",
        "  - ~",
    ),
)


_USUAL = (
    *("name: x", "channels:", "  - a", "  - b # c", "dependencies:", "  - x>=1,<2", "  - pip:"),
    *("    - six", "      - d", "# c", "", "- a", "- pip:", "  - -r f"),
)


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(_USUAL) | st.sampled_from(_LINES), max_size=8))
def test_what_is_plain_means_the_same_to_every_reader(lines: list[str]) -> None:
    import yaml
    from ruamel.yaml import YAML

    text = "\n".join(lines) + "\n"
    try:
        plain = plain_yaml.read(text)
    except plain_yaml.NotPlain as refused:
        assert 1 <= refused.line <= text.count("\n") + 1
        return
    for read in (YAML(typ="safe", pure=True).load, yaml.safe_load):
        assert same(plain, read(text) or {}), text


def same(plain: Any, value: Any) -> bool:
    if isinstance(plain, plain_yaml.Untyped):
        return not isinstance(value, list | dict)
    if isinstance(plain, dict):
        keys = plain.keys() == value.keys()
        return keys and all(same(plain[key], value[key]) for key in plain)
    if isinstance(plain, list):
        both = isinstance(value, list) and len(plain) == len(value)
        return both and all(map(same, plain, value))
    return bool(plain == value and type(plain) is type(value))
