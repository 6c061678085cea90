"""Find the distributions that add modules to another's package, from what is in wheels.

`mujoco-mjx` holds nothing but `mujoco/mjx`, `PyQtChart` nothing but `PyQt5/QtChart`: without an
environment the name of the package would say another distribution. What is printed are lines for
`table.txt` of `envmagic/distributions/data`, of the wheels that have a part of a package whose
`__init__` is in another of the wheels, or in none of them.

    pip download --no-deps -d DIRECTORY mujoco mujoco-mjx PyQt5 PyQtChart
    python tools/add_on_modules.py DIRECTORY
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

# What a wheel lays beside its modules, and what is no code.
_BESIDE = re.compile(r"[^/]+\.(?:dist-info|data|libs)/|.*/__pycache__/")
_MODULE = re.compile(r"([^\W\d]\w*)(?:\.[^/]*)?\.(?:py|so|pyd|pyi)")


def main(wheels: Iterable[Path]) -> None:
    files = {distribution(wheel): files_of(wheel) for wheel in wheels}
    owned = {name: set(packages(listed)) for name, listed in files.items()}
    of_all: set[str] = set().union(*owned.values())
    for name, listed in sorted(files.items()):
        for module in sorted(set(added(listed, owned[name]))):
            known = "" if module.partition(".")[0] in of_all else "  # the package is in no wheel"
            print(f"{module}  {name}{known}")


def distribution(wheel: Path) -> str:
    """The normalised name that the file's name begins with."""
    return re.sub(r"[-_.]+", "-", wheel.name.partition("-")[0]).lower()


def files_of(wheel: Path) -> list[str]:
    """The files that are installed beside other distributions' modules."""
    with zipfile.ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if not _BESIDE.match(name)]


def packages(files: Iterable[str]) -> Iterator[str]:
    """The top-level packages that are one's own: those with an `__init__` in the wheel."""
    for file in files:
        top, _, rest = file.partition("/")
        if re.fullmatch(r"__init__\.(?:py|so|pyd|[^/]*\.(?:so|pyd))", rest):
            yield top


def added(files: Iterable[str], own: set[str]) -> Iterator[str]:
    """The modules directly below a package that is not one's own: `mujoco.mjx`."""
    for file in files:
        top, _, rest = file.partition("/")
        head, slash, below = rest.partition("/")
        if not rest or top in own or not top.isidentifier():
            continue
        if slash and head.isidentifier() and _MODULE.fullmatch(below.rpartition("/")[2]):
            yield f"{top}.{head}"
        elif not slash and (match := _MODULE.fullmatch(head)):
            yield f"{top}.{match[1]}"


if __name__ == "__main__":
    main(sorted(Path(sys.argv[1]).glob("*.whl")))
