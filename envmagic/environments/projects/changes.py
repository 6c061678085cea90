"""Adding to a project and removing from it by the project's own tool, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from envmagic import requirements
from envmagic.core.display import quoted, user_path
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Progress
from envmagic.environments import backends, changing, what_changed
from envmagic.environments.backends import tool_errors
from envmagic.environments.backends.arrivals import Arrivals
from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.inventory import Inventory
from envmagic.environments.projects.base import Project, Wanted
from envmagic.environments.satisfaction import closure
from envmagic.requirements import RequirementLine
from envmagic.system import files, process

__all__ = ["add", "remove", "upgrade"]

_LONGEST = 3600.0  # seconds: some resolve for minutes, and download gigabytes then
_OPTION = re.compile(r"\s--?[a-z]")
_MOST = 1 << 30  # bytes of a lock that is kept to be put back


def add(
    project: Project, there: Inventory, plan: InstallPlan, progress: Progress
) -> tuple[Inventory, list[str]]:
    """Have the project's tool add `plan` to the project and install it into the environment, which
    holds what is `there`.

    Returns what is there then, and notes for the person. Raises `EnvmagicError`; the project's
    files and the environment are as they were then.
    """
    wanted = _wanted(project, plan)
    commands = project.tool.add(project, wanted)
    named = what_changed.named(plan)
    program = _program(project, commands)
    progress.step(f"Adding {named} with {project.tool.title}")

    def change() -> list[str]:
        _run(project, program, commands, named, progress)
        return []

    with _kept(project.files):
        return changing.checked(there, change, progress, plan)


def remove(
    project: Project, there: Inventory, packages: Sequence[str], progress: Progress
) -> tuple[Inventory, list[str]]:
    """Have the project's tool remove `packages`, and take out of the environment, which holds what
    is `there`, them and what the lock held for their sake.

    What the project does not hold is only taken out. Returns and raises as `add`.
    """
    before, declared = project.locked(), project.declared()
    own = [package for package in packages if package in before | declared]
    for package in own:
        if package not in declared:
            raise _not_declared(package, project, there, declared)
    commands = project.tool.remove(project, own)
    program = _program(project, commands)
    progress.step(f"Removing {', '.join(packages)} with {project.tool.title}")

    def change() -> list[str]:
        _run(project, program, commands, ", ".join(own), progress)
        now = backends.look(there.environment)
        gone = {*packages, *(before - project.locked())} & set(now.versions)
        return changing.take_out(now, sorted(gone), progress) if gone else []

    with _kept(project.files):
        return changing.checked(there, change, progress)


def upgrade(
    project: Project, there: Inventory, packages: Sequence[str], progress: Progress
) -> tuple[Inventory, list[str]]:
    """Have the project's tool take newer versions of `packages`, or of all that it holds, within
    what the project's file says. Returns and raises as `add`."""
    commands = project.tool.upgrade(project, list(packages))
    named = ", ".join(packages) or "newer versions"
    program = _program(project, commands)
    progress.step(f"Upgrading {', '.join(packages) or 'all'} with {project.tool.title}")

    def change() -> list[str]:
        _run(project, program, commands, named, progress)
        return []

    with _kept(project.files):
        return changing.checked(there, change, progress)


def _not_declared(
    package: str, project: Project, there: Inventory, declared: Iterable[str]
) -> EnvmagicError:
    found, version = there.distributions, there.environment.version
    needing = sorted(n for n in declared if package in closure({n}, found, version))
    why = f"{needing[0]} needs it" if needing else "something else there needs it"
    return EnvmagicError(
        "not-declared",
        f"{package} is not named in {user_path(project.file)}: {why}.",
        "What is named there can go" if needing else "",
        subject=package,
        command=("uninstall", needing[0]) if needing else (),
    )


def _wanted(project: Project, plan: InstallPlan) -> Wanted:
    """`plan` as the tool takes it. Raises `EnvmagicError` for what it does not."""
    lines: list[RequirementLine] = []
    for text in plan.requirements:
        if backends.of(project.environment).understands(text):
            lines.append(RequirementLine(text, 1, repr(text)))
            continue
        parsed = requirements.parse_lines(text, "")
        lines += [_moved(line, plan.directory or Path.cwd(), project) for line in parsed]
    if project.tool.reads_files:
        return Wanted(tuple(lines), plan.files, plan.upgrade)
    for file in plan.files:
        text = requirements.decode(files.read(file))[0]
        parsed = requirements.parse_lines(text, user_path(file))
        lines += [_moved(line, file.parent, project) for line in parsed]
    return Wanted(tuple(lines), (), plan.upgrade)


def _moved(line: RequirementLine, directory: Path, project: Project) -> RequirementLine:
    """`line`, in which a path counts from `directory`, as it is for the tool."""
    if line.is_option or _OPTION.search(line.text.removeprefix("-e ")):
        raise EnvmagicError(
            "project-option",
            f"{quoted(line.text)} has an option that {project.tool.title} keeps"
            " in the project's file.",
            f"Write it into {user_path(project.file)}.",
            subject=line.text,
        )
    location = line.location
    if not location or line.requirement is not None or "://" in location:
        return line
    path = directory / Path(location).expanduser()
    try:
        seen = Path(os.path.relpath(path, project.directory)).as_posix()
    except ValueError:  # on another drive
        return replace(line, text=line.text.replace(location, str(path), 1))
    seen = seen if seen.startswith("..") else f"./{seen}"
    return replace(line, text=line.text.replace(location, seen, 1))


def _program(project: Project, commands: Sequence[Sequence[str]]) -> Path:
    """The tool, which can work on the environment. Raises `EnvmagicError` where it cannot."""
    tool = project.tool
    program = tool.program()
    if program is None:
        typed = [f"cd {_typed(project.directory)}"]
        typed += [shlex.join([tool.name, *words]) for words in commands]
        raise EnvmagicError(
            "no-tool",
            f"{user_path(project.environment.prefix)} belongs to a project that {tool.title}"
            f" manages, and {tool.name} is not found here.",
            f"Install it, or type where it is: {' && '.join(typed)}",
            subject=str(project.root),
        )
    tool.check(project)
    return program


def _typed(path: Path) -> str:
    """`path` as any shell takes it, which expands no `~` in quotes."""
    shown = user_path(path)
    return shown if re.fullmatch(r"[\w@%+=:,./~-]+", shown) else shlex.quote(str(path))


def _run(
    project: Project,
    program: Path,
    commands: Sequence[Sequence[str]],
    named: str,
    progress: Progress,
) -> None:
    tool = project.tool
    arrivals = Arrivals(progress)
    for words in commands:
        try:
            process.run(
                [program, *words, *tool.options(project, words[0])],
                timeout=_LONGEST,
                env=tool.variables(project),
                cwd=project.directory,
                on_line=arrivals.heard,
                on_wait=arrivals.waiting,
                hears_output=True,
            )
        except process.CommandFailed as error:
            why = tool.reason(error.stderr)
            raise tool_errors.explain(error, named, why=why) from error


@contextlib.contextmanager
def _kept(paths: Sequence[Path]) -> Iterator[None]:
    """The files at `paths` hold what they held, byte for byte, when the `with` block fails: not
    every tool puts them back itself, and none does when it is ended."""
    before = {path: files.read(path, _MOST) for path in paths}
    try:
        yield
    except BaseException:
        for path, content in before.items():
            with contextlib.suppress(EnvmagicError):  # the first error is the one to tell
                files.write_atomic(path, content)
        raise
