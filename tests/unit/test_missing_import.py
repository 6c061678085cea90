"""What is said of an import that failed: the distribution where that is certain, else nothing."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from envmagic.distributions import Index, index_of
from envmagic.imports import ImportSite, Where
from envmagic.record.missing_import import FailedImport, is_users, lacking


def names(module: str, directory: Path, *sites: ImportSite) -> tuple[str, ...]:
    return lacking(FailedImport(module, sites), [directory], Index())


@pytest.mark.parametrize(
    ("module", "found"),
    [
        ("sklearn", "scikit-learn"),
        ("rich", "rich"),
        ("google.cloud.storage", "google-cloud-storage"),
        ("google", ""),  # a namespace alone
        ("no_such_thing_x", ""),
        ("sklearn.grid_search", ""),  # of another version
        ("distutils", ""),
        ("google.colab", ""),
        ("pkg_resources", ""),
    ],
)
def test_what_is_known_for_certain_is_named(module: str, found: str, tmp_path: Path) -> None:
    assert names(module, tmp_path) == tuple(filter(None, [found]))


def test_in_a_namespace_the_line_says_what_is_meant(tmp_path: Path) -> None:
    others = ImportSite("os", Where()), ImportSite("googleapiclient", Where())
    sites = ImportSite("google.cloud", Where(), ("storage", "bigquery")), *others
    assert names("google", tmp_path, *sites) == ("google-cloud-storage", "google-cloud-bigquery")
    assert names("sklearn", tmp_path, ImportSite("sklearn.svm", Where(), ("SVC",))) == (
        "scikit-learn",
    )


@pytest.mark.parametrize(
    "there", ["book/rich.py", "rich/__init__.py", "src/rich/deep/x.py", "book/rich.ipynb"]
)
def test_a_local_module_is_never_taken_for_another(there: str, tmp_path: Path) -> None:
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / ".git").mkdir()
    assert names("rich", book) == ("rich",)
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).touch()
    assert names("rich", book) == ()


def test_the_file_beside_and_the_project_say_which_of_several(tmp_path: Path) -> None:
    assert names("cv2", tmp_path) == ("opencv-python",)
    (tmp_path / "requirements.txt").write_text("opencv-python-headless\n")
    assert names("cv2", tmp_path) == ("opencv-python-headless",)
    (tmp_path / "pyproject.toml").write_text("[tool.envmagic.names]\ncorp = 'corp-tools'\n")
    assert names("corp", tmp_path) == ("corp-tools",)


def test_another_package_counts_where_it_says_that_it_needs_it(tmp_path: Path) -> None:
    """papermill has boto3 as an extra and knows nothing of rich."""
    index = index_of([Path(sysconfig.get_path("purelib"))])

    def of_papermill(module: str) -> tuple[str, ...]:
        return lacking(FailedImport(module, importer="papermill.s3"), [tmp_path], index)

    assert of_papermill("boto3") == ("boto3",)
    assert of_papermill("rich") == ()
    installed = next(iter(index.distributions))
    assert lacking(FailedImport(installed.replace("-", "_")), [tmp_path], index) == ()


def test_the_users_own_files_are_told_from_installed_ones(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    book = tmp_path / "book"
    assert is_users(str(tmp_path / "src" / "a.py"), [book])
    assert not is_users(str(tmp_path / ".venv/lib/python3.12/site-packages/a.py"), [book])
    assert not is_users(str(tmp_path.parent / "a.py"), [book])
