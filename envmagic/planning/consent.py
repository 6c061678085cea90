"""What a declaration wants from elsewhere than the user's own package index, and who said yes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from envmagic import requirements
from envmagic.core.errors import EnvmagicError
from envmagic.environments import trusted
from envmagic.environments.backends.base import InstallPlan
from envmagic.planning import uv_settings
from envmagic.planning.plan import Kind, Question, Source
from envmagic.requirements import RequirementLine
from envmagic.system import process, reading

__all__ = ["agree", "questions", "refusal", "trust"]

_CHANNEL = "--channel"  # as `create` takes it
_INDEX = "it names another package index"
_REASONS = {
    "-i": _INDEX,
    "--index-url": _INDEX,
    "--pypi-url": _INDEX,
    "--extra-index-url": _INDEX,
    "-f": "it names another place for packages",
    "--find-links": "it names another place for packages",
    _CHANNEL: "it names a channel by its address",
    "--trusted-host": "it switches off the check of a host's certificate",
}
_VARIABLE = "what it leads to hangs on a variable"
_HARMLESS = frozenset(
    "--no-index --pre --prefer-binary --only-binary --no-binary --require-hashes"
    " --use-feature".split()
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\.~]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # that of one letter is a drive


def questions(plan: InstallPlan, source: Source, tree: Path) -> tuple[Question, ...]:
    """What of `plan` reaches beyond names from the user's own index and files below `tree`, and
    nobody has agreed to yet; what uv is told around there, too."""
    known = trusted.known()
    found = [q for line in _lines(plan, source) if (q := _question(line, source, tree)) is not None]
    found += [
        _asked(text, where, "uv is told so there", str(where.file))
        for text, where in uv_settings.around(_directory(plan, source))
    ]
    return tuple(q for q in dict.fromkeys(found) if q.digest not in known)


def trust(asked: Iterable[Question]) -> None:
    """Remember that what is `asked` was agreed to. Raises `EnvmagicError` where it cannot be."""
    trusted.add(question.digest for question in asked)


def agree(directory: Path, *, trust: bool) -> None:
    """See that the user has agreed to what leads an installer in `directory` elsewhere: with
    `trust` they do so now, and it is remembered. Raises `EnvmagicError` where they have not."""
    asked = questions(InstallPlan(directory=directory), Source(Kind.PROJECT), directory)
    if not asked:
        return
    if not trust:
        raise refusal(asked, "To agree and go on, say the same with --trust.")
    trusted.add(question.digest for question in asked)


def refusal(asked: Sequence[Question], hint: str, command: tuple[str, ...] = ()) -> EnvmagicError:
    """That what is `asked` has to be agreed to first."""
    first, more = asked[0], len(asked) - 1
    others = f", and {more} more lines do" if more > 1 else ", and one more line does" * more
    return EnvmagicError(
        "not-trusted",
        f"{first.line!r} in {first.source} reaches beyond your package index ({first.reason})"
        f"{others}. Nothing was installed.",
        hint,
        subject=first.line,
        command=command,
    )


def _lines(plan: InstallPlan, source: Source) -> Iterator[tuple[RequirementLine, Path]]:
    """Every line that counts, included files too, each with the directory it counts from."""
    directory = _directory(plan, source)
    for text in plan.requirements:
        for line in requirements.parse_lines(text, str(source)):
            yield line, directory
    seen: set[Path] = set()
    for file in plan.files:
        if file.suffix == ".txt":
            yield from _of_file(file, seen)
        else:
            yield from _of_conda(file, seen)


def _of_conda(file: Path, seen: set[Path]) -> Iterator[tuple[RequirementLine, Path]]:
    """The `pip:` section of an `environment.yml`, and the channels that it names by an address."""
    from envmagic.environments.backends.conda import environment_file

    try:
        held = environment_file.read(file)
    except EnvmagicError:
        return  # so that nothing can be installed from it either
    where = str(file)
    for channel in (
        *held.channels,
        *(d.partition("::")[0] for d in held.dependencies if "::" in d),
    ):
        if _ADDRESS.match(channel):
            yield RequirementLine(f"{_CHANNEL} {channel}", 0, where), file.parent
    for line in requirements.parse_lines("\n".join(held.pip), where):
        yield line, file.parent
        if line.includes is not None:
            yield from _of_file(file.parent / line.includes, seen)


def _directory(plan: InstallPlan, source: Source) -> Path:
    return plan.directory or (source.file.parent if source.file else Path())


def _of_file(file: Path, seen: set[Path]) -> Iterator[tuple[RequirementLine, Path]]:
    waiting = [file]
    while waiting:
        file = waiting.pop(0)
        real = file.resolve()
        if real in seen:
            continue
        seen.add(real)
        try:
            text = requirements.decode(reading.content(file))[0]
            lines = requirements.parse_lines(text, str(file))
        except (OSError, UnicodeDecodeError):
            continue
        for line in lines:
            yield line, file.parent
            if line.includes is not None and not _SCHEME.match(line.includes):
                waiting.append(file.parent / line.includes)


def _question(found: tuple[RequirementLine, Path], source: Source, tree: Path) -> Question | None:
    line, directory = found
    reason, means = _reason(line, directory, tree)
    if not reason:
        return None
    return _asked(line.text, source, reason, means)


def _asked(text: str, source: Source, reason: str, means: str) -> Question:
    return Question(process.redact(text), source, reason, trusted.digest(text, means))


def _reason(line: RequirementLine, directory: Path, tree: Path) -> tuple[str, str]:
    """Why `line` is to be asked about, and what it means on this machine; empty when it is not."""
    if line.is_option:
        return _of_option(line), ""
    where = line.location
    if where is None:
        return "", ""
    if re.match(r"(git|hg|svn|bzr)\+", where):
        return "it is built from a repository", ""
    if "${" in where:
        return _VARIABLE, ""
    is_file = where.lower().startswith("file:")
    if _SCHEME.match(where) and not is_file:
        return "it is installed from a URL", ""
    path = unquote(re.sub(r"^file:(//(localhost(?=/))?)?", "", where, flags=re.I))
    place = os.path.realpath(directory / (path if is_file else where))
    inside = place == os.path.realpath(tree) or place.startswith(os.path.realpath(tree) + os.sep)
    return ("", "") if inside else ("it is installed from outside of this project", place)


def _of_option(line: RequirementLine) -> str:
    """Why an option is to be asked about. Installers take several on one line, and pip takes what
    their names begin with, so what is not known to be harmless is asked about."""
    words = [word.partition("=")[0] for word in line.text.split() if word.startswith("-")]
    for word in words:
        reaching = [name for name in _REASONS if name.startswith(word) or word[:2] == name]
        if reaching:
            return _REASONS[reaching[0]]
    if line.includes is not None and len(words) == 1:
        if "${" in line.includes:
            return _VARIABLE
        return "it reads a list from a URL" if _SCHEME.match(line.includes) else ""
    return "" if _HARMLESS.issuperset(words) else "it is not known what it leads to"
