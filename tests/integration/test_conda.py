"""conda environments that envmagic makes and changes, on a channel on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.condachannel import Channel
from support.operate import Operator, prefix_of

from envmagic.core.errors import EnvmagicError, WordsError
from envmagic.core.model import BackendName
from envmagic.core.verbs import (
    DoctorRequest,
    InstallRequest,
    RemoveRequest,
    SyncRequest,
    UninstallRequest,
)
from envmagic.environments import backends, inspection, ownership
from envmagic.environments.backends.conda import engines, metadata
from envmagic.jupyter import kernelspecs
from envmagic.system import directories

CONDA = BackendName.CONDA
MakeEnv = Callable[..., Path]


@pytest.fixture
def create(operate: Operator, conda: Channel) -> Callable[..., Any]:
    """`create(name, *requirements, **options)` with conda and the channel on disk."""

    def call(target: str | None, *requirements: str, **options: Any) -> Any:
        return operate.create(
            target, *requirements, **{"backend": CONDA, "channels": (conda.url,), **options}
        )

    return call


def versions(prefix: Path) -> dict[str, str]:
    return {name: package.version for name, package in metadata.packages(prefix).items()}


def test_a_created_environment_is_conda_s_and_its_kernel_is_activated(
    create: Callable[..., Any], kernel: Callable[..., Any], operate: Operator
) -> None:
    """What conda has comes from the channel, the rest from the index, and the output says so."""
    report = create("bio", "tiny=1.0", "activating", "for-glibc>=1", "humanize")
    prefix = prefix_of(report)
    environment = report.data["environment"]
    assert (report.data["action"], environment["backend"], environment["owned"]) == (
        *("created", "conda"),
        True,
    )
    assert versions(prefix)["tiny"] == "1.0" and "humanize" not in versions(prefix)
    assert report.data["notes"] == [
        "humanize is not in the conda channels and came from the package index."
    ]
    assert any(step.startswith("Solving with") for step in operate.heard.steps)
    assert any("linking" in step for step in operate.heard.steps)
    running = kernel("bio")
    said = running.run(
        "import os, sys, tiny, humanize\n"
        "print(sys.prefix, tiny.__version__, os.environ['GEO_DATA'])"
    ).stdout.split()
    assert said == [str(prefix), "1.0", str(prefix / "share" / "geo")]
    assert running.run("!tiny-cmd --help; which tiny-cmd").text.endswith(
        str(prefix / "bin/tiny-cmd")
    )
    assert str(prefix) in running.run("!pip --version").text.replace("\n", "")


def test_the_kernel_installs_in_its_environment_without_the_extra_in_it(
    operate: Operator, create: Callable[..., Any], kernel: Callable[..., Any], conda: Channel
) -> None:
    """rattler and the YAML reader are those of the Python that made the environment."""
    prefix = prefix_of(create("bio", "tiny<2"))
    (operate.work / "environment.yml").write_text(
        f"channels: ['{conda.url}']\ndependencies: [needs-old]\n"
    )
    running = kernel("bio")
    for module in ("rattler", "ruamel"):
        found = running.run(f"import importlib.util; importlib.util.find_spec('{module}')")
        assert found.result in ("", "None")
    assert "library" in running.run("%env install library").text
    assert "needs-old" in running.run("%env sync").text
    assert "cannot solve" in running.run("%env install needs-new", check=False).text
    there = versions(prefix)
    assert (there["library"], there["needs-old"], there["tiny"]) == ("3.1", "1.0", "1.5")


def test_a_process_that_used_rattler_ends_without_taking_python_down() -> None:
    """rattler's threads outlive its calls: a finalizing interpreter crashes now and then."""
    code = (
        "import atexit, sys; atexit.register(print, 'taken down'); import rattler;"
        " from envmagic.frontends.terminal import cli;"
        " sys.argv[1:] = ['create', '--no-such-option']; cli.run()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 2 and "--no-such-option" in ended.stderr
    assert "taken down" not in ended.stdout


def test_what_was_asked_for_earlier_holds(
    create: Callable[..., Any], operate: Operator, conda: Channel
) -> None:
    """Specs and pins bind later installs; taking one out frees what it held."""
    prefix = prefix_of(create("bio", "tiny <2"))
    assert versions(prefix)["tiny"] == "1.5"
    operate(InstallRequest(("library",)), prefix)
    assert versions(prefix)["tiny"] == "1.5" and versions(prefix)["library"] == "3.1"
    with pytest.raises(EnvmagicError, match=r"(?s)conda cannot solve this.*needs-new.*tiny >=2"):
        operate(InstallRequest(("needs-new",)), prefix)
    assert versions(prefix)["tiny"] == "1.5", "a conflict changes nothing"
    report = operate(InstallRequest(("tiny=2", "needs-new")), prefix)
    assert versions(prefix)["tiny"] == "2.0"
    assert {c["name"] for c in report.data["changes"]} == {"tiny", "needs-new"}
    (prefix / "conda-meta" / "pinned").write_text("tiny 2.*\n")
    with pytest.raises(EnvmagicError, match="cannot solve"):
        operate(InstallRequest(("tiny<2",)), prefix)
    gone = operate(UninstallRequest(("needs-new", "library")), prefix)
    assert {c["name"] for c in gone.data["changes"]} == {"needs-new", "library"}
    assert "tiny" in versions(prefix), "what else was asked for stays"
    assert list(metadata.requested(prefix)) == ["python", "tiny"]
    with pytest.raises(EnvmagicError, match="python stays"):
        operate(UninstallRequest(("python",)), prefix)


def test_conda_takes_nothing_from_pip_unnoticed(
    create: Callable[..., Any], operate: Operator, make_wheel: Callable[..., Path]
) -> None:
    """A package of pip's that needs another version is named; one written over is conda's now."""
    make_wheel("leaning", requires=["tiny<2"])
    prefix = prefix_of(create("bio", "tiny<2", "leaning"))
    operate(UninstallRequest(("tiny",), yes=True), prefix)
    report = operate(InstallRequest(("tiny=2",)), prefix)
    assert "leaning (by pip) needs tiny<2, and tiny is now 2.0." in report.data["notes"]
    with pytest.raises(EnvmagicError, match="tiny"):
        operate(InstallRequest(("leaning[more]>=1",)), prefix)
    assert versions(prefix)["tiny"] == "2.0", "pip never touches what is conda's"


def test_an_attached_environment_keeps_what_nobody_noted(
    operate: Operator, conda: Channel, conda_env: MakeEnv, isolated: Any
) -> None:
    """Without a note of what was asked for, nothing that is there goes."""
    prefix = conda_env(isolated.home / "miniforge3" / "envs" / "bio", "tiny<2", "library")
    for record in (prefix / "conda-meta").glob("*.json"):
        content = json.loads(record.read_bytes())
        content["requested_specs"] = []
        record.write_text(json.dumps(content))
    before = versions(prefix)
    operate(InstallRequest(("needs-old",)), prefix)
    assert versions(prefix) == {**before, "needs-old": "1.0"}


def test_remove_deletes_only_what_is_ours(
    create: Callable[..., Any], operate: Operator, isolated: Any
) -> None:
    prefix = prefix_of(create("bio", "tiny"))
    assert ownership.is_owned(prefix)
    report = operate(RemoveRequest("bio", yes=True))
    assert report.data["delete"] and not prefix.exists() and kernelspecs.of_prefix(prefix) is None


FILE = """\
name: geo
channels:
  - {channel}
dependencies:
  - python  # any
  - tiny=1.5
  - library
  - pip
  - pip:
      - humanize
      - -r more.txt
prefix: /home/somebody/else
"""


def test_an_environment_file_makes_the_environment_it_names(
    operate: Operator, conda: Channel
) -> None:
    file = operate.work / "environment.yml"
    file.write_text(FILE.format(channel=conda.url))
    (operate.work / "more.txt").write_text("six\n")
    report = operate.create(None, files=("environment.yml",))
    prefix = prefix_of(report)
    assert report.data["environment"]["name"] == "geo"
    assert {"tiny": "1.5", "library": "3.1"}.items() <= versions(prefix).items()
    assert {"humanize", "six"} <= set(inspection.distributions(backends.inspect(prefix)))
    assert "`prefix: /home/somebody/else` in environment.yml was ignored." in report.data["notes"]
    file.write_text(file.read_text().replace("library", "needs-old"))
    changes = operate(SyncRequest(), prefix).data["changes"]
    assert [c["name"] for c in changes] == ["needs-old"]
    assert operate(SyncRequest(), prefix).data["changes"] == []
    with pytest.raises(WordsError, match=r"is for conda, and --backend says uv"):
        operate.create("other", files=("environment.yml",), backend=BackendName.UV)


def test_a_clone_with_an_environment_file_alone_is_made_by_conda(
    operate: Operator, conda: Channel
) -> None:
    file = operate.work / "environment.yml"
    file.write_text(f"name: geo\nchannels: ['{conda.url}']\ndependencies: [tiny=1.0]\n")
    report = operate.create(None)
    assert report.data["environment"]["backend"] == "conda"
    assert versions(prefix_of(report))["tiny"] == "1.0"


def test_a_cell_takes_conda_s_words_and_is_idempotent(operate: Operator, conda: Channel) -> None:
    body = "tiny=1.5   # conda's way\nlibrary\nhumanize>=4\n"
    options = {"backend": CONDA, "channels": (conda.url,)}
    prefix = prefix_of(operate.cell("bio", body, **options))
    assert versions(prefix)["tiny"] == "1.5"
    before = {p: p.stat().st_mtime_ns for p in (prefix / "conda-meta").iterdir()}
    again = operate.cell("bio", body, **options)
    assert not again.changed and again.data["action"] == "reused"
    assert {p: p.stat().st_mtime_ns for p in (prefix / "conda-meta").iterdir()} == before
    assert operate.cell("bio", "tiny=1.5\nneeds-old\n").changed, (
        "the environment says it is conda's"
    )
    with pytest.raises(EnvmagicError, match=r"Line 3 of the cell is no conda package"):
        operate.cell("bio", "tiny\n= 3 =\n", **options)


def test_versions_in_the_file_beside_the_notebook_hold(operate: Operator, conda: Channel) -> None:
    (operate.work / "environment.yml").write_text("dependencies:\n  - tiny=1.0\n")
    options = {"backend": CONDA, "channels": (conda.url,)}
    held = operate.cell("held", "tiny\n", **options)
    assert versions(prefix_of(held))["tiny"] == "1.0"
    report = operate.cell("free", "tiny>=2\n", **options)
    assert versions(prefix_of(report))["tiny"] == "2.0"
    assert [p.code for p in report.problems] == ["pin-dropped"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [unclosed\n", r"Line 2 of .*environment.yml is no YAML"),
        ("dependencies:\n  - tiny\n  - =bad=\n", r"Line 3 of .*: '=bad=' is no conda package"),
        ("channels: x\ndependencies:\n  tiny: 1\n", r"Line 1 of .*: `channels` is no list"),
        ("dependencies:\n  - npm: [x]\n", r"Line 2 of .*only `pip:`"),
        ("- tiny\n", r"the file is no mapping"),
    ],
)
def test_a_broken_environment_file_is_named_with_its_line(
    operate: Operator, conda: Channel, text: str, said: str
) -> None:
    (operate.work / "environment.yml").write_text(text)
    with pytest.raises(EnvmagicError, match=said):
        operate.create("bio", files=("environment.yml",))
    assert not (operate.work / ".venv").exists()


@pytest.mark.parametrize(
    ("requirements", "options", "said"),
    [
        (("needs-old", "needs-new"), {}, r"(?s)incompatible.*tiny >=2.*tiny <2"),
        (("for-cuda",), {}, r"(?s)for-cuda.*__cuda >=12"),
        (("tiny=9",), {}, r"No candidates were found for tiny 9"),
        ((), {"python": "3.99"}, r"No candidates were found for python 3\.99"),
        ((), {"channels": ("/no/such/channel",)}, r"There is no such channel"),
        ((), {"channels": ("http://127.0.0.1:9/c",)}, r"cannot be reached .*refused"),
        (("no-such-name-anywhere",), {}, r"(?i)no-such-name-anywhere"),
    ],
)
def test_what_cannot_be_is_said_in_the_solver_s_words_and_leaves_nothing(
    create: Callable[..., Any],
    snapshot: Callable[[], Any],
    requirements: tuple[str, ...],
    options: dict[str, Any],
    said: str,
) -> None:
    before = snapshot()
    with pytest.raises(EnvmagicError, match=said):
        create("bio", *requirements, **options)
    assert {k: v for k, v in snapshot().items() if "/.cache/" not in k} == before


def test_condarc_says_where_packages_come_from(
    operate: Operator, conda: Channel, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`channels` by name through `channel_alias`, `custom_channels` and `default_channels`."""
    parent, name = conda.url.rsplit("/", 1)
    condarc = isolated.home / ".condarc"
    condarc.write_text(f"channel_alias: {parent}\nchannels: [{name}]\n")
    assert versions(prefix_of(operate.create("one", "tiny", backend=CONDA)))["tiny"] == "2.0"
    condarc.write_text(f"default_channels: ['{conda.url}']\nchannels: [defaults]\n")
    assert "library" in versions(prefix_of(operate.create("two", "library", backend=CONDA)))
    condarc.write_text(f"custom_channels: {{'{name}': '{parent}'}}\noffline: true\n")
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(isolated.home / "empty-cache"))
    offline = {"backend": CONDA, "channels": ("http://127.0.0.1:9/c",)}
    with pytest.raises(EnvmagicError, match="conda is set to offline"):
        operate.create("three", **offline)
    condarc.write_text("channels: [unclosed\n")
    with pytest.raises(EnvmagicError, match=r"Line 2 of ~/.condarc is no YAML"):
        operate.create("four", backend=CONDA)


def test_a_kill_in_the_middle_is_finished_by_the_next_call(
    create: Callable[..., Any], operate: Operator, conda: Channel
) -> None:
    """kill -9 while packages are linked: nothing half-made is taken for whole."""
    words = ["create", "bio", "--backend", "conda", "--channel", conda.url, "--with", "tiny"]
    command = [sys.executable, "-m", "envmagic", *words]
    killed = subprocess.Popen(command, cwd=operate.work, start_new_session=True)
    prefix = Path(os.environ["ENVMAGIC_HOME"]) / "envs" / "bio"
    while not list(prefix.glob("conda-meta/*.json")):
        assert killed.poll() is None, "it ended before anything was linked"
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert metadata.packages(prefix) and kernelspecs.of_prefix(prefix) is None
    report = create("bio", "tiny")
    assert report.data["action"] == "created"
    assert metadata.broken(prefix) == [] and versions(prefix)["tiny"] == "2.0"


def test_an_install_that_was_cut_off_is_finished(
    create: Callable[..., Any], operate: Operator
) -> None:
    """Files of a package that is in no record yet, and a record cut off in the middle."""
    prefix = prefix_of(create("bio"))
    site = next(prefix.glob("lib/python3*/site-packages"))
    (site / "tiny").mkdir()
    (site / "tiny" / "__init__.py").write_text("half of it")
    (prefix / "conda-meta" / "tiny-2.0-py_0.json").write_bytes(b"")
    operate(InstallRequest(("tiny",)), prefix)
    assert "2.0" in (site / "tiny" / "__init__.py").read_text()
    assert metadata.broken(prefix) == []


def test_a_new_python_takes_nothing_of_pip_s_along(
    create: Callable[..., Any],
    operate: Operator,
    pythons: dict[str, Path],
) -> None:
    """Asked for, another Python brings pip's packages and the kernel over to itself."""
    here = ".".join(map(str, sys.version_info[:2]))
    other = next(iter(pythons))
    if other == here:
        pytest.skip("no older Python on this machine")
    prefix = prefix_of(create("bio", "humanize", python=here))
    report = operate(InstallRequest((f"python={other}",)), prefix)
    assert any(note.startswith("Put back what pip had installed") for note in report.data["notes"])
    environment = backends.inspect(prefix)
    assert environment.short_version == other
    assert "humanize" in inspection.distributions(environment)
    spec = kernelspecs.of_prefix(prefix)
    assert spec is not None and other in spec.display_name


def test_doctor_finds_what_conda_environments_break_by(
    create: Callable[..., Any], operate: Operator, isolated: Any
) -> None:
    """Missing files are linked again, what another Python left is installed again."""
    prefix = prefix_of(create("bio", "tiny"))
    other = prefix / "lib" / "python3.7" / "site-packages" / "humanize-1.0.dist-info"
    other.mkdir(parents=True)
    site = next(prefix.glob("lib/python3*/site-packages/tiny")).parent
    (site / "tiny" / "__init__.py").unlink()
    (isolated.home / ".condarc").write_text("channels: [unclosed\n")
    stranger = isolated.home / "miniforge3" / "envs" / "theirs" / "conda-meta"
    stranger.mkdir(parents=True)
    (stranger / "history").touch()
    said = {p.code: p.message for p in operate(DoctorRequest()).problems}
    assert set(said) == {"broken-distribution", "python-changed", "bad-condarc"}
    assert "humanize" in said["python-changed"] and "tiny" in said["broken-distribution"]
    (isolated.home / ".condarc").unlink()
    operate(DoctorRequest(fix=True))
    assert metadata.broken(prefix) == []
    assert "humanize" in inspection.distributions(backends.inspect(prefix))
    (prefix / "conda-meta" / "history").unlink()
    assert [p.code for p in operate(DoctorRequest()).problems] == ["no-conda-meta"]


def test_without_an_engine_one_line_says_what_to_install(
    operate: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a kernel whose envmagic came without the extra, on a machine without conda."""
    if engines.executable() is not None:
        pytest.skip("this machine has a conda of its own")
    plain, runtimes = prefix_of(operate.create("plain")), directories.runtimes()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (operate.work / "environment.yml").write_text("name: geo\ndependencies: [tiny]\n")
    for words in (["create", "bio", "--backend", "conda"], ["create"]):
        python, launcher = plain / "bin" / "python", runtimes / "launcher.py"
        command: list[str | Path] = [python, launcher, runtimes, "-m", "envmagic"]
        said = subprocess.run([*command, *words], cwd=operate.work, capture_output=True, text=True)
        assert said.returncode == 1
        assert 'pip install "envmagic[conda]"' in said.stdout + said.stderr
        assert "Traceback" not in said.stderr
