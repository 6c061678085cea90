"""The values for what a notebook makes, fetches and runs itself."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Made", "Run", "filled", "last_of"]

_VARIABLE = re.compile(r"\{\s*([^\W\d]\w*)\s*\}|\$\{?([^\W\d]\w*)\}?")


class Made(NamedTuple):
    """A file or directory that is there once the notebook has run."""

    path: str
    """As it is typed: from where the notebook runs, with `/`."""
    text: str | None = None
    """What is written into it; None: only running would tell."""
    source: str = ""
    """The file or directory that it is a copy of."""
    is_tree: bool = False
    """A directory of which nobody can tell what is in it: a clone, an archive that is unpacked."""
    adds: bool = False
    """The text goes behind what is there."""

    @property
    def module(self) -> str:
        """The top module that it is, or is in: `helper` of `helper.py`, `pkg` of `pkg/a.py`."""
        path = self.path.replace("\\", "/").removeprefix("./")
        if not path.endswith((".py", ".pyx")):
            return ""
        return re.sub(r"\.pyx?$", "", path.partition("/")[0])

    def below(self, directory: str) -> Made:
        """The same, made by a command that runs in `directory`."""
        source = self.source and _joined(directory, self.source)
        return self._replace(path=_joined(directory, self.path), source=source)


class Run(NamedTuple):
    """A file, a module (`is_module`) or the text of a program (`is_code`) that a command runs."""

    what: str
    is_module: bool = False
    is_code: bool = False


def filled(text: str, names: dict[str, str] | None) -> str:
    """`text` with `{x}` and `$x` replaced, as IPython does, where `names` has the variable."""
    if not names or ("{" not in text and "$" not in text):
        return text
    return _VARIABLE.sub(lambda m: names.get(m[1] or m[2], m[0]), text)


def last_of(url: str) -> str:
    """What a file or repository is called that comes from `url`."""
    return re.split(r"[?#]", url)[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _joined(directory: str, path: str) -> str:
    return path if not directory or path.startswith(("/", "~")) else f"{directory}/{path}"
