"""The options that a line of a requirements file may have, after pip's reference of its format.

https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from envmagic.core.display import quoted

__all__ = ["Given", "Option", "OptionError", "Part", "given", "given_behind"]


class Part(Enum):
    """What of a requirements file an option is."""

    REQUIREMENT = "requirement"
    """It asks for something, or limits it, by itself: nothing else stands on its line."""
    FINDING = "finding"
    """It says where packages are found, or which of them are taken."""
    BEHIND = "behind"
    """It stands behind a requirement."""


@dataclass(frozen=True)
class Option:
    """An option that is known."""

    name: str
    part: Part
    has_value: bool = True
    uv_knows: bool = True
    """uv's command line takes it; what it does not take there changes nothing that is asked for."""
    of_its_lines: bool = False
    """It is about the lines of its own file, and not about how packages are found."""

    @property
    def repeats(self) -> bool:
        """Whether each counts where it is given more than once, not only the last."""
        return self.has_value and self.name != "--index-url"


@dataclass(frozen=True)
class Given:
    """An option as a line has it."""

    option: Option
    value: str = ""

    @property
    def line(self) -> str:
        """It alone, as a line of a requirements file."""
        return f"{self.option.name} {shlex.quote(self.value)}" if self.value else self.option.name


class OptionError(ValueError):
    """A line has an option that pip would refuse or pass over; says why, as a clause."""


_INDEX = Option("--index-url", Part.FINDING)
_REQUIREMENT = Option("--requirement", Part.REQUIREMENT)
_CONSTRAINT = Option("--constraint", Part.REQUIREMENT)
_EDITABLE = Option("--editable", Part.REQUIREMENT)
_LINKS = Option("--find-links", Part.FINDING)
_SETTINGS = Option("--config-settings", Part.BEHIND)
_TABLE = {
    "-i": _INDEX,
    "--index-url": _INDEX,
    "--pypi-url": _INDEX,
    "--extra-index-url": Option("--extra-index-url", Part.FINDING),
    "--no-index": Option("--no-index", Part.FINDING, has_value=False),
    "-f": _LINKS,
    "--find-links": _LINKS,
    "-r": _REQUIREMENT,
    "--requirement": _REQUIREMENT,
    "-c": _CONSTRAINT,
    "--constraint": _CONSTRAINT,
    "-e": _EDITABLE,
    "--editable": _EDITABLE,
    "--no-binary": Option("--no-binary", Part.FINDING),
    "--only-binary": Option("--only-binary", Part.FINDING),
    "--prefer-binary": Option("--prefer-binary", Part.FINDING, has_value=False, uv_knows=False),
    "--require-hashes": Option(
        "--require-hashes", Part.FINDING, has_value=False, of_its_lines=True
    ),
    "--no-require-hashes": Option(
        "--no-require-hashes", Part.FINDING, has_value=False, uv_knows=False, of_its_lines=True
    ),
    "--pre": Option("--pre", Part.FINDING, has_value=False),
    "--all-releases": Option("--all-releases", Part.FINDING),
    "--only-final": Option("--only-final", Part.FINDING),
    "--trusted-host": Option("--trusted-host", Part.FINDING),
    "--use-feature": Option("--use-feature", Part.FINDING, uv_knows=False),
    "--hash": Option("--hash", Part.BEHIND),
    "-C": _SETTINGS,
    "--config-setting": _SETTINGS,
    "--config-settings": _SETTINGS,
    "--global-option": Option("--global-option", Part.BEHIND),
}
_ELSEWHERE = frozenset("-t --target --prefix --root --user --python -p --system --src".split())
"""They would install into another place than the environment."""
_UPGRADES = frozenset({"-U", "--upgrade", "--upgrade-strategy", "--force-reinstall"})


def given(text: str) -> tuple[Given, ...]:
    """The options of `text`, a line that begins with one. Raises `OptionError`."""
    found = tuple(_read(text))
    first = found[0].option
    for other in found[1:]:
        fits = other.option.part is Part.BEHIND and first.name == _EDITABLE.name
        if Part.REQUIREMENT in (first.part, other.option.part) and not fits:
            raise OptionError(f"{other.option.name} needs a line of its own")
    if first.part is Part.BEHIND:
        raise OptionError(f"{first.name} stands behind a requirement, not alone")
    return found


def given_behind(text: str) -> tuple[Given, ...]:
    """The options behind the requirement in `text`. Raises `OptionError`."""
    words = text.split(" ")
    start = next((n for n, word in enumerate(words) if word.startswith("-") and n), len(words))
    found = tuple(_read(" ".join(words[start:])))
    for each in found:
        if each.option.part is not Part.BEHIND:
            raise OptionError(f"{each.option.name} needs a line of its own")
    return found


def _read(text: str) -> Iterator[Given]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise OptionError(f"{str(error)[:1].lower()}{str(error)[1:]}") from None
    while words:
        word = words.pop(0)
        flag, option, value = _split(word)
        if value and not option.has_value:
            raise OptionError(f"{flag} takes no value")
        if option.has_value and not value:
            if not words or words[0].startswith("-"):
                raise OptionError(f"{flag} lacks its value")
            value = words.pop(0)
        yield Given(option, value)


def _split(word: str) -> tuple[str, Option, str]:
    """The flag of `word`, its option, and the value that is in the same word."""
    if not word.startswith("-") or word == "-":
        raise OptionError(f"{quoted(word)} needs a line of its own, without options before it")
    flag, _, value = word.partition("=")
    if not word.startswith("--") and flag not in _TABLE:
        flag, value = word[:2], word[2:].removeprefix("=")
    option = _TABLE.get(flag)
    if option is None:
        raise OptionError(_unknown(word.partition("=")[0]))
    return flag, option, value


def _unknown(flag: str) -> str:
    if flag in _ELSEWHERE or flag[:2] in ("-t", "-p"):
        return f"{quoted(flag)} would install elsewhere than into the environment"
    if flag in _UPGRADES:
        return f"{quoted(flag)} is said in the words of the verb (-U)"
    near = difflib.get_close_matches(flag[:40], _TABLE, 1, 0.75) if flag.startswith("--") else []
    clause = f"{quoted(flag)} is no option of requirements files"
    return f"{clause}; did you mean {near[0]}?" if near else clause
