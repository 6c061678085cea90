"""What a person has in the directories that envmagic touches, and whether it is still there."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from support.faults.world import World

__all__ = ["AFTER", "DURING", "LINES", "PROJECT", "Belongings", "notebook"]

LINES = ("# what the cluster wants\n", "attrs>=20  # by hand\n", "\n", "# the end\n")
"""The person's own lines of requirements.txt, in their order."""
PROJECT = (
    "[project]\n",
    'name = "mine"  # by hand\n',
    'version = "1"\n',
    "[tool.mine]\n",
    "a = 1\n",
)
"""And of a pyproject.toml."""


def notebook(*imports: str) -> str:
    """A notebook file that imports those modules."""
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "c1",
        "metadata": {},
        "outputs": [],
        "source": "\n".join(f"import {name}" for name in imports),
    }
    whole = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1) + "\n"


DURING = {"thesis.ipynb": notebook("math"), ".git/HEAD": "ref: refs/heads/main\n"}
"""What is saved into the environment's directory while a verb is at work there."""
AFTER = {
    "after.ipynb": notebook("os"),
    "after/.git/HEAD": "ref: refs/heads/a\n",
    "after.txt": "a\n",
}
"""What is put there after the kill."""


@dataclass
class Belongings:
    """Files and directories that must stay as they are, byte for byte."""

    files: dict[Path, bytes] = field(default_factory=dict)
    directories: set[Path] = field(default_factory=set)
    edited: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    """Files of the person's whose lines stay, whatever else comes into them."""

    def put(self, path: Path, text: str = "mine\n") -> None:
        """Write a file of the person's and remember it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.know(path)

    def know(self, path: Path) -> None:
        """Remember a file that is there as the person's."""
        self.files[path] = path.read_bytes()

    def know_tree(self, root: Path) -> None:
        """Remember every file below `root`."""
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                self.know(path)

    def put_lines(self, path: Path, lines: tuple[str, ...]) -> None:
        """Write a file with the person's lines, that others may come into."""
        path.write_text("".join(lines), encoding="utf-8")
        self.edited[path] = lines

    def holds(self, path: Path) -> bool:
        """Whether `path` is the person's, or a directory with something of theirs in it."""
        known = (*self.files, *self.directories, *self.edited)
        return any(mine == path or path in mine.parents for mine in known)

    def below(self, directory: Path) -> list[Path]:
        """The person's files below `directory`."""
        return [path for path in self.files if directory in path.parents]

    def lost(self) -> list[str]:
        """What is gone or is not as it was."""
        found = [str(p) for p, content in self.files.items() if _content(p) != content]
        found += [f"{path}/" for path in self.directories if not path.is_dir()]
        for path, lines in self.edited.items():
            if not _has_lines(_content(path) or b"", lines):
                found.append(f"{path}: the person's own lines")
        return found


def beside_everything(world: World) -> Belongings:
    """The person's files in every directory that each verb may touch."""
    mine = Belongings()
    mine.put(world.work / "a.ipynb", notebook("alpha"))
    # Of the last two, one is an editor's; the other looks as a temporary file of ours may.
    for name in ("notes.txt", "data/table.csv", ".requirements.txt.swp"):
        mine.put(world.work / name)
    mine.put(world.work / ".requirements.txt.backup_1", "numpy\n")
    for name in ("", "envs", "cache", "locks", "journal", "scratch"):
        mine.put(world.envmagic / name / "mine.txt")
    mine.put(world.envmagic / "envs" / "papers" / "draft.tex")
    mine.put(world.kernels / "README.txt")
    mine.put(world.kernels / "drafts" / "notes.md")
    spec = {"argv": [sys.executable, "-c", "pass"], "display_name": "mine", "language": "none"}
    mine.put(world.kernels / "shell" / "kernel.json", json.dumps(spec))
    mine.put(world.temporary / "mine.txt")
    mine.put(world.temporary / "envmagic-talk" / "slides.md")
    return mine


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _has_lines(content: bytes, mine: tuple[str, ...]) -> bool:
    """Whether the person's lines are all there, whole and in their order."""
    lines = iter(content.decode("utf-8", "replace").splitlines(keepends=True))
    return all(any(line == each for line in lines) for each in mine)
