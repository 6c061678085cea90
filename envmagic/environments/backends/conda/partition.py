"""What is wanted of a conda environment, told apart into conda's part and pip's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from envmagic.environments.backends.base import InstallPlan
from envmagic.environments.backends.conda import environment_file, specs

__all__ = ["Parts", "split"]


@dataclass
class Parts:
    """The two halves of an `InstallPlan`."""

    conda: list[str] = field(default_factory=list)
    pip: list[str] = field(default_factory=list)
    pip_files: list[Path] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def split(wanted: InstallPlan) -> Parts:
    """What of `wanted` is for conda and what for pip; files in conda's format are read.

    Raises `EnvmagicError` for a file that cannot be read.
    """
    parts = Parts()
    for text in wanted.requirements:
        spec = specs.parse(text)
        if spec is not None:
            parts.conda.append(spec.text)
        elif _applies(text):
            parts.pip.append(text)
    for path in wanted.files:
        if environment_file.is_environment_file(path):
            _read(path, parts)
        else:
            parts.pip_files.append(path)
    return parts


def _read(path: Path, parts: Parts) -> None:
    file = environment_file.read(path)
    parts.channels += file.channels
    parts.conda += [spec.text for d in file.dependencies if (spec := specs.parse(d))]
    for line in file.pip:
        option, _, name = line.partition(" ")
        if option in ("-r", "--requirement") and name.strip():
            # it counts from the file's directory
            included = path.parent / name.strip()
            if included.is_file() and included not in parts.pip_files:
                parts.pip_files.append(included)
        else:
            parts.pip.append(line)
    if file.prefix:
        parts.notes.append(f"`prefix: {file.prefix}` in {path.name} was ignored.")


def _applies(text: str) -> bool:
    """Whether the requirement's marker holds, as far as the running Python tells."""
    try:
        marker = Requirement(text).marker
    except InvalidRequirement:
        return True
    return marker is None or marker.evaluate()
