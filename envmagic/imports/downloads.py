"""The programs that fetch, copy and unpack, and what each of them makes of its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from envmagic.imports.command import Command
from envmagic.imports.made import Made, last_of

__all__ = ["MAKERS"]

_ARCHIVE = re.compile(r"\.(?:zip|tar|tgz|tbz2|txz|7z|rar|(?:tar\.)?(?:gz|bz2|xz))$")


def _wget(command: Command) -> Iterator[Made]:
    plain, found = command.options(
        "OPoaetTUiQlARDIXBw", "output-document directory-prefix output-file header tries"
    )
    file = found.get("O") or found.get("--output-document")
    directory = found.get("P") or found.get("--directory-prefix") or ""
    for url in [file] if file else map(last_of, plain):
        if url and url != "-":
            yield Made(url).below("" if file else directory)


def _curl(command: Command) -> Iterator[Made]:
    plain, found = command.options(
        "oHduAeXbcFTxmwKrCEyYz", "output output-dir header data user user-agent request"
    )
    file = found.get("o") or found.get("--output")
    if file:
        yield Made(file).below(found.get("--output-dir", ""))
    elif "O" in found or "--remote-name" in found:
        yield from (Made(last_of(url)) for url in plain)


def _aria(command: Command) -> Iterator[Made]:
    plain, found = command.options("doxsjk", "out dir")
    file = found.get("o") or found.get("--out")
    for name in [file] if file else map(last_of, plain):
        yield Made(name).below(found.get("d") or found.get("--dir") or "")


def _gdown(command: Command) -> Iterator[Made]:
    _, found = command.options("O", "output id")
    file = found.get("O") or found.get("--output")
    if file:
        yield Made(file, is_tree="--folder" in found)


def _clone(command: Command) -> Iterator[Made]:
    """`git clone URL [DIRECTORY]`, and other programs that fetch repositories."""
    words = command.words
    verb = next((n for n, w in enumerate(words) if w in ("clone", "checkout", "export", "co")), 0)
    if not verb or (words[0] == "git" and words[verb] != "clone"):
        return
    plain, _ = command.options(
        "bocuj", "branch depth origin config reference upload-pack jobs filter", verb + 1
    )
    if plain:
        name = plain[1] if len(plain) > 1 else last_of(plain[0]).removesuffix(".git")
        inside = words[2] if words[1] == "-C" else ""
        yield Made(name, is_tree=True).below(inside)


def _unzip(command: Command) -> Iterator[Made]:
    plain, found = command.options("dPx")
    yield from _unpacked(found.get("d", ""), plain[:1])


def _tar(command: Command) -> Iterator[Made]:
    plain, found = command.options("fCT", "file directory")
    bundled = plain[0] if plain and re.fullmatch(r"[a-zA-Z]+", plain[0]) else ""
    if "x" in found or "x" in bundled or "--extract" in found:
        file = found.get("f") or found.get("--file")
        archives = [file] if file else plain[1:2] if bundled else []
        yield from _unpacked(found.get("C") or found.get("--directory") or "", archives)


def _seven_zip(command: Command) -> Iterator[Made]:
    target = next((w[2:] for w in command.words if w.startswith("-o")), "")
    plain = [w for w in command.words[2:] if not w.startswith("-")]
    yield from _unpacked(target or "".join(plain[1:2]), plain[:1])


def _unpacked(directory: str, archives: list[str]) -> Iterator[Made]:
    if directory and directory.rstrip("/") not in (".", ""):
        yield Made(directory, is_tree=True)
    for archive in archives:  # most hold one directory, called as they are
        yield Made(_ARCHIVE.sub("", last_of(archive)), is_tree=True).below(directory)


def _copy(command: Command) -> Iterator[Made]:
    words = command.words
    start = next((n for n, w in enumerate(words) if w in ("cp", "sync", "mv", "rsync")), 0)
    plain = [word for word in words[start + 1 :] if not word.startswith("-")]
    *sources, target = plain if len(plain) > 1 else ["", "."]
    for source in filter(None, sources):
        into = target.endswith(("/", ".")) or len(sources) > 1 or not _has_suffix(target)
        name = last_of(source)
        if into and _has_suffix(name):
            yield Made(f"{target.rstrip('/')}/{name}", source=source)
        else:
            into = target.rstrip("/").endswith(".") or len(sources) > 1
            there = f"{target.rstrip('/')}/{name}" if into else target
            yield Made(there, source=source, is_tree=not _has_suffix(there))


def _has_suffix(path: str) -> bool:
    return re.search(r"[^./]\.\w+$", path) is not None


def _fetched_copy(command: Command) -> Iterator[Made]:
    if len(command.words) > 1 and any(w in ("cp", "sync", "rsync") for w in command.words):
        yield from _copy(command)


def _touch(command: Command) -> Iterator[Made]:
    yield from (Made(word, "", adds=True) for word in command.words[1:] if word[0] != "-")


def _compiled(command: Command) -> Iterator[Made]:
    _, found = command.options("m")
    if found.get("m"):
        yield Made(f"{found['m']}.so")


def _jupyter(command: Command) -> Iterator[Made]:
    """`jupyter nbconvert --to script other.ipynb` makes `other.py`."""
    words = " ".join(command.words)
    if re.search(r"--to[ =](?:script|python|py\b)", words):
        output = re.search(r"--output[ =](\S+)", words)
        for word in command.words:
            if word.endswith(".ipynb"):
                name = output[1] if output else word
                yield Made(re.sub(r"\.ipynb$|(?<!\.py)$", ".py", name, count=1), source=word)


def _kaggle(command: Command) -> Iterator[Made]:
    _, found = command.options("pdcfk", "path")
    target = found.get("p") or found.get("--path")
    if target:
        yield Made(target, is_tree=True)


MAKERS: dict[str, Callable[[Command], Iterator[Made]]] = {
    "wget": _wget,
    "curl": _curl,
    "aria2c": _aria,
    "gdown": _gdown,
    **dict.fromkeys(("git", "gh", "hg", "svn"), _clone),
    "unzip": _unzip,
    **dict.fromkeys(("7z", "7za", "unrar"), _seven_zip),
    "tar": _tar,
    **dict.fromkeys(("cp", "mv", "ln", "scp", "rsync"), _copy),
    **dict.fromkeys(("aws", "gsutil", "gcloud", "hdfs", "dbfs"), _fetched_copy),
    "touch": _touch,
    **dict.fromkeys(("f2py", "f2py3"), _compiled),
    **dict.fromkeys(("jupyter", "jupytext"), _jupyter),
    "kaggle": _kaggle,
}
