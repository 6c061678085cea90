"""A file that is written anew stays whose it is, and all that it is besides its content."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from envmagic.core.errors import EnvmagicError
from envmagic.system.files import write_atomic, write_over

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows keeps none of this in a file")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two people"
)
ROOT, SOMEBODY, ANOTHER = 0, 12345, 12346


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that everybody may write to."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o1777)
    yield place
    shutil.rmtree(place)


@contextlib.contextmanager
def being(user: int) -> Iterator[None]:
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(ROOT)
        os.setegid(ROOT)


def _put(path: Path, owner: int, mode: int = 0o644) -> Path:
    path.write_text("six\n")
    path.chmod(mode)
    os.chown(path, owner, owner)
    return path


def test_all_names_of_a_file_have_the_new_content(tmp_path: Path) -> None:
    one, other = tmp_path / "requirements.txt", tmp_path / "the same"
    one.write_text("six\n")
    other.hardlink_to(one)
    for text in (b"six\nidna\n", b"\n"):  # longer, and shorter
        assert write_atomic(one, text)
        assert other.read_bytes() == text and one.samefile(other)
    assert not write_over(one, b"saved meanwhile", b"ours")
    assert not list(tmp_path.glob(".envmagic-*"))


def test_mode_and_attributes_stay(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("six\n")
    file.chmod(0o640)
    attributes = hasattr(os, "setxattr")
    if attributes:
        try:
            os.setxattr(file, "user.origin", b"a colleague")
        except OSError:
            attributes = False  # not in this file system
    number = file.stat().st_ino
    assert write_atomic(file, b"idna\n")
    assert file.stat().st_mode & 0o777 == 0o640 and file.stat().st_ino != number
    assert not attributes or os.getxattr(file, "user.origin") == b"a colleague"


def test_a_write_that_fails_in_the_middle_leaves_what_was_there(tmp_path: Path) -> None:
    import resource

    file = tmp_path / "requirements.txt"
    file.write_text("six\n")
    (tmp_path / "the same").hardlink_to(file)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, limits[1]))  # as a disk that is full there
    try:
        with pytest.raises(EnvmagicError, match="cannot be written"):
            write_atomic(file, b"idna\npandas\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_text() == "six\n"


@as_root
def test_root_does_not_take_a_file_from_its_owner(tmp_path: Path) -> None:
    file = _put(tmp_path / "requirements.txt", SOMEBODY, 0o600)
    assert write_atomic(file, b"idna\n")
    facts = file.stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (SOMEBODY, SOMEBODY, 0o600)


@as_root
@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_who_may_write_a_file_and_not_own_it_writes_into_it(shared: Path, mode: int) -> None:
    place = shared / "project"
    place.mkdir()
    file = _put(place / "requirements.txt", SOMEBODY, 0o666)
    place.chmod(mode)
    with being(ANOTHER):
        assert write_atomic(file, b"idna\n")
    assert file.stat().st_uid == SOMEBODY and file.read_text() == "idna\n"


@as_root
def test_no_link_of_somebody_elses_is_followed_where_everybody_may_make_one(shared: Path) -> None:
    home = shared / "home"
    home.mkdir()
    secret = _put(home / "secret", ROOT)
    planted = shared / "requirements.txt"
    planted.symlink_to(secret)
    os.chown(planted, SOMEBODY, SOMEBODY, follow_symlinks=False)
    around = shared / "there"
    around.symlink_to(home)
    os.chown(around, SOMEBODY, SOMEBODY, follow_symlinks=False)
    named = shared / "named"
    named.hardlink_to(secret)
    for path in (planted, around / "secret", named):
        with pytest.raises(EnvmagicError) as refused:
            write_atomic(path, b"idna\n")
        assert refused.value.problem.code == "not-writable"
    named.unlink()
    mine = shared / "mine"
    mine.symlink_to(Path("home", "..", "home", "secret"))
    assert secret.read_text() == "six\n"
    assert write_atomic(mine, b"idna\n")
    assert secret.read_text() == "idna\n" and mine.is_symlink()
