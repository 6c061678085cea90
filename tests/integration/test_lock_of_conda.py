"""What is locked of conda's environments makes the very same environment again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.pylock import Pylock
from support.condachannel import Channel
from support.operate import Operator, prefix_of
from support.simple_index import serving

from envmagic.core.errors import WordsError
from envmagic.core.model import BackendName
from envmagic.core.verbs import InstallRequest, LockRequest, PlanRequest
from envmagic.environments.backends import commands
from envmagic.environments.backends.conda import metadata
from envmagic.system import toml_files

pytestmark = pytest.mark.skipif(commands.find_uv() is None, reason="uv is not here")


def test_an_explicit_list_with_hashes_and_a_lock_of_what_pip_installed(
    operate: Operator, conda: Channel, isolated: Any, make_wheel: Callable[..., Path]
) -> None:
    make_wheel("only-pip", requires=["tiny"])
    report = operate.create(
        "bio", "tiny<2", "library", backend=BackendName.CONDA, channels=(conda.url,)
    )
    prefix = prefix_of(report)
    operate(LockRequest(), prefix)
    (file,) = operate.work.glob("conda-*.lock")
    first = file.read_bytes()
    lines = _lines(file)
    assert f"# platform: {file.stem.removeprefix('conda-')}\n" in file.read_text()
    records = {record["name"]: record for _, record in metadata.records(prefix)}
    expected = {f"{each['url']}#{each['md5']}" for each in records.values()}
    assert set(lines) == expected and any("/tiny-1.5" in line for line in lines)
    order = [line.rpartition("/")[2].partition("-")[0] for line in lines]
    assert order.index("python") < order.index("tiny")
    assert not (operate.work / "pylock.toml").exists()
    with serving(isolated.wheels) as (address, _):
        settings = Path(os.environ["UV_CONFIG_FILE"])
        settings.write_text(f'[[index]]\nurl = "{address}"\ndefault = true\n')
        told = operate(InstallRequest(("only-pip", "tiny=1.0")), prefix)
        assert [p.code for p in told.problems] == ["lock-behind"]
        checked = operate(LockRequest(check=True), prefix)
        diffs = "".join(each["diff"] for each in checked.data["locks"])
        assert checked.exit_code == 1 and "/tiny-1.5" in diffs and "/tiny-1.0" in diffs
        operate(LockRequest(), prefix)
        assert operate(LockRequest(check=True), prefix).exit_code == 0
    lock = Pylock.from_dict(toml_files.parsed((operate.work / "pylock.toml").read_text()))
    assert [str(package.name) for package in lock.packages] == ["only-pip"]
    assert file.read_bytes() != first
    (operate.work / "environment.yml").write_text("dependencies: [tiny=1.0]\n")
    assert "pylock.toml" not in str(operate(PlanRequest()).data["source"])
    with pytest.raises(WordsError, match="one platform"):
        operate(LockRequest(universal=True), prefix)
    _made_again(file, conda, isolated.home / "again")
    again = {package.dist for package in metadata.packages(isolated.home / "again").values()}
    assert again == {package.dist for package in metadata.packages(prefix).values()}


def _made_again(file: Path, channel: Channel, prefix: Path) -> None:
    """By rattler: the very files of the list, with its hashes."""
    import rattler

    async def make() -> None:
        specs = []
        for line in _lines(file):
            url, _, digest = line.partition("#")
            stem = url.rpartition("/")[2].removesuffix(".conda").removesuffix(".tar.bz2")
            name, version, build = stem.rsplit("-", 2)
            specs.append(f'{name}[version="=={version}", build="{build}", md5="{digest}"]')
        records = await rattler.solve([channel.url], specs)
        assert {record.url for record in records} == {
            each.partition("#")[0] for each in _lines(file)
        }
        await rattler.install(records, target_prefix=str(prefix), show_progress=False)

    asyncio.run(make())


def _lines(file: Path) -> list[str]:
    return file.read_text().split("@EXPLICIT\n")[1].splitlines()
