"""What cells import and install, found without running or importing anything."""

from envmagic.imports.follow import Followed, follow
from envmagic.imports.found import Scan
from envmagic.imports.installs import Install
from envmagic.imports.scan import scan_cell, scan_cells, scan_source
from envmagic.imports.sites import ImportSite, Where
from envmagic.imports.uses import Use

__all__ = [
    "Followed",
    "ImportSite",
    "Install",
    "Scan",
    "Use",
    "Where",
    "follow",
    "scan_cell",
    "scan_cells",
    "scan_source",
]
