"""Where a distribution came from, when that was no index (PEP 610)."""

from __future__ import annotations

import json
import re
from pathlib import Path

from envmagic.distributions.reading import read

__all__ = ["origin_of", "public_url", "source_of"]

_USER = re.compile(r"(?<![\w+.-])([\w+.-]+)://([^/\s]*)@")
# Names of variables in place of a user and a password, which pip fills in.
_VARIABLES = re.compile(r"\$\{[\w-]+\}(?::\$\{[\w-]+\})?")


def origin_of(path: str) -> tuple[str | None, str | None]:
    """The URL of an installation from version control, and the directory of an editable one.

    As the `direct_url.json` at `path` has them; the URL as pip takes it, without any secret.
    """
    try:
        raw = json.loads(read(path) or "{}")
        url = str(raw["url"])
    except (ValueError, KeyError, TypeError):
        return None, None
    return _of_version_control(raw, url), _directory(raw, url)


def source_of(path: str) -> Path | None:
    """The file or directory of this machine that a distribution was installed from, editable or
    not, as the `direct_url.json` at `path` has it."""
    try:
        raw = json.loads(read(path) or "{}")
        url = str(raw["url"])
    except (ValueError, KeyError, TypeError):
        return None
    return Path(_path(url)) if url.startswith("file:") and not raw.get("vcs_info") else None


def public_url(text: str) -> str:
    """The URL `text`, or the line with it, without the user and password in it that are secret."""
    return _USER.sub(_public, text)


def _of_version_control(raw: dict[str, object], url: str) -> str | None:
    vcs = raw.get("vcs_info")
    if not isinstance(vcs, dict) or not vcs.get("vcs"):
        return None
    commit = vcs.get("commit_id") or vcs.get("requested_revision")
    subdirectory = raw.get("subdirectory")
    return (
        f"{vcs['vcs']}+{public_url(url)}"
        + (f"@{commit}" if commit else "")
        + (f"#subdirectory={subdirectory}" if subdirectory else "")
    )


def _public(user: re.Match[str]) -> str:
    """The scheme, with as much of a URL's user as is no secret."""
    scheme, name = user[1], user[2].partition(":")[0]
    if _VARIABLES.fullmatch(user[2]):
        return user[0]
    # nobody is let in by ssh without `git@`; in http(s) a name can be a token
    return f"{scheme}://{name}@" if name and scheme.endswith("ssh") else f"{scheme}://"


def _directory(raw: dict[str, object], url: str) -> str | None:
    info = raw.get("dir_info")
    if not isinstance(info, dict) or not info.get("editable") or not url.startswith("file:"):
        return None
    return _path(url)


def _path(url: str) -> str:
    import urllib.parse
    import urllib.request

    return urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
