"""What scanning finds: imports, install commands, and what else decides what an import means."""

from __future__ import annotations

from dataclasses import dataclass, field

from envmagic.imports.installs import Install
from envmagic.imports.made import Made
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import Use

__all__ = ["Scan"]

# What can be imported or run.
_PYTHON = (".py", ".ipy", ".ipynb", ".so", ".pyd", ".pyx")


@dataclass
class Scan:
    """What was found, in the order of the cells."""

    imports: list[ImportSite] = field(default_factory=list)
    installs: list[Install] = field(default_factory=list)
    requirements: list[tuple[Where, str]] = field(default_factory=list)
    """Bodies of `%%env` cells."""
    unparsed: list[Where] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    """Files that the notebook writes, and what it writes, where that is known."""
    made: list[Made] = field(default_factory=list)
    """Those, and all others that it makes or fetches."""
    paths: list[str] = field(default_factory=list)
    """Directories that it puts on `sys.path`."""
    runs: list[tuple[Where, str]] = field(default_factory=list)
    """Files that it runs: `%run`, `!python`, `runpy`, `exec(open(…))`."""
    uses: list[Use] = field(default_factory=list)
    """Strings that load what nothing imports."""

    def add(self, other: Scan) -> None:
        """Take everything of `other` in."""
        self.imports += other.imports
        self.installs += other.installs
        self.requirements += other.requirements
        self.unparsed += other.unparsed
        self.written |= other.written
        self.made += other.made
        self.paths += other.paths
        self.runs += other.runs
        self.uses += other.uses

    def make(self, one: Made) -> None:
        """Take in what is made, with what is written into it, and as far as it can be imported."""
        if one.text is not None:
            before = self.written.get(one.path) if one.adds else None
            self.written[one.path] = f"{before}\n{one.text}" if before else one.text
        if one.is_tree or one.path.endswith(_PYTHON):
            self.made.append(one)
