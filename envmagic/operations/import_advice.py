"""What is said below an import that failed: the verb that installs what was not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from envmagic.core.errors import Problem, Severity
from envmagic.core.record_files import REQUIREMENTS
from envmagic.distributions import Index
from envmagic.environments import backends, inspection
from envmagic.operations.jupyters_own import is_jupyters_own
from envmagic.record.environments import InstalledIndex
from envmagic.record.missing_import import FailedImport, lacking

__all__ = ["advice"]


def advice(failed: FailedImport, directories: Sequence[Path]) -> Problem | None:
    """What helps with `failed` in this very process; None where nothing certain can be said.

    `directories` as in `lacking`.
    """
    here = InstalledIndex.here()
    names = lacking(failed, directories, here.index)
    if not names:
        return None
    one = len(names) == 1
    message = f"{' and '.join(names)} {'is' if one else 'are'} not installed."
    it = "it" if one else "them"
    hint, command = f"To install {it}", ("install", *names)
    if not _takes_more(Path(sys.prefix), directories, here.index):
        hint = f"To have {it} in an environment of this notebook's own"
        beside = (directories[0] / REQUIREMENTS).is_file()  # `create` with names leaves it out
        command = ("create", *(("-r", REQUIREMENTS) if beside else ()), "--with", *names)
    return Problem("not-installed", message, hint, Severity.INFO, failed.module, command=command)


def _takes_more(prefix: Path, directories: Sequence[Path], index: Index) -> bool:
    """Whether `install` is to install into `prefix`: it can, and that is not Jupyter's own."""
    if not backends.is_environment(prefix):
        return False
    places = inspection.site_packages(prefix)
    if places and not os.access(places[0], os.W_OK):
        return False
    return not is_jupyters_own(prefix, directories, index.distributions)
