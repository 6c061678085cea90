"""Which package indexes count, where each is said, and pip's settings for an uv that has none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envmagic.environments.backends import pip_configuration, uv_configuration
from envmagic.environments.backends.pip_configuration import Setting
from envmagic.system import process

__all__ = ["Index", "for_pip", "for_uv", "from_pip"]

_OF_UV = {
    "UV_INDEX": "extra-index-url",
    "UV_EXTRA_INDEX_URL": "extra-index-url",
    "UV_DEFAULT_INDEX": "index-url",
    "UV_INDEX_URL": "index-url",
    "UV_FIND_LINKS": "find-links",
    "UV_NO_INDEX": "no-index",
}
"""uv's variables, by the option that each is in pip."""
_OPTIONS = ("index-url", "extra-index-url", "find-links", "no-index")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_NO = ("0", "false", "no", "off", "n", "f")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True)
class Index:
    """One place where packages come from."""

    option: str
    """As pip calls it: `index-url`, `extra-index-url`, `find-links`; `no-index`: none but those."""
    url: str
    """Without credentials; empty of `no-index`."""
    where: str
    """The variable or the file that says it."""


def for_pip(prefix: Path | None) -> list[Index]:
    """Those of a pip that works on the environment at `prefix`."""
    return [
        Index(name, "" if name == "no-index" else process.redact(url), setting.where)
        for name, setting in _chosen(pip_configuration.settings(prefix)).items()
        for url in _several(setting)
    ]


def for_uv(directory: Path | None, prefix: Path | None) -> list[Index]:
    """Those of an uv that is run in `directory` for the environment at `prefix`."""
    found = [*_in_variables(), *_in_tables(directory)]
    return found or for_pip(prefix)


def from_pip(directory: Path | None, prefix: Path | None, *, index: bool = True) -> dict[str, str]:
    """What pip has been told and uv has not, as variables of an uv that is run in `directory` for
    the environment at `prefix`; without `index` not which index goes before the others."""
    said = pip_configuration.settings(prefix)
    told = _network(said, directory)
    if any(_in_variables()) or any(_in_tables(directory)):
        return told
    chosen = _chosen(said)
    if "index-url" in chosen and index:
        told["UV_DEFAULT_INDEX"] = chosen["index-url"].value.strip()
    if "extra-index-url" in chosen:
        told["UV_INDEX"] = " ".join(_several(chosen["extra-index-url"]))
    if "find-links" in chosen:
        places = (_absolute(place, directory) for place in _several(chosen["find-links"]))
        told["UV_FIND_LINKS"] = ",".join(places)
    if "no-index" in chosen:
        told["UV_NO_INDEX"] = "1"
    return told


def _network(said: Mapping[str, Setting], directory: Path | None) -> dict[str, str]:
    """How a network is reached, as far as uv is told nothing of that."""
    tables = uv_configuration.counting(directory)
    told: dict[str, str] = {}
    proxy = said.get("proxy")
    if proxy and not _is_set(*_PROXIES) and not any(t.has(["http-proxy"]) for t in tables):
        url = proxy.value if "://" in proxy.value else f"http://{proxy.value}"
        told |= {"HTTPS_PROXY": url, "HTTP_PROXY": url}
    certificates = said["cert"].value if "cert" in said else _of_requests()
    if os.path.exists(certificates) and not _is_set(*_CERTIFICATES):
        told[_CERTIFICATES[os.path.isdir(certificates)]] = certificates
    for name, variable in (
        ("client-cert", "SSL_CLIENT_CERT"),
        ("timeout", "UV_HTTP_TIMEOUT"),
        ("default-timeout", "UV_HTTP_TIMEOUT"),
    ):
        if name in said and not _is_set(variable):
            told[variable] = said[name].value
    if "trusted-host" in said and not _is_set("UV_INSECURE_HOST"):
        told["UV_INSECURE_HOST"] = " ".join(_several(said["trusted-host"]))
    keyring = said.get("keyring-provider")
    if keyring and keyring.value in ("subprocess", "import") and not _is_set("UV_KEYRING_PROVIDER"):
        told["UV_KEYRING_PROVIDER"] = "subprocess"
    return told


def _of_requests() -> str:
    """What pip's library reads where pip itself is told nothing."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""


def _is_set(*variables: str) -> bool:
    return any(os.environ.get(v) or os.environ.get(v.lower()) for v in variables)


def _chosen(said: Mapping[str, Setting]) -> dict[str, Setting]:
    chosen = {name: said[name] for name in _OPTIONS if name in said}
    if "no-index" in chosen and chosen["no-index"].value.strip().lower() in _NO:
        del chosen["no-index"]
    if "no-index" in chosen:
        chosen = {n: s for n, s in chosen.items() if not n.endswith("index-url")}
    return chosen


def _several(setting: Setting) -> list[str]:
    return setting.value.split()


def _absolute(place: str, directory: Path | None) -> str:
    """A place of find-links, wherever uv is run; it takes a comma for the end of one."""
    if not _SCHEME.match(place):
        place = str((directory or Path.cwd()) / Path(place).expanduser())
        return Path(place).as_uri().replace(",", "%2C") if "," in place else place
    return place.replace(",", "%2C")


def _in_variables() -> Iterator[Index]:
    for variable, option in _OF_UV.items():
        value = os.environ.get(variable, "")
        if option == "no-index" and value.lower() in _NO:
            continue
        several = value.replace(",", " ") if option == "find-links" else value
        for url in several.split():
            yield Index(option, "" if option == "no-index" else process.redact(url), variable)


def _in_tables(directory: Path | None) -> Iterator[Index]:
    for table in uv_configuration.counting(directory):
        for said in (table.said, table.pip):
            for name in uv_configuration.INDEXES:
                yield from _of_value(name, said.get(name), str(table.file))


def _of_value(name: str, value: Any, where: str) -> Iterator[Index]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and isinstance(one.get("url"), str):
            option = "index-url" if one.get("default") else "extra-index-url"
            yield Index(option, process.redact(one["url"]), where)
        elif isinstance(one, str):
            yield Index(name, process.redact(one), where)
        elif one is True:
            yield Index(name, "", where)
