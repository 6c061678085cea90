"""The requirements file: what is the user's stays byte for byte, the block says what it said."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envmagic.core.errors import EnvmagicError
from envmagic.requirements import (
    Block,
    Entry,
    Kind,
    Mention,
    Pin,
    parse_lines,
    read,
)

BLOCK = Block(
    "3.12",
    Pin.EXACT,
    True,
    (
        Entry(Kind.REQUIREMENT, "pandas==2.3.3", (Mention("analysis.ipynb"),)),
        Entry(Kind.REQUIREMENT, "pyarrow==21.0.0", (Mention("analysis.ipynb", True),)),
        Entry(
            Kind.REQUIREMENT,
            "scikit-learn==1.7.2",
            (Mention("analysis.ipynb"), Mention("report.ipynb")),
        ),
        Entry(Kind.UNRESOLVED, "corp_utils", (Mention("report.ipynb"),)),
    ),
)
RENDERED = """\
# >>> envmagic 2 >>> python 3.12, pin exact, recording on
pandas==2.3.3 #58ff
    # analysis.ipynb #66c1
pyarrow==21.0.0 #c840
    # analysis.ipynb (installed) #fb3c
scikit-learn==1.7.2 #9574
    # analysis.ipynb #92a7
    # report.ipynb #14ac
# unresolved: corp_utils #4362
    # report.ipynb #9572
# <<< envmagic <<<
"""


def test_the_block_is_written_as_documented_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(read(path).with_block(BLOCK))
    assert path.read_text() == RENDERED
    assert read(path).block == BLOCK


@pytest.mark.parametrize(
    "encoding, mark",
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_outside_the_block_stays_byte_for_byte(
    tmp_path: Path, encoding: str, mark: bytes, newline: str
) -> None:
    path = tmp_path / "requirements.txt"
    user = f"numpy<2  # mine, dö not touch{newline}{newline}-r other.txt{newline}"
    path.write_bytes(mark + user.encode(encoding))
    path.write_bytes(read(path).with_block(BLOCK))
    once = path.read_bytes()
    assert once.startswith(mark + user.encode(encoding))
    assert once.decode(encoding).count(newline) == once.decode(encoding).count("\n")
    after = f"{newline}tail{newline}".encode(encoding)
    path.write_bytes(once + after)
    assert read(path).block == BLOCK
    assert read(path).with_block(BLOCK) == once + after


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_around_the_block_survive(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "requirements.txt"
    path.write_bytes(before.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE))
    try:
        path.write_bytes(read(path).with_block(BLOCK) + after)
        again = read(path)
    except EnvmagicError as error:
        assert error.problem.code == "unreadable"  # cut UTF-32
        return
    assert again.block == BLOCK
    assert again.with_block(BLOCK) == path.read_bytes()


OLD = """\
# >>> envmagic 1 >>> pin exact, recording on
pandas==2.3.3
    # analysis.ipynb
# <<< envmagic <<<
"""


@pytest.mark.parametrize(
    "text, line",
    [
        ("a\n# >>> envmagic 1 >>> pin exact, recording on\nb\n", 2),
        (OLD + OLD, 5),
        (OLD + RENDERED, 5),
        ("x\n# <<< envmagic <<<\n", 2),
    ],
)
def test_an_unclosed_or_doubled_block_is_named_by_its_line(
    tmp_path: Path, text: str, line: int
) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    with pytest.raises(EnvmagicError, match=f"Line {line} ") as caught:
        read(path)
    assert caught.value.problem.code == "bad-block"
    assert path.read_text() == text


def test_a_block_of_a_newer_format_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(RENDERED.replace("envmagic 2", "envmagic 3"))
    with pytest.raises(EnvmagicError, match="newer envmagic"):
        read(path)


@given(st.text(min_size=1), st.booleans())
def test_any_notebook_name_reads_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, installed: bool
) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        name = ascii(name)
    path = tmp_path_factory.mktemp("any") / "requirements.txt"
    block = Block(entries=(Entry(Kind.REQUIREMENT, "a", (Mention(name, installed),)),))
    path.write_bytes(read(path).with_block(block))
    assert len(path.read_text("utf-8").splitlines()) == 4
    assert read(path).block == block


def test_merging_one_notebook_leaves_the_others() -> None:
    new = Entry(Kind.REQUIREMENT, "numpy==2.0", (Mention("analysis.ipynb"),))
    merged = BLOCK.replaced({"analysis.ipynb": [new]})
    assert [(e.text, [m.notebook for m in e.mentions]) for e in merged.entries] == [
        ("numpy==2.0", ["analysis.ipynb"]),
        ("scikit-learn==1.7.2", ["report.ipynb"]),
        ("corp_utils", ["report.ipynb"]),
    ]
    assert BLOCK.without(["analysis.ipynb"]).entries == merged.entries[1:]


@pytest.mark.parametrize(
    "text, name",
    [
        ("git+https://h/z#egg=z pandas", "z"),
        ("numpy<2 # why", "numpy"),
        ("x @ https://h/x.whl#sha256=0", "x"),
        ("a \\\n  >=1 \\\n  --hash=sha256:00", "a"),
        ("Foo.Bar[baz]>=1 ; python_version<'3.8'", "foo-bar"),
        ("https://h/d/torch-2.1.0-cp311-cp311-linux_x86_64.whl", "torch"),
        ("./local", None),
        ("-r other.txt", None),
        ("--index-url https://h/", None),
    ],
)
def test_lines_are_read_as_pip_reads_them(text: str, name: str | None) -> None:
    (line,) = parse_lines(text, "x")
    assert line.name == name


@pytest.mark.parametrize(
    "text, location, guess",
    [
        ("-e .[dev,docs]", ".", None),
        ("--editable=../src  # mine", "../src", None),
        ('./local ; python_version > "3"', "./local", None),
        ("./d/Local_Name-1.0.tar.gz", "./d/Local_Name-1.0.tar.gz", "local-name"),
        ("git+https://h/o/Mod.git@v1/x#subdirectory=y", None, "mod"),
        ("git+ssh://git@h/o/mod", "git+ssh://git@h/o/mod", "mod"),
        ("https://github.com/o/mod/archive/refs/heads/main.zip", None, "mod"),
        ("https://h/mod-1.0.zip --hash=sha256:00", "https://h/mod-1.0.zip", "mod"),
        ("pandas>=2", None, None),
        ("x @ https://h/y.zip", "https://h/y.zip", "y"),
        ("-r other.txt", None, None),
    ],
)
def test_a_line_says_where_it_installs_from(
    text: str, location: str | None, guess: str | None
) -> None:
    (line,) = parse_lines(text, "x")
    assert line.location == (location or (text if guess else None))
    assert line.guess == guess


@pytest.mark.parametrize("number", [1, 3, 9, 11])
def test_a_conflict_that_a_merge_left_is_named_by_its_line(tmp_path: Path, number: int) -> None:
    path = tmp_path / "requirements.txt"
    lines = RENDERED.splitlines(keepends=True)
    lines[number - 1 : number - 1] = [">>>>>>> theirs\n"]
    path.write_text("".join(lines))
    with pytest.raises(EnvmagicError, match=f"Line {number} of .* a conflict marker") as caught:
        read(path)
    assert caught.value.problem.code == "bad-block"


def test_a_malformed_line_is_named_by_its_number() -> None:
    with pytest.raises(EnvmagicError, match="Line 3 of the cell") as caught:
        parse_lines("pandas\n# fine\nnot a requirement!\n", "the cell")
    assert caught.value.problem.code == "bad-requirement"


def test_included_files_are_the_users_lines_and_cycles_end(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("a\n-r more.txt\n-c limits.txt\n")
    (tmp_path / "more.txt").write_text("b\n-r requirements.txt\n")
    (tmp_path / "limits.txt").write_text("c<2\n")
    lines = read(tmp_path / "requirements.txt").user_lines()
    assert [(x.name, x.constraint) for x in lines if x.name] == [
        ("a", False),
        ("b", False),
        ("c", True),
    ]


@pytest.mark.parametrize(
    "pin, version, expected",
    [
        (Pin.EXACT, "2.3.3+cu121", "==2.3.3"),
        (Pin.COMPATIBLE, "2.3.3", "~=2.3.3"),
        (Pin.COMPATIBLE, "5", ">=5"),
        (Pin.MINIMUM, "1!2.0", ">=1!2.0"),
        (Pin.NONE, "1", ""),
    ],
)
def test_pins(pin: Pin, version: str, expected: str) -> None:
    assert pin.specifier(version) == expected
