"""Imports to distributions: the chain, the table, and reading an environment's files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.sites import install

from envmagic.distributions import Evidence, Index, Resolver, index_of, is_provided, known


def resolved(dotted: str, index: Index | None = None, **more: object) -> str | None:
    found = Resolver(index, **more).resolve(dotted)  # type: ignore[arg-type]
    return found.name if found else None


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site-packages"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "dotted, name",
    [
        # import != distribution
        ("sklearn.svm", "scikit-learn"),
        ("cv2", "opencv-python"),
        ("PIL.Image", "pillow"),
        ("yaml", "pyyaml"),
        ("bs4", "beautifulsoup4"),
        ("dateutil.parser", "python-dateutil"),
        ("skimage", "scikit-image"),
        ("Crypto.Cipher", "pycryptodome"),
        ("attr", "attrs"),
        ("fitz", "pymupdf"),
        # the same name
        ("numpy.linalg", "numpy"),
        ("sentence_transformers", "sentence-transformers"),
        # namespaces, per dotted path
        ("google.cloud.storage", "google-cloud-storage"),
        ("google.cloud.bigquery_storage_v1", "google-cloud-bigquery-storage"),
        ("google.cloud.secretmanager", "google-cloud-secret-manager"),
        ("google.protobuf.message", "protobuf"),
        ("google.generativeai", "google-generativeai"),
        ("azure.search.documents.indexes", "azure-search-documents"),
        ("azure.storage.blob.aio", "azure-storage-blob"),
        ("azure.mgmt.compute", "azure-mgmt-compute"),
        ("azure.ai.ml.entities", "azure-ai-ml"),
        ("mpl_toolkits.mplot3d", "matplotlib"),
        ("mpl_toolkits.basemap", "basemap"),
        ("ruamel.yaml", "ruamel-yaml"),
        ("zope.interface", "zope-interface"),
        ("backports.zoneinfo", "backports-zoneinfo"),
        ("opentelemetry.sdk.trace", "opentelemetry-sdk"),
        ("llama_index.llms.ollama", "llama-index-llms-ollama"),
        # nothing is guessed
        ("google", None),
        ("google.nothing_of_the_kind", None),
        ("azure", None),
        ("numppy", None),
        ("pandass", None),
        ("utils", None),
        ("helper", None),
        ("model", None),
        ("my_company_tools", None),
    ],
)
def test_without_an_environment(dotted: str, name: str | None) -> None:
    assert resolved(dotted) == name


def test_platforms_provide_some() -> None:
    assert is_provided("google.colab.drive")
    assert not is_provided("google.cloud")


def test_the_environment_comes_first_then_install_lines_then_the_table(site: Path) -> None:
    install(site, "opencv-python-headless", "cv2/__init__.py")
    index = index_of([site])
    assert resolved("cv2", index) == "opencv-python-headless"
    assert Resolver(index).resolve("cv2").evidence is Evidence.ENVIRONMENT  # type: ignore[union-attr]
    lines = ["opencv-contrib-python"]
    assert resolved("cv2", index, installs=lines) == "opencv-python-headless"
    found = Resolver(None, lines).resolve("cv2")
    assert found is not None
    assert (found.name, found.evidence) == ("opencv-contrib-python", Evidence.INSTALL_LINE)
    assert "opencv-python" in found.alternatives
    usual = Resolver(None).resolve("cv2")
    assert usual is not None
    assert (usual.name, usual.evidence) == ("opencv-python", Evidence.TABLE)
    assert "opencv-python-headless" in usual.alternatives


def test_an_install_line_answers_for_an_unknown_import() -> None:
    assert resolved("corp_utils", installs=["corp-utils"]) == "corp-utils"
    assert resolved("corp_utils.deep", installs=["python-corp-utils"]) == "python-corp-utils"
    assert resolved("corp_utils", installs=["other"]) is None


def test_a_repository_answers_for_the_module_of_its_name() -> None:
    assert resolved("clip") != "clip"
    assert resolved("clip", installs=["clip"], sources=["clip"]) == "clip"


def test_names_that_the_user_supplies_come_before_everything(site: Path) -> None:
    install(site, "other", "mine/__init__.py")
    assert resolved("mine.deep", index_of([site]), names={"mine": "Corp.Mine"}) == "corp-mine"


def test_an_environment_answers_per_dotted_path(site: Path) -> None:
    install(site, "corp-a", "corp/a/__init__.py", "corp/a/x.py")
    install(site, "corp-b", "corp/b.py", "corp/deep/er/__init__.py")
    index = index_of([site])
    assert resolved("corp.a.x", index) == "corp-a"
    assert resolved("corp.b", index) == "corp-b"
    assert resolved("corp.deep.er", index) == "corp-b"
    assert Resolver(index).is_namespace("corp")


def test_packages_that_share_an_init_are_told_apart(site: Path) -> None:
    """As pkg_resources-style namespaces do: each ships `__init__.py`."""
    install(site, "ns-a", "ns/__init__.py", "ns/a/__init__.py")
    install(site, "ns-b", "ns/__init__.py", "ns/b/__init__.py")
    index = index_of([site])
    assert (resolved("ns.a", index), resolved("ns.b", index)) == ("ns-a", "ns-b")


@pytest.mark.parametrize(
    "file",
    [
        "fast.py",
        "fast.so",
        "fast.pyd",
        "fast.abi3.so",
        "fast.cpython-312-x86_64-linux-gnu.so",
        "fast.cp312-win_amd64.pyd",
        "fast.pypy39-pp73-linux.so",
    ],
)
def test_single_modules_and_extension_modules(site: Path, file: str) -> None:
    install(site, "speedy", file)
    assert resolved("fast", index_of([site])) == "speedy"


def test_what_is_no_module_is_none(site: Path) -> None:
    install(site, "x", "x/__init__.py", "docs/readme.txt", "../../bin/x", "__pycache__/y.pyc")
    assert set(index_of([site]).modules) == {"x"}


def test_import_name_metadata_answers_where_files_do_not(site: Path) -> None:
    install(site, "corp", metadata="Import-Name: hidden.part\nImport-Name: other ; private\n")
    found = Resolver(index_of([site])).resolve("hidden.part.x")
    assert found is not None
    assert (found.name, found.evidence) == ("corp", Evidence.IMPORT_NAME)


def test_editable_by_path(site: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "src" / "mine").mkdir(parents=True)
    (source / "src" / "mine" / "__init__.py").write_text("")
    url = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    info = "mine_dist-1.0.dist-info/direct_url.json"
    install(site, "mine-dist", **{"_mine.pth": f"{source / 'src'}\n", info: url})
    index = index_of([site])
    assert resolved("mine", index) == "mine-dist"
    assert index.distributions["mine-dist"].editable == str(source)


def test_editable_by_finder(site: Path) -> None:
    finder = "MAPPING: dict[str, str] = {'mine': '/x/src/mine'}\n"
    install(
        site,
        "mine-dist",
        **{
            "__editable__.mine_dist-1.0.pth": "import __editable___mine_dist_1_0_finder; x",
            "__editable___mine_dist_1_0_finder.py": finder,
        },
    )
    assert resolved("mine", index_of([site])) == "mine-dist"


def test_editable_by_egg_link(site: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    info = source / "old.egg-info"
    info.mkdir(parents=True)
    (info / "top_level.txt").write_text("mine\n")
    (info / "PKG-INFO").write_text("Name: old\nVersion: 0.3\n")
    (site / "old.egg-link").write_text(f"{source}\n.")
    index = index_of([site])
    assert resolved("mine", index) == "old"
    assert index.distributions["old"].version == "0.3"


def test_egg_info_directories(site: Path) -> None:
    info = site / "Old_Thing-2.1-py3.12.egg-info"
    info.mkdir()
    (info / "top_level.txt").write_text("oldthing\n")
    index = index_of([site])
    assert resolved("oldthing", index) == "old-thing"
    assert index.distributions["old-thing"].version == "2.1"


def test_version_control_is_kept_without_credentials(site: Path) -> None:
    raw = {
        "url": "https://user:token@h/o/r.git",
        "vcs_info": {"vcs": "git", "commit_id": "abc123"},
    }
    install(site, "vc", "vc.py", **{"vc-1.0.dist-info/direct_url.json": json.dumps(raw)})
    assert index_of([site]).distributions["vc"].url == "git+https://h/o/r.git@abc123"


def test_conda_packages_without_dist_info(tmp_path: Path) -> None:
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    files = ["lib/python3.12/site-packages/fen/__init__.py", "bin/fen"]
    package = {"name": "fenics-core", "version": "1.2", "files": files}
    (meta / "fenics-core-1.2-0.json").write_text(json.dumps(package))
    (meta / "history").write_text("")
    index = index_of([], tmp_path)
    assert resolved("fen", index) == "fenics-core"
    assert index.distributions["fenics-core"].version == "1.2"


def test_the_cache_is_made_anew_when_something_is_installed(site: Path) -> None:
    install(site, "one", "one.py")
    assert index_of([site]).owners("two") == ()
    install(site, "two", "two.py", version="2.0+local")
    index = index_of([site])
    assert index.owners("two") == ("two",)
    assert index.distributions["two"].version == "2.0+local"


def test_a_broken_cache_is_made_again(site: Path, isolated: object) -> None:
    from envmagic import home
    from envmagic.distributions import index as module

    install(site, "one", "one.py")
    first = index_of([site])
    (cached,) = home.cache().glob("index-*")
    cached.write_text("{broken")
    module._memory.clear()
    assert index_of([site]) == first
    module._memory.clear()
    assert index_of([site]) == first


def test_broken_metadata_stops_nothing(site: Path) -> None:
    install(site, "good", "good.py")
    (site / "bad-1.0.dist-info").mkdir()
    (site / "bad-1.0.dist-info" / "RECORD").write_bytes(b'\xff\xfe"unclosed,\n\n,,,\n')
    (site / "bad-1.0.dist-info" / "direct_url.json").write_text("{")
    (site / ".dist-info").mkdir()
    assert resolved("good", index_of([site])) == "good"


def test_this_very_environment_agrees_with_its_own_metadata() -> None:
    """Python's own mapping, which needs 200 ms, says the same for all it knows."""
    import importlib.metadata
    import sys

    places = [Path(p) for p in sys.path if p.endswith("site-packages")]
    index = index_of(places)
    for module, owners in importlib.metadata.packages_distributions().items():
        names = {re.sub(r"[-_.]+", "-", o).lower() for o in owners}
        if module.isidentifier() and not module.startswith("_"):
            assert names <= set(index.owners(module)), module


@pytest.mark.parametrize(
    "module, name",
    [
        # a namespace no table lists, its distributions called like the dotted path
        ("ml4t.engineer.features", "ml4t-engineer"),
        # the last part names the distribution
        ("haystack_integrations.components.embedders.mistral", "mistral-haystack"),
        ("haystack_integrations.document_stores.mongodb_atlas", "mongodb-atlas-haystack"),
        ("haystack_integrations.components.embedders.nobodys", None),
        # two distributions whose names differ in case only
        ("modal", "modal"),
        ("modAL.models", "modal-python"),
        # one import name, told apart by what is imported below it
        ("fireworks.core.firework", "fireworks"),
        ("fireworks.client", "fireworks-ai"),
        ("nowhere.engineer", None),
    ],
)
def test_dotted_names_that_are_called_like_their_distribution(
    module: str, name: str | None
) -> None:
    found = known().distribution_of(module)
    assert (found[0].distribution if found else None) == name


def test_the_table_agrees_with_what_is_installed_here() -> None:
    """Whatever the table knows of the distributions at hand is what their files say."""
    import sys

    places = [Path(p) for p in sys.path if p.endswith("site-packages")]
    index = index_of(places)
    checked = 0
    for module, owners in index.modules.items():
        said = known().distribution_of(module)
        # `py` is a module of pytest's besides the distribution of that name
        if "." in module or module == "py" or said is None or len(owners) > 1:
            continue
        row = said[0]
        checked += 1
        assert owners[0] in (row.distribution, *row.alternatives), module
    assert checked > 30


def test_the_table_can_be_read_and_says_each_thing_once() -> None:
    text = (Path(__file__).parents[2] / "envmagic/distributions/data/table.txt").read_text()
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    modules = [words[0] for words in lines]
    assert len(modules) == len(set(modules))
    for words in lines:
        assert len(words) >= 2, words
        if words[0].endswith(".*"):
            continue
        for name in words[1:]:
            assert name == "-" or str(Requirement(name)) == name, words
            assert name == "-" or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), words
    assert len(known().names) > 3_000
