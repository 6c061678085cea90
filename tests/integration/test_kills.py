"""What befalls a verb costs nobody anything: sixty faults of the campaign (`nox -s faults`)."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from support.faults import checks
from support.faults.belongings import LINES, beside_everything
from support.faults.campaign import Campaign
from support.faults.run import failures, table
from support.faults.scenarios import SCENARIOS, Scenario, find
from support.faults.strikes import QUIET, strike
from support.faults.tries import Try
from support.faults.world import World

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills -9 and looks into /proc")

# Those that make a whole environment more than the one they are like are for the campaign alone.
LONG = ("upgrade-python", "restore-over", "export-merged")
# One for each verb: how the others of `create` differ is not in what its installer does.
INSTALLERS = {each.words[0]: each for each in reversed(SCENARIOS) if each.moments}.values()


@pytest.fixture
def world(tmp_path: Path, runtimes_directory: Path) -> World:
    (tmp_path / "runtimes").symlink_to(runtimes_directory)
    made = World(tmp_path / "world", tmp_path / "wheels")
    made.build()
    return made


@pytest.fixture(scope="session")
def campaign(
    tmp_path_factory: pytest.TempPathFactory, runtimes_directory: Path, wheelhouse_directory: Path
) -> Campaign:
    made = Campaign(tmp_path_factory.mktemp("campaign"), jobs=1)
    (made.root / "runtimes").symlink_to(runtimes_directory)
    made.prepare()
    return made


@pytest.mark.parametrize(
    "scenario", [s for s in SCENARIOS if s.name not in LONG], ids=lambda scenario: scenario.name
)
def test_no_fault_costs_anybody_anything(
    scenario: Scenario, campaign: Campaign, pythons: dict[str, Path]
) -> None:
    """The quiet run and faults drawn with a fixed seed; what fails is said with its id."""
    if scenario.python and scenario.python not in pythons:
        pytest.skip(f"Python {scenario.python} is not on this machine")
    outcomes = list(campaign.short(scenario, moment=scenario in INSTALLERS))
    found = failures(outcomes)
    assert not found, f"\n{found}\n{table(outcomes)}"


def test_the_hook_logs_calls_of_ours_and_kills_before_the_one_that_is_named(world: World) -> None:
    mine = beside_everything(world)
    find("record-new").prepare(world, mine)
    words = find("record-new").words
    quiet = strike(world, words, QUIET, {})
    place = next(
        line for line in world.calls() if line.startswith("os.rename@system.files._exchange")
    )
    assert quiet.said.code == 0 and (world.work / "requirements.txt").exists()
    (world.work / "requirements.txt").unlink()
    struck = strike(world, words, place, {})
    assert struck.hit and struck.said.code == -signal.SIGKILL
    assert world.calls()[-1] == place and not (world.work / "requirements.txt").exists()


def test_what_is_lost_or_left_is_found(world: World) -> None:
    mine = beside_everything(world)
    scenario = find("create-name")
    scenario.prepare(world, mine)
    assert not mine.lost() and not checks.ghosts(world)
    assert not checks.leftovers(world, mine, scenario)
    requirements = world.work / "requirements.txt"
    requirements.write_text("".join((*LINES[:2], "pandas\n", *LINES[2:])))
    assert not mine.lost()
    requirements.write_text("".join(LINES[1:]))
    (world.work / "notes.txt").write_text("other")
    (world.kernels / "README.txt").unlink()
    half = world.kernels / ".envmagic-new-1a2b"
    spec = {"argv": [str(world.envmagic / "envs" / "churn" / "bin" / "python")]}
    for place in (half, world.kernels / "churn"):
        place.mkdir()
        (place / "kernel.json").write_text(json.dumps(spec))
    left = (
        world.work / ".requirements.txt.x1y2z3_4",
        world.temporary / "envmagic-a1b2c3d4",
        world.envmagic / "journal" / "0123.json",
        world.envmagic / "envs" / ".envmagic-trash-abcd",
    )
    for path in left:
        path.touch()
    (world.envmagic / "envs" / "churn" / "lib").mkdir(parents=True)
    assert set(mine.lost()) == {
        str(world.work / "notes.txt"),
        str(world.kernels / "README.txt"),
        f"{requirements}: the person's own lines",
    }
    assert checks.listed_halves(world) == [str(half)]
    assert checks.ghosts(world) == [str(half), str(world.kernels / "churn")]
    unfinished = f"{world.envmagic / 'envs' / 'churn'} unfinished, with lib"
    found = checks.leftovers(world, mine, scenario)
    assert set(found) == {*map(str, left), str(half), unfinished}


def test_an_id_names_its_try() -> None:
    for when in (
        QUIET,
        "os.rename@system.files._replace,environments.journal.begin#1",
        "group@2+137",
        "SIGTERM@os.rename@system.files._exchange#1 then full@20 then QUIET",
    ):
        tried = Try(find("sync"), when)
        assert Try.of(tried.id) == tried
