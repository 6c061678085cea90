"""The block in an `environment.yml`: everything around it stays as the user wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envmagic.backends.conda import environment_file
from envmagic.errors import EnvmagicError
from envmagic.requirements import Block, Entry, Kind, Mention, Pin, condafile

ENTRY = Entry(Kind.REQUIREMENT, "gdal=3.9.1", (Mention("a b.ipynb", True), Mention("maps.ipynb")))
BLOCK = Block("3.12", Pin.EXACT, True, (ENTRY, Entry(Kind.UNRESOLVED, "corp", ENTRY.mentions[1:])))
RENDERED = """\
{0}# >>> envmagic 1 >>> python 3.12, pin exact, recording on
{0}- python=3.12
{0}- gdal=3.9.1
{0}    # a b.ipynb (installed)
{0}    # maps.ipynb
{0}# unresolved: corp
{0}    # maps.ipynb
{0}- pip
{0}- pip:
{0}    - -r requirements.txt
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
    file = condafile.read(path)
    assert file is not None and file.block is None
    written = file.with_block(BLOCK, include=True)
    indent = {"no indent": "", "key last": "    "}.get(case, "  ")
    assert written.decode() == before + RENDERED.format(indent) + after
    path.write_bytes(written)
    again = condafile.read(path)
    assert again is not None and again.block == BLOCK
    assert again.with_block(BLOCK, include=True) == written, "writing twice changes nothing"
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
    file = condafile.read(path)
    assert file is not None
    written = file.with_block(BLOCK, include=False)
    assert written.startswith(mark + user.encode())
    assert written.count(newline.encode()) == written.count(b"\n")


def test_the_user_s_own_lines_win(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(
        "dependencies:\n  - python>=3.11\n  - conda-forge::GDAL\n  - pip\n  - pip:\n      - six\n"
        "variables:\n  X: 1\n"
    )
    file = condafile.read(path)
    assert file is not None
    assert file.names == {"python", "gdal", "pip"}
    assert file.pip_section is not None and "six" in file.pip_section
    written = file.with_block(BLOCK, include=True).decode()
    assert "requirements.txt" not in written and "python=3.12" not in written
    assert written.index("<<< envmagic") < written.index("variables:")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dependencies: [numpy, scipy]\n", "Line 1 .* in one line"),
        ("dependencies:\n  # >>> envmagic 1 >>> pin exact\n", "without its beginning or end"),
        ("dependencies:\n  # >>> envmagic 9 >>> x\n  # <<< envmagic <<<\n", "newer envmagic"),
    ],
)
def test_where_there_is_no_place_it_says_so(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(text)
    with pytest.raises(EnvmagicError, match=said):
        condafile.read(path)
