"""The block in an `environment.yml`: everything around it stays as the user wrote it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.signs import unsigned

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import environment_file
from envmagic.requirements import Block, Entry, Kind, Mention, Pin, environment_yml

ENTRY = Entry(Kind.REQUIREMENT, "gdal=3.9.1", (Mention("a b.ipynb", True), Mention("maps.ipynb")))
BLOCK = Block("3.12", Pin.EXACT, True, (ENTRY, Entry(Kind.UNRESOLVED, "corp", ENTRY.mentions[1:])))
RENDERED = """\
{0}# >>> envmagic 2 >>> python 3.12, pin exact, recording on
{0}- python=3.12 #67a8
{0}- gdal=3.9.1 #7635
{0}    # a b.ipynb (installed) #6a8d
{0}    # maps.ipynb #9b0b
{0}# unresolved: corp #2eb0
{0}    # maps.ipynb #7f1b
{0}- pip #6daf
{0}- pip: #7493
{0}    - -r requirements.txt #3ac2
{0}# <<< envmagic <<<
"""
USERS = {
    "usual": ("name: x\nchannels: [a]\ndependencies:\n  - numpy   # mine\n", "\nprefix: /x\n"),
    "no indent": ("dependencies:\n- numpy\n# a word\n- 'scipy'\n", "# the end\nname: x\n"),
    "nothing yet": ("name: x\ndependencies:\n", ""),
    "key last": ("channels:\n  - a\ndependencies:\n    - numpy\n", ""),
    "no key": ("name: x\ndependencies:\n", ""),
}


@pytest.mark.parametrize("case", USERS)
def test_the_block_goes_behind_the_last_item_and_the_rest_stays(case: str, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    before, after = USERS[case]
    path.write_text((before.replace("dependencies:\n", "") if case == "no key" else before) + after)
    file = environment_yml.read(path)
    assert file is not None and file.block is None
    written = replace(file, include=True).with_block(BLOCK)
    indent = {"no indent": "", "key last": "    "}.get(case, "  ")
    assert written.decode() == before + RENDERED.format(indent) + after
    path.write_bytes(written)
    again = environment_yml.read(path)
    assert again is not None and again.block == BLOCK
    assert replace(again, include=True).with_block(BLOCK) == written, (
        "writing twice changes nothing"
    )
    parsed = environment_file.read(path)
    assert {"gdal=3.9.1", "python=3.12"} <= set(parsed.dependencies)
    assert parsed.pip == ("-r requirements.txt",)
    assert "numpy" in parsed.dependencies or "numpy" not in before


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_marks_stay(newline: str, mark: bytes, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    user = f"name: größe{newline}dependencies:{newline}  - numpy{newline}"
    path.write_bytes(mark + user.encode())
    file = environment_yml.read(path)
    assert file is not None
    written = replace(file, include=False).with_block(BLOCK)
    assert written.startswith(mark + user.encode())
    assert written.count(newline.encode()) == written.count(b"\n")


def test_the_user_s_own_lines_win(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(
        "dependencies:\n  - python>=3.11\n  - conda-forge::GDAL\n  - pip\n  - pip:\n      - six\n"
        "variables:\n  X: 1\n"
    )
    file = environment_yml.read(path)
    assert file is not None
    assert file.names == {"python", "gdal", "pip"}
    assert file.pip_section is not None and "six" in file.pip_section
    written = replace(file, include=True).with_block(BLOCK).decode()
    assert "requirements.txt" not in written and "python=3.12" not in written
    assert written.index("<<< envmagic") < written.index("variables:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dependencies: [numpy, scipy]\n", "Line 1 .* in one line"),
        ("dependencies:\n  # >>> envmagic 1 >>> pin exact\n", "Line 2 .* has no end"),
        ("dependencies:\n  # >>> envmagic 9 >>> x\n  # <<< envmagic <<<\n", "newer envmagic"),
    ],
)
def test_where_there_is_no_place_it_says_so(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(text)
    with pytest.raises(EnvmagicError, match=said):
        environment_yml.read(path)


def put(tmp_path: Path, *middle: str) -> environment_yml.CondaFile:
    path = tmp_path / "environment.yml"
    path.write_text("name: x\ndependencies:\n" + "".join(f"{line}\n" for line in middle))
    file = environment_yml.read(path)
    assert file is not None
    return file


SIGNED = RENDERED.format("  ").splitlines()


def test_the_users_items_between_the_markers_go_above_and_comments_stay(tmp_path: Path) -> None:
    head, python, gdal, *rest = SIGNED
    users = ["  - numpy  # mine", "  - pip:", "    # of six", "    - six"]
    first = [head, "  # of nobody", python, users[0], "  # why gdal", gdal, "      # keep"]
    file = put(tmp_path, *first, *users[1:], *rest)
    assert file.block == BLOCK and file.names == {"numpy"} and "six" in (file.pip_section or "")
    written = replace(file, include=False).with_block(BLOCK)
    file.path.write_bytes(written)
    ours = [head, python, "  # why gdal", gdal, "      # keep", *rest[:4], SIGNED[-1]]
    assert written.decode().splitlines()[2:] == ["  # of nobody", *users, *ours]
    again = environment_yml.read(file.path)
    assert again is not None and replace(again, include=False).with_block(BLOCK) == written
    assert "numpy" in environment_file.read(file.path).dependencies


@pytest.mark.parametrize(
    ("place", "line"), [(9, "      - six"), (10, "      - six"), (3, "name: y"), (3, "      - six")]
)
def test_a_line_that_cannot_move_is_refused_by_its_number(
    place: int, line: str, tmp_path: Path
) -> None:
    """Below our `- pip:` it would mean something else above the block."""
    old = [unsigned(x).replace("magic 2", "magic 1") for x in SIGNED]
    for lines in (SIGNED, old) if place != 3 else (SIGNED,):
        with pytest.raises(EnvmagicError, match=f"Line {place + 3} ") as caught:
            put(tmp_path, *lines[:place], line, *lines[place:])
        assert caught.value.problem.code == "bad-block"
        assert "above the block" in caught.value.problem.hint
        assert line in (tmp_path / "environment.yml").read_text()


def test_an_item_that_somebody_edited_is_theirs(tmp_path: Path) -> None:
    changed = {"gdal=3.9.1": "gdal=3.10", "python=3.12": "python=3.13"}
    lines = list(SIGNED)
    for one, two in changed.items():
        lines = [line.replace(one, two) for line in lines]
    file = put(tmp_path, *lines)
    assert file.block is not None and [e.text for e in file.block.entries] == ["corp"]
    assert file.names == {"gdal", "python"}
    written = replace(file, include=True).with_block(file.block).decode()
    assert "- gdal=3.10 #7635\n" in written and "a b.ipynb" not in written
    assert "python=3.12" not in written


def test_signed_items_are_ours_wherever_they_stand_and_two_blocks_are_one(tmp_path: Path) -> None:
    head, python, gdal, one, two, corp, corp_two, *pip, footer = SIGNED
    file = put(tmp_path, two, gdal, head, corp, "  - numpy", footer, one, python, corp_two, *pip)
    assert file.block == BLOCK
    expected = ["name: x", "dependencies:", "  - numpy", *SIGNED]
    assert replace(file, include=True).with_block(BLOCK).decode().splitlines() == expected
    file = put(tmp_path, *SIGNED, *SIGNED)
    assert replace(file, include=True).with_block(BLOCK).decode().splitlines()[2:] == SIGNED
    with pytest.raises(EnvmagicError, match=r"Line 3 .* is gone"):
        put(tmp_path, gdal, *SIGNED[3:])


def test_a_formatter_of_yaml_changes_nothing_of_whose_a_line_is(tmp_path: Path) -> None:
    """Other quotes and another indent are put right, and taken for nobody's work."""
    lines = [f"  {line}" for line in SIGNED]
    file = put(tmp_path, *(x.replace("gdal=3.9.1", '"gdal=3.9.1"') for x in lines))
    assert file.block == BLOCK
    assert replace(file, include=True).with_block(BLOCK).decode().splitlines()[2:] == lines


def test_an_old_block_as_it_was_written_is_current_and_changes_with_the_first_change(
    tmp_path: Path,
) -> None:
    lines = [unsigned(line).replace("magic 2", "magic 1") for line in SIGNED]
    file = put(tmp_path, *lines)
    assert file.block == BLOCK
    assert replace(file, include=True).is_current(BLOCK) and not replace(
        file, include=False
    ).is_current(BLOCK)
    file = put(tmp_path, *lines[:2], "  - numpy", *lines[2:])
    assert not replace(file, include=True).is_current(BLOCK)
    assert "numpy" in file.settled(Block()).names | file.names
    assert replace(file, include=True).with_block(BLOCK).decode().splitlines()[2:] == [
        "  - numpy",
        *SIGNED,
    ]
