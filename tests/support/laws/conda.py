"""conda's part of the laws: prefixes with its notes, and files that people write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.laws import work

__all__ = ["FILES", "PACKAGES", "environment"]

PACKAGES = {
    "pyyaml": "yaml",
    "pandas": "pandas",
    "scipy": "scipy",
    "matplotlib-base": "matplotlib",
    "tool-of-conda": "no_such_module_x",
    "scikit-learn": "sklearn",
}
FILES = (
    "",
    "name: x\ndependencies:\n  - python=3.12\n  - numpy\n",
    "channels:\n  - x\ndependencies:\n  - pandas>=2  # mine\n  - pip\n  - pip:\n    - six\n",
    "dependencies: [numpy, pyyaml]\n",
    "# nothing yet\nname: x\n",
    "x: &d\n  - numpy\ndependencies: *d\n",
    "dependencies:\n- conda-forge::scipy=1.*\n- pyyaml\nprefix: /home/me/x\n",
)


def environment(prefix: Path, held: Iterable[str], versions: Mapping[str, str]) -> Path:
    """A conda environment that holds the packages `held`, and by pip those of `versions`."""
    work.environment(prefix, versions)
    meta = prefix / "conda-meta"
    meta.mkdir()
    (meta / "history").touch()
    site = "lib/python3.12/site-packages"
    rows = [("python", "3.12.4", ["bin/python"])]
    rows += [(name, "1.9.0", [f"{site}/{PACKAGES[name]}/__init__.py"]) for name in sorted(held)]
    for name, version, files in rows:
        row = {"name": name, "version": version, "files": files, "build": "0", "build_number": 0}
        row |= {"channel": "conda-forge", "subdir": "noarch"}
        (meta / f"{name}-{version}-0.json").write_text(json.dumps(row))
    return prefix
