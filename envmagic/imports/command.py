"""The text of a shell as single commands: quotes, here-documents and redirections understood."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from envmagic.imports.installs import words_of

__all__ = ["Command", "commands_of"]

_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"]?)([^\W\d]\w*)\1")
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'", re.DOTALL)
_KEPT = re.compile(r"\0(\d+)\0")
_SEPARATOR = re.compile(r"&&|\|\||[;|\n()]|&(?![>\d])")
_OUTPUT = re.compile(r"(?:(?<!\S)1|&)?(?P<sign>>{1,2})(?![&=>])[ \t]*(?P<file>[^\s<>&]+)")
_OTHER_STREAMS = re.compile(r"\d?>&\d?-?|2>{1,2}[ \t]*\S+|(?<!<)<[ \t]*[^\s<]+")
_BEFORE = frozenset("sudo -H time nohup exec then else do if ! yes command {".split())


class Command(NamedTuple):
    """One command: its words, and where its output goes."""

    words: list[str]
    output: str = ""
    adds: bool = False
    given: str | None = None
    """The here-document that it reads."""

    def options(
        self, short: str = "", long: str = "", skip: int = 1
    ) -> tuple[list[str], dict[str, str]]:
        """Its other words, and its options with their values, which those take that `short` (their
        letters) and `long` (their names) have."""
        valued, rest = {f"--{word}" for word in long.split()}, iter(self.words[skip:])
        plain: list[str] = []
        found: dict[str, str] = {}
        for word in rest:
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                found[name] = value if equals or name not in valued else next(rest, "")
            elif word.startswith("-") and len(word) > 1:
                for place, letter in enumerate(word[1:], 2):
                    if letter in short:
                        found[letter] = word[place:] or next(rest, "")
                        break
                    found[letter] = ""
            else:
                plain.append(word)
        return plain, found

    @property
    def printed(self) -> str | None:
        """What it prints, where its words tell."""
        if self.given is not None:
            return self.given
        name, rest = self.words[0] if self.words else "", self.words[1:]
        if name not in ("echo", "printf"):
            return None
        means = name == "printf" or "-e" in rest
        text = " ".join(word for word in rest if not re.fullmatch("-[neE]+", word))
        return re.sub(r"\\([nt])", lambda m: "\n" if m[1] == "n" else "\t", text) if means else text


def commands_of(text: str) -> Iterator[tuple[Command, str]]:
    """The commands of `text` in their order, each with the directory that `cd` led to before it."""
    text = text.replace("\0", "")
    text, documents = _without_documents(text) if "<<" in text else (text, [])
    quoted: list[str] = []

    def keep(match: re.Match[str]) -> str:
        quoted.append(match[0])
        return f"\0{len(quoted) - 1}\0"

    text = re.sub(r"\\[ \t]*\n", " ", _QUOTED.sub(keep, text))
    text = re.sub(r"(?:^|(?<=\s))#[^\n]*", "", text)
    directory = ""
    for part in _SEPARATOR.split(text):
        command = _command(part, quoted, documents)
        if command.words:
            yield command, directory
            if command.words[0] == "cd" and len(command.words) > 1:
                directory = f"{directory}/{command.words[1]}" if directory else command.words[1]


def _without_documents(text: str) -> tuple[str, list[str]]:
    """`text` with `<<0`, `<<1`, … in the place of its here-documents, and those."""
    lines = text.split("\n")
    places: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        places.setdefault(line.strip(), []).append(number)
    left: list[str] = []
    documents: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        start = _HERE_DOCUMENT.search(line)
        ends = places.get(start[2], []) if start else []
        at = bisect_left(ends, number)
        if start and at < len(ends):
            line = f"{line[: start.start()]}<<{len(documents)}{line[start.end() :]}"
            documents.append("\n".join(lines[number : ends[at]]) + "\n")
            number = ends[at] + 1
        left.append(line)
    return "\n".join(left), documents


def _command(part: str, quoted: list[str], documents: list[str]) -> Command:
    def back(text: str) -> str:
        return _KEPT.sub(lambda m: quoted[int(m[1])], text)

    given = re.search(r"<<(\d+)", part)
    part = _OTHER_STREAMS.sub(" ", re.sub(r"<<<?\S*", " ", part))
    output = _OUTPUT.search(part)
    words = words_of(back(_OUTPUT.sub(" ", part)))
    while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
        words = words[1:]
    return Command(
        words,
        "".join(words_of(back(output["file"]))) if output else "",
        output is not None and output["sign"] == ">>",
        documents[int(given[1])] if given and int(given[1]) < len(documents) else None,
    )
