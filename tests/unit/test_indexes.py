"""Which package indexes count, by the files and variables of pip and uv."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envmagic.environments.backends import indexes, pip_configuration, uv_configuration
from envmagic.environments.backends.pip_configuration import Setting

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def nothing_is_told(isolated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_")) or name.lower().endswith(("_proxy", "_bundle")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(isolated.home / "machine"))


def settings(prefix: Path | None = None) -> dict[str, Setting]:
    """Without those of the machine that the tests run on."""
    found = pip_configuration.settings(prefix)
    return {name: setting for name, setting in found.items() if setting.where != "/etc/pip.conf"}


@pytest.fixture
def write(isolated: Any) -> Write:
    def write(name: str, content: str) -> Path:
        file = Path(isolated.home, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    return write


def test_pips_files_count_in_pips_order(
    write: Write, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        "machine/pip/pip.conf", "[install]\nproxy = machine\n[global]\ntimeout = 1\nretries = 1\n"
    )
    write(".pip/pip.conf", "[global]\nproxy = user\ntimeout = 2\nindex_url = old\n")
    new = write(
        ".config/pip/pip.conf", "[global]\n--index-url = new\nextra-index-url =\n  a\n  b\n"
    )
    site = write("env/pip.conf", "[global]\nextra-index-url = c\n[download]\ntimeout = 9\n")
    broken = write("broken.conf", "index-url = nowhere\n")
    said = settings()
    assert {name: setting.value for name, setting in said.items()} == {
        "proxy": "machine",
        "timeout": "2",
        "retries": "1",
        "index-url": "new",
        "extra-index-url": "a\nb",
    }
    assert said["index-url"].where == str(new)
    assert settings(site.parent)["extra-index-url"] == Setting("c", str(site))
    monkeypatch.setenv("PIP_TIMEOUT", "3")
    assert settings()["timeout"] == Setting("3", "PIP_TIMEOUT")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(broken))
    assert "index-url" not in settings()
    assert settings(site.parent)["extra-index-url"].value == "c"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert list(settings(site.parent)) == ["timeout"]


def test_pip_obeys_where_packages_come_from_and_not_where_they_go(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = write(".config/pip/pip.conf", "[global]\nindex-url = i\nno-deps = true\n")
    assert pip_configuration.for_pip(None) == {}
    conf.write_text(f"{conf.read_text()}[install]\nuser = true\n")
    monkeypatch.setenv("PIP_TARGET", "stolen")
    made = {"PIP_TARGET": "", "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "i"}
    told = pip_configuration.for_pip(None)
    assert told.items() >= {**made, "PIP_NO_DEPS": "true"}.items() and "PIP_USER" not in told
    told = pip_configuration.for_pip(None, kernel=True)
    assert told.items() >= made.items() and "PIP_NO_DEPS" not in told


def test_uv_is_told_what_only_pip_knows(
    write: Write, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (isolated.home / "ca.pem").touch()
    write(
        ".config/pip/pip.conf",
        "[global]\nindex-url = https://u:s3cret@h.invalid/simple\ntrusted-host = h.invalid\n"
        "extra-index-url = https://a.invalid/s https://b.invalid/s\n"
        "find-links = wheels\n  https://w.invalid/a,b\n"
        f"cert = {isolated.home}/ca.pem\nclient-cert = me.pem\nproxy = u:p@proxy.invalid:3128\n"
        "timeout = 60\n",
    )
    network = {
        "UV_INSECURE_HOST": "h.invalid",
        "SSL_CERT_FILE": f"{isolated.home}/ca.pem",
        "SSL_CLIENT_CERT": "me.pem",
        "HTTPS_PROXY": "http://u:p@proxy.invalid:3128",
        "HTTP_PROXY": "http://u:p@proxy.invalid:3128",
        "UV_HTTP_TIMEOUT": "60",
    }
    from_pip = {
        **network,
        "UV_DEFAULT_INDEX": "https://u:s3cret@h.invalid/simple",
        "UV_INDEX": "https://a.invalid/s https://b.invalid/s",
        "UV_FIND_LINKS": f"{isolated.work}/wheels,https://w.invalid/a%2Cb",
    }
    assert indexes.from_pip(isolated.work, None) == from_pip
    told = indexes.from_pip(isolated.work, None, index=False)
    assert "UV_DEFAULT_INDEX" not in told and "UV_INDEX" in told
    found = indexes.for_uv(isolated.work, None)
    assert [index.option for index in found] == [
        *("index-url", "extra-index-url", "extra-index-url", "find-links", "find-links")
    ]
    assert found[0].url == "https://***@h.invalid/simple"

    own = write(".config/uv/uv.toml", "[[index]]\nurl = 'https://u:s3cret@uv.invalid/'\n")
    assert indexes.from_pip(isolated.work, None) == network
    (index,) = indexes.for_uv(isolated.work, None)
    assert (index.url, index.where) == ("https://***@uv.invalid/", str(own))
    own.unlink()
    monkeypatch.setenv("UV_INDEX_URL", "https://mine.invalid")
    monkeypatch.setenv("https_proxy", "http://mine.invalid")
    assert not {"UV_INDEX", "HTTP_PROXY"} & set(indexes.from_pip(isolated.work, None))
    monkeypatch.delenv("UV_INDEX_URL")
    monkeypatch.setenv("PIP_NO_INDEX", "true")
    told = indexes.from_pip(isolated.work, None)
    assert told["UV_NO_INDEX"] == "1" and "UV_DEFAULT_INDEX" not in told


def test_several_files_of_uvs_are_one_without_where_an_installation_goes(
    write: Write, isolated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(
        ".config/uv/uv.toml",
        "index = [{url = 'own', name = 'o'}]\nlink-mode = 'copy'\nexclude-newer = 2030-01-02\n"
        "[pip]\ntarget = 'stolen'\nno-deps = true\n",
    )
    work = isolated.work
    (work / "pyproject.toml").write_text(
        "[tool.uv]\nlink-mode = 'symlink'\nmanaged = false\n[tool.uv.pip]\nprefix = 'gone'\n"
    )
    with uv_configuration.for_uv(work) as said:
        made = tomllib.loads(Path(said["UV_CONFIG_FILE"]).read_text())
    assert "UV_PROJECT" not in said and not Path(said["UV_CONFIG_FILE"]).exists()
    assert {**made, "exclude-newer": str(made["exclude-newer"])} == {
        "link-mode": "symlink",
        "pip": {"no-deps": True},
        "index": [{"url": str(own.parent / "own"), "name": "o"}],
        "exclude-newer": "2030-01-02",
    }
    with uv_configuration.for_uv(None, kernel=True) as said:
        made = tomllib.loads(Path(said["UV_CONFIG_FILE"]).read_text())
    assert made["pip"] == {} and said["UV_RESOLUTION"] == "highest" and "UV_PROJECT" in said

    member = work / "member"
    member.mkdir()
    (member / "pyproject.toml").write_text("[tool.uv]\nmanaged = true\n")
    top = (
        "[tool.uv.workspace]\nmembers = ['member']\n[[tool.uv.index]]\nurl = 'https://x.invalid'\n"
    )
    (work / "pyproject.toml").write_text(top)
    away = [
        t for table in uv_configuration.around(member) for t in uv_configuration.leading_away(table)
    ]
    assert away == ['index = [{"url": "https://x.invalid"}]']
    assert [table.file for table in uv_configuration.counting(member)] == [own]
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert uv_configuration.counting(member) == []
