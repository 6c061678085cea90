"""Which language a notebook and its cells are in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["is_python_cell", "language_of", "mapping"]

_PYTHON = re.compile(
    r"(?:i|x|c)?python\d*(?:\.\d+)?|pyspark\d*|python_\w+|sage(?:math)?|coconut", re.IGNORECASE
)


# Kernels of other languages: called like the language, or otherwise.
_LANGUAGES = frozenset(
    """
    ansible bash clojure coq crystal csharp deno elixir erlang fortran fsharp gnuplot groovy haskell
    idris java javascript julia kotlin lean lua mathematica matlab maxima nim ocaml octave perl php
    powershell prolog r racket ruby rust sas scala scheme scilab sos sparql spss sql stata swift
    typescript wolframlanguage
    """.split()
)


_SPEAK = {
    **{
        "ir": "r",
        "xr": "r",
        "sparkrkernel": "r",
        "ijavascript": "javascript",
        "tslab": "typescript",
    },
    **{"nodejs": "javascript", "jslab": "javascript", "p5js": "javascript", "xcpp": "c++"},
    **{"cling": "c++", "xc": "c", "iruby": "ruby", "ihaskell": "haskell"},
    **{"ijava": "java", "rapaio": "java", "evcxr": "rust", "gophernotes": "go", "gonb": "go"},
    **{"iperl": "perl", "ilua": "lua", "xlua": "lua", "ielixir": "elixir", "ifsharp": "fsharp"},
    **{"imatlab": "matlab", "xeus": "octave", "xsql": "sql", "xsqlite": "sql", "nbstata": "stata"},
    **{"almond": "scala", "sparkkernel": "scala", "spylon": "scala", "dyalog": "apl"},
}


# What VS Code says of a cell that was typed before a kernel was chosen; a shell's cell begins with
# `%%bash`, so one without it is as Python as the others.
UNSAID = ("plaintext", "raw", "shellscript")


_SAYING = frozenset({"vscode", "polyglot_notebook", "microsoft", "language"})


def is_python_cell(cell: Mapping[str, Any]) -> bool:
    """nbformat 3, and Snowflake, Fabric, VS Code and Polyglot name a cell's language."""
    metadata = mapping(cell, "metadata")
    if "language" not in cell and _SAYING.isdisjoint(metadata):
        return True
    said = (
        mapping(metadata, "vscode").get("languageId"),
        mapping(metadata, "polyglot_notebook").get("kernelName"),
        mapping(metadata, "microsoft").get("language"),
        metadata.get("language"),
        cell.get("language"),
    )
    named = next((x for x in said if isinstance(x, str) and x), "python")
    return named in UNSAID or bool(_PYTHON.fullmatch(named))


def language_of(document: Mapping[str, Any], cells: list[dict[str, Any]]) -> str:
    """`python` unless the metadata names another; kernel names decide last."""
    metadata = mapping(document, "metadata")
    info, spec = mapping(metadata, "language_info"), mapping(metadata, "kernelspec")
    if info.get("file_extension") == ".py":  # Spark and Glue call their Python by other names
        return "python"
    for named in (info.get("name"), spec.get("language"), metadata.get("language")):
        if isinstance(named, str) and named and named not in UNSAID:
            return "python" if _PYTHON.fullmatch(named) else named.lower()
    name = spec.get("name")
    if isinstance(name, str):
        return _language_of_kernel(name.lower())
    code = [c for c in cells if c.get("cell_type") == "code" and isinstance(c.get("language"), str)]
    if code and not any(is_python_cell(c) for c in code):
        return str(code[0]["language"]).lower()
    return "python"


def _language_of_kernel(name: str) -> str:
    """What a kernel of that name speaks, where the notebook says no more."""
    if name.startswith(".net-"):  # .NET Interactive
        return name.removeprefix(".net-")
    if name.startswith(("apache_toree_", "calysto_")):
        spoken = name.partition("_")[2].removeprefix("toree_")
        return "python" if spoken in ("pyspark", "python") else spoken
    first = re.split(r"[-.\d_]", name)[0]
    if first in _SPEAK:
        return _SPEAK[first]
    return first if first in _LANGUAGES else "python"


def mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}
