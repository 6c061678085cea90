"""What shell commands make, fetch and run: `wget`, `git clone`, `cp`, `echo … >`, `python FILE`."""

from __future__ import annotations

from collections.abc import Iterator

from envmagic.imports.command import Command, commands_of
from envmagic.imports.downloads import MAKERS
from envmagic.imports.made import Made, Run
from envmagic.imports.programs import run_by

__all__ = ["done_by"]


def done_by(text: str) -> Iterator[Made | Run]:
    """What the commands in `text` make and run, in their order."""
    before = Command([])
    for command, directory in commands_of(text):
        for done in _done(command, before):
            if isinstance(done, Made):
                yield done.below(directory)
            elif done.is_code and "||" in text:
                continue  # a look whether it is there
            elif directory and not (done.is_module or done.is_code):
                yield Run(f"{directory}/{done.what}")
            else:
                yield done
        before = command


def _done(command: Command, before: Command) -> Iterator[Made | Run]:
    program = command.words[0].rpartition("/")[2]
    if command.output:
        yield Made(command.output, command.printed, adds=command.adds)
    if program == "tee":
        text = command.given if command.given is not None else before.printed
        plain, found = command.options()
        yield from (Made(file, text, adds="a" in found) for file in plain)
    maker = MAKERS.get(program)
    if maker is not None:
        yield from maker(command)
    yield from run_by(command.words)
