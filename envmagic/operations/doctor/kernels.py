"""What is wrong with kernelspecs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from envmagic.core import display
from envmagic.core.errors import EnvmagicError, Severity
from envmagic.core.model import Kernel
from envmagic.environments import backends, clearing, inspection, registry
from envmagic.jupyter import kernelspecs
from envmagic.operations.doctor.finding import Finding, problem

__all__ = ["of_kernel"]


def of_kernel(kernel: Kernel) -> Iterator[Finding]:
    """What is wrong with one kernelspec. Ours without an environment are simply removed."""
    python = kernel.argv[0] if kernel.argv else ""
    remove = ("jupyter", "kernelspec", "remove", "-f", kernel.name)

    def unregister() -> None:
        assert kernel.prefix is not None
        with clearing.locked(kernel.prefix):
            now = kernelspecs.read(kernel.directory)
            if now is not None and not kernel.prefix.is_dir():  # not made anew meanwhile
                kernelspecs.unregister(now)

    ours = kernel.ours and kernel.directory.parent == kernelspecs.directory()
    if kernel.prefix is not None and not kernel.prefix.is_dir():
        yield Finding(
            problem(
                "environment-gone",
                f"The kernel {kernel.name!r} is for {display.user_path(kernel.prefix)},"
                " which is not there any more.",
                "",
                kernel.name,
                command=("remove", kernel.name, "--yes") if ours else (),
                tool_command=() if ours else remove,
            ),
            unregister if ours else None,
        )
    elif ours and kernel.prefix is not None and not os.path.exists(python):
        return  # said of its environment
    elif os.path.isabs(python) and not os.path.exists(python):
        yield Finding(
            problem(
                "no-interpreter",
                f"The kernel {kernel.name!r} cannot start: {display.user_path(python)} is missing.",
                "",
                kernel.name,
                tool_command=remove,
            )
        )
    elif _is_bare_python(python) and not _belongs_to_environment(kernel):
        yield Finding(
            problem(
                "bare-python",
                f"The kernel {kernel.name!r} starts {python!r} without a path, which is whatever"
                " Python the server runs on.",
                f"Write an absolute path in {display.user_path(kernel.directory / 'kernel.json')}",
                kernel.name,
                Severity.WARNING,
            )
        )
    elif "ipykernel_launcher" in kernel.argv and not kernel.ours:
        yield from _foreign_ipykernel(kernel, Path(python))


def _foreign_ipykernel(kernel: Kernel, python: Path) -> Iterator[Finding]:
    """A kernel somebody else registered: is ipykernel there at all?"""
    prefix = python.parent.parent
    try:
        environment = registry.environment_at(prefix)
    except EnvmagicError:
        return  # no environment of its own: its files do not tell
    if "ipykernel" not in inspection.distributions(environment):
        yield Finding(
            problem(
                "no-ipykernel",
                f"The kernel {kernel.name!r} cannot start: ipykernel is not installed in"
                f" {display.user_path(prefix)}.",
                "",
                kernel.name,
                command=("attach", str(prefix)),
            )
        )


def _is_bare_python(word: str) -> bool:
    return word.startswith("python") and os.path.basename(word) == word


def _belongs_to_environment(kernel: Kernel) -> bool:
    """ipykernel's own spec inside an environment starts that environment's Python."""
    root = kernel.directory.parent.parent.parent.parent
    return backends.is_environment(root)
