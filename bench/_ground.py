"""What the benchmarks share: a throw-away home with packages from disk, and a table of medians."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import wheelhouse


@contextmanager
def home(*, online: bool = False, more: Sequence[str] = ()) -> Iterator[Path]:
    """A home of its own; pip and uv install from the wheelhouse, so no network is measured, and
    from a second one that holds `more`.

    `online`: from the package index that they are set to, with caches that stay.
    """
    wheels = wheelhouse.ensure(log=True)
    second = wheels / "caches" / "more"
    if more and not online:
        wheelhouse.download(second, more)
    places = [wheels.as_uri(), second.as_uri()] if more else [wheels.as_uri()]
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="envmagic-bench-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        settings = place / "uv.toml"
        settings.write_text(f"no-index = true\nfind-links = {places}\n")
        for leak in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "PYTHONPATH"):
            os.environ.pop(leak, None)
        os.environ |= {
            "HOME": str(place),
            "ENVMAGIC_HOME": str(place / "envmagic"),
            "IPYTHONDIR": str(place / "ipython"),
            "JUPYTER_CONFIG_DIR": str(place / "jupyter-config"),
            "JUPYTER_DATA_DIR": str(place / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(place / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "PIP_CACHE_DIR": str(wheels / "caches" / "pip"),
            "UV_CACHE_DIR": str(wheels / "caches" / ("uv-online" if online else "uv")),
        }
        if not online:
            os.environ |= {
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_FIND_LINKS": " ".join(places),
                "PIP_NO_INDEX": "1",
                "UV_CONFIG_FILE": str(settings),
            }
        try:
            yield place
        finally:
            os.environ.clear()
            os.environ.update(before)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown, so that it can be pasted."""
    print(f"\n{title}\n")
    print(f"| {' | '.join(head)} |")
    print(f"|{'|'.join(' --- ' for _ in head)}|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def spread(seconds: Sequence[float], unit: str = "s") -> str:
    """`1.92 s (1.88–2.01)`: the median with the fastest and the slowest."""
    factor = {"s": 1, "ms": 1000}[unit]
    low, middle, high = (
        f"{value * factor:.2f}"
        for value in (min(seconds), statistics.median(seconds), max(seconds))
    )
    return f"{middle} {unit} ({low}–{high})"


def ratio(one: Sequence[float], other: Sequence[float]) -> str:
    return f"{statistics.median(one) / statistics.median(other):.2f} ×"
