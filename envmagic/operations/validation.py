"""What is asked to be installed, checked before anything is touched."""

from __future__ import annotations

import re
from pathlib import Path

from envmagic import requirements
from envmagic.core import display
from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import Place
from envmagic.environments import backends
from envmagic.environments.backends.base import Backend, InstallPlan

__all__ = ["body_lines", "check", "existing_file", "lines_of"]

_OPTIONS = re.compile(
    r"(?:-e|--editable|-r|--requirement|-c|--constraint|-i|--index-url|--extra-index-url"
    r"|-f|--find-links|--no-index|--pre|--no-binary|--only-binary)(?:[\s=]|$)"
)


def check(wanted: InstallPlan, backend: Backend) -> None:
    """Refuse malformed requirement lines, files that are for another kind of environment than that
    of `backend`, and options that would install elsewhere."""
    for text in wanted.requirements:
        if backend.understands(text):
            continue
        for line in requirements.parse_lines(text, repr(text)):
            if line.text.startswith("-") and not _OPTIONS.match(line.text):
                raise EnvmagicError(
                    "bad-requirement",
                    f"{line.text!r} is an option that is not understood here.",
                    "Write requirements such as pandas>=2, -e PATH, -r FILE or --index-url URL.",
                    subject=line.text,
                )
    for file in wanted.files:
        own = backends.of_file(file)
        if own is None:
            lines_of(file)
        elif own.name is backend.name:
            own.check_file(file)
        else:
            name = own.name.value
            raise EnvmagicError(
                "other-backend",
                f"{display.user_path(file)} is for {name},"
                f" and this environment is none of {name}'s.",
                f"Make one that is: --backend {name}",
                subject=str(file),
            )


def body_lines(body: str, source: str, backend: Backend) -> tuple[str, ...]:
    """The lines of a `%%env` body, comments cut. Raises with the number of a malformed one, as the
    notebook counts: the line of the magic is the first."""
    return backend.lines(f"\n{body}", source)


def lines_of(file: Path) -> tuple[requirements.RequirementLine, ...]:
    """The lines of the requirements file `file`, whatever its encoding."""
    try:
        text = requirements.decode(file.read_bytes())[0]
    except (OSError, UnicodeDecodeError) as error:
        raise EnvmagicError(
            "unreadable",
            f"{display.user_path(file)} cannot be read: {error}.",
            subject=str(file),
        ) from error
    return requirements.parse_lines(text, display.user_path(file))


def existing_file(word: str, place: Place) -> Path:
    """The file `word` means, seen from `place`. Raises `WordsError` when it is not there."""
    path = place.directory / Path(word).expanduser()
    if not path.is_file():
        raise WordsError("no-file", f"{display.user_path(path)} does not exist.", subject=str(path))
    return path
