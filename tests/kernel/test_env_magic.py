"""`%env` in a real kernel: IPython's own in every shape it had, ours beside it, and unloading."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Isolated
from support import wheelhouse
from support.kernels import Ran, RunningKernel
from support.specs import Specs

pytestmark = pytest.mark.every_python
Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[RunningKernel]:
    """One stock kernel for the module, with the extension loaded."""
    work = home / "work"
    work.mkdir()
    variables = {
        "HOME": home,
        "ENVMAGIC_HOME": home / "envmagic",
        "JUPYTER_DATA_DIR": home / "jupyter",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        "UV_FIND_LINKS": wheelhouse.ensure(),
        "UV_NO_INDEX": "1",
        "UV_CACHE_DIR": wheelhouse.directory() / "caches" / "uv",
        "FOO": "from outside",
        "A_SECRET_TOKEN": "hush",
    }
    kernel = RunningKernel("python3", work, {k: str(v) for k, v in variables.items()})
    kernel.run("%load_ext envmagic")
    yield kernel
    kernel.stop()


@pytest.fixture
def run(shared: RunningKernel) -> Run:
    return shared.run


def mistake(ran: Ran) -> str:
    """The one line of a user's mistake; there must be no traceback and nothing else."""
    assert ran.status == "error"
    assert ran.traceback == ""
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, ran.stderr
    assert lines[0].startswith("UsageError: ")
    return lines[0].removeprefix("UsageError: ")


# --- the built-in %env, row by row


def test_alone_it_returns_all_variables_and_hides_secrets(run: Run) -> None:
    assert run("x = %env\ntype(x).__name__, x['FOO'], x['A_SECRET_TOKEN']").result == (
        "('dict', 'from outside', '<hidden>')"
    )


def test_a_name_returns_its_value(run: Run) -> None:
    assert run("%env FOO").result == "'from outside'"


@pytest.mark.parametrize("name", ["NOPE", "nope.txt"])
def test_an_unknown_name_is_a_usage_error(run: Run, name: str) -> None:
    said = mistake(run(f"%env {name}", check=False))
    assert said == f"Environment does not have key: {name}"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("A = 1", "1"),
        ("A 1", "1"),
        ("A 1 2 3", "1 2 3"),
        ("A=1=2", "1=2"),
        ("A=", ""),
        ('A="q q"', '"q q"'),
        ("A=~/b", "~/b"),
        ("A #c", "#c"),
        ("A=$value", "from python"),
        ("A={value}", "from python"),
        ("A={value.upper()}", "FROM PYTHON"),
        ("A=$unknown_name", "$unknown_name"),
        ("A={unknown_name}", "{unknown_name}"),
    ],
)
def test_it_sets_a_variable_and_says_so(run: Run, line: str, value: str) -> None:
    ran = run(f"import os; value = 'from python'; os.environ['A'] = 'before'\n%env {line}")
    assert ran.stdout == f"env: A={value}\n"
    assert ran.result == ""
    assert run("os.environ['A']").result == repr(value)


def test_an_assignment_with_a_space_in_the_name_is_refused(run: Run) -> None:
    assert mistake(run("%env A B=C", check=False)).startswith(
        "refusing to set env var with whitespace"
    )


def test_its_value_can_be_assigned_and_automagic_works(run: Run) -> None:
    assert run("x = %env FOO\nx").result == "'from outside'"
    assert run("env FOO").result == "'from outside'"


@pytest.mark.parametrize("name", ["create", "list", "use", "lock"])
def test_a_verb_with_an_equals_sign_sets_a_variable_of_that_name(run: Run, name: str) -> None:
    assert run(f"%env {name}=1").stdout == f"env: {name}=1\n"
    assert run(f"%env {name} = 2").stdout == f"env: {name}=2\n"
    assert run(f"import os; os.environ.pop('{name}')").result == "'2'"


def test_local_variables_of_a_function_are_expanded(run: Run) -> None:
    ran = run("def f():\n    local = 'inside'\n    %env A=$local\nf()")
    assert ran.stdout == "env: A=inside\n"


# --- a word close to a verb


def test_a_verb_mistyped_sets_the_variable_and_says_what_may_have_been_meant(run: Run) -> None:
    ran = run("%env creat churn")
    assert ran.stdout.startswith("env: creat=churn\n")
    assert "Did you mean %env create?" in ran.stdout
    assert run("import os; os.environ.pop('creat')").result == "'churn'"


def test_a_verb_mistyped_alone_is_the_usage_error_and_the_suggestion(run: Run) -> None:
    ran = run("%env statsu", check=False)
    assert ran.stderr == (
        "UsageError: Environment does not have key: statsu\nDid you mean %env status?\n"
    )


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("CREATE foo", "create"),
        ("rm x", "remove"),
        ("delete x", "remove"),
        ("activate x", "use"),
        ("switch x", "use"),
        ("deactivate", "use python3"),
    ],
)
def test_what_other_tools_call_a_verb_is_ipythons_and_the_verb_is_named(
    run: Run, line: str, verb: str
) -> None:
    ran = run(f"%env {line}", check=False)
    assert ("env: " in ran.stdout) == (" " in line)
    assert f"Did you mean %env {verb}?" in ran.stdout + ran.stderr
    run(f"import os; os.environ.pop('{line.split()[0]}', None)")


@pytest.mark.parametrize("line", ["USER", "user=me", "LISTS 1", "LIST=1", "http_proxy=x"])
def test_variables_that_resemble_verbs_are_left_alone(run: Run, line: str) -> None:
    ran = run(f"import os; os.environ.setdefault('USER', 'me')\n%env {line}")
    assert "Did you mean" not in ran.text


# --- ours


def test_list_returns_a_report_and_shows_it_once(run: Run) -> None:
    ran = run("%env list")
    assert len(ran.displays) == 1
    assert set(ran.displays[0]) == {"text/plain", "text/html"}
    assert "Environments" in ran.result
    ran = run("x = %env list")
    assert ran.displays == []
    ran = run("x.ok, x.verb, type(x).__name__")
    assert ran.result == "(True, 'list', 'Report')"
    assert run("env list").displays[0].keys() == {"text/plain", "text/html"}


def test_envmagic_has_nothing_of_ipythons_behind_it(run: Run) -> None:
    assert "Environments" in run("%envmagic list").result
    assert "Did you mean status?" in mistake(run("%envmagic statsu", check=False))
    assert "no verb 'FOO'" in mistake(run("%envmagic FOO", check=False))


def test_mistakes_are_one_line_with_the_next_command(run: Run) -> None:
    assert "%env create a --with b" in mistake(run("%env create a b", check=False))
    assert "reserved for a later version" in mistake(run("%env version", check=False))
    for asked in ("%env -h", "%env --help"):
        assert run(asked).stdout == run("%envmagic --help").stdout != "", asked
    said = mistake(run("%env use no-such-thing", check=False))
    assert "no-such-thing" in said


def test_json_is_shown_once_and_is_a_string(run: Run) -> None:
    ran = run("%env list --json")
    assert len(ran.displays) == 1
    assert json.loads(ran.result)["verb"] == "list"
    run("x = %env list --json")
    assert run("import json; json.loads(x)['schema']").result == "1"


def test_a_mistake_with_json_prints_the_envelope_too(run: Run) -> None:
    ran = run("%env use no-such-thing --json", check=False)
    envelope = json.loads(ran.stdout)
    assert envelope["ok"] is False
    assert envelope["problems"][0]["severity"] == "error"
    assert envelope["verb"] == "use"
    assert ran.traceback == ""
    assert json.loads(run("%%env a b --json\nsix", check=False).stdout)["verb"] == "%%env"


def test_help_is_there_for_each_verb_and_for_all(run: Run) -> None:
    assert run("%env create -h").stdout.startswith("%env create [NAME|PATH]")
    assert "%%env [NAME|PATH]" in run("%%env -h").stdout
    assert "Verbs" in run("%env help").stdout
    assert "Verbs" in run("%envmagic --help").stdout
    assert "Verbs" in run("%envmagic").stdout


def test_a_question_mark_shows_our_verbs_and_ipythons_own_help(shared: RunningKernel) -> None:
    shared.client.inspect("%env", 4)
    reply = shared.client.get_shell_msg(timeout=30)
    shown = reply["content"]["data"]["text/plain"]
    assert "create" in shown
    assert "Get, set, or list environment variables" in shown


def test_variables_are_expanded_in_our_verbs_as_in_ipythons(run: Run) -> None:
    run("name = 'no-such'")
    assert "no-such" in mistake(run("%env use $name", check=False))
    assert "no-such" in mistake(run("%env use {name}", check=False))


def test_a_cell_makes_an_environment_and_the_progress_becomes_the_result(
    run: Run, home: Path
) -> None:
    ran = run("%%env zoo --no-use\nsix  # small\n")
    assert len(ran.displays) == 1
    shown = ran.displays[0]
    assert "Created zoo" in shown["text/plain"]
    assert set(shown) == {"text/plain", "text/html"}
    assert ran.stderr == ""
    assert (home / "envmagic" / "envs" / "zoo" / "pyvenv.cfg").is_file()
    # the value is the report all the same, and shows itself in another cell
    assert run("_.verb, _.changed").result == "('%%env', True)"
    run("x = %env create zoo --no-use")
    assert "zoo" in run("x").text


@pytest.mark.parametrize(
    "cell", ["%%env zoo --no-use", "%%env zoo --no-use\n", "%%env zoo --no-use\n\n  \n"]
)
def test_an_empty_body_is_fine(run: Run, cell: str) -> None:
    run("%env create zoo --no-use")
    ran = run(cell)
    assert "zoo has everything" in ran.text


@pytest.mark.parametrize("above", ["# why\n", "\n# why\n\n# and how\n"])
def test_comments_may_stand_above_the_cell_magic(run: Run, above: str) -> None:
    ran = run(f"{above}%%env zoo --no-use\nsix")
    assert "zoo" in ran.text
    assert "zoo has everything" in run(f"{above}%%env zoo --no-use").text
    said = run("%%env Zoo --no-use\nsix\nSix>=1").text
    assert "Zoo is called zoo" in said and "six stands there 2 times (six, Six>=1)" in said


def test_a_cell_magic_below_other_lines_says_where_it_belongs(
    kernel: Callable[..., RunningKernel],
) -> None:
    own = kernel()
    for name in ("env", "envmagic"):
        for first in ("%load_ext envmagic", "x = 1"):
            said = mistake(own.run(f"{first}\n%%{name} zoo\nsix", check=False))
            assert said.startswith(f"%%{name} must be the first line of its cell")


def test_loading_what_the_kernel_has_loaded_is_silent(
    kernel: Callable[..., RunningKernel], specs: Specs
) -> None:
    """Our kernels load it as they start; a notebook that runs everywhere says so once more."""
    own = kernel(specs("alpha"))
    ran = own.run("%load_ext envmagic\n%load_ext envmagic")
    assert ran.text == ""
    assert "Environments" in own.run("%env list").text
    assert "already loaded" in own.run("%load_ext storemagic").stdout
    own.run("%unload_ext envmagic")
    assert own.run("%env create churn").stdout == "env: create=churn\n"
    assert "not loaded" in own.run("%unload_ext envmagic").stdout
    own.run("%load_ext envmagic")
    assert "Environments" in own.run("%env list").text


def test_an_empty_cell_is_not_complete_while_it_is_typed(shared: RunningKernel) -> None:
    """A console must go on asking for the body after the first line."""
    shared.client.is_complete("%%env zoo")
    assert shared.client.get_shell_msg(timeout=30)["content"]["status"] == "incomplete"


def test_a_failure_after_progress_leaves_the_step_and_one_line(run: Run, home: Path) -> None:
    ran = run("%env create broken --with no-such-distribution-anywhere --no-use", check=False)
    said = mistake(ran)
    assert "no-such-distribution-anywhere" in said
    assert len(ran.displays) == 1
    assert ran.displays[0]["text/plain"].startswith("✗ ")
    assert not (home / "envmagic" / "envs" / "broken").exists()


# --- completion


def complete(kernel: RunningKernel, text: str) -> list[str]:
    kernel.client.complete(text, len(text))
    matches: list[str] = kernel.client.get_shell_msg(timeout=120)["content"]["matches"]
    return matches


def test_tab_completes_verbs_options_environments_kernels_and_paths(
    shared: RunningKernel, home: Path
) -> None:
    shared.run("%env create zoo --no-use")
    (home / "work" / "dev requirements.txt").touch()
    assert complete(shared, "%env cre") == ["create"]
    assert complete(shared, "%env ship d") == ["dask", "docker"]
    assert complete(shared, "%envmagic st") == ["status"]
    assert complete(shared, "x = %env li") == ["list"]
    assert complete(shared, "env rem") == ["remove"]
    assert complete(shared, "%env create --ba") == ["--bare", "--backend"]
    assert complete(shared, "%env create --backend v") == ["venv", "virtualenv"]
    assert complete(shared, "%env remove z") == ["zoo"]
    assert "python3" in complete(shared, "%env use ")
    assert "python3" not in complete(shared, "%env remove ")
    assert complete(shared, "%%env z") == ["zoo"]
    assert complete(shared, "%env install -r dev") == [
        "dev requirements.txt" if os.name == "nt" else "dev\\ requirements.txt"
    ]
    assert complete(shared, "%env record o") == ["on", "off"]
    assert complete(shared, "%env record ./") == [
        "./dev requirements.txt" if os.name == "nt" else "./dev\\ requirements.txt"
    ]


def test_tab_offers_directories_where_an_environment_is_meant(
    shared: RunningKernel, home: Path
) -> None:
    for directory in (".venv", "plain"):
        (home / "work" / directory).mkdir(exist_ok=True)
    (home / "work" / "file.txt").touch()
    for verb in ("attach", "use", "remove", "create"):
        assert complete(shared, f"%env {verb} ./") == ["./.venv/", "./plain/"]
        assert complete(shared, f"%env {verb} .v") == [".venv/"]
    assert "./file.txt" in complete(shared, "%env install -r ./")
    (home / "work" / "file.txt").unlink()
    (home / "work" / "plain").rmdir()
    (home / "work" / ".venv").rmdir()


def test_tab_offers_pythons_packages_and_channels_and_nothing_of_pythons(
    shared: RunningKernel,
) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert version in complete(shared, "%env create zoo --python ")
    assert version in complete(shared, f"%%env --python {version[:-1]}")
    assert "ipykernel" in complete(shared, "%env uninstall ipyk")
    assert complete(shared, "%env create --channel conda-f") == ["conda-forge"]
    shared.run("numbers_of_mine = 1")
    for line in ("%env install number", "%%env zoo --with number", "%env create x --python number"):
        assert set(complete(shared, line)) <= {"number"}, line


def test_tab_elsewhere_is_ipythons(shared: RunningKernel) -> None:
    shared.run("environment_of_mine = 1")
    assert "environment_of_mine" in complete(shared, "environment_of")
    assert complete(shared, "environment_of_mine = 2; environment_of") != []
    assert "verb" not in complete(shared, "%env FO")


# --- unloading: last, on a kernel of its own


def test_unloading_restores_everything_as_it_was(kernel: Callable[..., RunningKernel]) -> None:
    own = kernel()
    own.run(_STATE)
    before = own.run("state()").result
    own.run("%load_ext envmagic")
    assert own.run("state()").result != before
    own.run("%load_ext envmagic")
    own.run("%unload_ext envmagic")
    assert own.run("state()").result == before
    assert own.run("%env create churn").stdout == "env: create=churn\n"
    assert own.run("%%env x\nbody", check=False).stderr.startswith("UsageError: Cell magic `%%env`")
    # and again
    own.run("%load_ext envmagic\n%reload_ext envmagic")
    assert "Environments" in own.run("%env list").result
    own.run("%unload_ext envmagic")
    assert own.run("state()").result == before


_STATE = """
def state():
    shell = get_ipython()
    shell.find_line_magic("env")  # IPython loads it late
    magics = shell.magics_manager.magics
    formatter = shell.display_formatter
    return [
        sorted((k, str(v)) for k, v in magics["line"].items() if "env" in k),
        sorted((k, str(v)) for k, v in magics["cell"].items() if "env" in k),
        len(magics["line"]), len(magics["cell"]),
        [str(t) for t in shell.input_transformers_cleanup],
        [str(t) for t in shell.input_transformers_post],
        [str(m) for m in shell.Completer.custom_matchers],
        {k: [str(c) for c in v] for k, v in shell.events.callbacks.items()},
        sorted(map(str, formatter.mimebundle_formatter.deferred_printers)),
        sorted(map(str, formatter.mimebundle_formatter.type_printers)),
        sorted(map(str, formatter.ipython_display_formatter.deferred_printers)),
        sorted(map(str, formatter.ipython_display_formatter.type_printers)),
    ]
"""


# --- interrupting, on a kernel of its own as well


def test_an_interrupted_verb_is_one_line_and_leaves_nothing(
    kernel: Callable[..., RunningKernel], isolated: Isolated
) -> None:
    own = kernel()
    own.run("%load_ext envmagic")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a download that never comes
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        wheel = f"slow @ {address}/slow-1.0-py3-none-any.whl"

        def interrupt() -> None:
            silent.accept()[0].recv(100)  # uv asks for the file: the verb is at work
            own.interrupt()

        threading.Thread(target=interrupt, daemon=True).start()
        ran = own.run(f"%env create slow --no-use --with '{wheel}'", check=False, timeout=60)
    assert mistake(ran) == "Interrupted; nothing was changed."
    assert ran.displays[0]["text/plain"].startswith("✗ Installing")
    assert list((isolated.envmagic / "envs").iterdir()) == []
    assert not (isolated.kernels / "slow").exists()
    assert own.run("1 + 1").result == "2"


# --- moving, as the reports show it


def test_status_names_the_kernel_the_notebook_is_in_and_those_that_sleep(
    kernel: Callable[..., RunningKernel],
) -> None:
    own = kernel()
    own.run("%load_ext envmagic\nvalues = [object()]")
    created = own.run("%env create churn").text
    assert "This notebook runs in churn now. 1 variable stays in python3" in created
    data = json.loads(own.run("%env status --json").result)["data"]
    assert data["kernel"] == data["environment"]["kernel"] == "churn"
    (sleeper,) = data["asleep"]
    assert (sleeper["kernel"], sleeper["variables"]) == ("python3", 1)
    assert sleeper["memory"] > 10_000_000
    own.run("%env use python3")
    assert own.run("len(values)").result == "1"
    assert json.loads(own.run("%env status --json").result)["data"]["asleep"] == []
