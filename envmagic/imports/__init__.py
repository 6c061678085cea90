"""What cells import and install, found without running or importing anything."""

from envmagic.imports.follow import Followed, follow
from envmagic.imports.installs import Install
from envmagic.imports.scan import Scan, scan_cell, scan_source
from envmagic.imports.sites import ImportSite, Where

__all__ = [
    "Followed",
    "ImportSite",
    "Install",
    "Scan",
    "Where",
    "follow",
    "scan_cell",
    "scan_source",
]
