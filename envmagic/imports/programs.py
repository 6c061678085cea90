"""Which files and modules a command gives to Python: `python x.py`, `-m x`, `torchrun x.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envmagic.imports.made import Run

__all__ = ["run_by"]

_PYTHON = re.compile(r"(?:python(?:3[\d.]*)?|py|pypy3?)(?:\.exe)?|\$.*|\{.*\}")
_VALUED = ("-W", "-X", "--check-hash-based-pycs")
# What only installs, or has its own way to be found.
_INSTALLERS = frozenset("pip uv conda pipenv poetry virtualenv build jupyter".split())
# Programs of Python's that run a file, with the words between them and it.
_RUNNERS = {
    **dict.fromkeys(("ipython", "ipython3", "torchrun", "deepspeed", "pytest", "gradio"), ()),
    **dict.fromkeys(("streamlit", "chainlit", "coverage", "uv", "modal"), ("run",)),
    **dict.fromkeys(("panel", "bokeh"), ("serve",)),
    "accelerate": ("launch",),
    "kernprof": (),
}


def run_by(words: list[str]) -> Iterator[Run]:
    """What the command `words` has Python run; nothing for other programs."""
    program = re.split(r"[/\\]", words[0])[-1]
    if program in ("mpirun", "mpiexec", "srun", "xvfb-run", "uv", "poetry", "pixi", "timeout"):
        start = next((n for n, w in enumerate(words) if n and _PYTHON.fullmatch(w)), 0)
        if start:
            yield from run_by(words[start:])
            return
    if _PYTHON.fullmatch(program):
        yield from _python(words[1:])
    elif program in _RUNNERS and tuple(words[1 : 1 + len(_RUNNERS[program])]) == _RUNNERS[program]:
        rest = words[1 + len(_RUNNERS[program]) :]
        file = next((word for word in rest if word.endswith(".py")), "")
        if file:
            yield Run(file)


def _python(words: list[str]) -> Iterator[Run]:
    rest = iter(words)
    for word in rest:
        if word == "-m":
            module = next(rest, "")
            if re.fullmatch(r"[^\W\d]\w*(\.\w+)*", module) and module not in _INSTALLERS:
                yield Run(module, is_module=True)
                # `-m pytest x.py`, `-m torch.distributed.run --nproc 2 x.py`
                yield from (Run(file) for file in [w for w in rest if w.endswith(".py")][:1])
            return
        if word == "-c":
            yield Run(next(rest, ""), is_code=True)
            return
        if word in _VALUED:
            next(rest, "")
        elif not word.startswith("-"):
            # what `setup.py` imports is needed to build, not to run
            if word.endswith(".py") and not word.endswith("setup.py"):
                yield Run(word)
            return
