"""The lines of a requirements file or of a `%%env` body, as pip reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envmagic.core.display import quoted, shortened
from envmagic.core.encoding import by_mark
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.requirements.options import OptionError, given, given_behind

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "RequirementLine",
    "decode",
    "encode",
    "looks_other",
    "numbered",
    "parse_lines",
    "requirement",
]

# A comment starts at a # at the line's start or after whitespace: "#egg=name" in a URL does not.
_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTION_TAIL = re.compile(r"\s--?[A-Za-z].*$")
_FILE_OPTION = re.compile(r"^(-r|-c|--requirement|--constraint)(?:[ \t]*=?[ \t]*)(.+)$")
_OPTION = re.compile(r"-[rceif][ \t]|--[a-z]")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_WHEEL = re.compile(
    r"(?<![A-Za-z0-9_.])([A-Za-z0-9_.]+)-[^/\\-]+(?:-[^/\\-]+){3,4}\.whl(?:[#?].*)?$"
)
_EDITABLE = re.compile(r"^(?:-e[ \t]+|--editable[ \t=]+)")
_TAIL = re.compile(r"(?<!\s)\s+(?:;|--?[A-Za-z]).*$")
_EXTRAS = re.compile(r"\[[^\[\]/\\]*\]$")
_ARCHIVE = re.compile(r"/([^/]+)/(?:archive|tarball|zipball|releases|-/archive)/")
_SDIST = re.compile(r"(?:-v?\d[^/-]*)?\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)$")
_NOT_A_NAME = re.compile(
    r"^(?:[a-z+.]+://|(?:git|hg|svn|bzr)\+|file:|\.{1,2}(?:[/\\]|$|\[)|[/~\\]|[A-Za-z]:[/\\])"
    r"|\.(?:whl|zip|tar\.(?:gz|bz2|xz)|tgz)(?:[#?\[].*)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RequirementLine:
    """One logical line that is not blank and not a comment."""

    text: str
    """Without comment; continued lines joined."""
    line: int
    """Number of its first physical line, counting from 1."""
    source: str
    """What the line is in, for messages: a path, or `the %%env cell`."""
    requirement: Requirement | None = None
    """None for options (`-r`, `--index-url`), URLs and paths."""
    constraint: bool = False
    """It came in through `-c`: it limits the version and installs nothing."""

    @property
    def is_option(self) -> bool:
        """`-r FILE`, `--index-url URL` and the like."""
        return self.text.startswith("-") and not self.is_editable

    @property
    def is_editable(self) -> bool:
        """`-e PATH` or `-e URL`."""
        return re.match(r"-e[ \t]|--editable[ \t=]", self.text) is not None

    @property
    def fault(self) -> str:
        """What is wrong with its options, as a clause; empty where nothing is."""
        try:
            given(self.text) if self.text.startswith("-") else given_behind(self.text)
        except OptionError as error:
            return str(error)
        return ""

    @property
    def includes(self) -> str | None:
        """The FILE of `-r FILE` and `-c FILE`, else None."""
        match = _FILE_OPTION.match(self.text)
        return match[2].strip().strip("\"'") if match else None

    @property
    def is_constraint(self) -> bool:
        """`-c FILE`."""
        return self.text.startswith(("-c", "--constraint"))

    @property
    def hashed(self) -> bool:
        """It carries `--hash=`."""
        return "--hash" in self.text

    @property
    def name(self) -> str | None:
        """The distribution it names, normalised; None where the line does not say."""
        if self.requirement is not None:
            return normalized(self.requirement.name)
        egg = _EGG.search(self.text) or _WHEEL.search(self.text)
        return normalized(egg[1]) if egg else None

    @property
    def location(self) -> str | None:
        """The URL or path that it installs from; None where it names a distribution alone, or is an
        option."""
        if self.is_option:
            return None
        if self.requirement is not None:
            return self.requirement.url
        text = _TAIL.sub("", _EDITABLE.sub("", self.text))
        return _EXTRAS.sub("", text.strip().strip("\"'"))

    @property
    def guess(self) -> str | None:
        """The distribution that its URL or archive is called after (`git+https://h/o/mod.git@v1`:
        mod), normalised; None for a name or a directory."""
        location = re.split(r"[?#]", self.location or "")[0]
        path = location.partition("://")[2].partition("/")[2]
        if not path:
            if not _SDIST.search(location):
                return None
            path = location
        archive = _ARCHIVE.search(f"/{path}")
        last = archive[1] if archive else path.partition("@")[0].rstrip("/").rpartition("/")[2]
        return normalized(_SDIST.sub("", last.removesuffix(".git"))) or None


def parse_lines(text: str, source: str) -> tuple[RequirementLine, ...]:
    """The lines of `text` that ask for something.

    `source` names it in messages; empty where it is a line by itself. Raises `EnvmagicError`
    (`bad-requirement`) with the number of the first line that pip would refuse.
    """
    return tuple(_parse(line, number, source) for number, line in numbered(text))


def looks_other(text: str) -> bool:
    """Whether most of the lines of `text` are none that pip reads: it is something else."""
    lines = [line for _, line in numbered(text)]
    return 2 * sum(not _is_line(line) for line in lines) > len(lines)


def _is_line(line: str) -> bool:
    if line.startswith("-"):
        return _OPTION.match(line) is not None
    try:
        return _parse(line, 1, "") is not None
    except EnvmagicError:
        return False


def decode(raw: bytes) -> tuple[str, str, bytes]:
    """`raw` as text, the encoding's name and the byte-order mark it began with.

    Bytes that are no UTF-8 are kept as lone surrogates, so that `encode` gives them back. Raises
    `UnicodeDecodeError` for UTF-16 or UTF-32 that is cut in the middle of a character.
    """
    name, mark = by_mark(raw)
    errors = "surrogateescape" if name in ("", "utf-8") else "surrogatepass"
    return raw[len(mark) :].decode(name or "utf-8", errors), name or "utf-8", mark


def encode(text: str, encoding: str) -> bytes:
    """What `decode` read, byte for byte (without the mark)."""
    return text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "surrogatepass")


def numbered(text: str) -> list[tuple[int, str]]:
    """The lines of `text` that are not blank, each with its number, without comments.

    Continuations are joined; pip cuts the comment after joining, but a
    comment line of its own ends a continuation."""
    found: list[tuple[int, str]] = []
    pending: list[str] = []
    first = 0
    for number, physical in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        is_comment = physical.lstrip().startswith("#")
        if physical.endswith("\\") and not is_comment:
            pending.append(physical[:-1])
            first = first or number
            continue
        comment_apart = " " if pending and is_comment else ""
        stripped = _COMMENT.sub("", f"{''.join(pending)}{comment_apart}{physical}").strip()
        if stripped:
            found.append((first or number, stripped))
        pending, first = [], 0
    stripped = _COMMENT.sub("", "".join(pending)).strip()
    if stripped:
        found.append((first, stripped))
    return found


def _parse(line: str, number: int, source: str) -> RequirementLine:
    if line.startswith("-") or (_NOT_A_NAME.search(line) and " @ " not in line):
        return RequirementLine(line, number, source)
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(_OPTION_TAIL.sub("", line))
    # markers nested too deeply, and versions of more digits than Python makes a number of
    except (InvalidRequirement, RecursionError, ValueError) as error:
        raise EnvmagicError(
            "bad-requirement",
            f"Line {number} of {source} is no requirement: {quoted(line)}."
            if source
            else f"{quoted(line)} is no requirement.",
            "Write a name with an optional version, such as pandas>=2.",
            subject=shortened(line),
        ) from error
    return RequirementLine(line, number, source, requirement)


def requirement(text: str) -> Requirement | None:
    """`text` as a requirement; None for options, URLs and paths."""
    lines = parse_lines(text, "")
    return lines[0].requirement if lines else None
