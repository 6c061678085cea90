"""Imports to distributions: the chain, the table, and reading an environment's files."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.sites import install

from envmagic.distributions import (
    Evidence,
    Index,
    Resolver,
    index_of,
    is_provided,
    known,
    meant_by,
)


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
        # what one distribution adds to another's package
        ("mujoco.mjx", "mujoco-mjx"),
        ("mujoco.viewer", "mujoco"),
        ("PyQt5.QtChart", "pyqtchart"),
        ("PyQt5.Qsci", "qscintilla"),
        ("PyQt6.Qsci", "pyqt6-qscintilla"),
        ("PyQt6.QtWidgets", "pyqt6"),
        # of the last years
        ("workflows", "llama-index-workflows"),
        ("inference", "inference"),
        ("eumdac", "eumdac"),
        ("mercury", "mercury"),
        ("mosaic_widget", "mosaic-widget"),
        ("adafruit_dht", "adafruit-circuitpython-dht"),
        ("obd", "obd"),
        ("tpu_info", "tpu-info"),
        ("composio", "composio"),
        ("tortoise", "tortoise-orm"),
        ("functional", "pyfunctional"),
        # no modules, but what people take for some
        ("PyYaml", None),
        ("Pandas", None),
        ("Matplotlib.pyplot", None),
        ("scikit_learn", None),
        ("pillow", None),
        ("pyqt5", None),
        ("MDAnalysis", "mdanalysis"),
        ("PyQt5", "pyqt5"),
        ("netCDF4", "netcdf4"),
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


def test_a_module_of_an_add_on_that_is_not_there_is_not_the_packages(site: Path) -> None:
    install(site, "mujoco", "mujoco/__init__.py", "mujoco/viewer.py")
    index = index_of([site])
    assert resolved("mujoco.viewer", index) == "mujoco"
    assert resolved("mujoco.mjx.put_model", index) == "mujoco-mjx"
    install(site, "mujoco-mjx", "mujoco/mjx/__init__.py")
    assert resolved("mujoco.mjx", index_of([site])) == "mujoco-mjx"


def test_a_package_that_has_grown_the_module_of_an_add_on_has_it(site: Path) -> None:
    install(site, "mujoco", "mujoco/__init__.py", "mujoco/mjx/__init__.py", version="9")
    assert resolved("mujoco.mjx", index_of([site])) == "mujoco"


def test_a_name_that_is_no_module_tells_which_is_meant() -> None:
    meant = {"PyYaml": "yaml", "Pandas": "pandas", "Sklearn": "sklearn", "pil": "PIL"}
    meant |= {"TensorFlow": "tensorflow", "pytorch": "torch", "opencv_python": "cv2"}
    assert {name: meant_by(name) for name in meant} == meant
    assert not any(map(meant_by, [*meant.values(), "MDAnalysis", "Levenshtein", "mine", "Mine"]))


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
    "dotted, name",
    [
        # what is there is the installed one's
        ("google.protobuf.message", "protobuf"),
        ("azure.core.pipeline", "azure-core"),
        ("azure.storage.blob", "azure-storage-blob"),
        ("opentelemetry.trace", "opentelemetry-api"),
        ("nvidia.cublas.lib", "nvidia-cublas-cu12"),
        ("corp.a.x", "corp-a"),
        ("corp", "corp-a"),
        # what is not is another's
        ("google.cloud.storage", "google-cloud-storage"),
        ("google.genai", "google-genai"),
        ("azure.identity", "azure-identity"),
        ("azure.storage.filedatalake", "azure-storage-file-datalake"),
        ("opentelemetry.sdk.trace", "opentelemetry-sdk"),
        ("nvidia.dali", "nvidia-dali-cuda120"),
        ("corp.b", None),
        ("corp.a2", None),
        # a namespace that several are known to share is nobody's
        ("google", None),
        ("google.cloud", None),
        ("azure", None),
        ("azure.storage", None),
    ],
)
def test_one_of_a_namespace_does_not_answer_for_the_others(
    site: Path, dotted: str, name: str | None
) -> None:
    install(site, "protobuf", "google/protobuf/__init__.py", "google/_upb/_message.abi3.so")
    install(site, "azure-core", "azure/core/__init__.py")
    install(site, "azure-storage-blob", "azure/storage/blob/__init__.py")
    install(site, "opentelemetry-api", "opentelemetry/trace/__init__.py")
    install(site, "nvidia-cublas-cu12", "nvidia/__init__.py", "nvidia/cublas/__init__.py")
    install(site, "corp-a", "corp/a/__init__.py", "corp/py.typed")
    assert resolved(dotted, index_of([site])) == name


def test_an_ordinary_package_answers_for_all_below_it(site: Path) -> None:
    install(site, "scikit-learn", "sklearn/__init__.py", "sklearn/svm/__init__.py")
    install(site, "empty", "empty/__init__.py")
    install(site, "built", "built/__init__.cpython-312-x86_64-linux-gnu.so", "built/x.pyi")
    install(site, "fast", "_fast.abi3.so", "single.py")
    index = index_of([site])
    imports = ["sklearn.svm", "sklearn.attribute", "empty.x", "built.y", "_fast.z", "single.q"]
    names = ["scikit-learn", "scikit-learn", "empty", "built", "fast", "fast"]
    assert [resolved(dotted, index) for dotted in imports] == names


LICENCE = "# Copyright 2016\n#\n# Licensed under the Apache License, Version 2.0\n" * 4


@pytest.mark.parametrize(
    "text",
    [
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)  # type: ignore\n",
        "__import__('pkg_resources').declare_namespace(__name__)",
        LICENCE + "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n",
        '"""A namespace.\n\nOf several."""\ntry:\n    import pkg_resources\n\n'
        "    pkg_resources.declare_namespace(__name__)\nexcept ImportError:\n    import pkgutil\n\n"
        "    __path__ = pkgutil.extend_path(__path__, __name__)\n",
        "\ufefftry:\r\n    __import__('pkg_resources').declare_namespace(__name__)\r\n"
        "except Exception:  # pragma: no cover\r\n    pass\r\n",
    ],
)
def test_a_namespace_that_its_init_declares(site: Path, text: str) -> None:
    init = {"ns/__init__.py": text}
    install(site, "ns-a", "ns/a/__init__.py", **init)
    alone = index_of([site])
    assert [resolved(d, alone) for d in ("ns.a.x", "ns.c", "ns")] == ["ns-a", None, "ns-a"]
    install(site, "ns-b", "ns/b.py", **init)
    both = index_of([site])
    assert [resolved(d, both) for d in ("ns.a", "ns.b", "ns.c")] == ["ns-a", "ns-b", None]


def test_an_init_with_code_of_its_own_makes_a_package(site: Path) -> None:
    """Also where it lets others add to it, and where several distributions bring it."""
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\nversion = '1'\n"
    install(site, "core", "flow/jobs.py", **{"flow/__init__.py": text})
    install(site, "opencv-python-headless", **{"cv2/__init__.py": "from .cv2 import *\n"})
    install(site, "flow-extra", "flow/extra/__init__.py")
    index = index_of([site])
    assert [resolved(d, index) for d in ("flow", "flow.job")] == ["core", "core"]
    assert resolved("flow.extra", index) == "flow-extra"
    install(
        site,
        "opencv-contrib-python-headless",
        "cv2/data/__init__.py",
        **{"cv2/__init__.py": "from .cv2 import *\n"},
    )
    index = index_of([site])
    assert "headless" in (resolved("cv2.aruco", index) or "")
    assert resolved("cv2.data", index) == "opencv-contrib-python-headless"


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


def test_what_metadata_claims_goes_before_a_shorter_prefix(site: Path) -> None:
    install(site, "flow", **{"flow/__init__.py": "version = 1\n"})
    claims = "Import-Name: flow.plugin\nImport-Namespace: flow\n"
    install(site, "flow-plugin", metadata=claims)
    index = index_of([site])
    assert resolved("flow.plugin.x", index) == "flow-plugin"
    assert resolved("flow.other", index) == "flow"


def test_metadata_that_says_a_name_is_shared_claims_nothing_below_it(site: Path) -> None:
    claims = "Import-Namespace: corp\nImport-Name: corp.a ; private\n"
    install(site, "corp-a", "corp/__init__.py", "corp/a.py", metadata=claims)
    index = index_of([site])
    assert [resolved(d, index) for d in ("corp.a.x", "corp.b")] == ["corp-a", None]


def test_claims_that_contradict_say_nothing(site: Path) -> None:
    """One name in both fields, one name of two distributions, a namespace that many share."""
    install(site, "both", metadata="Import-Name: mine\nImport-Namespace: mine\n")
    install(site, "one", "twice.py", metadata="Import-Name: twice\n")
    install(site, "two", metadata="Import-Name: twice\nImport-Name: google\n\nImport-Name: body\n")
    index = index_of([site])
    assert [resolved(d, index) for d in ("mine", "twice", "body")] == [None, "one", None]
    assert resolved("google.cloud.storage", index) == "google-cloud-storage"


def test_metadata_can_say_that_there_is_no_module(site: Path) -> None:
    install(site, "data", metadata="Import-Name:\n")
    (site / "data").mkdir()
    (site / "data" / "table.csv").touch()
    assert resolved("data", index_of([site])) is None


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


def source_of(place: Path, *files: str) -> Path:
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).touch()
    return place


def editable(site: Path, name: str, source: Path, *, metadata: str = "", **more: str) -> None:
    url = json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}})
    info = f"{name.replace('-', '_')}-1.0.dist-info/direct_url.json"
    install(site, name, metadata=metadata, **more, **{info: url})


def test_namespaces_of_editables_by_path(site: Path, tmp_path: Path) -> None:
    """As hatchling, flit and setuptools with `src` (or a strict tree of links) have them."""
    install(site, "ns-core", "ns/core/__init__.py")
    for name in ("extra", "third"):
        source = source_of(tmp_path / name, f"src/ns/{name}/__init__.py", "src/ns/deep/er/x.py")
        editable(site, f"ns-{name}", source, **{f"_ns_{name}.pth": f"{source / 'src'}"})
    source = source_of(tmp_path / "old", "src/ns/old/__init__.py", "src/pk/old/__init__.py")
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    (source / "src/pk/__init__.py").write_text(text)
    editable(site, "ns-old", source, **{"_ns_old.pth": f"{source / 'src'}"})
    index = index_of([site])
    for name in ("core", "extra", "third", "old"):
        assert resolved(f"ns.{name}.x", index) == f"ns-{name}"
    assert [resolved(d, index) for d in ("ns.nope", "ns", "pk.nope")] == [None, None, None]
    assert resolved("pk.old", index) == "ns-old"


def test_an_editable_project_is_not_searched_for_what_is_beside_its_packages(
    site: Path, tmp_path: Path
) -> None:
    files = ["flat/ns/__init__.py", "docs/conf.py", "tests/test_x.py", "data/raw/x.csv", "setup.py"]
    source = source_of(tmp_path / "flat", *files)
    editable(site, "flat-dist", source, **{"_flat.pth": f"{source}"})
    index = index_of([site])
    assert {*index.modules, *index.namespaces} == {"flat", "flat.ns"}


def finder(texts: dict[str, str]) -> dict[str, str]:
    """The files of an editable whose `.pth` imports a module."""
    (name,) = texts
    return {f"{name}.pth": f"import {name}; {name}.install()", f"{name}.py": texts[name]}


def test_editables_by_finders_of_every_kind(site: Path, tmp_path: Path) -> None:
    flat = source_of(tmp_path / "flat", "ns/flat/__init__.py")
    mapping = (
        f"MAPPING: dict[str, str] = {{'ns': {str(flat / 'ns')!r}, 'ns.far': '/x/far'}}\n"
        f"NAMESPACES: dict[str, list[str]] = {{'ns': [{str(flat / 'ns')!r}]}}\n"
    )
    editable(site, "by-setuptools", flat, **finder({"__editable___a_1_0_finder": mapping}))
    code = source_of(tmp_path / "code", "code/exact/__init__.py")
    call = (
        "from editables.redirector import RedirectingFinder as F\nF.install()\n"
        f"F.map_module('exact', {str(code / 'code/exact/__init__.py')!r})"
    )
    editable(site, "by-hatchling", code, **finder({"_editable_impl_b": call}))
    built = "install({'skb': '/x/skb/__init__.py', 'nb.part': '/x/part.py'}, {}, {}, [], None)\n"
    files = finder({"_editable_skbc_c": "def install(known):\n    pass\n\n" + built})
    editable(site, "by-scikit-build-core", code, **files, **{"skb/_core.abi3.so": ""})
    meson = source_of(tmp_path / "meson", "nm/part/__init__.py", "mes/__init__.py")
    loader = "    finder = MesonpyMetaFinder(\n        'x',\n        {'mes', 'nm'},\n    )\n"
    editable(site, "by-meson-python", meson, **finder({"_d_editable_loader": loader}))
    index = index_of([site])
    for name, imports in {
        "by-setuptools": ["ns.flat", "ns.far"],
        "by-hatchling": ["exact"],
        "by-scikit-build-core": ["skb", "skb.module", "nb.part"],
        "by-meson-python": ["mes.x", "nm.part"],
    }.items():
        assert [resolved(dotted, index) for dotted in imports] == [name] * len(imports)
    assert [resolved(d, index) for d in ("ns.nope", "nm.nope", "nb.nope")] == [None] * 3
    assert not [m for m in index.modules if "edit" in m]


def test_an_editable_that_gains_a_module_is_read_again(site: Path, tmp_path: Path) -> None:
    source = source_of(tmp_path / "source", "src/ns/one/__init__.py")
    editable(site, "mine", source, **{"_mine.pth": f"{source / 'src'}"})
    first = index_of([site])
    source_of(source, "src/ns/analysis.ipynb", "src/table.csv")  # the time changes, no module
    assert index_of([site]) is first
    source_of(source, "src/ns/two.py")
    assert resolved("ns.two", index_of([site])) == "mine"
    source_of(source, "src/other/__init__.py")
    assert resolved("other.x", index_of([site])) == "mine"


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


def test_a_namespace_without_a_list_of_files(site: Path) -> None:
    """Distributions of a system's packager, and `setup.py install`, tell their top modules only."""
    source_of(site, "ns/a/__init__.py", "pkg/__init__.py")
    for name, top in (("Ns_A-1.0.egg-info", "ns"), ("Pkg-1.0.egg-info", "pkg")):
        (site / name).mkdir()
        (site / name / "top_level.txt").write_text(f"{top}\n")
    index = index_of([site])
    imports = ("ns.a.x", "ns.b", "pkg.x")
    assert [resolved(dotted, index) for dotted in imports] == ["ns-a", None, "pkg"]


def test_what_only_holds_a_namespace_open_owns_nothing(site: Path) -> None:
    """As azure-nspkg does: its `top_level.txt` has the namespace, its files have nothing."""
    install(site, "ns-a", "ns/a/__init__.py")
    for name in ("ns-nspkg", "ns-meta"):
        info = f"{name.replace('-', '_')}-1.0.dist-info/top_level.txt"
        install(site, name, **{info: "ns\n"})
    index = index_of([site])
    assert [resolved(dotted, index) for dotted in ("ns.a.x", "ns.b", "ns")] == [
        "ns-a",
        None,
        "ns-a",
    ]


def test_what_an_uninstallation_left_behind_is_no_distribution(site: Path) -> None:
    install(site, "pandas", "pandas/__init__.py", version="2.0")
    install(site, "~umpy", "~umpy/__init__.py")
    install(site, "~andas", "pandas/__init__.py")
    (site / "pandas-1.0.dist-info").mkdir()
    (site / "-ld-1.0.egg-info").mkdir()
    found = index_of([site]).distributions
    assert {name: d.version for name, d in found.items()} == {"pandas": "2.0"}


@pytest.mark.parametrize(
    "url, kept",
    [
        ("https://user:token@h/o/r.git", "https://h/o/r.git"),
        ("https://token@h/o/r.git", "https://h/o/r.git"),
        ("https://user:p@ss@h/o/r.git", "https://h/o/r.git"),
        ("https://${USER}:${TOKEN}@h/o/r.git", "https://${USER}:${TOKEN}@h/o/r.git"),
        ("ssh://git@github.com/o/r.git", "ssh://git@github.com/o/r.git"),
        ("ssh://git:secret@h:22/o/r.git", "ssh://git@h:22/o/r.git"),
        ("https://h/o/r@main.git", "https://h/o/r@main.git"),
    ],
)
def test_version_control_is_kept_without_credentials(site: Path, url: str, kept: str) -> None:
    """The user of ssh is no secret, and nothing can be cloned without."""
    raw = {"url": url, "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    install(site, "vc", "vc.py", **{"vc-1.0.dist-info/direct_url.json": json.dumps(raw)})
    assert index_of([site]).distributions["vc"].url == f"git+{kept}@abc123"


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


def test_namespaces_of_conda_packages(tmp_path: Path) -> None:
    files = [
        "lib/python3.12/site-packages/ns/a/x.py",
        "lib/python3.12/site-packages/pk/__init__.py",
    ]
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    source_of(tmp_path, *files)
    (tmp_path / files[1]).write_text(text)
    package = {"name": "ns-a", "version": "1.2", "files": [*files, files[1] + "c"]}
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "ns-a-1.2-0.json").write_text(json.dumps(package))
    index = index_of([], tmp_path)
    imports = ("ns.a.x", "ns.b", "pk.b")
    assert [resolved(dotted, index) for dotted in imports] == ["ns-a", None, None]


def test_the_cache_is_made_anew_when_something_is_installed(site: Path) -> None:
    install(site, "one", "one.py")
    assert index_of([site]).owners("two") == ()
    install(site, "two", "two.py", version="2.0+local")
    index = index_of([site])
    assert index.owners("two") == ("two",)
    assert index.distributions["two"].version == "2.0+local"


def test_a_broken_cache_is_made_again(site: Path, isolated: object) -> None:
    from envmagic.distributions import index as module
    from envmagic.system import directories

    install(site, "one", "one.py")
    first = index_of([site])
    (cached,) = directories.cache().glob("index-*")
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
            held = index.owners(module) or index.namespaces.get(module, ())
            assert names <= set(held), module


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


def test_of_two_infos_of_one_name_the_one_that_python_itself_finds_counts(site: Path) -> None:
    for number in range(8):
        for spelling in ("pyyaml", "PyYAML", "Pyyaml"):
            install(site, spelling, "yaml.py", version=f"{number}.0")
    found = next(iter(metadata.distributions(path=[str(site)], name="pyyaml")))
    assert index_of([site]).distributions["pyyaml"].version == found.version
