"""An image: in which order its steps are, which kernel it has, and that no secret is there."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.dockerfiles import steps

from envmagic.core.errors import WordsError
from envmagic.core.model import Frontend
from envmagic.core.verbs import ShipRequest
from envmagic.frontends.grammar import parse
from envmagic.frontends.grammar.asked import ParsedCommand
from envmagic.operations.image_kernel import kernel_of
from envmagic.shipping import image_text, manifest
from envmagic.shipping.image_text import Kernel, Recipe

PLAIN = Kernel("churn", "churn's")
USED = Kernel("churn", "churn", "envmagic==1", "churn")
RECIPE = Recipe("python:3.12-slim", "nb/n b.ipynb", PLAIN, "six==1.0\n")


def read(text: str, folder: Path) -> list[tuple[str, str]]:
    (folder / "Dockerfile").write_text(text)
    return steps(folder)


def notebook(place: Path, kernel: str, *cells: str) -> Path:
    path = place / "n.ipynb"
    told = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel}}
    path.write_text(json.dumps({"cells": told, "metadata": metadata, "nbformat": 4}))
    return path


def test_packages_come_before_the_notebook_and_a_container_starts_with_it(tmp_path: Path) -> None:
    recipe = replace(RECIPE, wheels=True, variables=("KEY",))
    text = image_text.dockerfile(recipe)
    found = read(text, tmp_path)
    assert found[0] == ("FROM", "python:3.12-slim")
    copied = [value for name, value in found if name == "COPY"]
    one = "--chown=jovyan "
    assert copied == [f"{one}requirements.txt ./", f"{one}wheels ./wheels", f"{one}. ."]
    installs = next(n for n, s in enumerate(found) if "-r requirements.txt" in s[1])
    assert found.index(("COPY", copied[1])) < installs < found.index(("COPY", copied[2]))
    assert json.loads(found[-1][1])[-1] == "nb/n b.ipynb"
    assert "# docker run --rm -p 8888:8888 -e KEY NAME\n" in text
    of_conda = read(image_text.conda_dockerfile(replace(recipe, image="x")), tmp_path)
    made = next(n for n, s in enumerate(of_conda) if "conda env create" in s[1])
    assert made < of_conda.index(("COPY", copied[2])) and "jupyterlab" in of_conda[made + 1][1]


def test_what_only_the_builder_may_know_stays_in_no_layer(tmp_path: Path) -> None:
    listed = "--index-url https://${USER}:${TOKEN}@h/s\nsix\n"
    text = image_text.dockerfile(replace(RECIPE, listed=listed, netrc=True))
    (install,) = (v for _, v in read(text, tmp_path) if "-r requirements.txt" in v)
    for name in ("USER", "TOKEN"):
        assert f"--mount=type=secret,id={name}," in install
        assert f'{name}="$(cat /run/secrets/{name})"' in install
        assert f"--secret id={name},env={name}" in text.splitlines()[0]
    assert "target=/home/jovyan/.netrc" in install and "ARG" not in text
    assert "--mount" not in image_text.dockerfile(RECIPE)


def test_the_image_has_the_kernel_that_the_notebook_asks_for() -> None:
    (plain,) = image_text.kernel_steps(PLAIN)
    assert "ipykernel install --sys-prefix --name churn --display-name 'churn'\"'\"'s'" in plain
    assert image_text.kernel_steps(Kernel("python3", "Python 3")) == []
    assert image_text.post_build(Kernel("python3", "Python 3")) == ""
    script = image_text.post_build(replace(USED, place="nb/.venv"))
    assert script.startswith("#!/bin/bash\nset -e\npip install --no-cache-dir envmagic==1\n")
    assert 'envmagic attach "$HOME/.envs/churn"' in script and "ipykernel install" not in script
    assert script.splitlines()[-1].endswith(" nb/.venv") and "autoload on" in script
    assert "ipykernel install" in image_text.post_build(replace(USED, called="other"))
    told = image_text.dockerfile(replace(RECIPE, kernel=USED))
    assert "RUN python -m envmagic attach /opt/envs/churn\n" in told
    assert "jupyterlab envmagic==1\n" in told


@pytest.mark.parametrize(
    ("cells", "called", "place"),
    [
        (["%load_ext envmagic", "%%env churn\nsix"], "churn", ""),
        (["%env create other --with six"], "other", ""),
        (["%%env\nsix"], "k", ".venv"),
        (["%%env ./envs/x\nsix"], "k", "envs/x"),
        (["%load_ext envmagic"], "k", ""),
    ],
)
def test_cells_that_use_envmagic_find_the_environment_as_they_call_it(
    tmp_path: Path, cells: list[str], called: str, place: str
) -> None:
    found = kernel_of(notebook(tmp_path, "k", *cells), "envmagic==1")
    assert (found.envmagic, found.called, found.place) == ("envmagic==1", called, place)


def test_cells_that_use_no_envmagic_get_none_and_no_shell_gets_a_strange_name(
    tmp_path: Path,
) -> None:
    path = notebook(tmp_path, "k; rm -rf ~", "%env KEY=value", "%env", "# %%env is not used")
    found = kernel_of(path, "envmagic==1")
    assert (found.name, found.envmagic, found.called) == ("python3", "", "")


def test_a_list_of_digests_that_was_edited_says_nothing(tmp_path: Path) -> None:
    assert manifest.of(tmp_path) == manifest.of(tmp_path / "none") == {}
    (tmp_path / manifest.NAME).write_bytes(manifest.text({"a b.py": b"x", "c": b""}))
    assert manifest.of(tmp_path)["a b.py"] == hashlib.sha256(b"x").hexdigest()
    text = (tmp_path / manifest.NAME).read_text()
    (tmp_path / manifest.NAME).write_text(text.replace("a b.py", "mine.py"))
    assert manifest.of(tmp_path) == {}


def test_images_want_a_directory_and_no_options_of_workers() -> None:
    for frontend in Frontend:
        asked = parse(["ship", "binder", "./b", "--check", "--env-var", "A"], frontend)
        assert isinstance(asked, ParsedCommand)
        assert asked.request == ShipRequest("binder", "./b", variables=("A",), check=True)
        for words, code in (
            (["docker"], "missing-word"),
            (["docker", "d", "--to", "x"], "option-value"),
            (["binder", "d", "--index", "https://h"], "option-value"),
        ):
            with pytest.raises(WordsError) as raised:
                parse(["ship", *words], frontend)
            assert raised.value.problem.code == code
            assert isinstance(parse(raised.value.problem.command, frontend), ParsedCommand)
