"""YAML that people wrote, read by ruamel.yaml: its content, or the line that is at fault."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

from envmagic.core.display import shortened

__all__ = ["LIMIT", "NotYaml", "has_reader", "loaded"]

LIMIT = 1024 * 1024
"""Bytes; the reader takes seconds for as many."""

_GROWTH = 20
"""So many times its own length a text may mean with the help of aliases."""
_SMALL = 1000
_DEPTH = 100
"""So many brackets may be open; the reader takes the square of it as long."""
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


class NotYaml(ValueError):
    """A text cannot be read; `line` counts from 1 and is 0 where that cannot be told."""

    def __init__(self, reason: str, line: int = 0) -> None:
        self.reason, self.line = shortened(reason), line  # it may quote the text
        super().__init__(self.reason)


def has_reader() -> bool:
    """Whether YAML can be read, which needs the extra `envmagic[conda]`."""
    return importlib.util.find_spec("ruamel") is not None and (
        importlib.util.find_spec("ruamel.yaml") is not None
    )


def loaded(raw: bytes, *, lines: bool = False) -> Any:
    """What `raw` says; with `lines` its lists and mappings know theirs. Raises `NotYaml`.

    The reader has to be here.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    if _is_deep(raw):
        raise NotYaml("it is nested too deeply")
    try:
        if b"*" in raw:
            _check_aliases(raw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is given twice
            return YAML(typ="rt" if lines else "safe", pure=True).load(raw)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "it cannot be read"
        raise NotYaml(reason, mark.line + 1 if mark else 0) from error
    except NotYaml:
        raise
    except RecursionError:
        raise NotYaml("it is nested too deeply") from None
    # It fails in its own ways at what is no date, no number and no key of a mapping.
    except Exception as error:
        raise NotYaml(str(error) or "it cannot be read") from error


def _is_deep(raw: bytes) -> bool:
    depth = 0
    for bracket in raw.translate(None, _NO_BRACKET):
        depth += 1 if bracket in b"[{" else -1
        if depth > _DEPTH:
            return True
    return False


def _check_aliases(raw: bytes) -> None:
    """Raise `NotYaml` where `raw` means far more than it is long: nine lists of nine aliases
    each fill any memory once they are walked through."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import (
        AliasEvent,
        CollectionEndEvent,
        CollectionStartEvent,
        ScalarEvent,
    )

    sizes: dict[str, int] = {}
    inside: list[tuple[str | None, int]] = []
    total = 0
    for event in YAML(typ="safe", pure=True).parse(raw):
        if isinstance(event, CollectionStartEvent):
            inside.append((event.anchor, total))
            sizes.pop(event.anchor, None)
            total += 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = inside.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, ScalarEvent):
            total += len(event.value) + 1
            if event.anchor:
                sizes[event.anchor] = len(event.value) + 1
        elif isinstance(event, AliasEvent):
            line = event.start_mark.line + 1
            if event.anchor in {anchor for anchor, _ in inside}:
                raise NotYaml(f"*{event.anchor} stands inside of what it means", line)
            total += sizes.get(event.anchor, 0)
            if total > _GROWTH * (len(raw) + _SMALL):
                raise NotYaml("its aliases make far more of it than is written", line)
