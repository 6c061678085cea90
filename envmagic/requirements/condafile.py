"""The block in an `environment.yml`: the user's text, kept byte for byte, around our list items.

The file is treated as text, so that comments, quotes and order stay; whoever writes it checks with
a YAML reader that the result means what it should.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from envmagic.errors import EnvmagicError
from envmagic.home import user_path
from envmagic.requirements.block import FOOTER, HEADER, Block, parse_block, refuse_conflict
from envmagic.requirements.lines import decode, encode

__all__ = ["INCLUDE", "CondaFile", "new", "read"]

INCLUDE = "-r requirements.txt"
"""In the `pip:` section: what pip installs is listed there and nowhere else."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_ITEM = re.compile(r"(?P<indent> *)-\s+(?P<text>\S.*)")
_KEY = re.compile(r"dependencies[ \t]*:[ \t]*(?P<rest>[^#\r\n]*)")
_NAME = re.compile(r"[\"']?(?:[^\s:\"']+::)?([A-Za-z0-9_][A-Za-z0-9_.-]*)")


@dataclass(frozen=True)
class CondaFile:
    """What an `environment.yml` holds; `with_block` gives the bytes of a changed one."""

    path: Path
    block: Block | None = None
    before: str = ""
    """The user's text before the block, or before the place where it goes."""
    after: str = ""
    indent: str = "  "
    """What the items of `dependencies` are indented by."""
    encoding: str = "utf-8"
    mark: bytes = field(default=b"", repr=False)
    newline: str = "\n"

    @property
    def names(self) -> frozenset[str]:
        """The packages that the user lists, lower case."""
        text = self.before + self.after
        return frozenset(_names(text.replace(self.pip_section or "\0", "")))

    @property
    def pip_section(self) -> str | None:
        """The user's own `pip:` section as text; conda takes only one."""
        match = re.search(
            r"^( *)-\s+pip[ \t]*:[^\r\n]*((?:\r?\n|\r)(?:\1[ \t]+\S[^\r\n]*|[ \t]*))*",
            self.before + self.after,
            re.MULTILINE,
        )
        return match[0] if match else None

    def with_block(self, block: Block, *, include: bool) -> bytes:
        """The file's bytes with `block` in its place; `include`: with `-r requirements.txt`, unless
        the user has a `pip:` section."""
        lines = self._lines(block, include and self.pip_section is None)
        text = "".join(f"{line}{self.newline}" for line in lines)
        before = self.before
        if before and not before.endswith(("\n", "\r")):
            before += self.newline
        return self.mark + encode(before + text + self.after, self.encoding)

    def _lines(self, block: Block, include: bool) -> list[str]:
        header, *middle, footer = block.render()
        items = [line if line.lstrip().startswith("#") else f"- {_quoted(line)}" for line in middle]
        if block.python and "python" not in self.names:
            items.insert(0, f"- python={block.python}")
        if include:
            items += [] if "pip" in self.names else ["- pip"]
            items += ["- pip:", f"    - {INCLUDE}"]
        return [f"{self.indent}{line}" for line in (header, *items, footer)]


def new(path: Path, name: str, channels: Iterable[str]) -> CondaFile:
    """A file that is not there yet."""
    listed = "".join(f"  - {_quoted(channel)}\n" for channel in channels)
    return CondaFile(path, before=f"name: {name}\nchannels:\n{listed}dependencies:\n")


def read(path: Path) -> CondaFile | None:
    """What `path` holds; None where there is none.

    Raises `EnvmagicError` when it cannot be read (`unreadable`), its block has no end, there are
    two or a merge left its conflict there (`bad-block`), or its dependencies are no list of lines
    (`record-place`).
    """
    try:
        text, encoding, mark = decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise EnvmagicError(
            "unreadable", f"{user_path(path)} cannot be read: {error}.", subject=str(path)
        ) from error
    newline = (re.search(r"\r\n|\r|\n", text) or ["\n"])[0]
    shell = CondaFile(path, encoding=encoding, mark=mark, newline=newline)
    lines = [line for line in _LINE.findall(text) if line]
    refuse_conflict(lines, user_path(path), str(path))
    marks = [i for i, line in enumerate(lines) if HEADER.match(line.strip())]
    ends = [i for i, line in enumerate(lines) if FOOTER.fullmatch(line.strip())]
    if not marks and not ends:
        return _vacant(shell, lines)
    if len(marks) != 1 or len(ends) != 1 or ends[0] < marks[0]:
        raise EnvmagicError(
            "bad-block",
            f"{user_path(path)} has a block without its beginning or end, or two.",
            "Keep one '# >>> envmagic' line and one '# <<< envmagic <<<' line after it.",
            subject=str(path),
        )
    return _with(shell, lines, marks[0], ends[0])


def _with(shell: CondaFile, lines: list[str], start: int, end: int) -> CondaFile:
    content = [line.rstrip("\r\n") for line in lines[start : end + 1]]
    indent = content[0][: len(content[0]) - len(content[0].lstrip())]
    plain: list[str] = []
    for line in content:
        bare = line[len(indent) :] if line.startswith(indent) else line.lstrip()
        item = bare[2:].strip().strip("\"'") if bare.startswith("- ") else None
        if item is None and not bare.lstrip().startswith("#"):
            continue  # below `- pip:`
        if item is not None and re.match(r"python(?:=[\d.]+)?$|pip:?$", item):
            continue
        plain.append(bare if item is None else item)
    block = parse_block(plain, start + 1, user_path(shell.path))
    return replace(
        shell,
        block=block,
        before="".join(lines[:start]),
        after="".join(lines[end + 1 :]),
        indent=indent,
    )


def _vacant(shell: CondaFile, lines: list[str]) -> CondaFile:
    """Where the block goes: behind the last item of `dependencies`."""
    place = next((i for i, line in enumerate(lines) if _KEY.match(line)), None)
    if place is None:
        text = "".join(lines)
        gap = "" if not text or text.endswith(("\n", "\r")) else shell.newline
        return replace(shell, before=f"{text}{gap}dependencies:{shell.newline}")
    rest = _KEY.match(lines[place])
    if rest is not None and rest["rest"].strip():
        raise EnvmagicError(
            "record-place",
            f"Line {place + 1} of {user_path(shell.path)} lists the dependencies in one line.",
            "Write them below each other, each behind '- '.",
            subject=str(shell.path),
        )
    end = last = place + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " -#\t"):
        if lines[end].strip() and not lines[end].lstrip().startswith("#"):
            last = end + 1
        end += 1
    items = [m for line in lines[place + 1 : last] if (m := _ITEM.match(line))]
    indent = items[0]["indent"] if items else "  "
    return replace(shell, before="".join(lines[:last]), after="".join(lines[last:]), indent=indent)


def _names(text: str) -> Iterable[str]:
    inside = False
    for line in text.splitlines():
        if re.match(r"[^\s#-]", line):
            inside = _KEY.match(line) is not None
        item = _ITEM.match(line)
        name = _NAME.match(item["text"]) if item and inside else None
        if name is not None:
            yield name[1].lower()


def _quoted(text: str) -> str:
    """`text` as a YAML scalar; only what would mean something else is quoted."""
    plain = re.fullmatch(r"[A-Za-z0-9_./][^#\"'{}\[\]&*!|%@`]*", text)
    return text if plain and ": " not in text and not text.endswith(":") else f'"{text}"'
