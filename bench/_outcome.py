"""One notebook of `outcome.py`: what is asked of it, what comes out, and why not."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import EnvSpec, Silent
from envmagic.distributions import is_standard, known
from envmagic.environments import clearing, interpreters
from envmagic.environments.inspection import distributions_in, site_packages
from envmagic.planning.guessing.carrying import carry_out, pythons_for
from envmagic.planning.guessing.guess import Asked, Guess, Wish, guess_of
from envmagic.planning.guessing.offers import offers_here
from envmagic.planning.guessing.presence import missing_of
from envmagic.planning.guessing.settling import Settler
from envmagic.planning.guessing.trees import DirectoryTree
from envmagic.planning.guessing.trial import Failure, tried

__all__ = [
    "CAUSES",
    "Result",
    "Sample",
    "by_names",
    "half",
    "interval",
    "needs_much",
    "ours",
    "own_home",
    "resolves",
    "sample",
]

TOO_LARGE = 300 * 1000 * 1000  # bytes of one distribution, as the index says
CAUSES = (
    "no such distribution",
    "no wheel for this Python",
    "removed in a newer version",
    "companion missing",
    "system library",
    "package broken",
    "the tool's mistake",
)
# A kernel brings them.
_OF_THE_KERNEL = frozenset({"IPython", "ipykernel", "traitlets"})
Truth = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """A notebook, and its imports that are judged."""

    identity: str
    directory: Path
    guess: Guess
    asked: tuple[Asked, ...]
    truth: Truth
    is_large: bool = False


@dataclass(frozen=True)
class Result:
    """What came out for one notebook with one tool."""

    failed: tuple[str, ...] = ()
    cause: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        return not self.failed


def half(identity: str) -> str:
    """The half of the corpus that a notebook is in, by its name alone."""
    digest = hashlib.sha256(f"outcome {identity}".encode()).digest()
    return "held-out" if digest[-1] % 2 else "tuning"


def interval(right: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not total:
        return 0.0, 1.0
    z, share = 1.96, right / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (middle - spread) / (1 + z * z / total), (middle + spread) / (1 + z * z / total)


def sample(identity: str, directory: Path, truth: Truth) -> Sample | None:
    """The notebook in `directory`; None where nothing of it can be judged."""
    if truth["language"] not in ("python", "python?", "pyspark"):
        return None
    guess = guess_of(next(directory.glob("*.ipynb")))
    local = {line.partition(":")[0] for line in truth["local"]}
    others = local | _OF_THE_KERNEL
    asked = tuple(a for a in guess.imports if a.module.partition(".")[0] not in others)
    return Sample(identity, directory, guess, asked, truth) if asked else None


def needs_much(truth: Truth, python: str) -> bool:
    """Whether a distribution that the notebook really needs, or one below it, is over the limit."""
    settler = Settler(offers_here(), pythons_for(python)[:1], Silent())
    names = [Wish(name, "") for name in truth["required"] if name in _every(truth)]
    setting = settler.settled(names)
    return any((offer.size or 0) > TOO_LARGE for offer in setting.offers)


def resolves(guess: Guess, python: str) -> bool:
    """Whether everything of a guess can be had."""
    return not Settler(offers_here(), pythons_for(python), Silent()).settled(guess.wishes).lacking


def ours(item: Sample, place: Path, python: str, *, builds: bool = False) -> Result:
    """With the environment that envmagic makes; `builds`: also of what there is as source only."""
    spec = EnvSpec(place / item.identity, f"outcome-{item.identity.replace('_', '-')}", python)
    try:
        with clearing.locked(spec.prefix):
            sources = offers_here(builds=True) if builds else None
            carried = carry_out(item.guess, spec, Silent(), sources=sources)
        notes = (f"Python {carried.python.version}", *carried.chosen, *carried.lacking)
        failures = _failures(carried.ready.there.environment.python, item)
        names = {wish.name for wish in item.guess.wishes}
        return _result(failures, item, spec.prefix, names, notes)
    except EnvmagicError as error:
        said = (error.problem.message[:300],)
        return Result(("everything",), "the tool's mistake", notes=said)
    finally:
        shutil.rmtree(spec.prefix, ignore_errors=True)


def by_names(names: Collection[str], item: Sample, place: Path, python: str) -> Result:
    """With the newest versions of `names`, as somebody would install them."""
    names = {canonicalize_name(name) for name in names}
    unknown = sorted(names - _every(item.truth))
    if unknown:
        return Result(("everything",), "no such distribution", notes=(f"not asked for: {unknown}",))
    prefix = place / f"{item.identity}-names"
    interpreter = prefix / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    try:
        _uv("venv", "-p", interpreters.find(python).executable, prefix)
        if names:
            words = ("--only-binary", ":all:", *sorted(names))
            said = _uv("pip", "install", "-p", interpreter, *words, check=False)
            if said:
                return Result(("everything",), "no wheel for this Python", notes=(said[:300],))
        return _result(_failures(interpreter, item), item, prefix, names, ())
    finally:
        shutil.rmtree(prefix, ignore_errors=True)


def _failures(python: Path, item: Sample) -> list[Failure]:
    return [failure for asked in item.asked for failure in tried(python, python.parent, [asked])]


def _result(
    failures: Sequence[Failure],
    item: Sample,
    prefix: Path,
    names: Collection[str],
    notes: tuple[str, ...],
) -> Result:
    failed = tuple(str(failure) for failure in failures)
    cause = _cause(failures[0], item, prefix, names) if failures else ""
    return Result(failed, cause, notes=notes)


def _cause(failure: Failure, item: Sample, prefix: Path, names: Collection[str]) -> str:
    sites = site_packages(prefix)
    tree, installed = DirectoryTree(sites), distributions_in(sites)
    top, holder = failure.asked.module.partition(".")[0], failure.asked.distribution
    holders = {holder, *item.truth.get("alternatives", {}).get(holder, ())}
    if missing_of([Asked(top)], tree) or (holder and holders.isdisjoint(installed)):
        if any(line.startswith(f"{top}:") for line in item.truth["unresolvable"]):
            return "no such distribution"
        return "no wheel for this Python" if holders & {*names} else "the tool's mistake"
    if failure.library:
        return "system library"
    if missing_of([failure.asked], tree):
        return "removed in a newer version"
    module = failure.module
    own = not module or is_standard(module.partition(".")[0])
    return "package broken" if own or not missing_of([Asked(module)], tree) else "companion missing"


def _every(truth: Truth) -> frozenset[str]:
    return known().distributions | frozenset(truth["required"])


@contextmanager
def own_home(place: Path) -> Iterator[None]:
    """Directories of its own below `place`, where the installer's cache stays; the installer's own
    settings hold."""
    before = dict(os.environ)
    for leak in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "PYTHONPATH"):
        os.environ.pop(leak, None)
    os.environ |= {
        "ENVMAGIC_HOME": str(place / "envmagic"),
        "JUPYTER_DATA_DIR": str(place / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(place / "jupyter-config"),
        "IPYTHONDIR": str(place / "ipython"),
        "UV_CACHE_DIR": str(place / "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_LINK_MODE": "hardlink",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@cache
def _uv_binary() -> str:
    from uv import find_uv_bin

    return str(find_uv_bin())


def _uv(*words: str | Path, check: bool = True) -> str:
    """What it says when it fails; empty when it does not."""
    said = subprocess.run(
        [_uv_binary(), *words, "-q"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if check and said.returncode:
        raise RuntimeError(said.stderr)
    return said.stderr.strip() if said.returncode else ""
