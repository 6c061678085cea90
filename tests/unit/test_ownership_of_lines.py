"""Which lines of a record are envmagic's: those it signed, wherever they stand, and no other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.signs import unsigned

from envmagic.core.errors import EnvmagicError
from envmagic.frontends.notebook.recorder import _says_on
from envmagic.requirements import (
    Block,
    Entry,
    Kind,
    Mention,
    Pin,
    RequirementsFile,
    read,
)

A, B = Mention("a.ipynb"), Mention("b.ipynb", True)
PANDAS = Entry(Kind.REQUIREMENT, "pandas==2.3.3", (A, B))
SIX = Entry(Kind.REQUIREMENT, "six==1.17.0", (A,))
CORP = Entry(Kind.UNRESOLVED, "corp", (A,))
BLOCK = Block("3.12", Pin.EXACT, True, (PANDAS, SIX, CORP))
HEADER, FOOTER = "# >>> envmagic 2 >>> python 3.12, pin exact, recording on", "# <<< envmagic <<<"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "requirements.txt"


def lines(block: Block = BLOCK) -> list[str]:
    """The block's lines as they are written into a new file."""
    return RequirementsFile(Path("none")).with_block(block).decode().splitlines()


def put(path: Path, *texts: str) -> RequirementsFile:
    path.write_text("".join(f"{text}\n" for text in texts))
    return read(path)


def rewritten(file: RequirementsFile, block: Block = BLOCK) -> list[str]:
    """The file's lines once `block` is written, which is the same the second time."""
    once = file.with_block(block)
    file.path.write_bytes(once)
    again = read(file.path)
    assert again.with_block(block) == once and again.is_current(block)
    return once.decode().splitlines()


def test_every_line_between_the_markers_is_signed_and_a_new_version_changes_one() -> None:
    first, *middle, last = lines()
    assert (first, last) == (HEADER, FOOTER)
    assert all(re.search(r"\S #[0-9a-f]{4}$", line) for line in middle)
    newer = lines(replace(BLOCK, entries=(replace(PANDAS, text="pandas==2.4"), SIX, CORP)))
    assert sum(one != two for one, two in zip(lines(), newer, strict=True)) == 1


@pytest.mark.parametrize(
    "edited",
    ["pandas==2.4.0 #58ff", "pandas>=2 #58ff", "pandas==2.3.3", "pandas==2.3.3 #58ff  # not 2.4"],
)
def test_a_line_that_somebody_edited_is_theirs_and_its_mentions_leave(
    path: Path, edited: str
) -> None:
    """Dependabot and Renovate change the version and leave the rest of the line."""
    file = put(path, *(edited if "pandas" in line else line for line in lines()))
    assert file.block == replace(BLOCK, entries=(SIX, CORP))
    assert [line.name for line in file.user_lines()] == ["pandas"]
    assert file.before == f"{edited}\n"
    found = rewritten(file, replace(BLOCK, entries=(SIX, CORP)))
    assert found == [edited, *(line for line in lines(replace(BLOCK, entries=(SIX, CORP))))]


def test_signed_lines_are_ours_wherever_they_stand_and_mentions_find_their_entry(
    path: Path,
) -> None:
    first, pandas, a, b, six, six_a, corp, corp_a, last = lines()
    file = put(path, six_a, b, "mine", corp, first, "numpy<2", six, last, a, "x", corp_a, pandas)
    assert file.block == BLOCK
    assert (file.before, file.after) == ("mine\nnumpy<2\n", "\nx\n")
    assert rewritten(file) == ["mine", "numpy<2", *lines(), "x"]


def test_a_block_that_is_whole_moves_nothing(path: Path) -> None:
    texts = ["# mine", "", "numpy<2", *lines(), "", "x"]
    assert rewritten(put(path, *texts)) == texts


def test_peoples_lines_between_the_markers_go_above_and_their_comments_stay(path: Path) -> None:
    first, pandas, a, b, six, six_a, *rest = lines()
    above, below, deep = "# why pandas", "    # careful with it", "\t# see b.ipynb"
    middle = [above, pandas, a, below, b, deep, "", "numpy<2", "    # of numpy", six, six_a]
    file = put(path, "mine", first, "    # of nobody", *middle, "# last", "", *rest)
    kept = [above, pandas, below, deep, a, b, six, six_a]
    moved = ["mine", "    # of nobody", "numpy<2", "    # of numpy", "# last"]
    assert rewritten(file) == [*moved, first, *kept, *rest]
    without = replace(BLOCK, entries=(SIX, CORP))
    assert rewritten(read(path), without) == [*moved, above, below, deep, *lines(without)]


def test_line_ends_go_with_the_lines(path: Path) -> None:
    first, pandas, a, b, *rest = lines()
    ended = [f"{line}\r\n" for line in (first, pandas)]
    ended += ["    # kept\n", "zlib\r", *(f"{line}\r\n" for line in (a, b, *rest))]
    path.write_bytes("".join(ended).encode())
    once = read(path).with_block(BLOCK)
    assert b"zlib\r# >>>" in once and b"    # kept\n" in once
    path.write_bytes(once.removesuffix(b"\r\n"))
    assert read(path).with_block(BLOCK) == once.removesuffix(b"\r\n")


def test_without_the_last_line_end_a_line_that_moves_gets_one(path: Path) -> None:
    path.write_text("\n".join([*lines()[:-1], "numpy<2", "zlib"]))
    file = put(path, *lines()[:-1], "numpy<2")
    path.write_text(file.path.read_text().removesuffix("\n"))
    assert read(path).with_block(BLOCK).decode().splitlines() == [*lines(), "numpy<2"]


@pytest.mark.parametrize("kept", [1, 4])
def test_our_lines_without_their_first_are_refused_by_line(path: Path, kept: int) -> None:
    with pytest.raises(EnvmagicError, match=r"Line 2 of .* is gone") as caught:
        put(path, "numpy<2", *lines()[1 : 1 + kept])
    assert caught.value.problem.code == "bad-block"


def test_a_missing_or_misplaced_footer_is_put_right(path: Path) -> None:
    assert rewritten(put(path, *lines()[:-1])) == lines()
    assert rewritten(put(path, FOOTER, *lines()[:-1], "x")) == [*lines(), "x"]


def test_two_blocks_are_joined_and_the_state_of_the_first_counts(path: Path) -> None:
    other = Block("3.11", Pin.MINIMUM, False, (Entry(Kind.REQUIREMENT, "numpy>=2", (B,)), SIX))
    file = put(path, *lines(), "mine", *lines(other), "x")
    assert file.block is not None
    assert (file.block.python, file.block.pin, file.block.recording) == ("3.12", Pin.EXACT, True)
    assert [e.text for e in file.block.entries] == ["numpy>=2", *(e.text for e in BLOCK.entries)]
    assert rewritten(file, file.block)[-2:] == ["mine", "x"]
    # as a merge leaves it that keeps both sides of a block
    file = put(path, *lines()[:-1], *lines(other))
    assert rewritten(file, file.block or BLOCK)[0] == HEADER


@pytest.mark.parametrize(
    "one, two, joined",
    [
        ("pandas==2.3.3", "pandas==2.10.0", "pandas==2.10.0"),
        ("Pandas==2.4", "pandas==2.3.3", "Pandas==2.4"),
        ("pandas[excel]==2.3.3", "pandas[html]==2.4", "pandas[excel,html]==2.4"),
        ("pandas", "pandas==2.3.3", "pandas==2.3.3"),
        ("pandas>=2.3.3", "pandas==2.3.3", "pandas==2.3.3"),
        ("pandas @ https://h/p.zip", "pandas==9", "pandas @ https://h/p.zip"),
    ],
)
def test_the_same_name_twice_is_joined_the_higher_version_wins(
    path: Path, one: str, two: str, joined: str
) -> None:
    sides = [Block(entries=(Entry(Kind.REQUIREMENT, t, (m,)),)) for t, m in ((one, A), (two, B))]
    for first, second in (sides, sides[::-1]):
        file = put(path, *lines(first)[:-1], *lines(second)[1:])
        assert file.block is not None
        assert file.block.entries == (Entry(Kind.REQUIREMENT, joined, (A, B)),)
        assert not file.is_current(file.block)


def test_an_import_says_more_than_an_install_line(path: Path) -> None:
    mentions = (Mention("a.ipynb"), Mention("a.ipynb", True))
    sides = [Block(entries=(replace(SIX, mentions=(m,)),)) for m in mentions]
    for first, second in (sides, sides[::-1]):
        file = put(path, *lines(first)[:-1], *lines(second)[1:])
        assert file.block is not None and file.block.entries == (SIX,)


def test_a_mention_without_its_entry_waits_for_it(path: Path) -> None:
    """Somebody took the entry's line out; writing it again gives it one mention, not two."""
    first, _, a, b, *rest = lines()
    file = put(path, first, a, b, "    # mine", *rest)
    assert file.block is not None and PANDAS not in file.block.entries
    assert f"{a}\n{b}\n" in file.before, "without the entry it is not known to be ours"
    assert rewritten(file) == ["    # mine", *lines()]


def test_an_editor_that_strips_blanks_and_indents_does_no_harm(path: Path) -> None:
    file = put(path, *(f"{line}  \t" for line in lines()))
    assert file.block == BLOCK and rewritten(file) == lines()
    assert rewritten(put(path, *(line.strip() for line in lines()))) == lines()
    path.write_text("\n".join(lines()))
    assert read(path).is_current(BLOCK), "the last line end is the user's"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_signs_are_the_same_in_every_form_of_text(path: Path, encoding: str, newline: str) -> None:
    texts = ["größe", *lines(), "zlib"]
    path.write_bytes(newline.join([*texts[:2], "    # häh", *texts[2:]]).encode(encoding))
    file = read(path)
    assert file.block == BLOCK
    once = file.with_block(BLOCK).decode(encoding)
    assert once.split(newline) == ["größe", "    # häh", *texts[1:]]
    assert _says_on(path)


def test_a_file_is_current_by_its_bytes(path: Path) -> None:
    file = put(path, *lines())
    assert file.is_current(BLOCK)
    changed = [[*lines()[:2], "", *lines()[2:]], [f" {line}" for line in lines()]]
    changed += [[line.replace("recording", " recording") for line in lines()]]
    for texts in (*changed, [*lines(), lines()[1]]):
        file = put(path, *texts)
        assert file.block == BLOCK and not file.is_current(BLOCK)


def test_recording_is_what_the_first_header_says(path: Path) -> None:
    on, off = HEADER, HEADER.replace("recording on", "recording off")
    for texts, says in (([on, off], True), ([off, on], False), (["# " + on], None)):
        path.write_text("\n".join(texts))
        assert _says_on(path) is says
    path.write_text(HEADER.replace(", recording on", ""))
    assert _says_on(path) is (read(path).block or Block(recording=False)).recording


OLD = [HEADER.replace(" 2 ", " 1 "), *(unsigned(line) for line in lines()[1:])]


def test_an_old_block_as_it_was_written_is_ours_and_current(path: Path) -> None:
    file = put(path, "mine", *OLD)
    assert file.block == BLOCK and file.is_current(BLOCK)
    newer = replace(BLOCK, entries=(SIX, CORP))
    assert not file.is_current(newer)
    assert rewritten(file, newer) == ["mine", *lines(newer)]


def test_in_an_old_block_a_comment_is_a_mention_only_where_it_ends_like_a_notebook(
    path: Path,
) -> None:
    names = ("x/a b.md (installed)", "(this session)", "c.QMD")
    texts = [*OLD[:2], "    # keep below 3", *(f"    # {name}" for name in names), *OLD[2:]]
    file = put(path, *texts)
    assert file.block is not None
    assert {m.notebook for m in file.block.entries[0].mentions} == {
        *("x/a b.md", "(this session)", "c.QMD", "a.ipynb", "b.ipynb")
    }
    assert rewritten(file)[:4] == [*lines()[:2], "    # keep below 3", lines()[2]]


def test_of_an_old_block_that_was_sorted_only_what_is_written_now_is_ours(path: Path) -> None:
    """A sorter put `scikit-learn` and `flask` under notebooks' names."""
    texts = [OLD[0], "flask==3", *OLD[2:4], *OLD[1:2], "scikit-learn>=1.4", *OLD[5:6], *OLD[4:6]]
    file = put(path, *texts, FOOTER)
    written = replace(BLOCK, entries=(PANDAS, SIX))
    settled = file.settled(written)
    assert settled is not file and settled.settled(written) is settled
    assert rewritten(settled, written) == [
        *("flask==3", "pandas==2.3.3", "scikit-learn>=1.4"),
        *lines(written),
    ], "flask is not what is written, a line without a notebook is not ours, >= is no exact pin"


def test_an_old_line_that_repeats_the_users_goes(path: Path) -> None:
    six = ["six==1.16.0", "six==1.17.0", "    # a.ipynb"]
    file = put(path, OLD[0], *six, FOOTER)
    assert rewritten(file.settled(Block("3.12")), Block("3.12")) == [
        "six==1.16.0",
        HEADER,
        FOOTER,
    ]


def test_what_a_sorter_left_of_an_old_block_is_nobodys_proof(path: Path) -> None:
    """It looks whole: one line with a notebook under it. The notebook was under another line."""
    for users in (["zlib>=5"], ["zlib==5", "    # a.ipynb"]):
        texts = [*users[1:], OLD[0], users[0], "    # b.ipynb", FOOTER]
        file = put(path, *texts)
        assert users[0] in rewritten(file.settled(Block("3.12")), Block("3.12"))


@pytest.mark.parametrize(
    "mine",
    ["pandas==2.3.3  # keep: Bob needs it", "# unresolved: corp_utils  <- ask Bob"],
)
def test_what_a_person_wrote_behind_an_old_line_makes_it_theirs(path: Path, mine: str) -> None:
    file = put(path, OLD[0], "six==1.17.0", "    # a.ipynb", mine, "    # a.ipynb", FOOTER)
    assert mine in rewritten(file.settled(Block("3.12")), Block("3.12"))


def test_an_old_line_with_another_marker_repeats_nothing(path: Path) -> None:
    mine = "six==1.0 ; python_version<'3.8'", "six==1.17 ; python_version>='3.8'"
    a = "    # a.ipynb"
    file = put(path, mine[0], OLD[0], mine[1], a, "pandas==1", a, FOOTER)
    assert set(mine) <= set(rewritten(file.settled(Block("3.12")), Block("3.12")))


def test_what_a_person_wrote_behind_the_header_stays_above_it(path: Path) -> None:
    file = put(path, f"{HEADER}  # Bob: leave this on", *lines(BLOCK)[1:])
    assert file.block == BLOCK
    assert rewritten(file, BLOCK) == ["# Bob: leave this on", *lines(BLOCK)]


def test_a_comment_that_begins_as_a_header_does_is_none(path: Path) -> None:
    mine = "# >>> envmagic 2 >>> below is a tool's block (Bob)"
    file = put(path, mine, *lines(BLOCK))
    assert rewritten(file, BLOCK) == [mine, *lines(BLOCK)]
