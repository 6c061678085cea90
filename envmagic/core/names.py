"""What environments and kernels may be called, which words are PATHs, when two names are one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from envmagic.core.display import quoted
from envmagic.core.errors import WordsError
from envmagic.core.verb_names import RESERVED_VERBS, VERBS

__all__ = ["is_path", "kernel_name_of", "normalized", "suffixed", "suggest", "validate"]

_SYNTAX = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WORDS = {*VERBS, *RESERVED_VERBS, "base", "on", "off", "none"}
_DEVICES = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(10)}


def is_path(word: str) -> bool:
    """Whether `word` is a PATH (has a separator, or starts with `.` or `~`) and not a NAME."""
    return word.startswith((".", "~")) or "/" in word or os.sep in word


def validate(name: str) -> str:
    """`name` lower-cased; raises `WordsError` with a suggestion if it cannot be a kernel's name."""
    lowered = name.lower()
    if not _SYNTAX.fullmatch(lowered):
        raise WordsError(
            "bad-name",
            f"{quoted(name)} cannot name an environment:"
            " letters, digits, '.', '_' and '-', 64 at most.",
            f"Try {suggest(name)!r}.",
            subject=name,
        )
    reason = _reserved(lowered)
    if reason:
        raise WordsError(
            "bad-name",
            f"{quoted(name)} cannot name an environment: {reason}.",
            f"Try {suggest(name)!r}.",
            subject=name,
        )
    return lowered


def suggest(name: str) -> str:
    """A name that `validate` accepts and a reader recognises."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:60].rstrip("-._") or "env"
    return f"my-{slug}"[:64] if _reserved(slug) else slug


def kernel_name_of(prefix: Path) -> str:
    """What the kernel of a PATH is called: its basename, its parent's for `.venv` and the like."""
    generic = prefix.name.lower() in {".venv", "venv", "env", ".env"}
    return suggest(prefix.parent.name if generic and prefix.parent.name else prefix.name)


def suffixed(name: str, prefix: Path) -> str:
    """`name` with 4 hex digits of `prefix`, for when another kernel has the name already."""
    import hashlib

    digits = hashlib.sha256(os.fsencode(os.path.realpath(prefix))).hexdigest()[:4]
    return f"{name[:59]}-{digits}"


def _reserved(name: str) -> str:
    if name in _WORDS:
        return "it is a word of %env's own"
    if name.startswith("python"):
        return "names that start with 'python' are those of stock kernels"
    if name.startswith("conda-"):
        return "names that start with 'conda-' belong to nb_conda_kernels"
    if name.split(".")[0] in _DEVICES:
        return "it is a device on Windows"
    return ""


def normalized(name: str) -> str:
    """The name of a distribution as PEP 503 compares it."""
    name = name.replace("_", "-").replace(".", "-").lower()  # a sixth of the time of re.sub alone
    return re.sub("-{2,}", "-", name) if "--" in name else name
