"""The shape of each verb's `data` in `--json`; a promise, so fields are added and never renamed."""

from __future__ import annotations

from typing import TypedDict

__all__ = [
    "AutoloadData",
    "Change",
    "ChangeData",
    "CloneData",
    "CreateData",
    "DoctorData",
    "EnvironmentData",
    "ExportData",
    "ExportedFile",
    "HistoryData",
    "IndexData",
    "InstallData",
    "InsteadData",
    "KernelData",
    "ListData",
    "LockData",
    "LockedFile",
    "PassedOverData",
    "PlanData",
    "PlannedPythonData",
    "ProjectData",
    "QuestionData",
    "RecordData",
    "RecordedNotebook",
    "RecordedRequirement",
    "RemoveData",
    "RenameData",
    "RestoreData",
    "RestoredFrom",
    "ShipData",
    "SiteData",
    "SleepingData",
    "SourceData",
    "StatusData",
    "SwitchData",
    "UndoData",
    "UpgradeData",
    "UpgradeRow",
    "UseData",
    "VulnerabilityData",
    "WorkerData",
    "WorkerDifference",
]


class EnvironmentData(TypedDict, total=False):
    name: str
    """What the kernel is called, or would be."""
    prefix: str
    python: str
    """Full version, `3.12.4`."""
    backend: str
    owned: bool
    kernel: str | None
    """Its kernelspec, None while it has none."""
    display_name: str
    current: bool
    """This notebook runs in it."""
    size: int | None
    """Bytes; None when it was not asked for."""
    packages: int
    problem: str
    """Empty while it can start."""
    found: str
    """In `list`: whose it is where it is merely found, that is not made by envmagic and not
    attached, but can be: `uv`, `venv`, `virtualenv`, `conda`, `pixi`, `poetry`, `pdm`, `hatch`,
    `pipenv`, `virtualenvwrapper` or `pyenv`. Else empty."""
    here: bool
    """In `list`: one that is found lies around the notebook, or its tool made it for a project
    there."""
    notebooks: list[str]
    """In `list`: the notebooks whose own environment it is."""


class KernelData(TypedDict):
    name: str
    display_name: str
    language: str
    directory: str
    ours: bool
    prefix: str | None


class Change(TypedDict):
    name: str
    version: str
    action: str
    """`installed` or `removed`; an upgrade is one of each."""


class SwitchData(TypedDict):
    how: str
    kernel: str
    message: str
    hint: str


class SiteData(TypedDict):
    module: str
    file: str
    cell: int
    """Counting code and other cells from 1; 0 outside a notebook."""
    line: int
    """Counting from 1 in the cell or file."""


class RecordedRequirement(TypedDict):
    name: str
    requirement: str
    optional: bool
    evidence: str
    """`environment`, `import-name`, `install-line`, `table`, `identity` or `used-as`."""
    alternatives: list[str]
    sites: list[SiteData]


class RecordedNotebook(TypedDict):
    path: str
    language: str
    requirements: list[RecordedRequirement]
    local: list[str]
    provided: list[str]
    unresolved: list[SiteData]
    unparsed: list[SiteData]


class RecordData(TypedDict, total=False):
    file: str | None
    """The requirements file; None with `--to -` and when several directories were recorded."""
    files: list[str]
    changed: bool
    state: str
    """`on` or `off`."""
    pin: str
    notebooks: list[RecordedNotebook]
    lines: list[str]
    """The requirement lines alone, as `--to -` prints them."""
    unwritten: list[str]
    """What is needed and could be written into no file; a problem says why."""
    diff: str
    """With `--check`: a unified diff, empty when the record is up to date."""


class CreateData(TypedDict, total=False):
    """Of `create`, `attach` and `%%env`."""

    environment: EnvironmentData
    action: str
    """`created`, `reused` or `attached`."""
    changes: list[Change]
    notes: list[str]
    """What happened besides, one sentence each."""
    restart: list[str]
    """Modules that are loaded in this very kernel and have changed on disk."""
    switch: SwitchData
    record: RecordData | None
    seconds: float


class UseData(TypedDict):
    environment: EnvironmentData | None
    switch: SwitchData


class ProjectData(TypedDict):
    """The project whose tool did it."""

    tool: str
    """`uv`, `poetry`, `pdm` or `pixi`."""
    file: str
    """Its `pyproject.toml` or `pixi.toml`."""
    changed: bool
    """The tool changed that file."""


class InstallData(TypedDict, total=False):
    """Of `install`, `uninstall` and `sync`."""

    environment: EnvironmentData
    changes: list[Change]
    restart: list[str]
    """Modules that are loaded and have changed on disk."""
    record: RecordData | None
    notes: list[str]
    project: ProjectData
    """Missing where nothing went through the tool of a project."""


class _NotCompared(TypedDict, total=False):
    why: str
    """With `--check`, as a clause: the lock was made for another Python or platform."""


class LockedFile(_NotCompared):
    file: str
    distributions: int
    changed: bool
    diff: str
    """With `--check`: a unified diff, empty when the lock is up to date."""


class LockData(TypedDict):
    locks: list[LockedFile]


class ChangeData(TypedDict):
    """One change of an environment."""

    number: int
    when: str
    """UTC, ISO 8601: `2026-11-28T14:05:00Z`."""
    what: str
    """The words that did it; `another tool` where nothing of ours was there."""
    notebook: str | None
    changes: list[Change]
    before: dict[str, str]
    """Name -> the line that installs what was there, of what went or changed."""
    after: dict[str, str]
    """The same of what came."""
    cut_off: bool
    """It was killed before its end."""
    traits: dict[str, list[str]]
    """What else changed, `python`, `name` or `directory` -> what it was, and what it is."""


class HistoryData(TypedDict):
    environment: EnvironmentData
    history: list[ChangeData]
    """The oldest first."""


class RestoredFrom(TypedDict):
    """What says what the notebook had."""

    kind: str
    """`lock`, `pins` or `date`."""
    file: str | None
    date: str
    """The time up to which uploads count, ISO 8601; empty for no such time."""
    why: str
    """Where that time is from, a clause."""


class InsteadData(TypedDict):
    """Something that could not be had exactly as it was."""

    name: str
    """Of the distribution; `python` is the Python."""
    was: str
    """Its version, or what was asked for."""
    taken: str
    """Empty where nothing was."""
    why: str


class RestoreData(CreateData, total=False):
    source: RestoredFrom
    instead: list[InsteadData]
    """What is not as it was; of a plan: what would not be."""
    planned: list[Change]
    """With `--dry-run`: what it would hold; `action` is `kept` for what is there already."""
    dry_run: bool


class UndoData(TypedDict, total=False):
    environment: EnvironmentData
    undone: list[ChangeData]
    """The changes that were taken back, the oldest first."""
    changes: list[Change]
    restart: list[str]
    """Modules that are loaded and have changed on disk."""
    record: RecordData | None
    notes: list[str]


class ExportedFile(TypedDict):
    file: str
    changed: bool


class ExportData(TypedDict):
    format: str
    text: str
    """What is printed; empty where files were written."""
    files: list[ExportedFile]
    requirements: int
    """How many distributions are asked for."""
    left_out: list[str]
    """What the format cannot say; a problem tells why."""
    cell: bool
    """The text is put into a new cell."""


class CloneData(TypedDict, total=False):
    environment: EnvironmentData
    """The copy."""
    source: str
    """The prefix of the environment that was copied."""
    distributions: int
    """How many the copy holds."""
    notes: list[str]
    switch: SwitchData
    seconds: float


class RenameData(TypedDict, total=False):
    environment: EnvironmentData
    """As it is called and where it is now."""
    before: EnvironmentData
    """As it was called and where it was."""
    mentions: list[str]
    """Cells that say the old name, and are not changed: `analysis.ipynb, cell 1`."""
    hint: str
    """What a restart of this notebook will do, where that is not what one may expect."""


class UpgradeRow(TypedDict):
    """A distribution that changes, or is not the newest there is."""

    name: str
    now: str
    """Empty where it is not installed yet."""
    fits: str
    """The newest that goes with all that is asked for; empty where it is not taken along."""
    newest: str
    """The newest there is, as far as that is known."""
    why: str
    """Why `fits` is not `newest`; empty where it is."""


class VulnerabilityData(TypedDict):
    name: str
    version: str
    id: str
    aliases: list[str]
    summary: str
    fixed: list[str]
    """The versions that are without it."""
    link: str


class UpgradeData(TypedDict, total=False):
    environment: EnvironmentData
    dry_run: bool
    """Nothing was changed; `packages` says what would be."""
    packages: list[UpgradeRow]
    others: int
    """How many of those that were looked at are the newest there is."""
    python: str
    """With `--python`: the version that it has, or would have, then."""
    changes: list[Change]
    restart: list[str]
    """Modules that are loaded and have changed on disk."""
    switch: SwitchData
    """With `--python`."""
    record: RecordData | None
    notes: list[str]
    vulnerabilities: list[VulnerabilityData]
    """With `--audit`, and missing where it could not be told; of what is there in the end."""


class WorkerDifference(TypedDict):
    name: str
    """A distribution, a local module, or `python`."""
    here: str
    there: str
    """Its version, or the beginning of a module's digest; empty where it is not there."""


class WorkerData(TypedDict):
    """What one worker of an engine has."""

    worker: str
    python: str
    platform: str
    differs: list[WorkerDifference]


class ShipData(TypedDict):
    engine: str
    address: str
    """The cluster; empty where nothing is connected."""
    python: str
    platform: str
    distributions: dict[str, str]
    """Name -> version, of all that workers are to have."""
    modules: list[str]
    """Local modules that they are to have."""
    variables: list[str]
    """Names of the environment variables that go along."""
    sent: list[str]
    """What went there this time."""
    workers: list[WorkerData]
    """Those that differ first."""
    settings: dict[str, object]
    """For a session that is about to start, as the engine calls them."""
    variable: str
    """The notebook's variable that holds `settings`; empty where none does."""
    file: str
    """What was written; of an image its directory."""
    files: list[ExportedFile]
    """Those of an image's directory."""
    diff: str
    """With `--check` of an image: how they differ; empty where they do not."""
    notes: list[str]


class RuntimeData(TypedDict):
    """What the kernels of environments consist of, outside of them."""

    python: str
    """The version of Python that it was made for, `3.12.4`."""
    shared: bool
    """It is for every environment of that kind of Python, not for one with parts of its own."""
    used: float
    """When a kernel was last started with it, in seconds since the epoch."""
    size: int
    """Bytes."""
    directory: str


class ListData(TypedDict):
    environments: list[EnvironmentData]
    kernels: list[KernelData]
    """Kernels that are not of one of the environments."""
    runtimes: list[RuntimeData]
    all: bool
    """Text shows each one that is found too; `environments` holds them in any case."""


class SleepingData(TypedDict):
    kernel: str
    variables: int
    memory: int
    """Bytes resident."""


class StatusData(TypedDict, total=False):
    notebook: str | None
    kernel: str | None
    environment: EnvironmentData | None
    record: RecordData | None
    asleep: list[SleepingData]
    declared: SourceData | None
    """What the environment was made for, where that was the notebook's own kernel."""
    vulnerabilities: list[VulnerabilityData]
    """Those that an `upgrade --audit` found in the last 24 hours and that are still installed."""


class SourceData(TypedDict):
    """Where something is declared."""

    kind: str
    """`cell`, `script`, `environment`, `lock`, `requirements`, `project`, `environment-file` or
    `imports`."""
    file: str | None
    cell: int
    """Counting all cells from 1; 0 outside a notebook."""
    line: int
    """Counting from 1; 0 for no line in particular."""


class PlannedPythonData(TypedDict):
    version: str
    why: str


class QuestionData(TypedDict):
    """A line that is asked about before it is followed."""

    line: str
    why: str
    source: SourceData


class PassedOverData(TypedDict):
    file: str
    why: str


class PlanData(TypedDict):
    notebook: str | None
    source: SourceData
    name: str
    """What the environment is called."""
    prefix: str
    state: str
    """`ready`, `lacking`, `missing` or `broken`."""
    python: PlannedPythonData
    lacking: list[str]
    """Requirements that would be installed, as they are written."""
    unresolved: list[str]
    """Modules of which nobody knows the distribution."""
    questions: list[QuestionData]
    passed_over: list[PassedOverData]
    """What looks like a declaration and does not count."""
    problem: str
    """Why a broken environment cannot run; else empty."""


class RemoveData(TypedDict, total=False):
    kernel: str | None
    prefix: str | None
    delete: bool
    """The environment's directory goes (or went) too."""
    size: int
    done: bool


class IndexData(TypedDict):
    """A place where packages come from."""

    option: str
    """As pip calls it: `index-url`, `extra-index-url`, `find-links`; `no-index`: none but those."""
    url: str
    """Without credentials; empty of `no-index`."""
    said: str
    """The variable or the file that says it."""


class DoctorData(TypedDict, total=False):
    kernels: int
    environments: int
    """How many were looked at."""
    fixed: list[str]
    autoload: str
    """As in `AutoloadData.state`."""
    report: str
    """With `--report`: the last exception that nobody foresaw; empty where there was none."""
    installer: str
    """`uv` or `pip`."""
    indexes: list[IndexData]
    """Those that it is told of, here; none: the one that it knows by itself."""


class AutoloadData(TypedDict):
    state: str
    """`on`, `off`, or `edited`: a file of that name is there that is not as envmagic wrote it."""
    file: str
    """The start-up file in IPython's default profile, whether or not it is there."""
    profiles: list[str]
    """The profiles of IPython's that have it as envmagic wrote it."""
