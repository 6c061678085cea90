"""Runtimes: made once for a kind of Python, shared, mended, made for what environments hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import old_parts
from support.kernels import RunningKernel
from support.operate import Heard, Operator, prefix_of
from support.processes import end_in, eventually
from support.terminal import Said

from envmagic.core.errors import EnvmagicError
from envmagic.core.verbs import AttachRequest, DoctorRequest, InstallRequest, ListRequest
from envmagic.environments import backends, inspection, ownership, runtimes
from envmagic.environments.runtimes import Behind, Host, building, own_copy, store
from envmagic.jupyter import kernelspecs
from envmagic.system import directories


@pytest.fixture
def own_runtimes(isolated: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No runtimes yet, and none that another test sees.

    What this process makes is not compiled in the background, which takes longer than the tests;
    what a kernel has made is, until the test is over.
    """
    place: Path = directories.runtimes()
    place.unlink()
    monkeypatch.setattr(building, "_compile", lambda host, place: None)
    yield place
    end_in(isolated.home.parent)


@pytest.fixture(scope="session")
def _once_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made") / "runtimes"


@pytest.fixture
def made_runtimes(
    own_runtimes: Path, isolated: Any, bare_venv: Callable[..., Path], _once_made: Path
) -> Path:
    """As `own_runtimes`, with a runtime in it; the first test that wants one makes it for all."""
    if _once_made.exists():
        _link_tree(_once_made, own_runtimes)
    else:
        bare_venv(isolated.home / "any")
        _behind(isolated.home / "any")
        _link_tree(own_runtimes, _once_made)
    return own_runtimes


def _link_tree(source: Path, target: Path) -> None:
    def one(file: str, copy: str) -> None:
        written = file.endswith((".json", "/used"))  # else it is replaced, if at all
        (shutil.copy2 if written else os.link)(file, copy)

    shutil.copytree(source, target, copy_function=one)


def _cut_off(file: Path) -> None:
    content = file.read_bytes()
    file.unlink()  # it may be a link to the one in the installer's cache
    file.write_bytes(content[:100])


def _behind(prefix: Path, heard: Heard | None = None) -> Behind:
    return runtimes.behind(Host.of(backends.inspect(prefix)), heard or Heard())


def test_one_is_made_and_the_next_environment_shares_it(
    own_runtimes: Path, bare_venv: Callable[..., Path], operate: Operator
) -> None:
    for name in ("one", "two"):
        bare_venv(operate.work / name)
    heard = Heard()
    first = _behind(operate.work / "one", heard)
    assert any("once" in step for step in heard.steps)
    assert first.runtime.shared and first.runtime.whole and first.envmagic
    assert {"ipykernel", "ipython", "tornado"} <= set(first.runtime.distributions)
    heard = Heard()
    assert _behind(operate.work / "two", heard) == first and not heard.steps
    assert [runtime.name for runtime in store.every()] == [first.runtime.name]


@pytest.mark.every_python
def test_nothing_of_ours_is_in_an_environment(
    operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    prefix = prefix_of(operate.create("churn", "six"))
    assert set(inspection.distributions(backends.inspect(prefix))) == {"six", "pip"}
    running = kernel("churn")
    shown = running.run("!pip list --format=freeze").text.splitlines()
    assert [line.partition("==")[0] for line in shown if "==" in line] == ["pip", "six"]
    assert "No broken requirements" in running.run("!pip check").text
    said = running.run(
        "import importlib.metadata as m\nprint(sorted(d.name for d in m.distributions()))"
    )
    assert said.stdout.strip() == "['pip', 'six']"
    with pytest.raises(AssertionError, match="PackageNotFoundError"):
        running.run("import importlib.metadata as m; m.version('tornado')")
    inline = running.run("[e.name for e in m.entry_points(group='matplotlib.backend')]")
    assert inline.result == "['inline']"
    assert running.run("import tornado; tornado.__file__").result.startswith(
        repr(str(directories.runtimes()))[:-1]
    )


@pytest.mark.parametrize(
    ("harm", "made"),
    [
        (lambda lib: (lib / "ipykernel" / "kernelbase.py").unlink(), True),
        (lambda lib: _cut_off(lib / "traitlets" / "traitlets.py"), True),
        (lambda lib: (lib / "README").write_text("something of somebody's"), False),
    ],
    ids=["a file is missing", "a file is cut off", "somebody put a file there"],
)
def test_one_that_was_damaged_is_found_at_start_and_made_again(
    made_runtimes: Path,
    operate: Operator,
    kernel: Callable[..., RunningKernel],
    harm: Callable[[Path], object],
    made: bool,
) -> None:
    operate.create("churn")
    (before,) = store.every()
    os.chmod(before.lib, 0o755)
    harm(before.lib)
    running = kernel("churn")
    assert running.run("1 + 1").result == "2"
    place = running.run("import envmagic_launcher; envmagic_launcher.runtime").result
    assert (place != repr(str(before.place))) is made


def test_one_that_was_cut_off_before_it_was_tried_is_cleared_away_hours_later(
    made_runtimes: Path, operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    bare_venv(operate.work / "theirs")
    runtime = _behind(operate.work / "theirs").runtime
    fresh, old = (runtime.place.with_name(name) for name in ("fresh", "old"))
    for place in (fresh, old):
        place.mkdir()
        (place / "used").touch()
    os.utime(old, (0, 0))
    (runtime.lib / "ipykernel" / "kernelbase.py").unlink()
    assert _behind(operate.work / "theirs").runtime.name != runtime.name
    assert fresh.exists() and not old.exists() and runtime.place.exists()


def test_it_is_compiled_in_the_background(
    operate: Operator, bare_venv: Callable[..., Path]
) -> None:
    """What no kernel imports at its start, too."""
    bare_venv(operate.work / "theirs")
    lib = _behind(operate.work / "theirs").runtime.lib
    eventually(lambda: any((lib / "jedi" / "api" / "__pycache__").glob("*.pyc")), 300)


def test_all_of_them_gone_are_made_again_at_start(
    made_runtimes: Path, operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    operate.create("churn")
    for runtime in store.every():
        assert store.remove(runtime)
    assert kernel("churn").run("1 + 1").result == "2"


def test_with_the_home_wiped_one_line_says_what_helps_and_that_helps(
    made_runtimes: Path,
    operate: Operator,
    terminal: Callable[..., Said],
    kernel: Callable[..., RunningKernel],
) -> None:
    prefix = operate.work / ".venv"
    operate.create(None)
    made_runtimes.rename(operate.work / "wiped")
    spec = kernelspecs.of_prefix(prefix)
    assert spec is not None
    said = subprocess.run(spec.argv, capture_output=True, text=True)
    assert said.returncode == 1 and len(said.stderr.splitlines()) == 1
    words = said.stderr.rpartition("Run: envmagic ")[2].split()
    assert "no-runtime" in {p.code for p in operate(DoctorRequest()).problems}
    assert "Mended" in terminal(*words).out
    assert kernel(spec.name).run("1 + 1").result == "2"


def test_where_the_python_that_made_them_is_gone_the_environment_s_own_does_it(
    made_runtimes: Path, operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    operate.create("churn")
    builder = made_runtimes / "builder.json"
    builder.write_text(json.dumps({**json.loads(builder.read_text()), "python": "/no/python"}))
    index = made_runtimes / store.every()[0].kind / "index.json"
    index.unlink()
    assert kernel("churn").run("1 + 1").result == "2"


def test_one_that_a_kernel_uses_is_not_removed(
    made_runtimes: Path, operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    operate.create("churn")
    (runtime,) = store.every()
    running = kernel("churn")
    running.run("1")
    assert store.is_used(runtime) and not store.remove(runtime)
    assert runtime.place.is_dir()


def test_a_broken_ipykernel_inside_does_not_keep_a_kernel_from_starting(
    operate: Operator, bare_venv: Callable[..., Path], kernel: Callable[..., RunningKernel]
) -> None:
    prefix = operate.work / "theirs"
    bare_venv(prefix, "ipykernel")
    name = operate(AttachRequest("./theirs")).data["environment"]["kernel"]
    own = kernel(name).run("import ipykernel; ipykernel.__file__").result
    assert str(prefix) in own
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "ipykernel" / "kernelbase.py").unlink()
    other = kernel(name).run("import ipykernel; ipykernel.__file__").result
    assert str(directories.runtimes()) in other


def test_modules_beside_the_notebook_that_are_called_as_parts_of_a_kernel_do_not_stop_it(
    operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    operate.create("churn")
    (operate.work / "comm.py").write_text("raise RuntimeError('mine')")
    (operate.work / "tornado").mkdir()
    (operate.work / "tornado" / "__init__.py").write_text("raise RuntimeError('mine')")
    assert kernel("churn", cwd=operate.work).run("1 + 1").result == "2"


def test_an_editable_installation_goes_before_the_runtime(
    operate: Operator, kernel: Callable[..., RunningKernel], tmp_path: Path
) -> None:
    """Of who works on a part of kernels: found by a finder that comes after `sys.path`."""
    prefix = prefix_of(operate.create("churn"))
    (site,) = prefix.glob("lib/python*/site-packages")
    import comm

    source = tmp_path / "source" / "comm"
    shutil.copytree(Path(comm.__file__).parent, source)
    (site / "_editable_comm.py").write_text(
        "import sys\n"
        "from importlib.util import spec_from_file_location\n"
        "class Finder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        if name == 'comm':\n"
        f"            place = {str(source)!r}\n"
        "            return spec_from_file_location(name, place + '/__init__.py',\n"
        "                                           submodule_search_locations=[place])\n"
        "sys.meta_path.append(Finder)\n"
    )
    (site / "_editable_comm.pth").write_text("import _editable_comm\n")
    running = kernel("churn")
    assert running.run("import comm; comm.__file__").result == repr(str(source / "__init__.py"))
    assert running.run("import tornado; tornado.__file__").result.startswith(
        repr(str(directories.runtimes()))[:-1]
    )


def test_what_the_shell_has_set_for_python_does_not_stop_it(
    operate: Operator, kernel: Callable[..., RunningKernel], tmp_path: Path
) -> None:
    """A PYTHONPATH with an ipykernel that is none, sitecustomize, and a user's own site."""
    prefix = prefix_of(operate.create("churn"))
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "sitecustomize.py").write_text("import builtins; builtins.CUSTOMIZED = True")
    (site / "more.pth").write_text(f"{tmp_path / 'more'}\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "mine.py").write_text("HERE = 1")
    running = kernel("churn", env={**os.environ, "PYTHONPATH": str(tmp_path / "path")})
    assert running.run("CUSTOMIZED, __import__('mine').HERE").result == "(True, 1)"


@pytest.mark.parametrize("off", [True, False], ids=["PYTHONNOUSERSITE", "seen"])
def test_an_ipykernel_in_the_users_own_site_does_not_stop_it(
    isolated: Any,
    operate: Operator,
    kernel: Callable[..., RunningKernel],
    monkeypatch: pytest.MonkeyPatch,
    off: bool,
) -> None:
    """One that does not work, which only an environment sees that sees the system's packages."""
    prefix = prefix_of(operate.create("churn"))
    settings = prefix / "pyvenv.cfg"
    seen = settings.read_text().replace("packages = false", "packages = true")
    settings.write_text(seen)
    assert "include-system-site-packages = true" in seen
    short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = isolated.home / ".local" / "lib" / short / "site-packages"
    (site / "ipykernel").mkdir(parents=True)
    (site / "ipykernel" / "__init__.py").write_text("raise RuntimeError('the user has this')")
    info = site / "ipykernel-5.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ipykernel\nVersion: 5.0\n")
    (info / "RECORD").write_text("ipykernel/__init__.py,,\n")
    if not off:
        monkeypatch.delenv("PYTHONNOUSERSITE")
    running = kernel("churn")
    assert running.run("import site; site.ENABLE_USER_SITE").result == repr(not off)
    assert str(directories.runtimes()) in running.run("import ipykernel; ipykernel.__file__").result


def test_what_no_kernel_agrees_with_is_named_at_start_in_one_line(
    operate: Operator, bare_venv: Callable[..., Path], make_wheel: Callable[..., Path]
) -> None:
    """An environment whose own tool has put something old into it since it was attached."""
    prefix = operate.work / "theirs"
    python = bare_venv(prefix)
    operate(AttachRequest("./theirs"))
    make_wheel("traitlets", "3.0", files={"traitlets/__init__.py": ""})
    operate(InstallRequest(("traitlets==3.0",)), prefix)
    spec = kernelspecs.of_prefix(prefix)
    assert spec is not None
    words = [word.replace("{connection_file}", "none.json") for word in spec.argv]
    said = subprocess.run([python, *words[1:]], capture_output=True, text=True, timeout=300)
    lines = said.stderr.strip().splitlines()
    assert said.returncode == 1 and len(lines) == 1, said.stderr
    assert "traitlets" in lines[0] and "3.0" in lines[0]


def test_a_runtime_that_cannot_be_written_is_one_line_and_nothing_is_left(
    own_runtimes: Path, operate: Operator
) -> None:
    own_runtimes.write_text("a file where a directory should be")
    with pytest.raises(EnvmagicError, match="ENVMAGIC_HOME"):
        operate.create("churn")
    assert not (directories.envs() / "churn").exists() and kernelspecs.find("churn") is None


def test_without_privileges_to_write_them_one_line_names_what_to_set(
    own_runtimes: Path, isolated: Any, terminal: Callable[..., Said], without_privileges: list[str]
) -> None:
    """A home that somebody else has made; the command that helps is followed."""
    own_runtimes.mkdir()
    own_runtimes.chmod(0o555)
    said = terminal("create", "./env", code=1, through=without_privileges)
    assert "ENVMAGIC_HOME" in said.err.splitlines()[-1] and "Traceback" not in said.err
    assert not (isolated.work / "env").exists()
    own = {**os.environ, "ENVMAGIC_HOME": str(isolated.work / "mine")}
    terminal("create", "./env", through=without_privileges, env=own)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a small tmpfs")
def test_with_no_room_for_them_one_line_says_so_and_nothing_is_left(
    own_runtimes: Path, operate: Operator
) -> None:
    own_runtimes.mkdir()
    script = (
        f"mount -t tmpfs -o size=4m none {own_runtimes} && "
        f"{sys.executable} -m envmagic create ./env; code=$?; ls -A {own_runtimes}/*; exit $code"
    )
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed on this machine")
    words = ["unshare", "-rm", "sh", "-c", script]
    ran = subprocess.run(words, capture_output=True, text=True)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr, ran.stdout + ran.stderr
    assert "no space left" in ran.stderr.lower()
    assert "ipykernel" not in ran.stdout and not (operate.work / "env").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_on_another_file_system_than_the_cache_and_the_environment_it_is_copied(
    own_runtimes: Path,
    operate: Operator,
    kernel: Callable[..., RunningKernel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tempfile.mkdtemp(dir="/dev/shm")
    try:
        monkeypatch.setenv("ENVMAGIC_HOME", place)
        running = kernel(operate.create("./env").data["environment"]["kernel"])
        assert place in running.run("import ipykernel; ipykernel.__file__").result
        assert "pip" in running.run("!pip --version").text
        running.stop()
    finally:  # it may still be compiled

        def gone() -> bool:
            shutil.rmtree(place, ignore_errors=True)
            return not os.path.exists(place)

        eventually(gone)


def test_without_a_network_and_with_nothing_at_hand_one_line_says_so(
    own_runtimes: Path,
    operate: Operator,
    bare_venv: Callable[..., Path],
    pythons: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    other = next((python for version, python in pythons.items() if version != here), None)
    if other is None:
        pytest.skip("there is one Python here, and what it runs is at hand")
    bare_venv(operate.work / "theirs", python=other)
    settings = operate.work / "uv.toml"
    settings.write_text('[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(operate.work / "cache"))
    with pytest.raises(EnvmagicError, match="cannot be reached"):
        operate(AttachRequest("./theirs"))
    assert kernelspecs.of_prefix(operate.work / "theirs") is None and store.every() == []


@pytest.mark.parametrize("version", ["3.6", "3.7"])
@pytest.mark.parametrize("said", ["in its pyvenv.cfg", "nowhere"])
def test_a_python_that_no_kernel_supports_is_named(
    own_runtimes: Path, operate: Operator, version: str, said: str
) -> None:
    python = old_parts.older_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    prefix = operate.work / "theirs"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").symlink_to(os.path.realpath(python))
    lines = [f"home = {Path(os.path.realpath(python)).parent}"]
    lines += [] if said == "nowhere" else [f"version = {version}.16"]
    (prefix / "pyvenv.cfg").write_text("\n".join(lines) + "\n")
    with pytest.raises(EnvmagicError, match=rf"Python {version}[\d.]* .* too old for ipykernel"):
        operate(AttachRequest("./theirs"))
    assert kernelspecs.of_prefix(prefix) is None and store.every() == []


def test_pip_comes_into_a_runtime_that_was_made_without(
    made_runtimes: Path, operate: Operator
) -> None:
    operate.create("first")
    (runtime,) = store.every()
    for part in ("pip", "pip-info"):
        shutil.rmtree(runtime.place / part)
        (runtime.place / part).mkdir()
    for shim in ("pip", "pip3"):
        (runtime.place / "bin" / shim).unlink()
    prefix = prefix_of(operate.create("second"))
    assert "pip" in inspection.distributions(backends.inspect(prefix))
    assert (runtime.place / "bin" / "pip").exists()


def test_without_a_network_it_is_copied_from_what_is_at_hand(
    own_runtimes: Path,
    operate: Operator,
    bare_venv: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The running Python's own environment has all of it."""
    bare_venv(operate.work / "theirs")
    settings = operate.work / "uv.toml"
    settings.write_text('[[index]]\nurl = "http://127.0.0.1:9/simple"\ndefault = true\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(settings))
    monkeypatch.setenv("UV_CACHE_DIR", str(operate.work / "cache"))
    behind = _behind(operate.work / "theirs")
    assert behind.runtime.whole and "ipykernel" in behind.runtime.distributions


def test_the_index_is_read_by_the_launcher_as_it_is_written(
    made_runtimes: Path, operate: Operator
) -> None:
    """Two processes agree on what stands for an environment: none asks the other at a start."""
    prefix = prefix_of(operate.create("churn", "tornado"))
    builder = made_runtimes / "builder.json"
    held = json.loads(builder.read_text())
    spec = kernelspecs.of_prefix(prefix)
    assert spec is not None
    words = [*spec.argv[:3], "-m", "platform"]
    builder.write_text(json.dumps({**held, "python": "/nowhere/python"}))
    said = subprocess.run(words, capture_output=True, text=True)
    assert said.returncode == 0 and sys.platform.lower() in said.stdout.lower()


def _of_earlier_version(prefix: Path, kernels: Path) -> None:
    """Make the venv at `prefix` one that an envmagic made which put itself into environments."""
    (site,) = prefix.glob("lib/python*/site-packages")
    shutil.copytree(directories.package(), site / "envmagic", ignore=lambda *_: ["__pycache__"])
    info = site / "envmagic-0.0.1.dist-info"
    info.mkdir()
    lines = [f"Requires-Dist: {requirement}" for requirement in own_copy.REQUIRES]
    head = ["Metadata-Version: 2.1", "Name: envmagic", "Version: 0.0.1"]
    (info / "METADATA").write_text("\n".join([*head, *lines]) + "\n")
    (info / "INSTALLER").write_text("envmagic\n")
    files = [p.relative_to(site) for p in (site / "envmagic").rglob("*") if p.is_file()]
    names = [*files, *(Path(info.name, n) for n in ("METADATA", "INSTALLER", "RECORD"))]
    (info / "RECORD").write_text("".join(f"{name.as_posix()},,\n" for name in names))
    ownership.mark(prefix, token="0" * 32, name="old", backend="uv", version="0.0.1")
    entry = {"schema": 1, "name": "old", "prefix": str(prefix), "owned": True, "backend": "uv"}
    spec = {
        "argv": [
            str(prefix / "bin" / "python"),
            *("-m", "ipykernel_launcher", "-f", "{connection_file}", "--ext", "envmagic"),
        ],
        "display_name": "old (Python 3)",
        "language": "python",
        "env": {"VIRTUAL_ENV": str(prefix)},
        "metadata": {"envmagic": entry},
    }
    (kernels / "old").mkdir(parents=True)
    (kernels / "old" / "kernel.json").write_text(json.dumps(spec))


def test_an_environment_of_an_earlier_version_goes_on_and_is_slimmed_by_doctor(
    operate: Operator,
    isolated: Any,
    bare_venv: Callable[..., Path],
    kernel: Callable[..., RunningKernel],
) -> None:
    prefix = directories.envs() / "old"
    prefix.parent.mkdir()
    needs = [line.partition(";")[0] for line in own_copy.REQUIRES]
    bare_venv(prefix, "pip", "tabulate", "jinja2", *needs)
    _of_earlier_version(prefix, isolated.kernels)
    running = kernel("old")
    assert running.run("import envmagic; envmagic.__file__").result.startswith(f"'{prefix}")
    assert "old" in running.run("%env status").text
    said = operate(DoctorRequest(fix=True))
    assert "holds-kernel" in {p.code for p in said.problems} or said.data["fixed"]
    assert "ipykernel" in inspection.distributions(backends.inspect(prefix)), "it is in use"
    running.stop()

    theirs = isolated.kernels / "theirs"  # starts the same ipykernel, and is somebody else's
    theirs.mkdir()
    argv = [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (theirs / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Theirs"}))
    assert "holds-kernel" not in {p.code for p in operate(DoctorRequest(fix=True)).problems}
    assert "ipykernel" in inspection.distributions(backends.inspect(prefix))
    shutil.rmtree(theirs)

    said = operate(DoctorRequest())
    assert [p.code for p in said.problems] == ["holds-kernel"]
    assert "tornado" in said.problems[0].message and "markupsafe" not in said.problems[0].message
    assert operate(DoctorRequest(fix=True)).ok
    found = set(inspection.distributions(backends.inspect(prefix)))
    assert found == {"pip", "tabulate", "jinja2", "markupsafe"}
    assert operate(DoctorRequest()).problems == ()
    running = kernel("old")
    assert str(directories.runtimes()) in running.run("import envmagic; envmagic.__file__").result
    assert "old" in running.run("%env status").text


def test_doctor_finds_damaged_and_unused_runtimes_and_removes_them(
    made_runtimes: Path, operate: Operator, kernel: Callable[..., RunningKernel]
) -> None:
    operate.create("churn")
    (runtime,) = store.every()
    assert operate(DoctorRequest()).problems == ()
    listed = operate(ListRequest()).data["runtimes"]
    assert [r["directory"] for r in listed] == [str(runtime.place)] and listed[0]["size"] > 1e6
    running = kernel("churn")
    running.run("1")
    (runtime.lib / "jedi" / "__init__.py").unlink()
    assert [p.code for p in operate(DoctorRequest()).problems] == ["damaged-runtime"]
    operate(DoctorRequest(fix=True))
    assert runtime.place.is_dir(), "a kernel runs with it"
    other = kernel("churn").run("import envmagic_launcher; envmagic_launcher.runtime").result
    assert other != repr(str(runtime.place))
    running.stop()
    assert [p.code for p in operate(DoctorRequest()).problems] == ["damaged-runtime"]
    assert operate(DoctorRequest(fix=True)).ok and not runtime.place.exists()
    (newer,) = store.every()
    assert operate(DoctorRequest()).problems == (), "the other one is in use"
    long_ago = newer.used - 100 * 24 * 3600
    os.utime(newer.place / "used", (long_ago, long_ago))
    assert operate(DoctorRequest()).problems == (), "that long ago it was started"


def test_a_runtime_that_nobody_has_used_for_long_goes(
    made_runtimes: Path, operate: Operator
) -> None:
    operate.create("churn")
    (runtime,) = store.every()
    long_ago = runtime.made - 100 * 24 * 3600
    os.utime(runtime.place / "used", (long_ago, long_ago))
    assert [p.code for p in operate(DoctorRequest()).problems] == ["unused-runtime"]
    assert operate(DoctorRequest(fix=True)).ok and store.every() == []
