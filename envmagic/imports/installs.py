"""Install commands in notebooks (`%pip`, `!pip`, `%conda`, …) as the requirements they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envmagic.imports.magics import SpecialLine
from envmagic.imports.sites import Where

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Install", "installs_of", "words_of"]

# The shell itself, IPython's names for it, Colab's and Databricks'.
_SHELLS = ("!", "sx", "system", "shell", "sh")
_CONDA = ("conda", "mamba", "micromamba")
_ADD = ("uv", "poetry", "pdm", "pixi", "rye", "pipenv")  # `add`; pipenv's is `install`
_INNER = 3  # shells within shells: `bash -c "sh -c '…'"`
# Options that take a value in the next word; the rest take none or carry it behind `=`.
_VALUED = frozenset(
    """
    -i --index-url --extra-index-url -f --find-links -t --target -p --python --prefix --root
    --trusted-host --log --timeout --retries --cache-dir --proxy --platform --python-version
    --implementation --abi --only-binary --no-binary --upgrade-strategy --progress-bar
    --global-option --config-settings --src -b --build --cert --index --default-index -n --name
    --channel --index-strategy --prerelease --resolution --link-mode --exclude-newer --group
    --use-feature --use-deprecated --install-option --report --root-user-action --keyring-provider
    """.split()
)
# Those of uv, pixi, pdm and poetry that stand before the verb and take a value.
_GLOBAL = frozenset("--directory --project --config-file --color --manifest-path -P -C".split())
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REDIRECTION = re.compile(r"(?:\d|&)?>{1,2}(?:&\d|\s*(?:/dev/null|[\w./-]+\.(?:txt|log|out)))")
# An operator that a version stands behind, and a redirection with a file: `>=`, `pandas>=`, `2>`.
_OPEN = re.compile(r"[^:/]*[<>=!~]")
_URL = re.compile(r"^(?:[a-z+]+://|git\+|git@)", re.IGNORECASE)
_SEPARATOR = re.compile(r"&&|\|\||[;|\n()]")
# A word without backslashes as a shell takes it, and what is quoted in it.
_WORD = re.compile(r"(?:[^ \t\r\n\"']+|\"[^\"]*\"|'[^']*')+")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# What may stand before a command.
_BEFORE = frozenset("sudo -H yes ! time if then else do { nohup exec command env".split())
# `-r FILE`, `-rFILE`, and behind other short options: `-qr FILE`.
_OF_FILE = re.compile(r"-[qUvI]*r|--requirement(?:=|$)")
# A version as only `poetry add` and `uv add` take it: `a@^1.2`, `a@latest`, `a^1`.
_OF_ADD = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[\w,-]*\])?)[@^]")
_ARCHIVE = (".whl", ".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class Install:
    """One thing that an install command names."""

    text: str
    """As it is typed, quotes removed."""
    where: Where
    requirement: Requirement | None = None
    """None for URLs, paths and files."""
    file: str | None = None
    """The FILE of `-r FILE`."""
    editable: bool = False
    conda: bool = False
    """A conda name, which need not be what pip calls it."""
    project: str = ""
    """Where `text` is the path of a project, what that is called."""

    @property
    def name(self) -> str | None:
        """The normalised name of the distribution, as far as the words tell.

        The last part of a repository's URL is a guess, to be used only where an import agrees. What
        has no letter is no name: `4`, which stands behind `>=`.
        """
        if self.project:
            return self.project
        if self.requirement is not None:
            name = self.requirement.name
        elif self.file is not None:
            return None
        else:
            egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", self.text)
            path = re.split(r"[#?]", self.text)[0].rstrip("/")
            path = re.sub(r"(?<=.)@[^/@]*$", "", path)
            last = path.rpartition("/")[2].removesuffix(".git")
            if last.endswith(".whl"):
                last = last.removesuffix(".whl").partition("-")[0]
            archive = re.fullmatch(r"(.+?)(?:-\d[^-]*)?\.(?:tar\.gz|zip|tgz)", last)
            name = egg[1] if egg else archive[1] if archive else last
        if not _NAME.fullmatch(name) or not re.search("[A-Za-z]", name):
            return None
        return re.sub(r"[-_.]+", "-", name).lower()


def installs_of(line: SpecialLine, where: Where) -> Iterator[Install]:
    """What the line magic or shell command `line` installs; nothing for any other command."""
    if line.name not in (*_SHELLS, "pip", "pip3", "uv", "pixi", *_CONDA):
        return
    text = line.rest if line.name in _SHELLS else f"{line.name} {line.rest}"
    if "install" in text or "add" in text:
        yield from _commands(text, where.below(line.line))


def _commands(text: str, place: Where, depth: int = 0) -> Iterator[Install]:
    """What the commands of a shell line install."""
    text = _REDIRECTION.sub(" ", re.sub(r"(^|\s)#.*", " ", text))
    # a quoted separator is part of a marker: "x; python_version<'3.8'"
    quoted: list[str] = []
    text = _QUOTED.sub(lambda m: _keep(quoted, m[0]), text)
    for command in _SEPARATOR.split(text):
        command = re.sub(r"\0(\d+)\0", lambda m: quoted[int(m[1])], command)
        yield from _command(words_of(command), place, depth)


def _keep(quoted: list[str], text: str) -> str:
    quoted.append(text)
    return f"\0{len(quoted) - 1}\0"


def words_of(command: str) -> list[str]:
    """The words of a command as a shell takes them; an open quote is none."""
    if "\\" not in command:  # else `shlex`, which takes thirty times as long
        if '"' not in command and "'" not in command:
            return command.split()
        outside = _QUOTED.sub("", command)
        if '"' not in outside and "'" not in outside:
            return [_QUOTED.sub(_inside, word) for word in _WORD.findall(command)]
    try:
        return shlex.split(command)
    except ValueError:  # an open quote
        return command.replace('"', " ").replace("'", " ").split()


def _inside(quoted: re.Match[str]) -> str:
    return quoted[0][1:-1]


def _command(words: list[str], where: Where, depth: int) -> Iterator[Install]:
    while words and (re.match(r"\w+=", words[0]) or words[0] in _BEFORE):
        words = words[1:]
    if not words:
        return
    program = words[0].rpartition("/")[2].rpartition("\\")[2].removesuffix(".exe")
    if re.fullmatch(r"(python|py)[\d.]*|\$.*|\{.*\}", program):
        if words[1:3] not in (["-m", "pip"], ["-m", "uv"], ["-m", "conda"]):
            return
        program, words = words[2], words[2:]
    if program in ("bash", "sh", "zsh", "dash") and depth < _INNER:
        yield from _commands(_script_of(words), where, depth + 1)
        return
    words = [program, *_behind_options(words[1:])]
    if words[1:2] == ["run"] and program in (*_CONDA, *_ADD):
        yield from _command(_behind_options(words[2:]), where, depth)
        return
    if program in _CONDA:
        yield from _conda(words[1:], "install", where)
    elif program == "uv" and words[1:2] == ["pip"]:
        yield from _pip(words[2:], "install", where)
    elif program == "pixi" and words[1:2] == ["add"] and "--pypi" not in words:
        yield from _conda(words[1:], "add", where)
    elif program in _ADD and words[1:2] == ["add"]:
        yield from _pip(words[1:], "add", where)
    elif re.fullmatch(r"pip[\d.]*|pipenv", program):
        yield from _pip(words[1:], "install", where)


def _script_of(words: list[str]) -> str:
    """The commands of `bash -lc "…"`; empty where it runs a file."""
    for number, word in enumerate(words[1:], 2):
        if re.fullmatch(r"-[a-z]*c", word):
            return words[number] if number < len(words) else ""
    return ""


def _behind_options(words: list[str]) -> list[str]:
    """`words` from the verb on: the options of `uv -q --directory x pip install` are before it."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        valued = rest[0] in _VALUED or rest[0] in _GLOBAL
        rest = rest[2:] if valued else rest[1:]
    return rest


def _pip(words: list[str], verb: str, where: Where) -> Iterator[Install]:
    if verb not in words or "uninstall" in words[: words.index(verb)] or "--dry-run" in words:
        return
    rest = _without_versions(words[words.index(verb) + 1 :])
    for word in rest:
        if _OF_FILE.match(word):
            file = _OF_FILE.sub("", word) or next(rest, "")
            if file and "{" not in file and "$" not in file and "://" not in file:
                yield Install(file, where, file=file)
        elif word in ("-e", "--editable") or word.startswith("--editable="):
            path = word.partition("=")[2] or next(rest, "")
            if path and "{" not in path and "$" not in path:
                yield Install(path, where, editable=True)
        elif word in ("-c", "--constraint") or word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            yield from _word(word, where)


def _conda(words: list[str], verb: str, where: Where) -> Iterator[Install]:
    if verb not in words:
        return
    rest = _without_versions(words[words.index(verb) + 1 :])
    for word in rest:
        if word in ("-c", "--file") or word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            bare = re.match(r"(?:[\w./-]+::)?([A-Za-z0-9][\w.-]*)", word)
            if bare and "{" not in word and "$" not in word and bare[1] != "python":
                for install in _word(bare[1], where):
                    yield replace(install, text=word, conda=True)


def _without_versions(words: list[str]) -> Iterator[str]:
    """`words` without what is none: redirections, the `>=` and the `2` of `pandas >= 2`."""
    rest = iter(words)
    for word in rest:
        if _OPEN.fullmatch(word):
            next(rest, None)
        elif not word.startswith(("<", ">", "&")):
            yield word


def _word(word: str, where: Where) -> Iterator[Install]:
    """One requirement; words with `{variable}` or `$variable` are left alone."""
    from packaging.requirements import InvalidRequirement, Requirement

    word = word.strip().strip(",")
    if (
        not word
        or word.endswith(".txt")
        or "$" in word
        or "{" in word
        or "*" in word.partition("=")[0]
    ):
        return
    version = _OF_ADD.match(word)
    if version is not None and "://" not in word and not word.startswith("git@"):
        word = version[1]
    if " @ " not in word and re.match(r"[\w.\[\]-]+@\S+://", word):
        word = word.replace("@", " @ ", 1)
    is_path = "/" in word or "\\" in word or word.startswith(".") or word.endswith(_ARCHIVE)
    if _URL.match(word) or (is_path and " @ " not in word):
        yield Install(word, where)
        return
    try:
        yield Install(word, where, Requirement(word))
    except InvalidRequirement:
        name = _NAME.match(word)
        if name and re.match(r"\s*(=|$)", word[name.end() :]):  # `pandas=1.2`, as conda writes it
            yield Install(word, where, Requirement(name[0]))
