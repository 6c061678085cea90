"""Giving a notebook's environment to an engine's workers, beside the engine's own way by hand.

Both are typed into the same kind of kernel, each round with workers that lack everything. Medians;
a word, as `dask`, measures that engine alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import _ship_dask
import _ship_ray
import _ship_spark
from _ground import table

ENGINES: dict[str, Callable[[], list[list[str]]]] = {
    "dask": _ship_dask.measured,
    "ray": _ship_ray.measured,
    "spark": _ship_spark.measured,
}
"""Each gives the rows of its table."""


def main() -> None:
    named = [word for word in sys.argv[1:] if word in ENGINES] or list(ENGINES)
    for name in named:
        head = ["what", "envmagic", "by hand", "envmagic takes", "reach"]
        table(f"Shipping to {name}", head, ENGINES[name]())


if __name__ == "__main__":
    main()
