"""Reading notebooks: every format and encoding there is, and refusing what would hurt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envmagic.core.errors import EnvmagicError
from envmagic.imports import Where, scan_cell
from envmagic.jupyter import notebook_file

CODE = "import numpy\nx = 1"
PATH = Path("x.ipynb")


def notebook(*sources: object, **more: object) -> dict[str, Any]:
    cells = [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more}


def sources(raw: bytes, path: Path = PATH) -> list[str]:
    return [cell.source for cell in notebook_file.parse(raw, path).cells]


@pytest.mark.parametrize("source", [CODE, CODE.splitlines(keepends=True)])
def test_source_as_string_or_list(source: object) -> None:
    assert sources(json.dumps(notebook(source)).encode()) == [CODE]


def test_nbformat_3() -> None:
    cell = {"cell_type": "code", "input": [CODE], "language": "python", "outputs": []}
    old = {"worksheets": [{"cells": [cell]}], "nbformat": 3, "metadata": {"name": ""}}
    assert sources(json.dumps(old).encode()) == [CODE]


def test_the_lines_of_nbformat_2_carry_no_line_ends() -> None:
    cell = {"cell_type": "code", "input": ["import numpy", "import pandas"], "language": "python"}
    old = {"worksheets": [{"cells": [cell]}], "nbformat": 2, "metadata": {"name": ""}}
    assert sources(json.dumps(old).encode()) == ["import numpy\nimport pandas"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"language": "sql", "name": "cell1"},
        {"microsoft": {"language": "sparksql", "language_group": "synapse_pyspark"}},
        {"vscode": {"languageId": "sql"}},
        {"polyglot_notebook": {"kernelName": "csharp"}},
    ],
)
def test_a_cell_that_names_another_language_is_left_out(metadata: object) -> None:
    document = notebook(CODE)
    other = {"cell_type": "code", "source": "select a from b", "metadata": metadata}
    document["cells"].append(other)
    assert sources(json.dumps(document).encode()) == [CODE]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = json.dumps(notebook("import numpy  # é"), ensure_ascii=False)
    assert sources(text.encode(encoding)) == ["import numpy  # é"]


def test_a_raw_line_break_in_a_string_and_a_comma_too_many() -> None:
    text = json.dumps(notebook("import numpy;ENDx = 1")).replace("END", "\n")
    assert sources(text.encode()) == ["import numpy;\nx = 1"]
    assert sources(text.replace("]}", ",]}").encode()) == ["import numpy;\nx = 1"]


@pytest.mark.parametrize(
    "metadata, language",
    [
        ({}, "python"),
        ({"language_info": {"name": "python"}}, "python"),
        ({"language_info": {"name": "ipython3"}}, "python"),
        ({"language_info": {"name": "R"}}, "r"),
        ({"kernelspec": {"name": "julia-1.9", "language": "julia"}}, "julia"),
        ({"kernelspec": {"name": "ir"}}, "r"),
        ({"kernelspec": {"name": "whatever"}}, "python"),
        ({"kernelspec": {"name": "ihaskell"}}, "haskell"),
        ({"kernelspec": {"name": ".net-csharp"}}, "csharp"),
        ({"kernelspec": {"name": "apache_toree_scala"}}, "scala"),
        ({"kernelspec": {"name": "apache_toree_pyspark"}}, "python"),
        ({"kernelspec": {"name": "pysparkkernel"}}, "python"),
        ({"kernelspec": {"name": "evcxr_jupyter"}}, "rust"),
        ({"kernelspec": {"name": "wolframlanguage13"}}, "wolframlanguage"),
        ({"language": "haskell"}, "haskell"),
        ({"language_info": {"name": "Spark", "file_extension": ".py"}}, "python"),
        ({"language_info": {"name": "pyspark"}}, "python"),
        ({"language_info": {"name": "plaintext"}, "kernelspec": {"language": "python"}}, "python"),
        ({"language_info": None, "kernelspec": 5}, "python"),
        (None, "python"),
    ],
)
def test_languages(metadata: object, language: str) -> None:
    found = notebook_file.parse(json.dumps(notebook(CODE, metadata=metadata)).encode(), PATH)
    assert found.language == language
    assert bool(found.cells) == (language == "python")


def test_a_cell_of_another_language_is_no_code() -> None:
    document = notebook(CODE, "a <- 1")
    document["cells"][1]["metadata"] = {"vscode": {"languageId": "r"}}
    assert sources(json.dumps(document).encode()) == [CODE]
    # what VS Code writes before a kernel was chosen
    document["cells"][1]["metadata"] = {"vscode": {"languageId": "plaintext"}}
    assert sources(json.dumps(document).encode()) == [CODE, "a <- 1"]


def test_cells_are_numbered_among_all_cells() -> None:
    document = notebook(CODE, CODE)
    document["cells"].insert(1, {"cell_type": "markdown", "source": "x"})
    document["cells"].insert(1, "nonsense")
    found = notebook_file.parse(json.dumps(document).encode(), PATH)
    assert [cell.number for cell in found.cells] == [1, 4]


def test_outputs_of_a_large_notebook_are_passed_over() -> None:
    """What looks like a key inside a string is none, and brackets in outputs do not confuse."""
    document = notebook(CODE, 'x = {"outputs": [1, "]"]}')
    tricky = 'quote \\" [ { "outputs": [ \\\\'
    output = {"data": {"text/plain": [tricky] * 3, "image/png": "A" * 2_000_000}}
    document["cells"][0]["outputs"] = [output, {"nested": [[{"a": "]"}]]}]
    assert sources(json.dumps(document).encode()) == [CODE, 'x = {"outputs": [1, "]"]}']


def test_a_hundred_megabytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "big.ipynb"
    document = notebook(CODE)
    document["cells"][0]["outputs"] = ["IMAGE"]
    path.write_text(json.dumps(document).replace("IMAGE", "A" * 100_000_000))
    assert [c.source for c in notebook_file.read(path).cells] == [CODE]


def test_beyond_the_limit_it_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(notebook_file.LIMIT + 1)
    with pytest.raises(EnvmagicError) as caught:
        notebook_file.read(path)
    assert caught.value.problem.code == "too-large"


@pytest.mark.parametrize("deep", ['{"cells": %s}', '{"cells": [], "metadata": %s}'])
@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_a_thousandfold_nested_notebook_is_refused(deep: str, levels: int) -> None:
    with pytest.raises(EnvmagicError, match="nested too deeply"):
        notebook_file.parse((deep % ("[" * levels + "]" * levels)).encode(), PATH)


@pytest.mark.parametrize("raw", [b"", b"not json", b"[]", b"5", b"{}", b'{"a": 1}', b"\xff\xfe"])
def test_what_is_no_notebook_is_named(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "wrong.ipynb"
    path.write_bytes(raw)
    with pytest.raises(EnvmagicError, match=r"wrong\.ipynb is not a notebook"):
        notebook_file.read(path)


def test_jupytext() -> None:
    script = (
        "# ---\n# jupyter:\n# ---\n# %% [markdown]\n# import a\n# %%\n# !pip install b\nimport c\n"
    )
    found = sources(script.encode(), Path("x.py"))
    assert any("!pip install b\nimport c" in s for s in found)
    assert not any("import a" in s for s in found)
    text = "# T\n```python\nimport a\n```\n```bash\nimport b\n```\n"
    assert sources(text.encode(), Path("x.md")) == ["import a\n"]


@pytest.mark.parametrize("name, head", [("x.qmd", ""), ("x.Rmd", ""), ("x.md", "---\n{}---\n")])
def test_a_fence_without_braces_is_shown_and_not_run(name: str, head: str) -> None:
    """In Quarto, R Markdown and MyST, which the head or a cell of its own tells."""
    text = head.format("jupyter:\n  jupytext:\n    text_representation:\n      format_name: myst\n")
    cell = "{code-cell}" if name == "x.md" else "{python, echo=FALSE}"
    text += f"```{cell}\nimport a\n```\n```python\nimport b\n```\n~~~ python\nimport c\n~~~\n"
    assert sources(text.encode(), Path(name)) == ["import a\n"]


def test_databricks_magics_stand_behind_a_comment() -> None:
    script = (
        "# Databricks notebook source\n# MAGIC %pip install a\n\n# COMMAND ----------\nimport b\n"
        "\n# COMMAND ----------\n# DBTITLE 1,x\n# MAGIC %md # T\n# MAGIC import c\n"
        "\n# COMMAND ----------\n# MAGIC %sh\n# MAGIC pip install d\n"
        "\n# COMMAND ----------\n# MAGIC %run ./e\n"
    )
    cells = notebook_file.parse(script.encode(), Path("x.py")).cells
    found = [scan_cell(c.source, Where("", c.number, 1)) for c in cells]
    assert [i.text for s in found for i in s.installs] == ["a", "d"]
    assert [i.module for s in found for i in s.imports] == ["b"]
    assert [name for s in found for _, name in s.runs] == ["./e"]
    assert not any(s.unparsed for s in found)


@pytest.mark.parametrize("head", ["# ---\n# jupyter:\n# ---\n", ""], ids=["header", "cells only"])
def test_magics_that_jupytext_has_commented_out(head: str) -> None:
    script = "# %% title\n# %load_ext a\n#%pip install b\n# %%\n# %%time\nimport c\n"
    assert sources((head + script).encode(), Path("x.py"))[-2:] == [
        "# %% title\n%load_ext a\n%pip install b\n",
        "# %%\n%%time\nimport c\n",
    ]


def test_mysts_cells_without_a_language_and_with_options() -> None:
    text = "```{code-cell}\n:tags: [x]\n:other: 1\nimport a\n```\n```{code-cell} r\nimport b\n```\n"
    text += "````{code-cell} ipython3\n---\ntags: [x]\n---\nimport c\n````\n"
    assert sources(text.encode(), Path("x.md")) == ["import a\n", "import c\n"]


def test_a_magic_begins_a_cell_in_jupytexts_light_format() -> None:
    script = "# ---\n# jupyter:\n# ---\n# +\nimport a\n# -\n\n# %%time\nimport b\n"
    assert sources(script.encode(), Path("x.py"))[-1] == "%%time\nimport b\n"


def test_brackets_in_a_string_are_no_depth() -> None:
    assert sources(json.dumps(notebook("x = '" + "[" * 400 + "]" * 400 + "'")).encode())


def test_comments_of_a_plain_script_stay_comments() -> None:
    assert sources(b"# %pip install a\nimport b\n", Path("x.py")) == [
        "# %pip install a\nimport b\n"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "worksheets", "source", "metadata", "cell_type", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_cells_or_one_error(raw: bytes) -> None:
    try:
        found = notebook_file.parse(raw, PATH)
    except EnvmagicError as error:
        assert error.problem.code == "not-a-notebook"
    else:
        assert all(isinstance(cell.source, str) for cell in found.cells)
