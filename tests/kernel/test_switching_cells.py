"""The rest of a cell is exactly what stands below the magic, however the cell is written."""

from __future__ import annotations

import re
from typing import Any

import pytest

WHERE = "import os; print('in', os.environ['WHICH'])"


def plain(text: str) -> str:
    """`text` without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.fixture
def there(switching: Any, specs: Any) -> Any:
    """A kernel with `there` beside it, where `WHICH` is set."""
    specs("there", env={"WHICH": "there"})
    return switching()


ABOVE = {
    "line separator": "s = 'a\u2028b\u2028c'\nprint('once')",
    "form feed": "s = 'a\x0cb'\nprint('once')\nprint('twice')",
    "comment": "\x0cs = 1\n# a\x1c%env use alpha\nprint('once')",
    "line ends": "s = '''\r\na\r\n'''\rprint('once')",
    "prompts": ">>> print('once')\n>>> s = 1",
}


def test_what_stands_above_runs_once(there: Any) -> None:
    """Python's lines are not those of `str.splitlines`, and a cell may be pasted with prompts."""
    for name, above in ABOVE.items():
        prompt = ">>> " if above.startswith(">>>") else ""
        below = WHERE.replace("import", f"{prompt}import")
        ran = there.run(f"{above}\n{prompt}%env use there --leave\n{below}")
        assert ran.stdout.count("once") == 1 and ran.stdout.count("twice") <= 1, name
        assert "in there" in ran.stdout, name
        assert there.run("'s' in globals()").result == "False", name
        there.run("%env use python3")
        assert there.run("'s' in globals()").result == "True", name
        there.run("del s")


def test_a_cell_that_is_indented_as_a_whole(there: Any) -> None:
    ran = there.run(
        f"    a = 1\n    %env use there --leave\n    if True:\n        {WHERE}\n\n    b = 2"
    )
    assert "in there" in ran.stdout
    assert there.run("'a' in globals(), b").result == "(False, 2)"
    failed = there.run("    %env use python3\n\n    1 / 0", check=False)
    assert "line 3" in plain(failed.traceback) and "----> 3 1 / 0" in plain(failed.traceback)


def test_what_the_rest_holds_arrives_as_it_is(there: Any) -> None:
    there.run("%env use there\ns = 'a\u2028b\x0c'\nt = '''\n%env use nothing\n'''\n!true")
    expected = repr(("a\u2028b\x0c", "\n%env use nothing\n"))
    assert there.run("s, t").result == expected
    typed = there.run("get_ipython().history_manager.input_hist_raw[-3]").result
    assert "!true" in typed and "run_line_magic" not in typed


def test_future_imports_above_hold_for_the_rest(there: Any) -> None:
    """Also for what is left when that moves on, and the lines keep their numbers."""
    code = "from __future__ import (\n  annotations\n)\na = 1\n{}\ndef f(v: Nope): pass\n{}"
    there.run(code.format("%env use there", f"{WHERE}\n%env use python3\ndef g(v: Nope): pass"))
    assert there.run("g.__annotations__").result == "{'v': 'Nope'}"
    failed = there.run(code.format("%env use there", "1 / 0"), check=False)
    assert failed.error == "ZeroDivisionError: division by zero" and "line 7" in plain(
        failed.traceback
    )


def test_a_line_with_more_behind_the_magic_is_refused(there: Any) -> None:
    use = "get_ipython().run_line_magic(\n'env', 'use there')"
    refused = there.run(f"{use}; print('never')\nprint('never')", check=False)
    assert "a line with more code on it" in refused.text and "never" not in refused.stdout
