"""Make `evidence.txt` and `found.txt` of `envmagic/distributions/data` from Debian and Pyodide.

Sources, both facts about which modules a distribution holds:

- Debian's Contents index (`apt-file update`): the modules that lie beside a distribution's
  `dist-info` or `egg-info` in the same binary package. A list of files; Debian publishes it without
  claiming rights in it.
- `dh-python`'s `cpython3_fallback` (Expat licence): the names of the distributions that Debian's
  maintainers reviewed. Its Debian package names are not kept.
- `pyodide-lock.json` of the `pyodide` package of the npm registry (Mozilla Public License 2.0): the
  names and imports of the distributions built for it. Names only are kept.

A distribution that pip cannot install is of no use in a record, so `index.txt`, the names of a
package index, one a line (its simple index lists them), leaves the others out.

    apt-get install apt-file && apt-file update
    apt-get download dh-python && npm pack pyodide       # in DIRECTORY, beside index.txt
    python tools/known_distributions.py DIRECTORY
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parents[1] / "envmagic" / "distributions" / "data"
MADE = "By evidence; made by tools/known_distributions.py, which names the sources."
PAIRS = f"""# Modules and the distributions that hold them, where the names differ.
# {MADE}
# Edit table.txt instead: it comes first.
"""
SAME = f"""# Distributions that hold a module of their own name; names.txt is kept by hand.
# {MADE}
"""
LISTS = Path("/var/lib/apt/lists")
APT_HELPER = "/usr/lib/apt/apt-helper"
INFO = re.compile(r"([A-Za-z0-9][A-Za-z0-9._]*?)-\d[^/]*?(?:-py3[^/]*)?\.(?:dist|egg)-info(?:/|$)")
# Families whose members are found by their dotted path.
FAMILY = re.compile(r"(azure|google|zope|backports)-")
# Directories that many packages leave at the top by mistake, and names that say nothing.
NOISE = frozenset(
    """
    adapt agent analysis announce api app appconf audio axes axi base benchmark benchmarks bin
    board boolean borg box braces buffer build caching can cas clap classes cli client cola
    colada colors common compose conf config conftest constance constants contrib convert core
    cork crack curator daemon data database db debian decoder demo demos dialog dist doc docs
    dosage editor encoder engine enigma env environ environment example examples experiment
    experiments extras factory feature features forge functions fuse game generator glue graph
    grid gui heat helper helpers hl horizons hosts image images include integration interface
    internal jack jobs jumble kernel lakers larch layers lexicon lib library lisp locale
    logger loss mad magcode main makefile man memoize memory metrics migrate mime misc model
    models module modules motorlib mvc nb network networks node notebooks numbergen objects
    observer operators optimizer options organize parallel params parser parted pipeline
    pipelines placement player plot plots plotting plugin plugins popcon potr ppl predict
    preprocess preprocessing process processing project public quiz railroad ranger resources
    rpc run runner sage sample samples satellite scoring script scripts search server service
    services session settings setup share sim sima simulation simulator solo solution
    solutions solver source spoa sql src static stats storage storages surfer table tags task
    tasks templates termstyle test testing tests text tldr tool tools train trainer training
    transform transforms tree uilib util utils validate vendor version versioneer video
    visualization vocab watcher web window worker wormhole
    """.split()
)


def main(directory: Path) -> None:
    index = set((directory / "index.txt").read_text("utf-8").split())
    kept = {word for word in words("names.txt") if word in index}
    pairs: dict[str, str] = {}
    same = {name for name in reviewed_names(directory) if FAMILY.match(name)}
    for module, (name, *_) in evidence(directory).items():
        if name == normalized(module) and "." not in module:
            same.add(name)
        elif "." in module or normalized(module) not in kept:  # names.txt knows better
            pairs[module] = name
    lines = [f"{m} {name}\n" for m, name in sorted(pairs.items()) if name in index]
    (DATA / "evidence.txt").write_text(PAIRS + "".join(lines), "utf-8")
    names = textwrap.fill(" ".join(sorted(same & index - kept)), 100, break_on_hyphens=False)
    (DATA / "found.txt").write_text(f"{SAME}{names}\n", "utf-8")
    print(f"{len(lines)} modules, {len(same & index - kept)} names -> {DATA}")


def words(name: str) -> Iterator[str]:
    for line in (DATA / name).read_text("utf-8").splitlines():
        yield from () if line.startswith("#") else line.split()


def evidence(directory: Path) -> dict[str, list[str]]:
    """Module -> the distributions that hold it, the best known first."""
    owners: dict[str, Counter[str]] = defaultdict(Counter)
    for name, modules in [*debian(), *pyodide(directory)]:
        for module in modules:
            owners[module][name] += 1
    found: dict[str, list[str]] = {}
    for module, names in owners.items():
        same = normalized(module)
        if module.split(".")[0].lower() in NOISE or not module.split(".")[-1].isidentifier():
            continue
        if same in names:
            found[module] = [same]
        elif len(names) == 1 and len(module) > 3:  # short ones are anybody's
            found[module] = list(names)
    return found


def debian() -> Iterator[tuple[str, set[str]]]:
    packages: dict[str, set[str]] = defaultdict(set)
    for line in contents():
        path, _, owners = line.rpartition(" ")
        inside = re.sub(r"^usr/lib/python3(\.11)?/(dist|site)-packages/", "", path.rstrip())
        if inside != path.rstrip():
            for owner in owners.split(","):
                packages[owner].add(inside)
    for files in packages.values():
        infos = {m[1] for f in files if (m := INFO.match(f))}
        if len(infos) == 1:
            yield normalized(infos.pop()), set(modules(files))


def contents() -> Iterator[str]:
    for path in sorted(LISTS.glob("*_main_Contents-*.lz4")):
        if "updates" in path.name:
            continue
        with subprocess.Popen(
            [APT_HELPER, "cat-file", path], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            yield from (line for line in child.stdout if line.startswith("usr/lib/python3"))


def modules(files: set[str]) -> Iterator[str]:
    """Top-level modules, and dotted ones below directories that have no `__init__.py`."""
    for file in files:
        parts = file.split("/")
        if parts[0].endswith((".dist-info", ".egg-info", ".data")) or "__pycache__" in parts:
            continue
        match = re.fullmatch(r"([^.]+)\.(?:py|(?:cpython-|abi3)[^/]*so|so)", parts[-1])
        if match is None:
            continue
        for depth in range(1, len(parts)):
            if "/".join([*parts[:depth], "__init__.py"]) in files:
                yield ".".join(parts[:depth])
                break
        else:
            if len(parts) == 1:
                yield match[1]


def pyodide(directory: Path) -> Iterator[tuple[str, set[str]]]:
    for archive in directory.glob("pyodide-*.tgz"):
        with tarfile.open(archive) as tar:
            lock = tar.extractfile("package/pyodide-lock.json")
            assert lock is not None
            for package in json.load(lock)["packages"].values():
                if package.get("package_type") == "package" and package["imports"]:
                    yield normalized(package["name"]), set(package["imports"])


def reviewed_names(directory: Path) -> Iterator[str]:
    for package in directory.glob("dh-python_*.deb"):
        listing = subprocess.run(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(listing)) as tar:
            file = tar.extractfile("./usr/share/dh-python/dist/cpython3_fallback")
            assert file is not None
            yield from (normalized(line.split()[0]) for line in file.read().decode().splitlines())


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
