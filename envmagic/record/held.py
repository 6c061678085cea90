"""What the block of a requirements file holds, as the record goes by it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from envmagic.distributions import Index
from envmagic.record.environments import NotebookEnvironments
from envmagic.record.user_lines import project_name
from envmagic.requirements import Block, Entry, Kind, Pin, RequirementLine

__all__ = ["RecordContext", "RecordedEntries", "name_of"]


@dataclass(frozen=True)
class RecordContext:
    """The file that is written, as far as an entry depends on it."""

    notebook: str
    """Path of the notebook from the file's directory, with `/`."""
    path: Path
    """The notebook's own."""
    directory: Path
    """The file's."""
    held: RecordedEntries
    """What the block has."""
    pin: Pin
    index: Index | None
    users: Mapping[str, RequirementLine]
    """The user's own lines by name."""
    environment: Path | None
    """Where the notebook runs."""
    environments: NotebookEnvironments
    """Where others do."""
    keep: bool = False
    """Nothing that the notebook has in the block leaves it."""
    python: str | None = None
    """The version of its Python; None where that is not known."""
    partial: Mapping[str, tuple[RequirementLine, ...]] = field(default_factory=dict)
    """Lines of the user's that do not hold there, or not everywhere where `python` is unknown."""
    extras: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What the user's lines ask for."""

    def same_environment(self, other: str) -> bool:
        """Whether another notebook, by its name in the block, runs in this one's environment."""
        return self.environments.share(self.path, self.directory / other)

    def environment_of(self, other: str) -> Path | None:
        """Where another notebook runs."""
        return self.environments.prefix_of(self.directory / other)


class RecordedEntries:
    """The entries of a block by name, notebook and module; new ones are added as they come."""

    def __init__(
        self,
        block: Block,
        directory: Path,
        gone: Collection[str] = (),
        doubtful: Collection[tuple[Kind, str]] = (),
    ) -> None:
        """The pins of notebooks that are `gone` are there for others; nobody has to agree with
        them. What is `doubtful` (kinds and keys) may be no entry at all."""
        self._doubtful = doubtful
        self._by_name: dict[tuple[str, str], Entry] = {}
        self._marked: dict[str, list[Entry]] = {}
        self._pins: set[tuple[str, str]] = set()
        self._pin = block.pin
        self._by_notebook: dict[str, list[Entry]] = {}
        self._unresolved: set[tuple[str, str]] = set()
        self._optional: set[tuple[str, str]] = set()
        for entry in block.entries:
            if gone:
                mentions = tuple(m for m in entry.mentions if m.notebook not in gone)
                entry = replace(entry, mentions=mentions)
            if entry.kind is Kind.UNRESOLVED:
                self._unresolved.update((entry.text, m.notebook) for m in entry.mentions)
            if entry.kind is Kind.OPTIONAL:
                self._optional.update((entry.name, m.notebook) for m in entry.mentions)
            if entry.kind is Kind.REQUIREMENT:
                same = (name_of(entry, directory), _marker(entry))
                self._by_name.setdefault(same, entry)
                if same[1]:
                    self._marked.setdefault(same[0], []).append(entry)
                # without a Python there was no environment, and no version that was installed
                if block.python is not None and block.pin.wrote(entry.text):
                    self._pins.add(same)
                for mention in entry.mentions:
                    self._by_notebook.setdefault(mention.notebook, []).append(entry)

    def requirement(self, name: str, marker: str = "") -> Entry | None:
        """The entry for the distribution `name` with that marker."""
        return self._by_name.get((name, marker))

    def unmarked(self, name: str, notebook: str) -> Entry | None:
        """The only entry that `notebook` has for `name`, without the marker that it has."""
        found = [
            e for e in self._marked.get(name, ()) if any(m.notebook == notebook for m in e.mentions)
        ]
        if len(found) != 1:
            return None
        mine = tuple(m for m in found[0].mentions if m.notebook == notebook)
        return replace(found[0], text=found[0].text.partition(";")[0].rstrip(), mentions=mine)

    def is_pin(self, name: str, marker: str = "") -> bool:
        """Whether the version of that entry is one that was installed, and no range that notebooks
        ask for, as far as can be told."""
        return (name, marker) in self._pins

    def forget(self, name: str) -> None:
        """All who need `name` are to say anew in which versions."""
        for same in [same for same in self._by_name if same[0] == name]:
            del self._by_name[same]
        self._marked.pop(name, None)

    def of(self, notebook: str) -> list[Entry]:
        """The requirements that the file has for `notebook`."""
        return self._by_notebook.get(notebook, [])

    def is_sure(self, entry: Entry) -> bool:
        """Whether `entry` is one, and no line of the user's."""
        return (entry.kind, entry.key) not in self._doubtful

    def lists(self, module: str, notebook: str) -> bool:
        """Whether the file has `module` as unresolved for `notebook`."""
        return (module, notebook) in self._unresolved

    def unresolved_of(self, notebook: str) -> set[str]:
        """The modules that the file has as unresolved for `notebook`."""
        return {module for module, mentioned in self._unresolved if mentioned == notebook}

    def optional(self, notebook: str) -> set[str]:
        """The distributions that the file has as optional for `notebook`."""
        return {name for name, other in self._optional if other == notebook}

    def add(
        self, entries: Iterable[Entry], editable: Mapping[str, str], installed: Collection[str]
    ) -> None:
        """`entries` are in the block now; the next notebook has to agree with them. `editable` are
        the names of those that are `-e` lines, by the line; `installed` is what the environment
        has that they come from."""
        for entry in entries:
            if entry.kind is Kind.REQUIREMENT:
                same = (editable.get(entry.text) or entry.name, _marker(entry))
                before = self._by_name.get(same)
                mine = {m.notebook for m in entry.mentions}
                others = before.mentions if before is not None else ()
                others = tuple(m for m in others if m.notebook not in mine)
                if before is None or before.text != entry.text:
                    pinned = self._pin is not Pin.NONE and same[0] in installed
                    (self._pins.add if pinned else self._pins.discard)(same)
                self._by_name[same] = replace(entry, mentions=(*others, *entry.mentions))


def name_of(entry: Entry, directory: Path) -> str:
    """The distribution of an entry; for a `-e PATH` line as the project there is called."""
    if entry.text.startswith("-e "):
        return project_name(directory / entry.text[3:]) or entry.text
    return entry.key.partition(";")[0]


def _marker(entry: Entry) -> str:
    return entry.key.partition(";")[2]
