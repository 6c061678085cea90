"""What repo2docker, and so Binder, looks at in a repository, as far as files of ours are in it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["COMPANION", "RUNTIME", "hidden", "note", "preferred", "runtime"]

RUNTIME = "runtime.txt"
COMPANION = "requirements.txt"
"""The file whose note tells that `runtime.txt`, which can hold no comment, is ours."""
# In the order in which repo2docker looks for them; the first that is there counts.
_FIRST = ("Dockerfile", "environment.yml", "Pipfile", "Pipfile.lock")
_READ = (*"apt.txt postBuild start requirements.txt runtime.txt Project.toml install.R".split(),)


def runtime(python: str) -> str:
    """What `runtime.txt` says for Python `3.12`."""
    return f"python-{python}\n"


def note(content: str) -> str:
    """The line of the companion for a `runtime.txt` with `content`."""
    return f"# {RUNTIME}: {content.strip()}\n"


def preferred(folder: Path, ours: str) -> Path | None:
    """The file in `folder` that repo2docker takes instead of `ours`, if any."""
    first = _FIRST[: _FIRST.index(ours)] if ours in _FIRST else _FIRST
    return next((folder / name for name in first if (folder / name).exists()), None)


def hidden(root: Path) -> list[str]:
    """The files at the top of the repository that no longer count beside a `binder` directory."""
    return [name for name in (*_FIRST, *_READ) if (root / name).is_file()]
