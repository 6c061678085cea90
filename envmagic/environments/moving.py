"""Moving an environment of ours to another place, with all that knows where it is.

Whatever happens, it is found at one of the two places by its token; what is left to be done once it
is at the new one can be done again, and the next call does it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.model import Environment, Kernel
from envmagic.environments import backends, history, journal, relocation, renamed, runtimes
from envmagic.environments.backends import commands
from envmagic.environments.runtimes import Host
from envmagic.jupyter import kernelspecs

__all__ = ["called", "finish", "move"]


def move(prefix: Path, to: Path, names: tuple[str, str]) -> None:
    """Move the environment of ours at `prefix` `to` where nothing is, its kernel called by the
    second of the `names` from then on. The caller holds both locks. Raises `EnvmagicError`."""
    entry = journal.moving(prefix, to, names)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        prefix.rename(to)
    except OSError as error:
        journal.finish(entry)
        raise _not_moved(prefix, to, error) from error
    finish(entry)


def finish(entry: journal.JournalEntry) -> None:
    """Do what is left to be done of a move; nothing where the environment is where it was."""
    prefix, to = Path(entry.prefix), Path(entry.to)
    if journal.is_of(to, entry):
        before, name = entry.names
        environment = backends.inspect(to, owned=True)
        if not os.path.lexists(prefix):
            relocation.relocate(environment, prefix, name=name)
            _prompt(to, before, name)
        called(environment, kernelspecs.read(kernelspecs.directory() / before), name)
        renamed.note(prefix, to, before, name)
        history.changed(
            to, f"rename {before} {name}", name=(before, name), directory=(str(prefix), str(to))
        )
    journal.finish(entry)


def called(environment: Environment, kernel: Kernel | None, name: str) -> Kernel:
    """Have the kernel of `environment`, which may have been another `kernel`, be called `name`."""
    known = runtimes.known(Host.of(environment))
    new = kernelspecs.register(
        environment,
        name,
        backends.of(environment).launch(environment),
        uv=commands.find_uv(),
        logos=known.runtime.lib if known is not None else None,
    )
    if kernel is not None and kernel.ours and kernel.name != name:
        kernelspecs.unregister(kernel)
    return new


def _prompt(prefix: Path, before: str, name: str) -> None:
    """What a shell shows once it is activated; the time of the file tells when it was made."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        for file in (prefix / "pyvenv.cfg", *(prefix / "bin").glob("activate*")):
            text, facts = file.read_text("utf-8"), file.stat()
            changed = text.replace(f"prompt = {before}\n", f"prompt = {name}\n")
            if changed != text:
                file.write_text(changed, "utf-8")
                os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _not_moved(prefix: Path, to: Path, error: OSError) -> EnvmagicError:
    why, hint = (error.strerror or str(error)).lower(), ""
    command: tuple[str, ...] = ()
    if error.errno == errno.EXDEV:
        why, hint = "it is on another file system", "To have it there as well"
        command = ("clone", str(prefix), str(to))
    return EnvmagicError(
        "not-writable",
        f"{display.user_path(prefix)} cannot be moved to {display.user_path(to)}: {why}.",
        hint,
        subject=str(prefix),
        command=command,
    )
