"""A conda channel on disk, made in a fraction of a second: real packages, real repodata.

Formats: https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support import interpreters

_ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.base_prefix)"
PLACEHOLDER = "/placehold" + "_placehold" * 20
SUBDIRS = ("noarch", "linux-64")
Files = Mapping[str, "str | bytes"]


@dataclass
class Channel:
    """A channel being made in `directory`; `index()` writes what clients read."""

    directory: Path
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.directory.as_uri()

    def add(
        self,
        name: str,
        version: str = "1.0",
        *,
        files: Files | None = None,
        links: Mapping[str, str] | None = None,
        depends: Sequence[str] = (),
        constrains: Sequence[str] = (),
        noarch: str | None = None,
        entry_points: Sequence[str] = (),
        build: str = "0",
        number: int = 0,
        ending: str = "conda",
    ) -> None:
        """Put one package in. Files below `bin` are executable; those that hold `PLACEHOLDER` get
        the prefix written in when they are installed."""
        subdir = "noarch" if noarch else "linux-64"
        index: dict[str, Any] = {
            **{"name": name, "version": version, "build": build, "build_number": number},
            **{"depends": list(depends), "constrains": list(constrains), "license": "MIT"},
            **{"subdir": subdir, "timestamp": int(time.time() * 1000)},
        }
        index |= {"noarch": noarch} if noarch else {"arch": "x86_64", "platform": "linux"}
        content = {p: t.encode() if isinstance(t, str) else t for p, t in (files or {}).items()}
        info = _info(index, content, links or {}, noarch, entry_points)
        stem = f"{name}-{version}-{build}"
        write = _conda if ending == "conda" else _tar_bz2
        data = write(stem, info, content, links or {})
        place = self.directory / subdir
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{stem}.{ending}").write_bytes(data)
        digests = {"md5": hashlib.md5(data).hexdigest(), "sha256": _sha256(data)}
        record = {**index, **digests, "size": len(data)}
        self.records.setdefault(subdir, {})[f"{stem}.{ending}"] = record

    def add_module(self, name: str, version: str = "1.0", **more: Any) -> None:
        """A noarch Python package with one module of its name and a `dist-info` as conda's have.

        `called`: the package's name where it is not the distribution's.
        """
        module = name.replace("-", "_")
        info = f"site-packages/{module}-{version}.dist-info"
        files = {
            f"site-packages/{module}/__init__.py": f"__version__ = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/INSTALLER": "conda\n",
        }
        depends = ["python", *more.pop("depends", ())]
        called = more.pop("called", name)
        self.add(
            called, version, files=files, noarch="python", build="py_0", depends=depends, **more
        )

    def add_wheel(self, wheel: Path) -> None:
        """What a wheel holds, as a conda package for the running Python, its needs by name only."""
        short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        site = f"lib/{short}/site-packages"
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if not n.endswith("/")]
            content = {n: archive.read(n) for n in names}
        info = next(n.partition("/")[0] for n in content if ".dist-info/" in n)
        metadata = content[f"{info}/METADATA"].decode("utf-8", "replace")
        content[f"{info}/INSTALLER"] = b"conda\n"
        files = {f"{site}/{n}": data for n, data in content.items() if ".data/" not in n}
        name, version = info.removesuffix(".dist-info").split("-")[:2]
        needs = [_bare(n) for n in _requirements(metadata)]
        depends = ["python", *(n for n in needs if n)]
        self.add(name.lower().replace("_", "-"), version, files=files, depends=depends)

    def add_python(self, python: Path | None = None) -> None:
        """`python` (default: the running one) as a package of a few bytes.

        A link to an interpreter of this machine and a `pyvenv.cfg` make a prefix a working Python
        with its own site-packages.
        """
        asked = [str(python or sys.executable), "-I", "-c", _ASK]
        answer = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        version, base = answer.splitlines()
        short = version.rpartition(".")[0]
        python = Path(base).resolve() / "bin" / f"python{short}"
        home = f"home = {python.parent}\ninclude-system-site-packages = false\n"
        files = {
            "pyvenv.cfg": f"{home}version = {version}\n",
            f"lib/python{short}/site-packages/README.txt": "packages go here\n",
        }
        links = {f"bin/python{short}": str(python)}
        links |= {"bin/python": f"python{short}", "bin/python3": f"python{short}"}
        self.add("python", version, files=files, links=links, build=f"{short.replace('.', '')}_0")

    def index(self) -> None:
        """Write `repodata.json`; whatever is added later needs it again."""
        for subdir in SUBDIRS:
            records = self.records.get(subdir, {})
            place = self.directory / subdir
            place.mkdir(parents=True, exist_ok=True)
            repodata = {
                "info": {"subdir": subdir},
                "packages": {n: r for n, r in records.items() if n.endswith(".bz2")},
                "packages.conda": {n: r for n, r in records.items() if n.endswith(".conda")},
                "removed": [],
                "repodata_version": 1,
            }
            (place / "repodata.json").write_text(json.dumps(repodata), encoding="utf-8")


def _info(
    index: dict[str, Any],
    files: Mapping[str, bytes],
    links: Mapping[str, str],
    noarch: str | None,
    entry_points: Sequence[str],
) -> dict[str, bytes]:
    """The members below `info/`."""
    paths: list[dict[str, Any]] = []
    for path, data in sorted(files.items()):
        entry = {"_path": path, "path_type": "hardlink", "sha256": _sha256(data)}
        entry |= {"size_in_bytes": len(data)}  # type: ignore[dict-item]
        if PLACEHOLDER.encode() in data:
            entry |= {"prefix_placeholder": PLACEHOLDER, "file_mode": "text"}
        paths.append(entry)
    for path in sorted(links):
        paths.append({"_path": path, "path_type": "softlink", "sha256": _sha256(b"")})
    prefixed = [e for e in paths if "prefix_placeholder" in e]
    info = {
        "index.json": json.dumps(index),
        "paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "files": "".join(f"{e['_path']}\n" for e in paths),
        "has_prefix": "".join(f"{PLACEHOLDER} text {e['_path']}\n" for e in prefixed),
        "about.json": "{}",
    }
    if noarch == "python":
        link = {"noarch": {"type": "python", "entry_points": list(entry_points)}}
        info["link.json"] = json.dumps({**link, "package_metadata_version": 1})
    return {f"info/{name}": text.encode() for name, text in info.items() if text}


def _tar_bz2(
    stem: str, info: Mapping[str, bytes], files: Mapping[str, bytes], links: Mapping[str, str]
) -> bytes:
    return bz2.compress(_tar({**info, **files}, links), 1)


def _conda(
    stem: str, info: Mapping[str, bytes], files: Mapping[str, bytes], links: Mapping[str, str]
) -> bytes:
    import zstandard

    compress = zstandard.ZstdCompressor(level=1).compress
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps({"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{stem}.tar.zst", compress(_tar(files, links)))
        archive.writestr(f"info-{stem}.tar.zst", compress(_tar(info, {})))
    return buffer.getvalue()


def _tar(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mtime = len(data), 1_700_000_000
            member.mode = 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def _requirements(metadata: str) -> Iterator[str]:
    from packaging.requirements import Requirement

    for line in re.findall(r"^Requires-Dist: (.+)$", metadata, re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name


def _bare(name: str) -> str:
    return name.lower().replace("_", "-")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def build(directory: Path) -> Channel:
    """The channel the tests use: this Python and older ones, small packages of every shape, and
    conflicts."""
    channel = Channel(directory)
    channel.add_python()
    here = ".".join(str(part) for part in sys.version_info[:2])
    versions = list(interpreters.found().items())
    for _, python in versions[: [v for v, _ in versions].index(here)]:
        channel.add_python(python)
    for version in ("1.0", "1.5", "2.0"):
        channel.add_module("tiny", version, entry_points=["tiny-cmd = tiny:main"])
    channel.add_module("torch", "2.0", called="pytorch")
    channel.add_module("needs-old", depends=["tiny <2"])
    channel.add_module("needs-new", depends=["tiny >=2"])
    channel.add("library", "3.1", files={"lib/liblibrary.so": b"\x7fELF"}, ending="tar.bz2")
    channel.add("for-cuda", depends=["__cuda >=12"], files={"share/c.txt": "x"})
    channel.add("for-glibc", depends=["__glibc >=2.17"], files={"share/g.txt": "x"})
    channel.add("activating", files=_activating(), depends=["python"], ending="tar.bz2")
    channel.index()
    return channel


def _activating() -> Files:
    return {
        "etc/conda/activate.d/lib.sh": (
            'export GEO_DATA="$CONDA_PREFIX/share/geo"\n'
            'export LD_LIBRARY_PATH="$CONDA_PREFIX/lib/geo"\n'
            'echo "words on standard output"\n'
        ),
        "etc/conda/deactivate.d/lib.sh": "unset GEO_DATA LD_LIBRARY_PATH\n",
        "etc/conda/env_vars.d/vars.json": '{"FROM_ENV_VARS_D": "1", "BOTH": "file"}',
        "bin/where": f"#!{PLACEHOLDER}/bin/python\nimport sys; print(sys.prefix)\n",
    }


def create(prefix: Path, channel: Channel, specs: Sequence[str], cache: Path) -> None:
    """Make a conda environment without envmagic, as pixi would: solved and linked by rattler."""
    import asyncio

    import rattler

    async def make() -> None:
        gateway = rattler.Gateway(cache_dir=str(cache / "repodata"))
        virtual = rattler.VirtualPackage.detect()
        records = await rattler.solve(
            [channel.url], specs, gateway=gateway, virtual_packages=virtual
        )
        matched = [rattler.MatchSpec(spec)._match_spec for spec in specs]
        await rattler.install(
            records,
            target_prefix=str(prefix),
            cache_dir=str(cache / "pkgs"),
            show_progress=False,
            requested_specs=matched,
        )

    asyncio.run(make())


def wheels_of(wheelhouse: Path, *roots: str) -> list[Path]:
    """The wheels for the running Python of `roots` and all they need, newest of each."""
    from packaging.tags import sys_tags
    from packaging.utils import canonicalize_name, parse_wheel_filename

    tags = set(sys_tags())
    best: dict[str, tuple[Any, Path]] = {}
    for path in wheelhouse.glob("*.whl"):
        name, version, _, fitting = parse_wheel_filename(path.name)
        if fitting & tags and (name not in best or best[name][0] < version):
            best[name] = (version, path)
    found: dict[str, Path] = {}
    todo = list(roots)
    while todo:
        name = canonicalize_name(todo.pop())
        if name in found:
            continue
        found[name] = best[name][1]
        with zipfile.ZipFile(found[name]) as archive:
            inside = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            todo += _requirements(archive.read(inside).decode("utf-8", "replace"))
    return list(found.values())


if __name__ == "__main__":
    made = build(Path(sys.argv[1]))
    for wheel in wheels_of(Path(sys.argv[2]), *sys.argv[3:]) if len(sys.argv) > 3 else ():
        made.add_wheel(wheel)
    made.index()
    print(made.url, os.listdir(made.directory))
