"""All that a directory has to hold so that an image of one notebook is built of it alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

from envmagic.core import display
from envmagic.core.errors import EnvmagicError
from envmagic.core.names import normalized
from envmagic.core.record_files import REQUIREMENTS
from envmagic.distributions.origin import source_of
from envmagic.environments import history, satisfaction
from envmagic.environments.inventory import Inventory
from envmagic.record.export import Job, binder, conda_text, image, requirements_text
from envmagic.record.export.wanted import Line
from envmagic.shipping import image_text
from envmagic.shipping.image_text import Kernel, Recipe
from envmagic.shipping.local_modules import LocalModule
from envmagic.shipping.payload import Pin

__all__ = ["WHEELS", "Contents", "Image", "Packages", "lines_of", "sources_of"]

WHEELS = "wheels"
"""The directory for what no index has."""


@dataclass(frozen=True)
class Packages:
    """What is installed into the image."""

    lines: tuple[Line, ...]
    wheels: Mapping[str, Path]
    """Name -> wheel, of what was installed here from a directory or a file."""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a directory is to hold."""

    files: Mapping[str, bytes]
    """Path from the directory, with `/` -> content."""
    left_out: tuple[str, ...] = ()
    """Files of local modules that look like secrets."""


@dataclass(frozen=True)
class Image:
    """What an image is made of, and how."""

    kind: str
    """`docker` or `binder`."""
    job: Job
    packages: Packages
    notebook: Path
    modules: tuple[LocalModule, ...]
    kernel: Kernel
    own: Path | None = None
    """A wheel of envmagic, where its cells need one that no index has."""
    variables: tuple[str, ...] = ()
    """Names of those that a container is started with."""

    def contents(self) -> Contents:
        """What the directory is to hold. Raises `EnvmagicError` (`another-platform`)."""
        files, left_out, top = _copies(self.notebook, self.modules)
        for wheel in (*self.packages.wheels.values(), *((self.own,) if self.own else ())):
            files[f"{WHEELS}/{wheel.name}"] = wheel.read_bytes()
        listed, text = _listed(self.job, self.packages)
        files[listed] = text.encode()
        kernel = self.kernel
        if kernel.place:
            place = (self.notebook.parent / kernel.place).relative_to(top)
            kernel = replace(kernel, place=place.as_posix())
        if self.kind == "binder":
            files |= _for_binder(self.job, kernel)
        else:
            files |= _for_docker(self.job, self._recipe(kernel, top, text, files))
        return Contents(files, tuple(left_out))

    def _recipe(self, kernel: Kernel, top: Path, text: str, files: Iterable[str]) -> Recipe:
        return Recipe(
            image.base(self.packages.lines, self.job.wanted.python),
            self.notebook.relative_to(top).as_posix(),
            kernel,
            text,
            wheels=any(path.startswith(f"{WHEELS}/") for path in files),
            netrc=bool(self.job.secret_files),
            variables=self.variables,
        )


def sources_of(there: Inventory, lines: Iterable[Line], directory: Path) -> list[Pin]:
    """What of `there` was installed from a directory or file of this machine and is needed by
    `lines`, whose paths count from `directory`."""
    pins = {
        name: Pin(name, version, directory=source)
        for name, (version, info) in there.distributions.items()
        if (source := source_of(str(info / "direct_url.json"))) is not None
    }
    lines = list(lines)
    paths = {_real(line, directory) for line in lines}
    found = [line.parsed.requirement for line in lines]
    roots = [r for r in found if r is not None]
    roots += [Requirement(n) for n, pin in pins.items() if os.path.realpath(_at(pin)) in paths]
    needed = satisfaction.needed_by(roots, there.distributions, there.environment.version)
    return [pins[name] for name in sorted(needed & pins.keys())]


def lines_of(
    there: Inventory, job: Job, sources: Iterable[Pin], wheels: Mapping[str, Path]
) -> Packages:
    """What is to be installed: what is locked, what conda has not, else each version that is here.

    What `sources` names comes from its one of `wheels`. Raises `EnvmagicError`
    (`another-platform`) for one that an image cannot take.
    """
    sources = list(sources)
    directory = job.wanted.directory
    if job.locked is not None or job.conda is not None:
        lines, left_out = job.lines(directory, linux=True)
    else:
        lines, left_out = _here(there, job, sources), list(job.wanted.left_out)
    instead = {os.path.realpath(_at(pin)): pin.name for pin in sources}
    found: dict[str, Line] = {}
    for line in lines:
        name = instead.get(_real(line, directory) or "") or line.parsed.name
        if name is not None and name in wheels:
            found[name] = _wheel_line(wheels[name])
        elif line.path is not None:
            left_out.append(f"{line.text} (a path that is not there)")
        else:
            found[line.text] = line
    for name, wheel in wheels.items():
        found.setdefault(name, _wheel_line(wheel))
    return Packages(tuple(found.values()), wheels, tuple(left_out))


def _listed(job: Job, packages: Packages) -> tuple[str, str]:
    """The name and the text of the file that the installer reads."""
    if job.conda is not None:
        return "environment.yml", conda_text(job, packages.lines)
    hashes = all(line.hashes for line in packages.lines)
    return REQUIREMENTS, requirements_text(job, packages.lines, hashes=hashes)


def _for_docker(job: Job, recipe: Recipe) -> dict[str, bytes]:
    if job.conda is not None:
        text = image_text.conda_dockerfile(replace(recipe, image="condaforge/miniforge3"))
    else:
        text = image_text.dockerfile(recipe)
    return {"Dockerfile": text.encode(), ".dockerignore": image.ignored(job.folder, ()).encode()}


def _for_binder(job: Job, kernel: Kernel) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if job.conda is None and job.wanted.python:
        found[binder.RUNTIME] = binder.runtime(job.wanted.python).encode()
    script = image_text.post_build(kernel)
    return {**found, **({"postBuild": script.encode()} if script else {})}


def _copies(
    notebook: Path, modules: Iterable[LocalModule]
) -> tuple[dict[str, bytes], list[str], Path]:
    """The notebook and its modules as they lie to each other, what of them is left out, and the
    directory that they are all in."""
    modules = list(modules)
    top = Path(os.path.commonpath([notebook.parent, *(module.root for module in modules)]))
    files = {notebook.relative_to(top).as_posix(): notebook.read_bytes()}
    left_out = []
    for module in modules:
        _check_compiled(module)
        for file in module.files():
            below = PurePosixPath(file.relative_to(top).as_posix())
            if image.is_ignored(PurePosixPath(file.relative_to(module.root).as_posix())):
                left_out.append(str(below))
            else:
                files[str(below)] = file.read_bytes()
    return files, left_out, top


def _check_compiled(module: LocalModule) -> None:
    other = [f for f in module.compiled if f.suffix != ".so" or "darwin" in f.name]
    if other:
        raise EnvmagicError(
            "another-platform",
            f"{display.user_path(other[0])} is not compiled for Linux, which an image runs.",
            f"Make a distribution of {module.name}, with a wheel for Linux, and install that",
            subject=str(other[0]),
            command=("install", module.name),
        )


def _here(there: Inventory, job: Job, sources: Iterable[Pin]) -> tuple[Line, ...]:
    """Each version that is here, of what the record asks for and all that it needs in turn."""
    lines = [(line, line.parsed) for line in job.wanted.lines]
    roots = [parsed.requirement for _, parsed in lines if parsed.requirement is not None]
    named = {parsed.name for _, parsed in lines if parsed.name} & there.distributions.keys()
    roots += [Requirement(name) for name in (*named, *(pin.name for pin in sources))]
    held = history.lines_of(there)
    needed = satisfaction.needed_by(roots, there.distributions, there.environment.version)
    found = [held[name] for name in sorted(needed & held.keys())]
    return (
        *(Line(text) for text in found if not text.startswith("-e")),
        *(line for line, parsed in lines if not parsed.requirement and parsed.name not in needed),
    )


def _wheel_line(wheel: Path) -> Line:
    if not wheel.name.endswith("-any.whl") and "linux" not in wheel.name:
        raise EnvmagicError(
            "another-platform",
            f"{wheel.name} is not for Linux, which an image runs.",
            f"Install {normalized(wheel.name.partition('-')[0])} from an index that has it there.",
            subject=wheel.name,
        )
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Line(f"./{WHEELS}/{wheel.name}", (f"sha256:{digest}",))


def _real(line: Line, directory: Path) -> str | None:
    """What of this machine `line` installs, without links in its path."""
    path = line.path
    if path is None:
        return None
    if path.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        path = url2pathname(urlsplit(path).path)
    return os.path.realpath(directory / path)


def _at(pin: Pin) -> Path:
    assert pin.directory is not None
    return pin.directory
