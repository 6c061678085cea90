"""The words that a request was said in, as far as it changes an environment; for its history."""

from __future__ import annotations

from envmagic.core import display, verbs

__all__ = ["of"]

_FIELDS = ("notebook", "source", "target", "number", "requirements", "packages")
_FLAGS = {"upgrade": "-U", "fix": "--fix", "locked": "--locked"}
_VALUES = ("as_of", "python")


def of(request: verbs.Request | verbs.CarryOutRequest) -> str:
    """A line of at most 200 characters or so, without credentials."""
    if isinstance(request, verbs.CarryOutRequest):
        return "the first cell"
    words = [request.verb]
    asked: object = request
    if isinstance(request, verbs.CellRequest):
        asked, body = request.create, request.body.split("\n")
        lines = [
            line.strip() for line in body if line.strip() and not line.lstrip().startswith("#")
        ]
        words += [request.create.target or ".venv", *lines]
    for name in _FIELDS:
        is_said = isinstance(request, verbs.CellRequest) and name == "target"
        value = getattr(asked, name, None) if not is_said else None
        words += value if isinstance(value, tuple) else [str(value)] if value is not None else []
    words += [word for file in getattr(asked, "files", ()) for word in ("-r", file)]
    if isinstance(request, verbs.UpgradeRequest | verbs.RestoreRequest):
        for name in _VALUES:
            value = getattr(request, name, None)
            words += [f"--{name.replace('_', '-')}", value] if value is not None else []
    words += [flag for name, flag in _FLAGS.items() if getattr(asked, name, False)]
    return display.shortened(display.user_text(display.redact(" ".join(words))))
