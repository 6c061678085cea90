"""Why an installer failed, in a sentence or two out of all that it said."""

from __future__ import annotations

import re

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.system import process

__all__ = ["explain", "verdict"]

_MANY = 20  # lines
_NETWORK = re.compile(
    r"dns error|failed to lookup|connection refused|network is unreachable|newconnectionerror"
    r"|name resolution|failed to establish a new connection|error sending request|timed out"
    r"|network connectivity is disabled|network (?:was|is) disabled|tunnel error|proxyerror"
    r"|all attempts to connect|connecterror|name or service not known"
)
_MOST = 300  # characters
_START = re.compile(r"\s*(?:error|cause|hint|ERROR|╰─▶)\s*:?\s*(?=\S)")
# Around what a package's own build said: uv's, then pip's.
_BUILD = re.compile(r"^ *\[stderr\]$|^ *╰─> \[\d+ lines? of output\]$")
_BUILD_ENDS = re.compile(r"^\s*\[end of output\]$|^\S")
_ERROR = re.compile(r"(?:\w+\.)*\w*(?:Error|Exception)\b|(?:fatal )?error:", re.IGNORECASE)
_GENERAL = "Build failures usually indicate"  # uv's hint where it has no better one


def explain(error: process.CommandFailed, what: str, *, why: str = "") -> EnvmagicError:
    """What uv, pip or virtualenv said when it failed, as one line for a person.

    `why` is the reason, of a tool that does not say it as those do.
    """
    said = f"{error.stderr}\n{error.stdout}"
    lower = said.lower()
    if "no space left" in lower or "os error 28" in lower or "errno 28" in lower:
        return EnvmagicError("no-space", f"No space left on the disk while installing {what}.")
    if error.code < 0 or "memory allocation of" in lower or "memoryerror" in lower:
        return EnvmagicError(
            "no-memory",
            f"The installer was cut off while installing {what}; most often memory is short.",
            "End what uses memory and try again.",
            detail=said.strip(),
        )
    if _NETWORK.search(lower):
        return EnvmagicError(
            "no-network",
            f"The package index cannot be reached, so {what} could not be installed.",
            "Check the network and try again.",
        )
    why = display.user_text(why) or verdict(display.user_text(said))
    why = why or f"Installing {what} failed."
    whole = display.user_text(said.strip())
    # a line or two of the tool's own are in the verdict as they are
    more = "Add --json for all that was said." if len(whole.splitlines()) > _MANY else ""
    return EnvmagicError("install-failed", why, more, detail=whole)


def verdict(said: str) -> str:
    """The sentences of `said` that say why, about 300 characters at most; empty if it is empty.

    uv writes them behind `error:`, `cause:` and `hint:`, over several indented lines; pip as its
    last line. Where a package could not be built, its build is asked.
    """
    lines = [line.rstrip() for line in said.splitlines()]
    paragraphs = _paragraphs(lines)
    failed = next((p for p in paragraphs if p.startswith("Failed to build")), None)
    if failed is not None:
        why = _hint(paragraphs) or _build(lines)
        paragraphs = [f"{failed.rstrip('.')}." if why else failed, why]
    elif len(paragraphs) > 1 and paragraphs[0].startswith("No solution"):
        paragraphs = paragraphs[1:]  # the headline says nothing besides
    last = [line.strip() for line in lines if line.strip()][-1:]
    text = re.sub(r"\s+", " ", " ".join(paragraphs[:3] or last)).strip()
    return _cut(text[:1].upper() + text[1:])


def _paragraphs(lines: list[str]) -> list[str]:
    """What stands behind each of uv's words, joined; a blank line ends it."""
    found: list[str] = []
    is_open = False
    for line in lines:
        start = _START.match(line)
        if start:
            found.append(line[start.end() :].strip())
            is_open = True
        elif is_open and line.startswith("  "):
            found[-1] += f" {line.strip()}"
        elif not line:
            is_open = False
    return found


def _hint(paragraphs: list[str]) -> str:
    """What uv knows of the package (it is another's misspelling, say)."""
    headline = next((i for i, p in enumerate(paragraphs) if p.startswith("Failed to build")), 0)
    known = [p for p in paragraphs[headline + 1 :] if "Did you mean" in p or "was included" in p]
    return next((p for p in known if not p.startswith(_GENERAL)), "")


def _build(lines: list[str]) -> str:
    """The last error that a build wrote, else what it said first."""
    start = next((i for i, line in enumerate(lines, 1) if _BUILD.match(line)), None)
    if start is None:
        return ""
    own: list[str] = []
    for line in lines[start:]:
        if _BUILD_ENDS.match(line):
            break
        own.append(line.strip())
    errors = [line for line in own if _ERROR.match(line)]
    if errors:
        return errors[-1]
    while own and not own[0]:
        own.pop(0)
    return " ".join(own[: own.index("")] if "" in own else own)


def _cut(text: str) -> str:
    """`text` cut after the last sentence that fits, else after the last word."""
    if len(text) <= _MOST:
        return text
    kept = text[:_MOST]
    sentence = max((m.end() for m in re.finditer(r"[.?!](?=\s)", kept)), default=0)
    if sentence > _MOST // 3:
        return kept[:sentence]
    return f"{kept.rpartition(' ')[0] or kept} …"
