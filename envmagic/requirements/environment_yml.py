"""The block in an `environment.yml`: the user's text, kept byte for byte, around our list items.

The file is treated as text, so that comments, quotes and order stay; whoever writes it checks with
a YAML reader that the result means what it should.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from envmagic.core.display import user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.record_files import BEGIN, REQUIREMENTS
from envmagic.requirements import signs
from envmagic.requirements.block import Block
from envmagic.requirements.lines import RequirementLine, decode, parse_lines
from envmagic.requirements.marked import MarkedFile, rendered
from envmagic.requirements.pieces import Piece, Role, between, lines_of
from envmagic.requirements.reading import bad_block, has_block, loaded, with_block_of
from envmagic.system import files, reading

__all__ = ["INCLUDE", "CondaFile", "new", "packages", "pip_lines", "read", "user_text"]

INCLUDE = f"-r {REQUIREMENTS}"
"""In the `pip:` section: what pip installs is listed there and nowhere else."""
_ITEM = re.compile(r"(?P<indent> *)-\s+(?P<text>\S.*)")
_KEY = re.compile(r"dependencies[ \t]*:[ \t]*(?P<rest>[^#\r\n]*)")
_FIXED = re.compile(r"python(?:=[\d.]+)?|pip:?|" + re.escape(INCLUDE))
_NAME = re.compile(r"[\"']?(?:[^\s:\"']+::)?([A-Za-z0-9_][A-Za-z0-9_.-]*)")
_PIP = re.compile(
    r"^( *)-\s+pip[ \t]*:[^\r\n]*((?:\r?\n|\r)(?:\1[ \t]+\S[^\r\n]*|[ \t]*))*", re.MULTILINE
)
_COMMENT = re.compile(r"\s+#.*$", re.MULTILINE)
# `dependencies: [a, b]`, over several lines too; a list in it is pip's.
_FLOW = re.compile(r"^dependencies[ \t]*:\s*\[((?:[^\[\]]|\[[^\[\]]*\])*)\]", re.MULTILINE)
_FLOW_PIP = re.compile(r"\{?\s*pip\s*:\s*\[([^\[\]]*)\]\s*\}?")


@dataclass(frozen=True)
class _Listed:
    """How a line of the block looks here: an item of the list `dependencies`."""

    indent: str

    def item(self, text: str) -> str | None:
        return text[2:].strip().strip("\"'") if text.startswith("- ") else None

    def shown(self, item: str) -> str:
        return f"- {_quoted(item)}"

    def is_fixed(self, item: str) -> bool:
        return _FIXED.fullmatch(item) is not None

    def check(self, path: Path, pieces: Sequence[Piece]) -> None:
        """Raise `EnvmagicError` (`bad-block`) where a line of the user's cannot go above the block:
        it would mean something else there."""
        holder: tuple[Piece, bool] | None = None
        for piece, inside in zip(pieces, between(pieces), strict=True):
            if piece.role is Role.OWN:
                depth, ours = _depth(piece), holder is not None and holder[0].is_ours
                nested = holder is not None and depth > _depth(holder[0])
                stray = holder is not None and ours and nested and not holder[1]
                item = depth == len(self.indent) and piece.text.lstrip().startswith("- ")
                if stray or (inside and not item and (ours or not nested)):
                    what = "this line stands between envmagic's, and is not envmagic's"
                    raise bad_block(path, piece, what, "Move it above the block.")
            if piece.role in (Role.OWN, Role.ENTRY, Role.FIXED):
                holder = piece, inside


def _depth(piece: Piece) -> int:
    return len(piece.text) - len(piece.text.lstrip(" "))


@dataclass(frozen=True)
class CondaFile(MarkedFile):
    """What an `environment.yml` holds; `with_block` gives the bytes of a changed one."""

    indent: str = "  "
    """What the items of `dependencies` are indented by."""
    fixed: tuple[str, ...] = ()
    """The items of the block that are no entries."""
    include: bool = False
    """What is written has `-r requirements.txt`, unless the user has a `pip:` section."""

    @property
    def names(self) -> frozenset[str]:
        """The packages that the user lists, lower case."""
        found = (_NAME.match(item) for item in packages(self.before + self.after))
        return frozenset(match[1].lower() for match in found if match is not None)

    @property
    def pip_section(self) -> str | None:
        """The user's own `pip:` section as text; conda takes only one."""
        match = _PIP.search(self.before + self.after)
        return match[0] if match else None

    def user_lines(self) -> tuple[RequirementLine, ...]:
        """What the user lists, by the names alone; those that only conda allows are left out."""
        found: list[RequirementLine] = []
        for name in sorted(self.names):
            with contextlib.suppress(EnvmagicError):
                found += parse_lines(name, name)
        return tuple(found)

    def with_block(self, block: Block) -> bytes:
        """The file's bytes with `block` in the place of the old one, or below the dependencies."""
        first, last = self._fixed(block)
        header, lines, footer = rendered(self, block, _Listed(self.indent))
        above, below = ([self._shown(item) for item in items] for items in (first, last))
        file = self if self.block is not None else replace(self, after=self.newline + self.after)
        return file.assembled(block, [header, *above, *lines, *below, footer])

    def is_current(self, block: Block) -> bool:
        """Whether the file on disk is what `with_block` gives; in format 1 it need only say it."""
        if self.is_old and block == self.block:
            return self.fixed == sum(self._fixed(block), ())
        return self.raw == self.with_block(block)

    def _fixed(self, block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The items before and behind the entries."""
        python = block.python and "python" not in self.names
        pip = () if "pip" in self.names else ("pip",)
        include = self.include and self.pip_section is None
        first = (f"python={block.python}",) if python else ()
        return first, (*pip, "pip:", INCLUDE) if include else ()

    def _shown(self, item: str) -> str:
        deeper = "    " if item == INCLUDE else ""
        return f"{self.indent}{deeper}- {item} #{signs.fixed(item)}"


def new(path: Path, name: str, channels: Iterable[str]) -> CondaFile:
    """A file that is not there yet."""
    listed = "".join(f"  - {_quoted(channel)}\n" for channel in channels)
    return CondaFile(path, before=f"name: {name}\nchannels:\n{listed}dependencies:\n")


def read(path: Path) -> CondaFile | None:
    """What `path` holds; None where there is none.

    Raises `EnvmagicError` when it cannot be read (`unreadable`), a newer envmagic wrote its block
    (`newer-format`), the block cannot be put right (`bad-block`, naming the line), or its
    dependencies are no list of lines (`record-place`).
    """
    try:
        raw = reading.content(path)
        text, _, _ = decode(raw)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise files.unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise EnvmagicError(
            "unreadable", f"{user_path(path)} cannot be read: {error}.", subject=str(path)
        ) from error
    match = re.search(rf"^( *){BEGIN}\d+ >>>", text.replace("\r", "\n"), re.MULTILINE)
    indent = match[1] if match else "  "
    file, pieces = loaded(CondaFile(path, indent=indent), raw, _Listed(indent))
    if not has_block(path, pieces):
        return _vacant(file, lines_of(text))
    found, pieces = with_block_of(file, pieces, _Listed(indent))
    items = (_Listed(indent).item(_bare(piece)) for piece in pieces if piece.role is Role.FIXED)
    return replace(found, fixed=tuple(item for item in items if item))


def _bare(piece: Piece) -> str:
    told = signs.split(piece.text)
    return told[0].strip() if told else piece.text.strip()


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


def user_text(path: Path) -> str:
    """What the user wrote into `path`; all of it where the record has no place, nothing where it
    cannot be read."""
    try:
        file = read(path)
        return file.user_text if file is not None else ""
    except EnvmagicError:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return decode(reading.content(path))[0]
        return ""


def packages(text: str) -> list[str]:
    """The items of `dependencies`, conda's, as far as lines and brackets tell them."""
    flow = _FLOW.search(text)
    if flow is not None:
        return _split(_FLOW_PIP.sub("", flow[1]))
    section = _PIP.search(text)
    found: list[str] = []
    inside = False
    for line in text.replace(section[0] if section else "\0", "").splitlines():
        if re.match(r"[^\s#-]", line):
            inside = _KEY.match(line) is not None
        item = _ITEM.match(line)
        if item is not None and inside and _NAME.match(item["text"]):
            found.append(_COMMENT.sub("", item["text"]).strip("\"'"))
    return found


def pip_lines(text: str) -> list[str]:
    """The lines of the `pip:` section, without those that name files."""
    flow, section = _FLOW.search(text), _PIP.search(text)
    within = _FLOW_PIP.search(flow[1] if flow else section[0] if section else "")
    if within is not None:
        found = _split(within[1])
    else:
        lines = (section[0] if section and not flow else "").splitlines()[1:]
        items = (_ITEM.match(line) for line in lines)
        found = [_COMMENT.sub("", item["text"]).strip("\"'") for item in items if item]
    return [line for line in found if not line.startswith("-")]


def _split(items: str) -> list[str]:
    found = (_COMMENT.sub("", item).strip().strip("\"'") for item in items.split(","))
    return [item for item in found if item]


def _quoted(text: str) -> str:
    """`text` as a YAML scalar; only what would mean something else is quoted."""
    plain = re.fullmatch(r"[A-Za-z0-9_./][^#\"'{}\[\]&*!|%@`]*", text)
    return text if plain and ": " not in text and not text.endswith(":") else f'"{text}"'
