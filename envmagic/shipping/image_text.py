"""The steps by which an image gets a notebook's packages, Jupyter and the notebook's kernel."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envmagic.jupyter.kernelspecs import OWN
from envmagic.record.export.image import START, words

__all__ = ["Kernel", "Recipe", "conda_dockerfile", "dockerfile", "kernel_steps", "post_build"]

_PREFIX = "\"$(python -c 'import sys; print(sys.prefix)')\""
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_HELD = "/tmp/held.txt"


@dataclass(frozen=True)
class Kernel:
    """What the notebook asks for by name, and what its cells call the environment."""

    name: str
    """As the notebook's metadata have it."""
    title: str
    envmagic: str = ""
    """The requirement for envmagic, where cells use it."""
    called: str = ""
    """The NAME that is attached then; empty where none can be."""
    place: str = ""
    """Where cells say that the environment is, seen from the top of the image's directory."""


@dataclass(frozen=True)
class Recipe:
    """What a Dockerfile is made of."""

    image: str
    notebook: str
    """From the top of the directory, with `/`."""
    kernel: Kernel
    listed: str
    """The text of the file that lists the packages."""
    wheels: bool = False
    """There is a directory `wheels`."""
    netrc: bool = False
    """A user or a password was left out of where packages come from."""
    variables: tuple[str, ...] = ()
    """Names of those that a container is started with."""

    @property
    def prefix(self) -> str:
        return f"/opt/envs/{self.kernel.called or 'notebook'}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the variables that the installer fills in."""
        return tuple(dict.fromkeys(_VARIABLE.findall(self.listed)))


def dockerfile(recipe: Recipe) -> str:
    """A Dockerfile whose packages are pip's; it is built in its own directory."""
    ours = f" {recipe.kernel.envmagic}" if recipe.kernel.envmagic else ""
    return _text(
        recipe,
        f"RUN python -m venv {recipe.prefix}",
        f"ENV PATH={recipe.prefix}/bin:$PATH",
        *_copied(recipe, "requirements.txt"),
        _told(recipe, "pip install --no-cache-dir -r requirements.txt"),
        f"RUN pip list --format=freeze > {_HELD}"
        f" && pip install --no-cache-dir -c {_HELD} jupyterlab{ours}",
        start=START,
    )


def conda_dockerfile(recipe: Recipe) -> str:
    """A Dockerfile whose packages are conda's, and pip's beside them."""
    where, ours = f"--prefix {recipe.prefix}", recipe.kernel.envmagic
    held = "--freeze-installed --channel conda-forge"
    return _text(
        recipe,
        *_copied(recipe, "environment.yml"),
        _told(recipe, f"conda env create --yes {where} --file environment.yml"),
        f"RUN conda install --yes {where} {held} jupyterlab pip",
        f"ENV PATH={recipe.prefix}/bin:$PATH",
        *([f"RUN pip install --no-cache-dir {ours}"] if ours else []),
        start=("conda", "run", "--no-capture-output", "--prefix", recipe.prefix, *START),
    )


def post_build(kernel: Kernel) -> str:
    """What repo2docker runs when all else is there; empty where there is nothing to do."""
    steps = kernel_steps(kernel)
    if kernel.envmagic:
        steps.insert(0, f"pip install --no-cache-dir {kernel.envmagic}")
    return "\n".join(("#!/bin/bash", "set -e", *steps, "")) if steps else ""


def kernel_steps(kernel: Kernel, prefix: str = "") -> list[str]:
    """Shell commands after which the kernel is there; `python` is the environment's.

    `prefix`: the environment, where it is called as the kernel is to be.
    """
    steps = []
    if kernel.envmagic and kernel.called:
        at = prefix or f'"$HOME/.envs/{kernel.called}"'
        steps += [] if prefix else ['mkdir -p "$HOME/.envs"', f"ln -sfn {_PREFIX} {at}"]
        steps.append(f"python -m envmagic attach {at}")
    if kernel.envmagic:
        steps.append("python -m envmagic autoload on")
    if kernel.envmagic and kernel.place:
        place = shlex.quote(kernel.place)
        above = shlex.quote(kernel.place.rpartition("/")[0] or ".")
        steps.append(f"mkdir -p {above} && ln -sfn {_PREFIX} {place}")
    if kernel.name != "python3" and not (
        kernel.envmagic and kernel.name.lower() in (kernel.called, OWN)
    ):
        title = shlex.quote(kernel.title)
        install = "python -m ipykernel install --sys-prefix"
        steps.append(f"{install} --name {kernel.name} --display-name {title}")
    return steps


def _text(recipe: Recipe, *steps: str, start: Sequence[str]) -> str:
    run = "".join(f" -e {name}" for name in recipe.variables)
    secret = " --secret id=netrc,src=$HOME/.netrc" if recipe.netrc else ""
    secret += "".join(f" --secret id={name},env={name}" for name in recipe.secrets)
    kernel = kernel_steps(recipe.kernel, recipe.prefix if recipe.kernel.called else "")
    lines = (
        f"# docker build -t NAME{secret} .",
        f"# docker run --rm -p 8888:8888{run} NAME",
        f"FROM {recipe.image}",
        "RUN useradd --create-home jovyan"
        " && install --directory --owner=jovyan /opt/envs /home/jovyan/work",
        "USER jovyan",
        "WORKDIR /home/jovyan/work",
        *steps,
        *(f"RUN {step}" for step in kernel),
        "COPY --chown=jovyan . .",
        f"CMD {json.dumps((*start, recipe.notebook))}",
    )
    return "\n".join(lines) + "\n"


def _copied(recipe: Recipe, listed: str) -> Iterable[str]:
    """What is needed for the packages alone, so that an edit of the notebook installs nothing."""
    yield f"COPY --chown=jovyan {words(listed, './')}"
    if recipe.wheels:
        yield "COPY --chown=jovyan wheels ./wheels"


def _told(recipe: Recipe, command: str) -> str:
    """The step that runs `command` with what only the one who builds may know: nothing of it stays
    in a layer."""
    mounts = [f"--mount=type=secret,id={name},mode=0444" for name in recipe.secrets]
    if recipe.netrc:
        mounts.append("--mount=type=secret,id=netrc,target=/home/jovyan/.netrc,mode=0444")
    given = [f'{name}="$(cat /run/secrets/{name})"' for name in recipe.secrets]
    return " ".join(("RUN", *mounts, *given, command))
