"""What is exported is what the record asks for, without secrets, and nobody's text changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from hypothesis import given
from hypothesis import strategies as st

from envmagic.core.errors import EnvmagicError
from envmagic.environments.backends.conda import environment_file
from envmagic.imports.script_block import blocks
from envmagic.record.export import FORMATS, Job, binder, conda_file, groups, locked, signed
from envmagic.record.export.public import without_secrets
from envmagic.record.export.wanted import Line, Wanted
from envmagic.requirements import Block, Entry, Kind, Mention, read
from envmagic.system import toml_files

NEW = ["six==1.17.0", 'tomli>=2; python_version < "3.11"']


def job(wanted: Wanted, where: Path, **more: object) -> Job:
    given = {"locked": None, "conda": None, "folder": where, "context": where, **more}
    return Job(wanted, **given)  # type: ignore[arg-type]


def made(format: str, directory: Path, **more: object) -> tuple[dict[str, str], list[str]]:
    """The texts of the files, and what is left out."""
    found = FORMATS[format].make(job(Wanted.of(directory), directory, **more))
    return {file.name: file.text for file in found.files}, found.left_out


# A group can stand in these, and all else in them is to stay.
PROJECTS = (
    "",
    "\ufeff",
    "# nothing but a comment",
    '[project]\nname = "a"\ndependencies = ["x"]',
    '[project]\r\nname = "a"\r\n\r\n[tool.x]\r\ny = 1\r\n',
    "[dependency-groups]",
    "[dependency-groups] # mine\n\n[tool.a]\nb = [[1, 2], ['#', \"]\"]]\n",
    '[ "dependency-groups" ]\ndev = ["pytest"] # why\n# last\n\n[[tool.t]]\na = """\n[x]\n"""\n',
    "[dependency-groups]\nnotebook = []\n",
    "[dependency-groups]\nnotebook = [ # none yet\n]\n",
    "[dependency-groups]\nnotebook = ['six', \"attrs\"] # both\n",
    "[dependency-groups]\nnotebook = ['six', ]\nz = []",
    '[dependency-groups]\nnotebook = [\n\t"attrs", # for now\n\t# above\n\t"six>=1" # last\n]\n',
    '[dependency-groups]\r\nb = ["a"]\r\nnotebook = [\r\n  "six<1", {include-group = "b"}]\r\n',
    "[dependency-groups]\nnotebook = [\n    'a', 'b', # , '\n    'six'\n    # end\n    ,\n]\n",
    "[tool.q]\nv = '''\n[dependency-groups]\nnotebook = [\n'''\nn = nan\nd = 1979-05-27\n",
)


@pytest.mark.parametrize("text", PROJECTS)
def test_a_group_is_put_into_a_project_of_which_all_else_stays(text: str) -> None:
    after = groups.merged(text, "notebook", NEW)
    before, now = toml_files.parsed(text), toml_files.parsed(after)
    held = before.get("dependency-groups", {}).get("notebook", [])
    others = [item for item in held if "six" not in item]
    found = now["dependency-groups"].pop("notebook")
    assert [item for item in found if item in others] == others
    assert [item for item in found if item not in others] == NEW
    before.get("dependency-groups", {}).pop("notebook", None)
    before.setdefault("dependency-groups", {})
    assert repr(sorted(now.items())) == repr(sorted(before.items()))
    assert groups.merged(after, "notebook", NEW) == after
    rest = iter(after)  # every character but those of a replaced line is there, in its order
    kept = text
    for old in ("'six'", '"six>=1"', '"six<1"'):
        kept = kept.replace(old, "")
    assert all(character in rest for character in kept)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in text


@given(st.lists(st.sampled_from(PROJECTS[3:]), min_size=1, max_size=2), st.integers(0, 200))
def test_text_that_was_cut_or_joined_is_merged_rightly_or_refused(
    parts: list[str], cut: int
) -> None:
    text = "\n".join(parts)
    text = text[:cut] + text[cut + 1 :]
    try:
        before = toml_files.parsed(text)
        after = groups.merged(text, "notebook", NEW)
    except ValueError:
        return
    now = toml_files.parsed(after)
    assert set(NEW) <= {str(item) for item in now["dependency-groups"]["notebook"]}
    assert before.get("project") == now.get("project")


@pytest.mark.parametrize(
    "text",
    [
        "dependency-groups = {notebook = ['x']}\n",
        "dependency-groups.notebook = ['x']\ndependency-groups.dev = []\n",
        "[dependency-groups]\nnotebook = 'x'\n",
        "dependency-groups = 3\n",
        "dependency-groups.dev = []\n",
    ],
)
def test_a_group_that_has_no_certain_place_is_refused(text: str) -> None:
    if "dependency-groups.notebook" in text:  # a key of its own is as good as one in a table
        assert "six" in groups.merged(text, "notebook", NEW)
        return
    with pytest.raises(groups.NoPlace):
        groups.merged(text, "notebook", NEW)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("--index-url https://me:pw@host/simple", "--index-url https://host/simple"),
        ("x @ git+https://tok3n@host/x.git@v1", "x @ git+https://host/x.git@v1"),
        ("-e git+ssh://git@host/x.git#egg=x", "-e git+ssh://git@host/x.git#egg=x"),
        ("-i https://${USER}:${TOKEN}@host/s", "-i https://${USER}:${TOKEN}@host/s"),
        ("https://host/t/abc-123/conda-forge", "https://host/conda-forge"),
        ("x @ https://h/x.whl?token=abc&v=1", "x @ https://h/x.whl?v=1"),
        ("x @ https://h/x.whl?v=1&sig=abc", "x @ https://h/x.whl?v=1"),
        ("-f https://h/w?api_key=abc", "-f https://h/w"),
        ("six==1.0", "six==1.0"),
    ],
)
def test_no_secret_is_in_a_line(text: str, public: str) -> None:
    assert without_secrets(text) == public


def test_what_a_file_was_told_of_is_seen_and_an_edit_of_it_too(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(signed.signed("six\n"))
    assert signed.is_ours(file)
    file.write_bytes(file.read_bytes() + b"attrs\n")
    assert not signed.is_ours(file)


def record(directory: Path, text: str) -> None:
    (directory / "requirements.txt").write_text(text)


def test_included_files_and_constraints_are_one_list(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("attrs\n-r https://h/other.txt\n")
    (tmp_path / "limits.txt").write_text("six<2\nattrs==1.0\nnobody==3\n")
    record(
        tmp_path,
        "-i https://me:pw@h/s --no-binary x\n-f ./wheels\n-r more.txt\n-c limits.txt\n"
        f"six>=1 --hash=sha256:{'a' * 64}\nsix>=1\n-e ./mine\n-e git+https://h/o.git@v1#egg=o\n./x-1-py3-none-any.whl\n"
        "https://h/who.zip\n",
    )
    found, left_out = made("requirements", tmp_path)
    assert left_out == ["nobody==3 (a constraint on what nothing asks for by name)"]
    assert found["requirements.txt"].splitlines() == [
        "--index-url https://h/s",
        "--no-binary x",
        "--find-links ./wheels",
        "-r https://h/other.txt",
        "attrs==1.0",
        "six<2,>=1",
        "-e ./mine",
        "-e git+https://h/o.git@v1#egg=o",
        "./x-1-py3-none-any.whl",
        "https://h/who.zip",
    ]
    wanted = Wanted.of(tmp_path)
    assert wanted.secrets == ("--index-url https://h/s",)
    assert wanted.secret_files == (tmp_path / "requirements.txt",)
    found, left_out = made("pep723", tmp_path)
    ((_, kind, inside),) = blocks(found["script.py"])
    block = toml_files.parsed("\n".join(inside))
    assert kind == "script"
    assert block["dependencies"] == ["attrs==1.0", "six<2,>=1", "o @ git+https://h/o.git@v1"]
    assert block["tool"]["uv"] == {
        "find-links": ["./wheels"],
        "index": [{"url": "https://h/s", "default": True}],
    }
    said = "\n".join(left_out)
    for line in ("-e ./mine (a path)", "who.zip (it names", "--no-binary x", "other.txt"):
        assert line in said
    other, _ = made("requirements", tmp_path, folder=tmp_path / "sub", context=tmp_path / "sub")
    assert "--find-links ../wheels\n" in other["requirements.txt"]
    assert "-e ../mine\n../x-1" in other["requirements.txt"].replace(
        "-e git+https://h/o.git@v1#egg=o\n", ""
    )


@pytest.mark.parametrize("line", ["-r gone.txt", "six ==== 1"])
def test_a_line_that_nobody_can_read_is_named(tmp_path: Path, line: str) -> None:
    record(tmp_path, f"attrs\n{line}\n")
    with pytest.raises(EnvmagicError, match="Line 2 of"):
        Wanted.of(tmp_path)


def test_a_scripts_block_has_what_its_own_notebook_needs(tmp_path: Path) -> None:
    def entry(line: str, *notebooks: str) -> Entry:
        return Entry(Kind.REQUIREMENT, line, tuple(map(Mention, notebooks)))

    record(tmp_path, "attrs\n")
    entries = (entry("six==1.0", "a.ipynb"), entry("tabulate==1.0", "b.ipynb", "a.ipynb"))
    block = Block("3.12", entries=(*entries, entry("flit==1.0", "b.ipynb")))
    file = read(tmp_path / "requirements.txt")
    (tmp_path / "requirements.txt").write_bytes(file.with_block(block))

    def lines(notebook: str) -> list[str]:
        return [line.text for line in Wanted.of(tmp_path, tmp_path / notebook).lines]

    assert lines("a.ipynb") == ["attrs", "six==1.0", "tabulate==1.0"]
    assert lines("b.ipynb") == ["attrs", "flit==1.0", "tabulate==1.0"]
    assert len(lines("new.ipynb")) == 4
    text = made("pep723", tmp_path)[0]["script.py"]
    assert '# requires-python = "==3.12.*"' in text


LOCK = """\
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "six"
version = "1.17.0"
marker = "sys_platform == 'linux'"
wheels = [{url = "https://me:pw@h/six-1.17.0-py3-none-any.whl", hashes = {sha256 = "aa"}}]
sdist = {url = "https://h/six-1.17.0.tar.gz", hashes = {sha256 = "bb"}}
[[packages]]
name = "mine"
directory = {path = "mine", editable = true}
[[packages]]
name = "theirs"
vcs = {type = "git", url = "https://h/t.git", commit-id = "c0ffee", subdirectory = "d"}
[[packages]]
name = "zipped"
archive = {url = "https://h/z.zip", hashes = {sha256 = "cc"}}
[[packages]]
name = "pytest"
version = "8"
sdist = {url = "https://h/pytest-8.tar.gz", hashes = {sha256 = "dd"}}
marker = "'test' in extras"
"""


def test_a_lock_is_what_lists_hold_and_hashes_come_from_it(tmp_path: Path) -> None:
    record(tmp_path, "six\n-e ./mine\n")
    (tmp_path / "pylock.toml").write_text(LOCK)
    found = locked.beside(Wanted.of(tmp_path), None, ("lock",))
    assert found is not None and found.had_secrets and "pw" not in found.text
    assert found.left_out == ("pytest (for an extra or a group of the lock)",)
    text, _ = made("requirements", tmp_path, locked=found)
    assert text["requirements.txt"].splitlines() == [
        'six==1.17.0 ; sys_platform == "linux"',
        "-e ./mine",
        "theirs @ git+https://h/t.git@c0ffee#subdirectory=d",
        "zipped @ https://h/z.zip",
    ]
    text, left_out = made("requirements", tmp_path, locked=found, hashes=True)
    assert text["requirements.txt"].splitlines() == [
        'six==1.17.0 ; sys_platform == "linux" \\',
        *("    --hash=sha256:aa \\", "    --hash=sha256:bb", "zipped @ https://h/z.zip \\"),
        "    --hash=sha256:cc",
    ]
    assert [line.partition(" (")[0] for line in left_out[1:]] == [
        "-e ./mine",
        "theirs @ git+https://h/t.git@c0ffee#subdirectory=d",
    ]
    assert 'path = "../mine"' in found.text_from(tmp_path / "sub")
    own = tmp_path / "pylock.a.toml"
    own.write_text(LOCK.replace("1.17.0", "1.16.0"))
    mine = locked.beside(Wanted.of(tmp_path), tmp_path / "a.ipynb", ("lock",))
    assert mine is not None and mine.file == own


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (LOCK, "lock-behind"),
        (LOCK + "x", "bad-declaration"),
        (LOCK.replace('"1.0"', '"9.0"'), "bad-declaration"),
        ("", "bad-declaration"),
    ],
)
def test_a_lock_that_is_none_or_is_behind_is_refused(tmp_path: Path, text: str, code: str) -> None:
    record(tmp_path, "six<1.17\n")
    (tmp_path / "pylock.toml").write_text(text)
    with pytest.raises(EnvmagicError) as raised:
        locked.beside(Wanted.of(tmp_path), None, ("lock",))
    assert raised.value.problem.code == code and raised.value.problem.command == ("lock",)


def test_conda_reads_what_is_written_for_it(tmp_path: Path) -> None:
    record(tmp_path, "-i https://h/s\nsix; python_version < '3.11'\n-e ./mine\n")
    text = made("environment.yml", tmp_path)[0]["environment.yml"]
    file = tmp_path / "sub.yml"
    file.write_text(text)
    said = environment_file.read(file)
    assert said.dependencies == ("python", "pip") and said.channels == ("conda-forge",)
    lines = ("--index-url https://h/s", 'six; python_version < "3.11"', "-e ./mine")
    assert [line.replace("'", '"') for line in said.pip] == [*lines]


def test_condas_part_of_a_record_comes_along_and_is_named_elsewhere(tmp_path: Path) -> None:
    record(tmp_path, "six\n")
    mine = tmp_path / "environment.yml"
    mine.write_text(
        "name: maps\nchannels:\n- https://h/t/s3cret/own\n"
        "dependencies:\n- python=3.12\n- gdal=3.9\n"
    )
    assert conda_file.listed(tmp_path, in_conda=False) is None  # somebody's own
    listed = conda_file.listed(tmp_path, in_conda=True)
    assert listed is not None and listed.secrets and listed.python == "3.12"
    file = tmp_path / "other.yml"
    file.write_text(made("environment.yml", tmp_path, conda=listed)[0]["environment.yml"])
    said = environment_file.read(file)
    assert (said.name, said.channels) == ("maps", ("https://h/own",))
    assert said.dependencies == ("python=3.12", "gdal=3.9", "pip") and said.pip == ("six",)
    assert made("requirements", tmp_path, conda=listed)[1] == ["gdal=3.9 (conda's)"]
    folder = tmp_path / "docker"
    found, _ = made("docker", tmp_path, conda=listed, folder=folder)
    assert "environment.yml\n" in found["Dockerfile.dockerignore"]
    assert "conda env create" in found["Dockerfile"] and "gdal=3.9" in found["environment.yml"]
    found, _ = made("binder", tmp_path, conda=listed, folder=tmp_path / "binder")
    assert list(found) == ["environment.yml"]


def test_a_dockerfile_copies_what_it_installs_and_nothing_secret(tmp_path: Path) -> None:
    (tmp_path / "my lib").mkdir()
    record(tmp_path, "-i https://me:pw@h/s\nsix\n-e './my lib'\n-e ../out\no @ git+https://h/o\n")
    where = {"folder": tmp_path / "docker", "context": tmp_path}
    wanted = Wanted.of(tmp_path).with_python("3.12")
    made = FORMATS["docker"].make(job(wanted, tmp_path, **where))
    files = {file.name: file.text for file in made.files}
    assert "pw" not in "".join(files.values())
    read = DockerfileParser(path=str(tmp_path / "read" / "Dockerfile"), cache_content=True)
    (tmp_path / "read").mkdir()
    read.content = files["Dockerfile"]
    assert read.baseimage == "python:3.12"  # which has git
    steps = [(step["instruction"], step["value"]) for step in read.structure]
    copied = [value for name, value in steps if name == "COPY"]
    assert copied[:2] == [
        '["my lib", "./my lib"]',
        "docker/requirements.txt /tmp/requirements.txt",
    ]
    assert steps[-1] == (
        "CMD",
        '["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]',
    )
    assert "requirements.txt" in files["Dockerfile.dockerignore"].splitlines()
    assert made.left_out == ["-e ../out (a path that is not there)"]


def test_what_binder_would_not_look_at_is_known(tmp_path: Path) -> None:
    record(tmp_path, "six\n")
    folder = tmp_path / "binder"
    made = FORMATS["binder"].make(job(Wanted.of(tmp_path).with_python("3.12"), folder))
    assert [(f.name, f.text) for f in made.files][1] == ("runtime.txt", "python-3.12\n")
    assert binder.preferred(folder, "requirements.txt") is None
    folder.mkdir()
    (folder / "environment.yml").touch()
    (tmp_path / "postBuild").touch()
    assert binder.preferred(folder, "requirements.txt") == folder / "environment.yml"
    assert binder.preferred(folder, "environment.yml") is None
    assert binder.hidden(tmp_path) == ["postBuild", "requirements.txt"]


def test_paths_are_seen_from_where_they_are_installed(tmp_path: Path) -> None:
    line = Line("-e ./mine[extra]")
    assert line.seen_from(tmp_path, tmp_path / "a" / "b") == "-e ../../mine[extra]"
    for text in (f"mine @ {(tmp_path / 'm').as_uri()}", f"-e {tmp_path}/m", "six"):
        assert Line(text).seen_from(tmp_path, tmp_path / "a") == text
