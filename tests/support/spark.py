"""Spark for the tests: its own Python package, and Java."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from support import wheelhouse

VERSION = "4.3.0"
# What the tests have no use for is most of its size: state stores, Hive, Kubernetes, its shells.
_LEFT_OUT = re.compile(
    r"deps/(examples|data|jars/(connect-repl/|rocksdbjni|breeze|spire|cats-kernel|hive-|datanucleus"
    r"|derby|kubernetes|vertx|spark-(connect|mllib|hive|kubernetes|repl|streaming|graphx)_))"
)
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_PLACES = {"deps/": "pyspark/", "lib/": "pyspark/python/lib/", "pyspark/": "pyspark/"}


def has_java() -> bool:
    """Whether Spark can start here."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java") is not None or bool(home and Path(home, "bin", "java").exists())


def ensure() -> list[Path]:
    """The wheels of pyspark and of what it needs. Needs a network the first time only.

    There is only a source archive, and building that takes a minute; so its files are put into a
    wheel as they are, without what the tests do not use.
    """
    place = wheelhouse.directory() / "spark"
    made = place / f"pyspark-{VERSION}-py3-none-any.whl"
    wheelhouse.download(place, ["py4j"])
    if not made.exists():
        words = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            "pyspark",
        ]
        subprocess.run([*words, "-d", place, f"pyspark=={VERSION}"], check=True)
        source = place / f"pyspark-{VERSION}.tar.gz"
        _wheel_of(source, made)
        source.unlink()
    return [made, *place.glob("py4j-*.whl")]


def _wheel_of(source: Path, made: Path) -> None:
    info = f"pyspark-{VERSION}.dist-info"
    new = made.with_suffix(f".{os.getpid()}")
    with tarfile.open(source) as opened, zipfile.ZipFile(new, "w") as wheel:
        for member in opened:
            path = member.name.partition("/")[2]
            place = f"{info}/METADATA" if path == "PKG-INFO" else _place(path)
            if place is not None and member.isfile():
                content = opened.extractfile(member)
                assert content is not None
                entry = zipfile.ZipInfo(place)
                entry.external_attr = (0o755 if "/bin/" in place else 0o644) << 16
                wheel.writestr(entry, content.read())
        wheel.writestr(f"{info}/WHEEL", _WHEEL)
        record = [*wheel.namelist(), f"{info}/RECORD"]
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in record))
    new.replace(made)


def _place(path: str) -> str | None:
    """Where a file of the source archive is once it is installed; None for others."""
    start = next((each for each in _PLACES if path.startswith(each)), None)
    if start is None or _LEFT_OUT.match(path):
        return None
    return _PLACES[start] + path[len(start) :]
