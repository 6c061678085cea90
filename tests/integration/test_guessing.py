"""Environments for notebooks that declare nothing: which versions they get, and which Python."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.operate import Heard
from support.simple_index import serving

from envmagic.core.errors import EnvmagicError
from envmagic.core.model import EnvSpec, Silent
from envmagic.environments import clearing, interpreters
from envmagic.environments.interpreters import Python
from envmagic.planning.guessing.carrying import Carried, carry_out, pythons_for
from envmagic.planning.guessing.dating import imports_changed
from envmagic.planning.guessing.guess import Asked, Guess, Wish
from envmagic.planning.guessing.offers import Offers, offers_here
from envmagic.planning.guessing.older import newest_with
from envmagic.planning.guessing.settling import Settler
from envmagic.system import process

Wheel = Callable[..., Path]


@pytest.fixture
def upload(isolated: Any, make_wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheel]:
    """`upload(name, version, when, **shape)`: put a wheel on an index that knows dates.

    What kernels need still comes from disk.
    """

    def put(name: str, version: str, when: str = "2024-01-01", **shape: object) -> Path:
        wheel = make_wheel(name, version, **shape)
        moment = datetime.fromisoformat(f"{when}T00:00:00+00:00").timestamp()
        os.utime(wheel, (moment, moment))
        return wheel

    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        links = Path(os.environ["UV_CACHE_DIR"]).parents[1].as_uri()
        settings.write_text(
            f'find-links = ["{links}"]\n[[index]]\nurl = "{address}"\ndefault = true\n'
        )
        yield put


def asked(statement: str, distribution: str) -> Asked:
    """`from a.b import c` or `a.b`."""
    _, _, rest = f" {statement}".partition("from ")
    module, _, names = (rest or statement).partition(" import ")
    return Asked(module, (names,) if names else (), distribution)


def guess_for(*imports: Asked) -> Guess:
    names = dict.fromkeys(item.distribution for item in imports)
    return Guess(tuple(Wish(name, name) for name in names), imports=imports)


def carry(
    isolated: Any,
    guess: Guess,
    pythons: Sequence[Python] = (),
    sources: Offers | None = None,
) -> Carried:
    spec = EnvSpec(isolated.work / "guessed", "guessed", None)
    with clearing.locked(spec.prefix):
        return carry_out(guess, spec, Silent(), pythons=pythons, sources=sources)


def versions(carried: Carried, *names: str) -> list[str | None]:
    return [carried.ready.there.versions.get(name) for name in names]


def test_older_versions_only_of_what_no_longer_has_what_is_imported(
    isolated: Any, upload: Wheel
) -> None:
    for version in ("1.0", "1.1.0", "1.1.4", "1.2", "2.0"):
        files = {"oldlib/__init__.py": "", "oldlib/new.py": ""}
        if version < "1.2":
            files["oldlib/gone.py"] = "def called(): ...\n"
        upload("oldlib", version, files=files)
        upload("other", version, files={"other.py": "import toolz\n"})
    upload("toolz", "1.0")  # `other` does not say that it needs it
    guess = guess_for(
        asked("from oldlib.gone import called", "oldlib"),
        asked("from oldlib.new import never", "oldlib"),
        asked("other", "other"),
    )
    carried = carry(isolated, guess)
    assert versions(carried, "oldlib", "other", "toolz") == ["1.1.4", "2.0", "1.0"]
    assert carried.requirements == ("oldlib==1.1.4", "other", "toolz")
    assert set(carried.chosen) == {
        "oldlib 1.1.4, since newer ones have no oldlib.gone.",
        "toolz, since other needs it and does not say so.",
    }
    (never,) = carried.lacking  # no version has it
    assert never.startswith("from oldlib.new import never does not work: ImportError")


def test_the_newest_release_with_a_module_is_found_in_few_looks(
    isolated: Any, upload: Wheel
) -> None:
    for minor in range(16):
        files = {"oldlib/__init__.py": "from .gone import x" if minor < 6 else "__all__ = []"}
        files |= {"oldlib/gone.py": "x = 1"} if minor < 6 else {}
        upload("oldlib", f"1.{minor}.0", files=files)
        upload("oldlib", f"1.{minor}.3", files=files)
    upload("oldlib", "3.1", files={"oldlib/__init__.py": ""})
    python, offers, heard = interpreters.running(), offers_here(), Heard()
    (now,) = offers.resolved(["oldlib"], python.executable, alone=True) or ()
    found = newest_with([asked("from oldlib import x", "oldlib")], now, offers, [python], heard)
    assert found is not None and found.offer.pin == "oldlib==1.5.3"
    assert len(heard.details) < 10
    assert newest_with([asked("oldlib.never", "oldlib")], now, offers, [python], heard) is None


def test_an_older_python_where_only_that_has_wheels(
    isolated: Any, upload: Wheel, pythons: dict[str, Path]
) -> None:
    if len(pythons) < 2:
        pytest.skip("one Python is on this machine")
    (old, where), *_ = pythons.items()
    newer = [p for p in pythons_for(None) if not p.version.startswith(old)][:1]
    tag = f"cp{old.replace('.', '')}-none-any"
    upload("oldlib", "1.0", files={"oldlib/__init__.py": "", "oldlib/gone.py": ""}, tag=tag)
    upload("oldlib", "2.0", files={"oldlib/__init__.py": ""})
    carried = carry(
        isolated, guess_for(asked("oldlib.gone", "oldlib")), [*newer, Python(where, old)]
    )
    assert carried.ready.there.environment.short_version == old
    assert carried.requirements == ("oldlib==1.0",) and not carried.lacking
    (why,) = carried.chosen
    assert why == f"oldlib 1.0 on Python {old}, since newer ones have no oldlib.gone."


def test_an_older_python_where_something_fails_on_newer_ones(
    isolated: Any, upload: Wheel, pythons: dict[str, Path]
) -> None:
    if len(pythons) < 2:
        pytest.skip("one Python is on this machine")
    (old, where), *_ = pythons.items()
    newer = [p for p in pythons_for(None) if not p.version.startswith(old)][:1]
    text = f"import sys\nif '%d.%d' % sys.version_info[:2] != '{old}': raise TypeError('new')\n"
    upload("fussy", "1.0", files={"fussy.py": text})
    carried = carry(isolated, guess_for(asked("fussy", "fussy")), [*newer, Python(where, old)])
    assert carried.ready.there.environment.short_version == old and not carried.lacking
    assert carried.chosen == (f"Python {old}, since fussy fails on newer ones.",)


def test_what_fails_with_newer_versions_gets_those_of_its_time(
    isolated: Any, upload: Wheel
) -> None:
    upload("base", "1.0", "2019-01-01", files={"base.py": "old = 1"})
    upload("base", "2.0", "2024-01-01", files={"base.py": ""})
    files = {"dusty.py": "import base\nif not hasattr(base, 'old'): raise RuntimeError('broken')"}
    upload("dusty", "1.0", "2019-06-01", files=files, requires=["base"])
    upload("other", "1.0", "2023-01-01")
    carried = carry(isolated, guess_for(asked("dusty", "dusty"), asked("other", "other")))
    assert versions(carried, "dusty", "base", "other") == ["1.0", "1.0", "1.0"]
    assert not carried.lacking and "2019-07-31" in carried.chosen[0]


def test_an_interrupt_leaves_nothing(isolated: Any, upload: Wheel) -> None:
    class Interrupted(Silent):
        def step(self, message: str) -> None:
            if message == "Trying the imports":
                raise KeyboardInterrupt

    upload("oldlib", "1.0")
    spec = EnvSpec(isolated.work / "guessed", "guessed", None)
    with pytest.raises(KeyboardInterrupt), clearing.locked(spec.prefix):
        carry_out(guess_for(asked("oldlib", "oldlib")), spec, Interrupted())
    assert not spec.prefix.exists() and not list(isolated.data.glob("kernels/*"))


def test_the_date_of_a_notebook_is_that_of_its_imports(tmp_path: Path) -> None:
    def commit(day: int, *names: str, text: str) -> None:
        for name in names:
            (tmp_path / name).write_text(f"{text}\n")
        when = f"2020-01-{day:02}T12:00:00+00:00"
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        process.run(["git", "add", "."], cwd=tmp_path)
        process.run(["git", *who, "commit", "-qm", "x"], cwd=tmp_path, env=dates)

    notebook = tmp_path / "a.ipynb"
    notebook.write_text("")
    assert imports_changed(notebook) is None
    process.run(["git", "init", "-q"], cwd=tmp_path)
    commit(1, "a.ipynb", text='"import six\\n"')
    commit(2, "a.ipynb", text='"import six, toolz\\n"')
    commit(3, "a.ipynb", text='"import six, toolz\\n"\n"x = 1"')
    others = [f"{number}.ipynb" for number in range(30)]
    commit(4, "a.ipynb", *others, text='"import  six, toolz\\n"\n"x = 1"')
    found = imports_changed(notebook)
    assert found is not None and found.day == 2


def test_what_cannot_be_had_is_said_and_the_rest_is_made(
    isolated: Any, upload: Wheel, pythons: dict[str, Path]
) -> None:
    upload("oldlib", "1.0")
    upload("low", "1.0", requires=["oldlib<1"])
    guess = Guess(
        (Wish("oldlib>=2", ""), Wish("low", ""), Wish("nowhere", ""), Wish("unseen", "", True)),
        ("corp",),
        imports=(asked("oldlib", "oldlib"), asked("nowhere", "nowhere")),
    )
    carried = carry(isolated, guess)
    assert carried.requirements == ("oldlib",)
    assert carried.chosen == (
        "Any version, since there are no wheels that go together of oldlib>=2.",
    )
    assert carried.lacking == (
        "The index has no wheel of nowhere for a Python here.",
        "The index has no wheel of unseen for a Python here.",
        "low does not go together with the rest by wheels alone.",
        "Nothing is known of corp.",
    )


def test_an_index_that_is_away_is_no_index_without_wheels(
    isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(os.environ["UV_CONFIG_FILE"]).write_text(
        '[[index]]\nurl = "http://127.0.0.1:9/simple/"\ndefault = true\n'
    )
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(EnvmagicError, match="cannot be reached"):
        offers_here().resolved(["oldlib"], interpreters.running().executable)


def source(isolated: Any, name: str, module: str = "", backend: str = "hatchling.build") -> None:
    """Put the source of a distribution where wheels are found, and no wheel of it."""
    place = isolated.work / name
    place.mkdir()
    (place / "pyproject.toml").write_text(
        f'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "{backend}"\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\n'
    )
    (place / "PKG-INFO").write_text(f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n")
    (place / f"{name}.py").write_text(module)
    with tarfile.open(isolated.wheels / f"{name}-1.0.tar.gz", "w:gz") as archive:
        archive.add(place, f"{name}-1.0")


def test_what_is_there_as_source_only_is_built_only_where_that_was_agreed_to(
    isolated: Any, make_wheel: Wheel
) -> None:
    make_wheel("plain")
    source(isolated, "dusty")
    source(isolated, "torn", backend="no_such_backend")
    first = pythons_for(None)[:1]
    assert Settler(offers_here(), first, Silent()).settled([Wish("dusty", "")]).lacking
    settler = Settler(offers_here(), first, Silent(), sources=offers_here(builds=True))
    found = settler.settled([Wish("dusty", "")])
    assert not found.lacking and found.reasons == ("Built from source: dusty.",)
    assert not any("binary" in line for line in found.plan.requirements)
    # what cannot be built is done without
    guess = guess_for(asked("plain", "plain"), asked("torn", "torn"))
    carried = carry(isolated, guess, first, sources=offers_here(builds=True))
    assert carried.requirements == ("plain",)
    assert [line.partition(" `")[0] for line in carried.lacking] == [
        "The index has no wheel of torn for a Python here.",
        "Failed to build",
    ]
