"""This envmagic, as another machine can have it."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from envmagic._version import __version__
from envmagic.distributions.origin import origin_of, source_of
from envmagic.environments.runtimes import own_copy
from envmagic.shipping.payload import Pin

__all__ = ["pin"]


def pin() -> Pin:
    """The version that runs here, with where it was installed from.

    A kernel has a copy that no installer knows; what was copied is asked then.
    """
    for places in (sys.path, own_copy.origins()):
        for found in metadata.distributions(name="envmagic", path=places):
            info = Path(str(found.locate_file(f"envmagic-{found.version}.dist-info")))
            if found.version == __version__ and info.is_dir() and not own_copy.is_ours(info):
                told = str(info / "direct_url.json")
                return Pin("envmagic", __version__, origin_of(told)[0] or "", source_of(told))
    return Pin("envmagic", __version__)
